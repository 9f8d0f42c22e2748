package command

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// Event is one HTTP request, or what stands for one in a background or
// scheduled call. Its fields have the names and the meaning that they have on
// Netlify: https://docs.netlify.com/build/functions/lambda-compatibility/
type Event struct {
	// RawURL is the URL as the client sent it, with scheme and host; RawQuery
	// is its query, undecoded, without "?".
	RawURL   string `json:"rawUrl"`
	RawQuery string `json:"rawQuery"`
	// Path is the client's path, percent-encoded, whatever was rewritten.
	Path       string `json:"path"`
	HTTPMethod string `json:"httpMethod"`
	// Headers have lower-case names; repeated ones are joined with ", ". Those
	// of MultiValueHeaders may be in another case: use Header.
	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	// Query parameters are decoded; repeated ones are joined with ", ".
	QueryStringParameters           map[string]string   `json:"queryStringParameters"`
	MultiValueQueryStringParameters map[string][]string `json:"multiValueQueryStringParameters"`
	// Body is base64 if IsBase64Encoded, as it is unless the content type says
	// text: Bytes decodes it.
	Body            string `json:"body"`
	IsBase64Encoded bool   `json:"isBase64Encoded"`
	// Route is the pattern that led here, if there is one.
	Route string `json:"route,omitempty"`
}

// Header returns the value of a header, or "". The case of name does not matter.
// A background call has x-cloche-job and x-cloche-attempt (1, 2, 3).
func (e Event) Header(name string) string { return e.Headers[strings.ToLower(name)] }

// Bytes is the request body as the client sent it.
func (e Event) Bytes() ([]byte, error) {
	if !e.IsBase64Encoded {
		return []byte(e.Body), nil
	}
	body, err := base64.StdEncoding.DecodeString(e.Body)
	if err != nil {
		return nil, fmt.Errorf("event body: %w", err)
	}
	return body, nil
}
