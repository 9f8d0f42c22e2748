//go:build !wasip1

package fetch

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

// maxBodyBytes is the largest answer, as in a guest.
const maxBodyBytes = 6 << 20

func send(_ string, r Request) (*Response, error) {
	req, err := http.NewRequest(r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return nil, &Error{Invalid, err.Error()}
	}
	for name, values := range r.Header {
		for _, value := range values {
			req.Header.Add(name, value)
		}
	}
	client := http.Client{}
	if r.Manual {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	got, err := client.Do(req)
	if err != nil {
		return nil, &Error{Failed, err.Error()}
	}
	defer got.Body.Close()
	resp := &Response{Status: got.StatusCode, URL: got.Request.URL.String(), Header: Header{}}
	for name, values := range got.Header {
		resp.Header[strings.ToLower(name)] = values
	}
	if resp.Body, err = io.ReadAll(io.LimitReader(got.Body, maxBodyBytes+1)); err != nil {
		return nil, &Error{Failed, err.Error()}
	}
	if len(resp.Body) > maxBodyBytes {
		return nil, &Error{TooLarge, "the answer is too large"}
	}
	return resp, nil
}
