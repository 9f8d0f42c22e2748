package front

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cloche-run/cloche/abi"
)

// lenient admits every request whose head is sound.
type lenient struct{}

func (lenient) admit(*request) error { return nil }

// passed is one request as it came through the reader.
type passed struct {
	method, target string
	header         string
	body           string
}

// through reads everything from src through a reader and parses what comes out
// with net/http, which stands for fasthttp: it sees our own bytes only.
func through(src io.Reader) (list []passed, fault error) {
	g := &reader{buf: make([]byte, HeadBytes+windowBytes)}
	g.open(src, lenient{}, nil)
	r := bufio.NewReaderSize(g, 16)
	for {
		inner, err := http.ReadRequest(r)
		if err == nil {
			var body []byte
			if body, err = io.ReadAll(inner.Body); err == nil {
				req := g.req.Clone()
				list = append(list, passed{req.Method, req.Target(), fmt.Sprint(req.Header), string(body)})
				g.answered = true
				if g.close {
					return list, nil
				}
				continue
			}
		}
		if g.fault == nil && !errors.Is(err, io.EOF) {
			panic(fmt.Sprintf("net/http cannot read what the reader wrote: %v", err))
		}
		return list, g.fault
	}
}

// sliced gives its data n bytes at a time.
type sliced struct {
	data []byte
	n    int
}

func (s *sliced) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.data[:min(s.n, len(s.data))])
	s.data = s.data[n:]
	return n, nil
}

// FuzzReader wants the reader to read the same requests however the bytes are cut,
// never to read past a request before it is answered, and to agree with net/http
// about every request it lets through.
func FuzzReader(f *testing.F) {
	for _, c := range slices.Concat(framing(), chunks(), fieldClasses(), targetClasses(), lineClasses()) {
		if len(c.raw) < 2000 {
			f.Add([]byte(c.raw), 7)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, n int) {
		whole, fault := through(&sliced{raw, len(raw) + 1})
		cut, fault2 := through(&sliced{raw, 1 + abs(n)%64})
		if fmt.Sprint(whole, fault) != fmt.Sprint(cut, fault2) {
			t.Fatalf("%q:\nwhole %q %v\ncut %q %v", raw, whole, fault, cut, fault2)
		}
		for _, got := range whole {
			if !strings.HasPrefix(got.target, "/") && got.target != "*" || strings.ContainsAny(got.header, "\r\n\x00") {
				t.Fatalf("%q: got %q", raw, got)
			}
		}
		if len(whole) > 0 {
			compare(t, raw, whole[0])
		}
	})
}

// compare holds the first request against net/http's reading of the raw bytes.
func compare(t *testing.T, raw []byte, got passed) {
	t.Helper()
	std, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(bytes.TrimLeft(raw, "\r\n"))))
	if err != nil {
		return // net/http is stricter here and there: no two readings
	}
	body, err := io.ReadAll(std.Body)
	if err != nil {
		return
	}
	if std.Method != got.method || string(body) != got.body {
		t.Fatalf("%q: got %s with body %q, net/http reads %s with %q", raw, got.method, got.body, std.Method, body)
	}
}

func abs(n int) int {
	if n < 0 {
		return ^n
	}
	return n
}

// FuzzHead wants a head scan that accepts only what RFC 9112 calls a header.
func FuzzHead(f *testing.F) {
	f.Add([]byte("Host: site.test\r\nX: 1\r\n"))
	f.Add([]byte("Host: site.test\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"))
	f.Add([]byte("Host: site.test\r\nX: 1\r\n folded\r\n"))
	f.Add([]byte("Host: a@evil\nX Y: 1\r\n"))
	f.Fuzz(func(t *testing.T, lines []byte) {
		raw := slices.Concat([]byte("POST / HTTP/1.1\r\n"), lines, []byte("\r\n"))
		g := &reader{buf: make([]byte, HeadBytes+windowBytes)}
		g.open(bytes.NewReader(raw), lenient{}, nil)
		if g.begin() != nil || g.head() != nil {
			return
		}
		if g.lengths+g.codings > 1 || g.hosts != 1 || !validAuthority(g.req.Host) || len(g.req.Header) > RequestFields {
			t.Fatalf("%q: accepted %+v", lines, g.request)
		}
		for _, f := range g.req.Header {
			if !abi.IsToken(f.Name) || strings.ToLower(f.Name) != f.Name || !abi.IsFieldValue(f.Value) || strings.Trim(f.Value, " \t") != f.Value {
				t.Fatalf("%q: accepted field %q", lines, f)
			}
		}
		if g.length > abi.RequestBodyBytes || g.chunked && g.codings != 1 {
			t.Fatalf("%q: framed as %+v", lines, g.request)
		}
	})
}

// TestReaderHoldsTheHead wants the head's strings to survive the body: they are
// borrowed until the request is answered.
func TestReaderHoldsTheHead(t *testing.T) {
	value := strings.Repeat("v", HeadBytes-200)
	raw := "POST /path HTTP/1.1\r\nHost: site.test\r\nX: " + value + "\r\nTransfer-Encoding: chunked\r\n\r\n" +
		strings.Repeat("400;ext=1\r\n"+strings.Repeat("b", 1024)+"\r\n", 64) + "0\r\nT: " + strings.Repeat("t", 1000) + "\r\n\r\n"
	for _, n := range []int{1, 100, 1 << 20} {
		list, fault := through(&sliced{[]byte(raw + raw), n})
		if fault != nil || len(list) != 2 {
			t.Fatalf("cut by %d: got %d requests, %v", n, len(list), fault)
		}
		for _, got := range list {
			if got.target != "/path" || !strings.Contains(got.header, value) || got.body != strings.Repeat("b", 64<<10) {
				t.Errorf("cut by %d: got %.100q", n, got)
			}
		}
	}
}

// TestReaderWaitsForTheAnswer wants no byte of the next request before that.
func TestReaderWaitsForTheAnswer(t *testing.T) {
	g := &reader{buf: make([]byte, HeadBytes+windowBytes)}
	g.open(strings.NewReader(strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 2)), lenient{}, nil)
	if _, err := io.ReadAll(g); err != errUnanswered {
		t.Errorf("got %v", err)
	}
	g.answered = true
	if n, err := g.Read(make([]byte, 100)); n != 1 || err != nil {
		t.Errorf("after the answer: got %d, %v", n, err)
	}
}

// TestReaderKnowsTheEnd wants a request over as soon as its last byte was passed:
// a drain must not wait for a read to find out.
func TestReaderKnowsTheEnd(t *testing.T) {
	for name, framing := range map[string]string{
		"no body": "\r\n",
		"a body":  "Content-Length: 2\r\n\r\nok",
		"steps":   fmt.Sprintf("Content-Length: %d\r\n\r\n%s", 2*stepBytes, strings.Repeat("x", 2*stepBytes)),
		"chunks":  "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
	} {
		g := &reader{buf: make([]byte, HeadBytes+windowBytes)}
		g.open(strings.NewReader("POST / HTTP/1.1\r\nHost: a\r\n"+framing), lenient{}, nil)
		inner, err := http.ReadRequest(bufio.NewReaderSize(g, 16))
		if err == nil {
			_, err = io.ReadAll(inner.Body)
		}
		if err != nil || g.phase != phaseDone {
			t.Errorf("%s: phase %d, %v", name, g.phase, err)
		}
	}
}
