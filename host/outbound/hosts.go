package outbound

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxHostBytes is the longest name of a host, RFC 1035.
const maxHostBytes = 253

// Everything is the pattern of all public hosts.
const Everything = "*"

// Hosts are the hosts that a function may call: the patterns of `allow_hosts`.
// The zero Hosts are none.
type Hosts struct{ patterns []pattern }

// pattern is "host", "host:port", "*.host", "*.host:port" or Everything.
type pattern struct {
	host string // lower case; of "*.example.com" it is ".example.com"; "" is any
	port string // "" is any
}

// ParseHosts reads patterns. An error says which is none and what to write.
func ParseHosts(patterns []string) (Hosts, error) {
	var h Hosts
	for _, text := range patterns {
		p, err := parsePattern(text)
		if err != nil {
			return Hosts{}, fmt.Errorf(`%.80q is no host: %w: write "api.example.com", "api.example.com:8080", "*.example.com" or "*"`, text, err)
		}
		h.patterns = append(h.patterns, p)
	}
	return h, nil
}

func parsePattern(text string) (p pattern, err error) {
	if text == Everything {
		return pattern{}, nil
	}
	host, wild := strings.CutPrefix(text, "*.")
	if p.host, p.port, err = splitHost(host); err != nil {
		return p, err
	}
	if wild {
		if _, err := netip.ParseAddr(p.host); err == nil {
			return p, errors.New("an address has no subdomains")
		}
		p.host = "." + p.host
	}
	return p, nil
}

// splitHost takes "host" or "host:port" apart; an IPv6 address is in brackets.
func splitHost(text string) (host, port string, err error) {
	if i := strings.LastIndexByte(text, ':'); i >= 0 && !strings.HasSuffix(text, "]") {
		text, port = text[:i], text[i+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return "", "", fmt.Errorf("%.20q is no port", port)
		}
	}
	host, bracketed := strings.CutPrefix(text, "[")
	if bracketed {
		host = strings.TrimSuffix(host, "]")
	}
	if bracketed != strings.Contains(host, ":") {
		return "", "", errors.New("an IPv6 address, and nothing else, is in brackets")
	}
	host, err = canonical(host)
	return host, port, err
}

// canonical is the one way to write a host: names in lower case without a dot at
// the end, addresses as package netip prints them, IPv4 as IPv4.
func canonical(host string) (string, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Zone() != "" {
			return "", errors.New("an address with a zone")
		}
		return ip.Unmap().String(), nil
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "" || len(host) > maxHostBytes {
		return "", errors.New("a name has 1 to 253 characters")
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if !isLabel(label) {
			return "", errors.New("a name consists of letters, digits, - and _, in parts of 1 to 63; others are written as xn--")
		}
	}
	if isNumber(labels[len(labels)-1]) {
		return "", errors.New("it ends in a number and is no address of four numbers")
	}
	return host, nil
}

func isLabel(label string) bool {
	for _, c := range []byte(label) {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return label != "" && len(label) <= 63
}

// isNumber reports whether some resolvers would take a name with this last part
// for an IPv4 address: https://url.spec.whatwg.org/#ends-in-a-number-checker.
func isNumber(label string) bool {
	if digits, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

// place is where a URL leads.
type place struct{ scheme, host, port string }

// placeOf reads the origin of a URL, its port filled in.
func placeOf(u *url.URL) (place, error) {
	port := u.Port()
	switch {
	case u.Scheme == "http" && port == "":
		port = "80"
	case u.Scheme == "https" && port == "":
		port = "443"
	case u.Scheme != "http" && u.Scheme != "https":
		return place{}, fmt.Errorf("only http and https can be fetched, not %.20q", u.Scheme)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return place{}, fmt.Errorf("%.20q is no port", port)
	}
	host, err := canonical(u.Hostname())
	if err != nil {
		return place{}, fmt.Errorf("host %.80q: %w", u.Hostname(), err)
	}
	return place{u.Scheme, host, strings.TrimLeft(port, "0")}, nil
}

func (p place) address() string { return net.JoinHostPort(p.host, p.port) }

// match reports whether the place may be called, and whether that is because it is
// named as it stands: then its address may be a private one.
func (h Hosts) match(p place) (allowed, named bool) {
	for _, pattern := range h.patterns {
		if pattern.port != "" && pattern.port != p.port {
			continue
		}
		switch {
		case pattern.host == p.host:
			return true, true
		case pattern.host == "", pattern.host[0] == '.' && strings.HasSuffix(p.host, pattern.host):
			allowed = true
		}
	}
	return allowed, false
}

// CheckURL returns why an address is none that can be fetched, or nil.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return errors.New("it is no URL")
	case u.User != nil:
		return errors.New("it has a user in it")
	}
	_, err = placeOf(u)
	return err
}

// Permits reports whether the caller may call an address, as far as its text tells:
// on which port the own site listens does not matter here.
func (c Caller) Permits(address string) bool {
	if CheckURL(address) != nil {
		return false
	}
	u, _ := url.Parse(address) // CheckURL did
	p, _ := placeOf(u)
	allowed, _ := c.Allowed.match(p)
	return allowed || slices.ContainsFunc(c.Own.places, func(own place) bool { return own.host == p.host })
}
