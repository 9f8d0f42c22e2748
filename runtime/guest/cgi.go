package guest

import (
	"bytes"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/tetratelabs/wazero/api"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/limits"
	"github.com/cloche-run/cloche/runtime/wasi"
	"github.com/cloche-run/cloche/runtime/wasm"
)

// cgi is a CGI/1.1 program (RFC 3875) as WAGI runs it: the request in the
// environment and on standard input, header lines and body on standard output.
// Rules 50 to 55 of ABI.md.
type cgi struct{}

func (cgi) Name() string            { return "cgi" }
func (cgi) Pauses() wasi.PausePoint { return wasi.AtEnviron }

func (cgi) Streams(c *Call) wasi.Streams {
	if c.Request == nil {
		return programStreams(c, nil)
	}
	return programStreams(c, c.Request.Body)
}

func (cgi) Bind(instance api.Module) Guest {
	return &program{instance.ExportedFunction(wasm.EnterExport), func(call *Call) error {
		return decodeCGI(call.stdout.Bytes(), call.Response)
	}}
}

// Environ holds the meta-variables.
func (cgi) Environ(c *Call) (env []string) {
	if c.Request == nil {
		return nil
	}
	for _, pair := range metaVariables(c) {
		env = append(env, pair[0]+"="+pair[1])
	}
	return env
}

// metaVariables are those of RFC 3875 section 4.1 and of WAGI,
// https://github.com/deislabs/wagi/blob/main/docs/environment_variables.md.
func metaVariables(c *Call) [][2]string {
	r := c.Request
	script, info := splitScript(r)
	decoded, err := url.PathUnescape(info)
	if err != nil {
		decoded = info
	}
	host, port := splitHost(r)
	remote, _, _ := net.SplitHostPort(r.RemoteAddr)
	env := [][2]string{
		{"GATEWAY_INTERFACE", "CGI/1.1"},
		{"SERVER_SOFTWARE", "cloche"},
		{"SERVER_PROTOCOL", r.Proto},
		{"SERVER_NAME", host},
		{"SERVER_PORT", port},
		{"REQUEST_METHOD", r.Method},
		{"REQUEST_URI", r.Target()},
		{"SCRIPT_NAME", script},
		{"PATH_INFO", decoded},
		{"PATH_TRANSLATED", decoded},
		{"QUERY_STRING", r.RawQuery},
		{"REMOTE_ADDR", remote},
		{"REMOTE_HOST", remote},
		{"REMOTE_USER", ""},
		{"AUTH_TYPE", ""},
		{"CONTENT_LENGTH", strconv.Itoa(len(r.Body))},
		{"CONTENT_TYPE", r.Header.Get("content-type")},
		{"X_FULL_URL", r.URL()},
		{"X_MATCHED_ROUTE", script + "/..."},
		{"X_RAW_PATH_INFO", info},
	}
	if r.Scheme == "https" {
		env = append(env, [2]string{"HTTPS", "on"})
	}
	return appendHeaderVariables(env, r.Header)
}

// appendHeaderVariables adds HTTP_*. Proxy is left out, or any client could set
// the proxy of a program that honours HTTP_PROXY (https://httpoxy.org); so are
// names with "_", which would pass for names with "-" that only the host sets.
func appendHeaderVariables(env [][2]string, header abi.Header) [][2]string {
	at := map[string]int{}
	for _, f := range header {
		if strings.Contains(f.Name, "_") {
			continue
		}
		name := "HTTP_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		switch name {
		case "HTTP_PROXY", "HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH":
			continue
		}
		if i, ok := at[name]; ok {
			env[i][1] += abi.Separator(f.Name) + f.Value
			continue
		}
		at[name] = len(env)
		env = append(env, [2]string{name, f.Value})
	}
	return env
}

// splitScript tells the function's own path from what follows it.
func splitScript(r *abi.Request) (script, info string) {
	script = abi.FunctionPath + r.Function
	if info, ok := strings.CutPrefix(r.Path, script); ok {
		return script, info
	}
	return "", r.Path
}

func splitHost(r *abi.Request) (host, port string) {
	host, port, err := net.SplitHostPort(r.Host)
	switch {
	case err == nil:
		return host, port
	case r.Scheme == "https":
		return r.Host, "443"
	}
	return r.Host, "80"
}

// decodeCGI reads a document response of RFC 3875 section 6.
func decodeCGI(out []byte, resp *abi.Response) error {
	resp.Status, resp.Header = 0, resp.Header[:0]
	for {
		line, rest, found := bytes.Cut(out, []byte{'\n'})
		if !found {
			return limits.Trapf(abi.FaultBadResponse, "malformed CGI response: no empty line after the header")
		}
		out = rest
		line = bytes.TrimSuffix(line, []byte{'\r'})
		if len(line) == 0 {
			break
		}
		if err := addCGIField(resp, string(line)); err != nil {
			return err
		}
	}
	if resp.Status == 0 {
		resp.Status = 200
		if resp.Header.Has("location") {
			resp.Status = 302
		}
	}
	_, err := resp.Body.Write(out)
	return err
}

func addCGIField(resp *abi.Response, line string) error {
	name, value, found := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	switch {
	case !found || !abi.IsToken(name):
		return limits.Trapf(abi.FaultBadResponse, "malformed CGI response: %.80q is no header line", line)
	case len(resp.Header) == abi.ResponseFields:
		return limits.Trapf(abi.FaultBadResponse, "malformed CGI response: more than %d header lines", abi.ResponseFields)
	case abi.EqualFold(name, "status"):
		code, _, _ := strings.Cut(value, " ")
		status, err := strconv.Atoi(code)
		if err != nil {
			return limits.Trapf(abi.FaultBadResponse, "malformed CGI response: %.80q is no status", value)
		}
		resp.Status = status
		return nil
	}
	resp.Header.Add(name, value)
	return nil
}
