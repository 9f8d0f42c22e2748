package command

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Result is the answer to an Event.
type Result struct {
	// StatusCode is 200 to 599; 0 stands for 200.
	StatusCode int `json:"statusCode"`
	// Headers has one value per name. A name in MultiValueHeaders counts
	// instead of the same name here; several Set-Cookie need it.
	Headers           map[string]string   `json:"headers,omitempty"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders,omitempty"`
	// Body is base64 if IsBase64Encoded. A body that is not UTF-8 is encoded by
	// Run, so a function need not care.
	Body            string `json:"body"`
	IsBase64Encoded bool   `json:"isBase64Encoded,omitempty"`
}

// Text is an answer in plain text.
func Text(status int, body string) Result {
	return typed(status, "text/plain; charset=utf-8", body)
}

// JSON is an answer with value as JSON. The error is that of json.Marshal.
func JSON(status int, value any) (Result, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return Result{}, fmt.Errorf("answer: %w", err)
	}
	return typed(status, "application/json", string(body)), nil
}

// Bytes is an answer of any content type, text or not.
func Bytes(status int, contentType string, body []byte) Result {
	return typed(status, contentType, string(body))
}

func typed(status int, contentType, body string) Result {
	return Result{StatusCode: status, Headers: map[string]string{"content-type": contentType}, Body: body}
}

// complete is r as the host wants it.
func (r Result) complete() Result {
	if r.StatusCode == 0 {
		r.StatusCode = 200
	}
	if !r.IsBase64Encoded && !utf8.ValidString(r.Body) {
		r.Body, r.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(r.Body)), true
	}
	return r
}
