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
		if size += len(f.Name) + len(f.Value); size > ResponseHeaderBytes {
			return badResponse("header is larger than %d bytes", ResponseHeaderBytes)
		}
		if !IsToken(f.Name) {
			return badResponse("header name %s is no token", clip(f.Name))
		}
		if !IsFieldValue(f.Value) {
			return badResponse("header %s has a control character in its value", clip(f.Name))
		}
	}
	return nil
}

func badResponse(format string, args ...any) error {
	return &Error{What: FaultBadResponse, Message: "malformed response: " + fmt.Sprintf(format, args...)}
}
