package abi_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cloche-run/cloche/abi"
)

var update = flag.Bool("update", false, "write the golden files anew")

func request(mend func(*abi.Request)) *abi.Request {
	r := &abi.Request{
		ID: "01JDQ0000000000000000000000", Method: "GET", Proto: "HTTP/1.1", Scheme: "http", Host: "localhost:8888",
		Path: "/.netlify/functions/echo", RemoteAddr: "127.0.0.1:5000",
		Header: abi.Header{{Name: "host", Value: "localhost:8888"}, {Name: "accept", Value: "*/*"}},
	}
	mend(r)
	return r
}

func withBody(contentType, body string) func(*abi.Request) {
	return func(r *abi.Request) {
		r.Method, r.Body = "POST", []byte(body)
		r.Header.Add("content-type", contentType)
	}
}

func TestEventIsGolden(t *testing.T) {
	for name, mend := range map[string]func(*abi.Request){
		"plain get": func(*abi.Request) {},
		"empty query keeps no question mark": func(r *abi.Request) {
			r.HasQuery = true
		},
		"repeats are joined and listed": func(r *abi.Request) {
			r.RawQuery = "q=1&q=2&arr[]=x&flag&o[k]=v&e=&plus=a+b&bad=%zz&sc=1;b=2"
			r.Header.Add("x-rep", "1")
			r.Header.Add("cookie", "a=1")
			r.Header.Add("X-Rep", "2")
			r.Header.Add("cookie", "b=2")
		},
		"path stays encoded": func(r *abi.Request) {
			r.Path += "/a%20b/%E2%9C%93/c%2Fd"
			r.RawQuery = "x=%20&n=%E2%9C%93&bad=%ff"
		},
		"json body is text":            withBody("application/json; charset=utf-8", `{"a":"é✓"}`),
		"png body is base64":           withBody("image/png", "\x00\x01\x02\x03\xff\xfe\x80\x0a\x0d"),
		"svg body is text":             withBody("image/svg+xml", "<svg/>"),
		"latin1 body becomes utf-8":    withBody("text/plain; charset=ISO-8859-1", "h\xe9llo"),
		"broken utf-8 becomes U+FFFD":  withBody("text/plain", "a\xffb\xe2\x9cc\x00\"\\\n\u2028"),
		"body without type is base64":  func(r *abi.Request) { r.Body = []byte("x") },
		"multipart body is base64":     withBody("multipart/form-data; boundary=x", "--x--"),
		"form body is text":            withBody("application/x-www-form-urlencoded", "a=1&b=2"),
		"problem+json body is text":    withBody("application/problem+json", "{}"),
		"https shows in the raw url":   func(r *abi.Request) { r.Scheme, r.RawQuery = "https", "a=b" },
		"a method is any token":        func(r *abi.Request) { r.Method = "PURGE" },
		"many names keep their order":  func(r *abi.Request) { r.RawQuery = manyParameters },
		"a name may be escaped either": func(r *abi.Request) { r.RawQuery = "%61=1&a=2&=3&&" },
	} {
		t.Run(name, func(t *testing.T) {
			got := abi.AppendEvent(nil, request(mend))
			var fields any
			if err := json.Unmarshal(got, &fields); err != nil {
				t.Fatalf("not JSON: %v\n%s", err, got)
			}
			golden(t, strings.ReplaceAll(name, " ", "-")+".json", append(got, '\n'))
		})
	}
}

const manyParameters = "a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1&j=1&k=1&l=1&m=1&n=1&o=1&p=1&q=1&r=1&s=1&a=2&s=2"

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// FuzzEvent holds the encoder to encoding/json: whatever a client sends, the
// event is JSON and says what was sent.
func FuzzEvent(f *testing.F) {
	f.Add("/x", "a=1&a=2", "x-a", "v", "text/plain", []byte("body"))
	f.Add("/\xff", "%41=%zz&+", "cookie", "a\"b", "image/png", []byte{0, 255})
	f.Fuzz(func(t *testing.T, path, query, name, value, contentType string, body []byte) {
		r := request(func(r *abi.Request) {
			r.Path, r.RawQuery, r.Body = path, query, body
			r.Header.Add(name, value)
			r.Header.Add("content-type", contentType)
		})
		var event struct {
			Path, Body, RawQuery      string
			IsBase64Encoded           bool
			Headers                   map[string]string
			MultiValueHeaders         map[string][]string
			QueryStringParameters     map[string]string
			MultiValueQueryParameters map[string][]string `json:"multiValueQueryStringParameters"`
		}
		encoded := abi.AppendEvent(nil, r)
		if err := json.Unmarshal(encoded, &event); err != nil || !utf8.Valid(encoded) {
			t.Fatalf("%v: %q", err, encoded)
		}
		if want := strings.ToValidUTF8(path, "\uFFFD"); utf8.ValidString(path) && event.Path != want {
			t.Errorf("path %q, want %q", event.Path, want)
		}
		if len(event.QueryStringParameters) != len(event.MultiValueQueryParameters) {
			t.Errorf("the two query maps differ: %q", encoded)
		}
	})
}

func TestCloneSharesNothing(t *testing.T) {
	raw := []byte("/path?q")
	r := request(func(r *abi.Request) { r.Body = raw[:2] })
	c := r.Clone()
	if !reflect.DeepEqual(r, c) {
		t.Fatalf("clone differs: %+v", c)
	}
	raw[0], r.Header[0].Value = 'X', "changed"
	if c.Body[0] != '/' || c.Header[0].Value != "localhost:8888" {
		t.Error("the clone shares memory with the request")
	}
}
