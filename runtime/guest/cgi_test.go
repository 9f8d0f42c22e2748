package guest

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/cloche-run/cloche/abi"
)

func decode(out string) (*abi.Response, string, error) {
	body := &abi.Buffer{Limit: abi.ResponseBodyBytes}
	resp := &abi.Response{Body: body}
	err := decodeCGI([]byte(out), resp)
	return resp, string(body.Bytes), err
}

func TestCGIOutputThatIsAResponse(t *testing.T) {
	for name, test := range map[string]struct {
		out    string
		status int
		header abi.Header
		body   string
	}{
		"the least":              {"\n", 200, nil, ""},
		"a document":             {"Content-Type: text/plain\n\nhello\n", 200, abi.Header{{Name: "Content-Type", Value: "text/plain"}}, "hello\n"},
		"CRLF line ends":         {"A: b\r\n\r\nc", 200, abi.Header{{Name: "A", Value: "b"}}, "c"},
		"a status":               {"Status: 404 Not Found\n\n", 404, nil, ""},
		"a status without words": {"status:201\n\n", 201, nil, ""},
		"a redirect":             {"Location: /x\n\n", 302, abi.Header{{Name: "Location", Value: "/x"}}, ""},
		"a redirect by status":   {"Location: /x\nStatus: 307\n\n", 307, abi.Header{{Name: "Location", Value: "/x"}}, ""},
		"two cookies":            {"Set-Cookie: a=1\nSet-Cookie: b=2\n\n", 200, abi.Header{{Name: "Set-Cookie", Value: "a=1"}, {Name: "Set-Cookie", Value: "b=2"}}, ""},
		"a body of any bytes":    {"\n\x00\xff\n\n", 200, nil, "\x00\xff\n\n"},
	} {
		resp, body, err := decode(test.out)
		if err != nil || resp.Status != test.status || body != test.body || len(resp.Header)+len(test.header) > 0 && !reflect.DeepEqual(resp.Header, test.header) {
			t.Errorf("%s: %d %v %q %v", name, resp.Status, resp.Header, body, err)
		}
	}
}

func TestCGIOutputThatIsNone(t *testing.T) {
	for name, out := range map[string]string{
		"nothing":            "",
		"no empty line":      "A: b\n",
		"a line of text":     "hello\n\n",
		"a space in a name":  "A b: c\n\n",
		"a folded line":      "A: b\n c\n\n",
		"a status of words":  "Status: fine\n\n",
		"more than 100 line": strings.Repeat("A: b\n", abi.ResponseFields+1) + "\n",
	} {
		_, _, err := decode(out)
		var fault abi.Faulter
		if !errors.As(err, &fault) || fault.Fault() != abi.FaultBadResponse {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzCGI(f *testing.F) {
	f.Add("Status: 200 OK\r\nA: b\r\n\r\nbody")
	f.Fuzz(func(t *testing.T, out string) {
		resp, _, err := decode(out)
		if err == nil && len(resp.Header) > abi.ResponseFields {
			t.Errorf("%d fields", len(resp.Header))
		}
	})
}

func TestCGIVariables(t *testing.T) {
	call := &Call{Request: &abi.Request{
		Function: "shop", Method: "POST", Proto: "HTTP/1.1", Scheme: "https", Host: "example.com",
		Path: "/.netlify/functions/shop/a%20b", RawQuery: "q=1", HasQuery: true, Body: []byte("xyz"), RemoteAddr: "192.0.2.1:5",
		Header: abi.Header{
			{Name: "content-type", Value: "text/plain"},
			{Name: "x-rep", Value: "1"},
			{Name: "x-rep", Value: "2"},
			{Name: "proxy", Value: "http://evil"},
			{Name: "x_nf_request_id", Value: "forged"},
		},
	}}
	got := map[string]string{}
	for _, pair := range metaVariables(call) {
		if _, twice := got[pair[0]]; twice {
			t.Errorf("%s is set twice", pair[0])
		}
		got[pair[0]] = pair[1]
	}
	for name, want := range map[string]string{
		"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "POST", "SERVER_PROTOCOL": "HTTP/1.1",
		"SERVER_NAME": "example.com", "SERVER_PORT": "443", "HTTPS": "on",
		"SCRIPT_NAME": "/.netlify/functions/shop", "PATH_INFO": "/a b", "X_RAW_PATH_INFO": "/a%20b",
		"REQUEST_URI": "/.netlify/functions/shop/a%20b?q=1", "QUERY_STRING": "q=1", "X_FULL_URL": "https://example.com/.netlify/functions/shop/a%20b?q=1",
		"CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": "3", "REMOTE_ADDR": "192.0.2.1", "HTTP_X_REP": "1, 2",
	} {
		if got[name] != want {
			t.Errorf("%s = %q, want %q", name, got[name], want)
		}
	}
	for _, name := range []string{"HTTP_PROXY", "HTTP_X_NF_REQUEST_ID", "HTTP_CONTENT_TYPE"} {
		if value, ok := got[name]; ok {
			t.Errorf("%s = %q is passed on", name, value)
		}
	}
}
