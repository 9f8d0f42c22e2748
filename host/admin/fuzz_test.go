package admin

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

// FuzzCall reads any bytes as a call: one that is accepted can be sent as HTTP
// and says the same after it was written and read again.
func FuzzCall(f *testing.F) {
	f.Add([]byte(`{"method":"GET","path":"/a","query":"b","headers":{"a":"1"},"multiValueHeaders":{"B":["2","3"]},"body":"x"}`))
	f.Add([]byte(`{"body":"/w==","isBase64Encoded":true,"headers":{"A":"1","a":"2"}}`))
	f.Add([]byte(`{"path":"/a\r\nb"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var first, second Call
		if json.Unmarshal(text, &first) != nil {
			return
		}
		if first.Complete(Function{Route: "/hello"}) != nil {
			return
		}
		request := first.Method + " " + first.Path + "?" + first.Query
		for _, field := range first.Header {
			request += field.Name + field.Value
		}
		if strings.ContainsAny(request, "\r\n\x00") {
			t.Fatalf("accepted %q", request)
		}
		again, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(again, &second); err != nil || !reflect.DeepEqual(first, second) {
			t.Fatalf("%+v is written as %s and read as %+v, %v", first, again, second, err)
		}
	})
}

// FuzzLogQuery reads any query: one that is accepted is the same when the client
// sends it.
func FuzzLogQuery(f *testing.F) {
	f.Add("function=a&since=10m&level=warn&request=r&limit=5&follow=1")
	f.Add("since=2026-11-02T10:00:00.5Z&level=INFO%2B1")
	f.Fuzz(func(t *testing.T, raw string) {
		now := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
		first, follow, err := parseLogQuery(raw, now)
		if err != nil {
			return
		}
		first.Since = first.Since.UTC()
		second, again, err := parseLogQuery(encodeLogQuery(first, follow), now)
		second.Since = second.Since.UTC()
		if year := first.Since.Year(); year < 1 || year > 9999 {
			return // no RFC 3339
		}
		if err != nil || again != follow || !reflect.DeepEqual(first, second) {
			t.Fatalf("%q is %+v and then %+v, %v", raw, first, second, err)
		}
	})
}

// FuzzHost reads any Host header: one that is let through is local.
func FuzzHost(f *testing.F) {
	for _, host := range []string{"localhost:1", "[::1]:2", "127.0.0.1.evil.example", "[::1", "a.localhost"} {
		f.Add(host)
	}
	s := &Server{}
	f.Fuzz(func(t *testing.T, host string) {
		if !s.knowsHost(&http.Request{Host: host}) {
			return
		}
		ip, err := netip.ParseAddr(hostname(host))
		if hostname(host) != "localhost" && (err != nil || !ip.Unmap().IsLoopback()) {
			t.Fatalf("let %q through", host)
		}
	})
}
