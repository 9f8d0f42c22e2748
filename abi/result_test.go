package abi_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/cloche-run/cloche/abi"
)

func decode(text string) (*abi.Response, string, error) {
	body := &abi.Buffer{Limit: abi.ResponseBodyBytes}
	resp := &abi.Response{Body: body}
	err := abi.DecodeResult([]byte(text), resp)
	return resp, string(body.Bytes), err
}

func TestResultsThatAreResponses(t *testing.T) {
	for name, test := range map[string]struct {
		text   string
		status int
		header abi.Header
		body   string
	}{
		"the least":                  {`{"statusCode":204}`, 204, nil, ""},
		"white space around":         {" \n{\"statusCode\":200,\"body\":\"x\"}\n\n", 200, nil, "x"},
		"status as a string":         {`{"statusCode":"202"}`, 202, nil, ""},
		"status as a float":          {`{"statusCode":2e2}`, 200, nil, ""},
		"null body":                  {`{"statusCode":200,"body":null}`, 200, nil, ""},
		"scalars as header values":   {`{"statusCode":200,"headers":{"b":42,"a":true,"c":null,"d":"x"}}`, 200, abi.Header{{"b", "42"}, {"a", "true"}, {"d", "x"}}, ""},
		"lists replace":              {`{"statusCode":200,"headers":{"X-Same":"h"},"multiValueHeaders":{"x-same":["1","2"]}}`, 200, abi.Header{{"x-same", "1"}, {"x-same", "2"}}, ""},
		"a list may be a scalar":     {`{"statusCode":200,"multiValueHeaders":{"a":"1"}}`, 200, abi.Header{{"a", "1"}}, ""},
		"base64 body":                {`{"statusCode":200,"body":"AAECAw==","isBase64Encoded":true}`, 200, nil, "\x00\x01\x02\x03"},
		"base64 without padding":     {`{"statusCode":200,"body":"AAECAw","isBase64Encoded":true}`, 200, nil, "\x00\x01\x02\x03"},
		"unknown members":            {`{"statusCode":200,"ttl":5,"x":{"y":[1]}}`, 200, nil, ""},
		"the last of a member":       {`{"statusCode":200,"statusCode":201}`, 201, nil, ""},
		"of two cases the later":     {`{"statusCode":200,"headers":{"X-A":"1","x-a":"2"}}`, 200, abi.Header{{"X-A", "2"}}, ""},
		"a lone surrogate in a body": {`{"statusCode":200,"body":"\ud800"}`, 200, nil, "\uFFFD"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body, err := decode(test.text)
			if err != nil {
				t.Fatal(err)
			}
			if resp.Status != test.status || body != test.body || len(resp.Header)+len(test.header) > 0 && !reflect.DeepEqual(resp.Header, test.header) {
				t.Errorf("got %d %v %q", resp.Status, resp.Header, body)
			}
			if err := resp.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestResultsThatAreNone(t *testing.T) {
	for name, test := range map[string]struct{ text, message string }{
		"nothing":                {``, "unexpected end of JSON input"},
		"garbage":                {`hello`, "invalid character 'h'"},
		"cut":                    {`{"statusCode":200`, "unexpected end of JSON input"},
		"two values":             {`{"statusCode":200}{"statusCode":200}`, "more than one JSON value"},
		"null":                   {`null`, "invalid status code returned from lambda: 0"},
		"a list":                 {`[]`, "not an object"},
		"a number":               {`5`, "not an object"},
		"no status":              {`{"body":"x"}`, "invalid status code returned from lambda: 0"},
		"another case":           {`{"statuscode":200}`, "invalid status code returned from lambda: 0"},
		"status 99":              {`{"statusCode":99}`, "lambda: 99"},
		"status 101":             {`{"statusCode":101}`, "lambda: 101"},
		"status 600":             {`{"statusCode":600}`, "lambda: 600"},
		"status with a half":     {`{"statusCode":200.5}`, "lambda: 200.5"},
		"status as a word":       {`{"statusCode":"abc"}`, "lambda: abc"},
		"status as hex":          {`{"statusCode":"0x1p8"}`, "lambda: 0x1p8"},
		"status as a list":       {`{"statusCode":[200]}`, "lambda: ["},
		"status NaN":             {`{"statusCode":"NaN"}`, "lambda: NaN"},
		"body as an object":      {`{"statusCode":200,"body":{"a":1}}`, "body is no string"},
		"bad base64":             {`{"statusCode":200,"body":"%","isBase64Encoded":true}`, "illegal base64"},
		"base64 as a word":       {`{"statusCode":200,"body":"","isBase64Encoded":"yes"}`, "isBase64Encoded is no boolean"},
		"headers as a list":      {`{"statusCode":200,"headers":[]}`, "headers is not an object"},
		"header as an object":    {`{"statusCode":200,"headers":{"a":{}}}`, "header a is no string"},
		"header in a list":       {`{"statusCode":200,"multiValueHeaders":{"a":[[1]]}}`, "header a is no string"},
		"more than 100 values":   {`{"statusCode":200,"multiValueHeaders":{"a":["` + strings.Repeat(`x","`, 101) + `"]}}`, "more than 100"},
		"more than 1000 members": {`{"statusCode":200` + strings.Repeat(`,"x":1`, 1000) + `}`, "more than 1000 members"},
		"deep nesting":           {`{"statusCode":200,"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, "exceeded max depth"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := decode(test.text)
			var known *abi.Error
			if !errors.As(err, &known) || known.What != abi.FaultBadResponse || !strings.Contains(known.Message, test.message) {
				t.Errorf("got %v, want a bad response with %q", err, test.message)
			}
		})
	}
}

// TestAResultCostsNoMoreThanItSays: what a guest prints must not grow in the
// host's memory.
func TestAResultCostsNoMoreThanItSays(t *testing.T) {
	items := strings.Repeat(`"",`, 1<<20)
	for name, text := range map[string]string{
		"a long list": `{"statusCode":200,"multiValueHeaders":{"a":[` + items + `""]}}`,
		"many names":  `{"statusCode":200,"headers":{` + strings.ReplaceAll(items, `,`, `:1,`) + `"":1}}`,
	} {
		data, resp := []byte(text), &abi.Response{Body: &abi.Buffer{}}
		result := testing.Benchmark(func(b *testing.B) {
			for range b.N {
				if err := abi.DecodeResult(data, resp); err == nil {
					b.Fatal("taken")
				}
			}
		})
		if n := result.AllocedBytesPerOp(); n > 64<<10 {
			t.Errorf("%s: %d bytes", name, n)
		}
	}
}

func TestValidateWithAHugeName(t *testing.T) {
	resp := abi.Response{Status: 200, Header: abi.Header{{strings.Repeat("é", 1<<20), ""}, {"\n" + strings.Repeat("x", 1000), ""}}}
	for range resp.Header {
		if err := resp.Validate(); err == nil || len(err.Error()) > 200 {
			t.Errorf("%.300v", err)
		}
		resp.Header = resp.Header[1:]
	}
}

func TestBodyOverTheLimitIsRefused(t *testing.T) {
	fits := `{"statusCode":200,"body":"` + strings.Repeat("x", abi.ResponseBodyBytes) + `"}`
	if _, _, err := decode(fits); err != nil {
		t.Error(err)
	}
	over := strings.Replace(fits, "x", "xx", 1)
	if _, _, err := decode(over); !errors.Is(err, abi.ErrBodyTooLarge) {
		t.Errorf("got %v", err)
	}
}

func TestValidateRefusesWhatHTTPCannotCarry(t *testing.T) {
	ok := abi.Field{Name: "X-Ok", Value: "a\tb é"}
	for name, test := range map[string]struct {
		resp abi.Response
		good bool
	}{
		"plain":              {abi.Response{Status: 200, Header: abi.Header{ok}}, true},
		"status 0":           {abi.Response{}, false},
		"status 199":         {abi.Response{Status: 199}, false},
		"status 599":         {abi.Response{Status: 599}, true},
		"status 600":         {abi.Response{Status: 600}, false},
		"CRLF in a value":    {abi.Response{Status: 200, Header: abi.Header{{"a", "b\r\nc: d"}}}, false},
		"NUL in a value":     {abi.Response{Status: 200, Header: abi.Header{{"a", "b\x00"}}}, false},
		"CRLF in a name":     {abi.Response{Status: 200, Header: abi.Header{{"a\r\nb", "c"}}}, false},
		"colon in a name":    {abi.Response{Status: 200, Header: abi.Header{{"a:", "c"}}}, false},
		"empty name":         {abi.Response{Status: 200, Header: abi.Header{{"", "c"}}}, false},
		"100 fields":         {abi.Response{Status: 200, Header: repeat(ok, 100)}, true},
		"101 fields":         {abi.Response{Status: 200, Header: repeat(ok, 101)}, false},
		"64 KiB in a field":  {abi.Response{Status: 200, Header: abi.Header{{"a", strings.Repeat("x", 64<<10-1)}}}, true},
		"more than 64 KiB":   {abi.Response{Status: 200, Header: abi.Header{{"a", strings.Repeat("x", 64<<10)}}}, false},
		"64 KiB in 2 fields": {abi.Response{Status: 200, Header: repeat(abi.Field{Name: "a", Value: strings.Repeat("x", 40<<10)}, 2)}, false},
	} {
		if err := test.resp.Validate(); (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func repeat(f abi.Field, n int) (h abi.Header) {
	for range n {
		h = append(h, f)
	}
	return h
}

// FuzzResult: a guest's output never causes a panic, and a response that was
// decoded and found valid can be sent.
func FuzzResult(f *testing.F) {
	for _, seed := range []string{`{"statusCode":200,"headers":{"a":1},"multiValueHeaders":{"b":[true]},"body":"QQ==","isBase64Encoded":true}`, `[]`, `{`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		resp := &abi.Response{Body: &abi.Buffer{Limit: 1 << 10}}
		err := abi.DecodeResult(data, resp)
		var known *abi.Error
		if err != nil && !errors.As(err, &known) {
			t.Fatalf("an error without a fault: %v", err)
		}
		if err == nil && (resp.Status < 200 || resp.Status > 599) {
			t.Fatalf("status %d", resp.Status)
		}
	})
}
