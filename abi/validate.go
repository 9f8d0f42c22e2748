package abi

import "fmt"

// Validate refuses a response that cannot be sent as HTTP: a status outside
// 200..599 (a final 1xx breaks the connection's framing), a header name that is
// no token, a value with a control character, too many or too long fields. Its
// errors have FaultBadResponse.
func (r *Response) Validate() error {
	if r.Status < 200 || r.Status > 599 {
		return badResponse("status %d is outside 200..599", r.Status)
	}
	if len(r.Header) > ResponseFields {
		return badResponse("more than %d header fields", ResponseFields)
	}
	size := 0
	for _, f := range r.Header {
		if !IsToken(f.Name) {
			return badResponse("header name %q is no token", clip(f.Name))
		}
		if !isFieldValue(f.Value) {
			return badResponse("header %s has a control character in its value", f.Name)
		}
		size += len(f.Name) + len(f.Value)
	}
	if size > ResponseHeaderBytes {
		return badResponse("header is larger than %d bytes", ResponseHeaderBytes)
	}
	return nil
}

func badResponse(format string, args ...any) error {
	return &Error{What: FaultBadResponse, Message: "malformed response: " + fmt.Sprintf(format, args...)}
}

// IsToken reports whether s is a token of RFC 9110 section 5.6.2.
func IsToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if !tokenBytes[s[i]] {
			return false
		}
	}
	return s != ""
}

var tokenBytes = func() (table [256]bool) {
	const marks = "!#$%&'*+-.^_`|~"
	for i := range len(marks) {
		table[marks[i]] = true
	}
	for c := '0'; c <= '9'; c++ {
		table[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		table[c], table[c-'a'+'A'] = true, true
	}
	return table
}()

// isFieldValue allows what RFC 9110 section 5.5 does: no control but HTAB.
func isFieldValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
