package outbound

import (
	"net/netip"
	"net/url"
	"testing"
)

func TestPublicAddressesArePublic(t *testing.T) {
	for _, ip := range []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
		"169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
		"198.20.0.0", "223.255.255.255", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2001:200::1", "2001:4860:4860::8888", "2606:4700::1111", "2a00::1",
	} {
		if !isPublic(netip.MustParseAddr(ip)) {
			t.Errorf("%s is not public", ip)
		}
	}
	if isPublic(netip.Addr{}) {
		t.Error("no address is public")
	}
}

func TestPatternsMatchHosts(t *testing.T) {
	for _, test := range []struct {
		pattern, url   string
		allowed, named bool
	}{
		{"example.com", "https://example.com/", true, true},
		{"Example.COM", "https://eXample.com./x", true, true},
		{"example.com", "https://a.example.com/", false, false},
		{"example.com:8080", "http://example.com:8080/", true, true},
		{"example.com:8080", "http://example.com/", false, false},
		{"example.com:443", "https://example.com/", true, true},
		{"example.com:80", "http://example.com:080/", true, true},
		{"*.example.com", "https://a.example.com/", true, false},
		{"*.example.com", "https://a.b.example.com/", true, false},
		{"*.example.com", "https://example.com/", false, false},
		{"*.example.com", "https://badexample.com/", false, false},
		{"*.example.com:8080", "http://a.example.com/", false, false},
		{"*.example.com", "https://example.com.evil.com/", false, false},
		{"*", "https://anything.example/", true, false},
		{"10.0.0.1", "http://10.0.0.1/", true, true},
		{"10.0.0.1", "http://[::ffff:10.0.0.1]/", true, true},
		{"[fd00::1]", "http://[FD00:0::1]/", true, true},
		{"[fd00::1]:81", "http://[fd00::1]:81/", true, true},
		{"localhost", "http://localhost:9/", true, true},
	} {
		hosts, err := ParseHosts([]string{"other.example", test.pattern})
		if err != nil {
			t.Errorf("%s: %v", test.pattern, err)
			continue
		}
		u, err := url.Parse(test.url)
		if err != nil {
			t.Fatal(err)
		}
		p, err := placeOf(u)
		if allowed, named := hosts.match(p); err != nil || allowed != test.allowed || named != test.named {
			t.Errorf("%s for %s: got %v, %v, %v", test.pattern, test.url, allowed, named, err)
		}
		if got := (Caller{Allowed: hosts}).Permits(test.url); got != test.allowed {
			t.Errorf("%s for %s: Permits is %v", test.pattern, test.url, got)
		}
	}
}

func TestWhatIsNoPattern(t *testing.T) {
	for _, text := range []string{
		"", "*.", "**", "a.*", "*a", "a/b", "http://a", "a:", "a:0", "a:65536", "a:+1", "a b", "a..b", "::1", "[a]", "[::1", "fe80::1",
		"[fe80::1%eth0]", "*.10.0.0.1", "*.[::1]", "1.2.3", "0x7f.1", "a@b", "é.com", "a:1:2",
	} {
		if _, err := ParseHosts([]string{text}); err == nil {
			t.Errorf("%q is a pattern", text)
		}
	}
}
