package front

import (
	"bytes"

	"github.com/cloche-run/cloche/abi"
)

// target reads the request target. RFC 9112 section 3.2: origin form, absolute
// form for http and https, and "*" for OPTIONS; visible ASCII only.
func (q *request) target(t []byte) error {
	if len(t) > TargetBytes {
		return refusal(abi.FaultURITooLong, "request target too long")
	}
	if !abi.IsTarget(t) {
		return refusal(abi.FaultBadRequest, "bad byte in the request target")
	}
	if string(t) == "*" && q.req.Method == "OPTIONS" {
		q.asterisk, q.req.Path = true, "*"
		return nil
	}
	if len(t) > 0 && t[0] != '/' {
		var ok bool
		if t, ok = q.absolute(t); !ok {
			return refusal(abi.FaultBadRequest, "bad request target")
		}
	}
	return q.origin(t)
}

// absolute takes scheme and authority off a target in absolute form. What is
// left begins with "/" or "?", or is empty.
func (q *request) absolute(t []byte) (rest []byte, ok bool) {
	scheme, rest, ok := bytes.Cut(t, []byte("://"))
	if !ok || !abi.EqualFold(text(scheme), "http") && !abi.EqualFold(text(scheme), "https") {
		return nil, false
	}
	end := bytes.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	q.authority = text(rest[:end])
	return rest[end:], q.authority != ""
}

// origin reads path and query of a target.
func (q *request) origin(t []byte) error {
	path, query, hasQuery := bytes.Cut(t, []byte("?"))
	if len(path) == 0 && q.authority == "" {
		return refusal(abi.FaultBadRequest, "empty request target")
	}
	if !wellEncoded(path) {
		return refusal(abi.FaultBadRequest, "bad path")
	}
	q.req.Path = text(resolve(path))
	if len(path) == 0 {
		q.req.Path = "/"
	}
	q.req.RawQuery, q.req.HasQuery = text(query), hasQuery
	return nil
}

// wellEncoded refuses what different readers of one path would read
// differently: a "%" that starts no escape, an escaped NUL, and the backslash,
// which the WHATWG URL parser takes for a slash.
func wellEncoded(path []byte) bool {
	for i := 0; i < len(path); i++ {
		switch path[i] {
		case '\\':
			return false
		case '%':
			if len(path)-i < 3 {
				return false
			}
			hi, ok := abi.Unhex(path[i+1])
			lo, ok2 := abi.Unhex(path[i+2])
			if !ok || !ok2 || hi|lo == 0 {
				return false
			}
		}
	}
	return true
}

// resolve takes the segments "." and ".." out of a path, plain or
// percent-encoded, as the WHATWG URL parser does: ".." goes up one segment and
// never above the root, and a dot segment at the end leaves its slash. Slashes
// are never decoded and empty segments count. It works in place, and returns
// path as it came if there is no such segment.
func resolve(path []byte) []byte {
	end := 0 // path[:end] is resolved
	for start := 0; start < len(path); {
		next := len(path)
		if i := bytes.IndexByte(path[start+1:], '/'); i >= 0 {
			next = start + 1 + i
		}
		dots := dotSegment(path[start+1 : next])
		if dots == 2 {
			end = max(0, bytes.LastIndexByte(path[:end], '/'))
		}
		switch {
		case dots == 0:
			end += copy(path[end:], path[start:next])
		case next == len(path):
			path[end] = '/'
			end++
		}
		start = next
	}
	return path[:end]
}

// dotSegment is 1 for ".", 2 for "..", 0 for every other segment.
func dotSegment(s []byte) int {
	dots := 0
	for len(s) > 0 && dots < 3 {
		switch {
		case s[0] == '.':
			s = s[1:]
		case len(s) >= 3 && s[0] == '%' && s[1] == '2' && s[2]|0x20 == 'e':
			s = s[3:]
		default:
			return 0
		}
		dots++
	}
	if dots > 2 {
		return 0
	}
	return dots
}
