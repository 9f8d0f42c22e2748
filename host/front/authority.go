package front

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/cloche-run/cloche/abi"
)

// checkHost wants one valid Host field; HTTP/1.0 may have none. RFC 9112
// section 3.2. A target in absolute form must name the same host, or two
// readers of the request would disagree about whom it is for.
func (q *request) checkHost() error {
	switch {
	case q.hosts > 1:
		return refusal(abi.FaultBadRequest, "more than one Host")
	case q.hosts == 0 && q.req.Proto == proto10 && q.authority == "":
		return nil
	case q.hosts == 0:
		return refusal(abi.FaultBadRequest, "no Host")
	case !validAuthority(q.req.Host):
		return refusal(abi.FaultBadRequest, "bad Host")
	case q.authority != "" && !abi.EqualFold(q.authority, q.req.Host):
		return refusal(abi.FaultBadRequest, "the request target names another host than Host")
	}
	return nil
}

// validAuthority accepts a name, an IPv4 address or an IPv6 address in
// brackets, each with or without a port: no user, no escapes, no empty port.
func validAuthority(s string) bool {
	host, port, hasPort := splitPort(s)
	if hasPort {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return false
		}
	}
	if bare, ok := strings.CutPrefix(host, "["); ok {
		bare, ok = strings.CutSuffix(bare, "]")
		ip, err := netip.ParseAddr(bare)
		return ok && err == nil && ip.Is6() && ip.Zone() == ""
	}
	for i := range len(host) {
		switch c := host[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', digit(c), c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return 0 < len(host) && len(host) <= 255
}

// splitPort cuts "host:port"; the colons of an address in brackets stay.
func splitPort(s string) (host, port string, hasPort bool) {
	end := strings.IndexByte(s, ']') + 1
	if i := strings.IndexByte(s[end:], ':'); i >= 0 {
		return s[:end+i], s[end+i+1:], true
	}
	return s, "", false
}

// hostKey is the form in which accepted host names compare: lower case, no
// port, no final dot.
func hostKey(s string) string {
	host, _, _ := splitPort(s)
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
