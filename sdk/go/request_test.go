package cloche

import (
	"bytes"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// ask runs a handler that only looks at its request.
func ask(r TestRequest, look func(*Request)) {
	Test(func(_ *Response, r *Request) { look(r) }, r)
}

func TestRequestSaysWhatTheClientSent(t *testing.T) {
	in := TestRequest{
		Method: "PURGE", URI: "/a%20b?x=1", RemoteAddr: "[::1]:80",
		Header: Header{"Accept": {"a", "b"}, "X-Empty": {""}},
	}
	ask(in, func(r *Request) {
		for _, c := range []struct{ what, got, want string }{
			{"Method", r.Method(), "PURGE"},
			{"Protocol", r.Protocol(), "HTTP/1.1"},
			{"RemoteAddr", r.RemoteAddr(), "[::1]:80"},
			{"URI", r.URI(), "/a%20b?x=1"},
			{"Path", r.Path(), "/a%20b"},
			{"RawQuery", r.RawQuery(), "x=1"},
			{"first of two", r.Header("ACCEPT"), "a"},
			{"empty header", r.Header("x-empty"), ""},
			{"missing header", r.Header("x-missing"), ""},
			{"all of two", strings.Join(r.HeaderValues("accept"), "|"), "a|b"},
			{"names", strings.Join(r.HeaderNames(), "|"), "accept|x-empty"},
		} {
			if c.got != c.want {
				t.Errorf("%s: got %q, want %q", c.what, c.got, c.want)
			}
		}
		if got := len(r.HeaderValues("x-empty")); got != 1 {
			t.Errorf("values of an empty header: got %d, want 1", got)
		}
		if got := r.HeaderValues("x-missing"); got != nil {
			t.Errorf("values of a missing header: got %q, want nil", got)
		}
		if got := r.HeaderValues(""); got != nil {
			t.Errorf("values of no header: got %q, want nil", got)
		}
	})
}

func TestRequestTakesValuesAroundTheScratchSize(t *testing.T) {
	size := len(Request{}.scratch)
	for _, length := range []int{size - 1, size, size + 1, MaxValueBytes} {
		want := "/" + strings.Repeat("u", length-1)
		ask(TestRequest{URI: want, Header: Header{"x": {want[1:]}}}, func(r *Request) {
			if r.URI() != want {
				t.Errorf("URI of %d bytes is not the one that was sent", length)
			}
			if r.Header("x") != want[1:] {
				t.Errorf("header of %d bytes is not the one that was sent", length-1)
			}
		})
	}
}

func TestRequestRefusesAnEndlessValue(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a value over MaxValueBytes did not panic")
		}
	}()
	ask(TestRequest{URI: strings.Repeat("u", MaxValueBytes+1)}, func(r *Request) { r.URI() })
}

func TestQuery(t *testing.T) {
	for _, c := range []struct{ name, uri, want string }{
		{"no query", "/", ""},
		{"first of two wins", "/?q=1&q=2", "1"},
		{"plus is a blank", "/?q=a+b", "a b"},
		{"percent is decoded", "/?q=%F0%9F%98%8E%2b", "😎+"},
		{"a broken percent stays", "/?q=%zz%4", "%zz%4"},
		{"a semicolon does not separate", "/?p=1;q=2", ""},
		{"no value", "/?q&x", ""},
		{"an encoded name", "/?%71=1", "1"},
		{"a question mark in the value", "/?q=a?b", "a?b"},
	} {
		ask(TestRequest{URI: c.uri}, func(r *Request) {
			if got := r.Query("q"); got != c.want {
				t.Errorf("%s: got %q, want %q", c.name, got, c.want)
			}
		})
	}
}

func FuzzUnescape(f *testing.F) {
	for _, s := range []string{"", "a+b", "%41%", "%zz", "%F0%9F%98%8E"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := unescape(s)
		if want, err := url.QueryUnescape(s); err == nil && got != want {
			t.Errorf("unescape(%q): got %q, want %q", s, got, want)
		}
		if back := unescape(url.QueryEscape(s)); back != s {
			t.Errorf("unescape(escape(%q)): got %q", s, back)
		}
	})
}

func TestBody(t *testing.T) {
	for _, size := range []int{0, 1, 511, 512, 513, 100_000, MaxBodyBytes} {
		for _, length := range []string{"", "0", "-1", "7", "512", "99999999999999999999"} {
			want := bytes.Repeat([]byte{'b'}, size)
			in := TestRequest{Body: want, Header: Header{"Content-Length": {length}}}
			ask(in, func(r *Request) {
				got, err := r.Body()
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%d bytes announced as %q: got %d bytes, error %v", size, length, len(got), err)
				}
				if again, _ := r.Body(); !bytes.Equal(again, want) {
					t.Errorf("%d bytes announced as %q: the second call differs", size, length)
				}
			})
		}
	}
	ask(TestRequest{Body: make([]byte, MaxBodyBytes+1)}, func(r *Request) {
		if _, err := r.Body(); !errors.Is(err, ErrBodyTooLarge) {
			t.Errorf("a byte too many: got error %v", err)
		}
	})
}

func TestReadStreamsTheBody(t *testing.T) {
	for _, chunk := range []int{1, 2, 3, 6, 7} {
		ask(TestRequest{Body: []byte("stream")}, func(r *Request) {
			got, err := io.ReadAll(struct{ io.Reader }{readerOf{r, chunk}})
			if err != nil || string(got) != "stream" {
				t.Errorf("by %d: got %q, error %v", chunk, got, err)
			}
			if n, err := r.Read(nil); n != 0 || err != nil {
				t.Errorf("empty read: got %d, error %v", n, err)
			}
		})
	}
}

type readerOf struct {
	r     io.Reader
	chunk int
}

func (r readerOf) Read(p []byte) (int, error) { return r.r.Read(p[:min(r.chunk, len(p))]) }

func TestResponseIsWhatTheHandlerSaid(t *testing.T) {
	got := Test(func(w *Response, _ *Request) {
		w.SetStatus(201)
		w.AddHeader("Set-Cookie", "a=1")
		w.AddHeader("set-cookie", "b=2")
		w.SetHeader("X-One", "1")
		w.SetHeader("x-one", "2")
		w.SetHeader("X-Gone", "1")
		w.RemoveHeader("x-gone")
		w.Write([]byte("bo"))
		w.WriteString("dy")
		w.WriteString("")
	}, TestRequest{})
	if got.Status != 201 || string(got.Body) != "body" {
		t.Errorf("got %d %q, want 201 body", got.Status, got.Body)
	}
	if cookies := got.Header["set-cookie"]; !slices.Equal(cookies, []string{"a=1", "b=2"}) {
		t.Errorf("cookies: got %q", cookies)
	}
	if got.Header.Get("X-One") != "2" || got.Header.Get("x-gone") != "" {
		t.Errorf("headers: got %q", got.Header)
	}
}

func TestResponseIsOKByDefault(t *testing.T) {
	got := Test(func(*Response, *Request) {}, TestRequest{})
	if got.Status != 200 || len(got.Body) != 0 || len(got.Header) != 0 {
		t.Errorf("got %+v, want an empty 200", got)
	}
}

// A host of a guest that costs nothing, so that only the SDK's own memory counts.
type still struct{}

func (still) text(_ property, buf []byte) int               { return copy(buf, "/?q=1") }
func (still) list(_ string, buf []byte) (count, length int) { return 1, copy(buf, "42\x00") }
func (still) read(buf []byte) (int, bool)                   { return copy(buf, "body"), true }
func (still) status(int)                                    {}
func (still) field(edit, string, string)                    {}
func (still) write([]byte)                                  {}

func TestAllocations(t *testing.T) {
	request, response := &Request{from: still{}}, &Response{to: still{}}
	request.URI()
	for _, c := range []struct {
		name   string
		budget float64
		do     func()
	}{
		{"a header is one string", 1, func() { request.Header("accept") }},
		{"a plain query parameter is none", 0, func() { request.Query("q") }},
		{"an answer is none", 0, func() { response.Send(200, "text/plain", "hello") }},
		{"a body is one slice and its announced length", 2, func() { request.body = nil; request.Body() }},
	} {
		if got := testing.AllocsPerRun(100, c.do); got > c.budget {
			t.Errorf("%s: got %v allocations", c.name, got)
		}
	}
}
