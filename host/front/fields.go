package front

import (
	"strings"

	"github.com/cloche-run/cloche/abi"
)

// dress turns the client's header into the one a function sees: without what
// concerns the connection only, without names that are ours to set, and with
// ours at the end. room is memory for X-Forwarded-For; it is returned, grown.
func (s *Server) dress(q *request, p *peer, o origin, room []byte) []byte {
	h := &q.req.Header
	if q.options > 0 {
		unlist(*h)
	}
	kept := (*h)[:0]
	for _, f := range *h {
		switch {
		case f.Name == abi.HeaderForwardedFor:
			room = append(append(room, f.Value...), ", "...)
			continue
		case f.Name == "host":
			f.Value = o.host
		case f.Name == "" || hopByHop(f.Name) || reserved(f.Name, p.trusted):
			continue
		}
		kept = append(kept, f)
	}
	room = append(room, p.ipText...)
	*h = append(kept,
		abi.Field{Name: abi.HeaderRequestID, Value: q.req.ID},
		abi.Field{Name: abi.HeaderClientIP, Value: o.clientIP},
		abi.Field{Name: abi.HeaderConnectionIP, Value: o.clientIP},
		abi.Field{Name: abi.HeaderForwardedFor, Value: text(room)},
		abi.Field{Name: "x-forwarded-proto", Value: o.scheme},
		abi.Field{Name: abi.HeaderAccountID, Value: s.cfg.AccountID},
		abi.Field{Name: abi.HeaderSiteID, Value: s.cfg.SiteID},
	)
	return room
}

// unlist takes away the names of the fields that a Connection line lists. Host
// and the X-Forwarded family are not the client's to take away.
func unlist(h abi.Header) {
	for i := range h {
		switch name := h[i].Name; {
		case name == "connection", name == "host", strings.HasPrefix(name, "x-forwarded-"):
		case listed(h, name):
			h[i].Name = ""
		}
	}
}

// listed reports whether a Connection line names the field.
func listed(h abi.Header, name string) bool {
	for i := range h {
		if h[i].Name != "connection" {
			continue
		}
		for option := range strings.SplitSeq(h[i].Value, ",") {
			if abi.EqualFold(strings.Trim(option, " \t"), name) {
				return true
			}
		}
	}
	return false
}

// hopByHop reports whether a field is for us and not for a function: RFC 9110
// section 7.6.1, and Expect, which we answer. "proxy" is no field of HTTP; in a
// CGI environment it would turn into HTTP_PROXY (https://httpoxy.org).
func hopByHop(name string) bool {
	switch name {
	case "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization",
		"te", "trailer", "transfer-encoding", "upgrade", "expect", "proxy":
		return true
	}
	return false
}

// reserved reports whether the host alone sets a field. X-Forwarded-For is
// rewritten, the rest of its family is believed and kept from trusted proxies
// only, X-Forwarded-Proto being ours in any case. An underscore counts as a
// hyphen, since a CGI environment cannot tell them apart.
func reserved(name string, trusted bool) bool {
	switch name[0] {
	case 'c':
		return underscored(name, abi.HeaderClientIP) && len(name) == len(abi.HeaderClientIP)
	case 'x':
		return underscored(name, abi.HeaderPrefixNetlify) || underscored(name, abi.HeaderPrefixCloche) || underscored(name, abi.HeaderPrefixEvent) ||
			underscored(name, "x-forwarded-") &&
				(!trusted || name == "x-forwarded-proto" || name == abi.HeaderForwardedFor || strings.Contains(name, "_"))
	}
	return false
}

// underscored reports whether name begins with prefix, "_" standing for "-".
func underscored(name, prefix string) bool {
	if len(name) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if c := name[i]; c != prefix[i] && (c != '_' || prefix[i] != '-') {
			return false
		}
	}
	return true
}
