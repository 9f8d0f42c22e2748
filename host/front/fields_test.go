package front

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/cloche-run/cloche/abi"
)

// seenBy returns a request as the handler got it.
func seenBy(t *testing.T, cfg Config, lines string) *abi.Request {
	t.Helper()
	rec := &recorder{}
	if r := get(t, start(t, rec, cfg), "/", lines); r.StatusCode != 200 {
		t.Fatalf("got %d %s", r.StatusCode, r.body)
	}
	return rec.last(t)
}

func TestFieldsAFunctionSees(t *testing.T) {
	t.Parallel()
	req := seenBy(t, Config{AccountID: "acc", SiteID: "site"}, strings.Join([]string{
		"X-Mixed-CASE:  a b \t", "Cookie: a=1", "Cookie: b=2", "Empty:",
		"Connection: keep-alive, X-Listed, Host, X-Forwarded-For", "x-listed: gone", "Keep-Alive: timeout=5",
		"Proxy-Connection: x", "Proxy-Authorization: Basic x", "Proxy-Authenticate: x", "Proxy: http://evil.test",
		"TE: trailers", "Trailer: X-T", "Upgrade: h2c", "X-NF-Request-Id: evil", "x-nf-geo: evil", "X-Cloche-Job: evil",
		"X_Nf_Site_Id: evil", "x-cloche_attempt: evil", "Client-IP: 6.6.6.6", "client_ip: 6.6.6.6",
		"X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.test", "X-Forwarded-Port: 1",
		"x_forwarded_for: 6.6.6.6", "x-forwarded-for: 7.7.7.7", "Client-IPs: 1", "",
	}, "\r\n"))
	want := strings.Join([]string{
		"host=site.test", "x-mixed-case=a b", "cookie=a=1", "cookie=b=2", "empty=", "client-ips=1",
		"x-nf-request-id=" + req.ID, "client-ip=127.0.0.1", "x-nf-client-connection-ip=127.0.0.1",
		"x-forwarded-for=6.6.6.6, 7.7.7.7, 127.0.0.1", "x-forwarded-proto=http", "x-nf-account-id=acc", "x-nf-site-id=site",
	}, "\n")
	var got []string
	for _, f := range req.Header {
		got = append(got, f.Name+"="+f.Value)
	}
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got\n%s\nwant\n%s", s, want)
	}
	if len(req.ID) != 26 || req.Scheme != "http" || req.Host != "site.test" || req.Proto != "HTTP/1.1" {
		t.Errorf("got %+v", req)
	}
	if peer, err := netip.ParseAddrPort(req.RemoteAddr); err != nil || !peer.Addr().IsLoopback() {
		t.Errorf("got peer %q: %v", req.RemoteAddr, err)
	}
}

func TestDefaultsOfAnUnlinkedSite(t *testing.T) {
	t.Parallel()
	req := seenBy(t, Config{}, "")
	if !req.Header.Has("x-nf-account-id") || req.Header.Get("x-nf-account-id") != "" || req.Header.Get("x-nf-site-id") != "unlinked" {
		t.Errorf("got %v", req.Header)
	}
}

func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	trusted := Config{TrustedProxies: []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"),
	}}
	for _, c := range []struct{ name, lines, ip, scheme, host string }{
		{"a proxy that says nothing", "", "127.0.0.1", "http", "site.test"},
		{"one client", "X-Forwarded-For: 1.2.3.4\r\n", "1.2.3.4", "http", "site.test"},
		{"a client that lies", "X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\n", "1.2.3.4", "http", "site.test"},
		{"proxies on the way", "X-Forwarded-For: 6.6.6.6, 1.2.3.4, 10.1.1.1,10.2.2.2\r\n", "1.2.3.4", "http", "site.test"},
		{"several lines", "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 10.1.1.1\r\n", "1.2.3.4", "http", "site.test"},
		{"none but proxies", "X-Forwarded-For: 10.3.3.3, 10.1.1.1\r\n", "10.3.3.3", "http", "site.test"},
		{"nonsense after a proxy", "X-Forwarded-For: 1.2.3.4, unknown, 10.1.1.1\r\n", "10.1.1.1", "http", "site.test"},
		{"an empty list", "X-Forwarded-For: ,\r\n", "127.0.0.1", "http", "site.test"},
		{"a port", "X-Forwarded-For: 1.2.3.4:5678\r\n", "1.2.3.4", "http", "site.test"},
		{"IPv6 in brackets", "X-Forwarded-For: [2001:db8::1]\r\n", "2001:db8::1", "http", "site.test"},
		{"IPv6 with a port", "X-Forwarded-For: [2001:db8::1]:5678, fd00::2\r\n", "2001:db8::1", "http", "site.test"},
		{"IPv4 in IPv6", "X-Forwarded-For: ::ffff:1.2.3.4\r\n", "1.2.3.4", "http", "site.test"},
		{"TLS and host", "X-Forwarded-Proto: https\r\nX-Forwarded-Host: www.test:8443\r\n", "127.0.0.1", "https", "www.test:8443"},
		{"the nearest proxy's word", "X-Forwarded-Proto: https, http\r\nX-Forwarded-Host: evil.test, www.test\r\n", "127.0.0.1", "http", "www.test"},
		{"an unknown scheme", "X-Forwarded-Proto: gopher\r\n", "127.0.0.1", "http", "site.test"},
		{"fields that Connection lists", "Connection: X-Forwarded-For\r\nX-Forwarded-For: 1.2.3.4\r\n", "1.2.3.4", "http", "site.test"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := seenBy(t, trusted, c.lines)
			h := req.Header
			got := fmt.Sprint(h.Get("client-ip"), h.Get("x-nf-client-connection-ip"), h.Get("x-forwarded-proto"), req.Scheme, h.Get("host"), req.Host)
			if want := fmt.Sprint(c.ip, c.ip, c.scheme, c.scheme, c.host, c.host); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if all := h.Values("x-forwarded-for"); len(all) != 1 || !strings.HasSuffix(all[0], "127.0.0.1") {
				t.Errorf("got x-forwarded-for %q, want one that ends in the peer", all)
			}
		})
	}
	t.Run("a bad forwarded host", func(t *testing.T) {
		if r := get(t, start(t, &recorder{}, trusted), "/", "X-Forwarded-Host: a@b\r\n"); r.StatusCode != 400 {
			t.Errorf("got %d", r.StatusCode)
		}
	})
	t.Run("other peers are not believed", func(t *testing.T) {
		req := seenBy(t, Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
			"X-Forwarded-For: 10.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.test\r\n")
		if req.Scheme != "http" || req.Host != "site.test" || req.Header.Get("client-ip") != "127.0.0.1" || req.Header.Has("x-forwarded-host") {
			t.Errorf("got %+v", req)
		}
	})
}

func TestHosts(t *testing.T) {
	t.Parallel()
	rec := &recorder{}
	addr := start(t, rec, Config{Hosts: []string{"Site.test", "[::1]:8888", "127.0.0.1"}})
	for host, want := range map[string]int{
		"site.test": 200, "SITE.test:99": 200, "site.test.": 200, "[::1]": 200, "127.0.0.1:8888": 200,
		"evil.test": 421, "site.test.evil": 421, "asite.test": 421, "[::2]": 421, "127.0.0.2": 421,
	} {
		r := ask(t, addr, "GET", "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		if r.StatusCode != want {
			t.Errorf("%s: got %d, want %d", host, r.StatusCode, want)
		}
	}
	if r := ask(t, addr, "GET", "GET / HTTP/1.0\r\n\r\n"); r.StatusCode != 200 {
		t.Errorf("no host, which is our own address 127.0.0.1: got %d", r.StatusCode)
	}
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Skip(err)
	}
	rec := &recorder{}
	serve(t, rec, Config{}, ln)
	nc, err := net.Dial("unix", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	fmt.Fprintf(nc, "GET / HTTP/1.1\r\n%sConnection: close\r\n\r\n", h)
	if _, err := nc.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if req := rec.last(t); req.Header.Get("client-ip") != "127.0.0.1" {
		t.Errorf("got client %q", req.Header.Get("client-ip"))
	}
}
