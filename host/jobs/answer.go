package jobs

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/cloche-run/cloche/abi"
)

// AnswerBytes is the largest body of an answer that OnSuccess is told: 64 KiB. Of
// a larger one it is told the size.
const AnswerBytes = 64 << 10

// answer is the abi.Body of a job: it keeps what OnSuccess is told and counts the
// rest, as nobody else waits for it.
type answer struct {
	kept abi.Buffer
	size int
}

// Write takes p.
func (a *answer) Write(p []byte) (int, error) {
	a.size += len(p)
	if a.size <= a.kept.Limit {
		_, _ = a.kept.Write(p) // it fits
	}
	return len(p), nil
}

// Reset forgets what was written.
func (a *answer) Reset() error {
	a.size = 0
	return a.kept.Reset()
}

// answerJSON is an answer as the function that is told sees it, in the shape of
// Netlify's responses.
type answerJSON struct {
	StatusCode      int                 `json:"statusCode"`
	Headers         map[string][]string `json:"multiValueHeaders"`
	Body            string              `json:"body"`
	IsBase64Encoded bool                `json:"isBase64Encoded"`
	BodyBytes       int                 `json:"bodyBytes"`
}

// encode returns the answer as JSON; nil if it is too large even without a body,
// or the function gave none.
func (a *answer) encode(resp *abi.Response) []byte {
	if resp.Status == 0 {
		return nil
	}
	wire := answerJSON{StatusCode: resp.Status, Headers: map[string][]string{}, BodyBytes: a.size}
	for _, f := range resp.Header {
		name := strings.ToLower(f.Name)
		wire.Headers[name] = append(wire.Headers[name], f.Value)
	}
	if a.size <= a.kept.Limit {
		wire.Body, wire.IsBase64Encoded = text(a.kept.Bytes)
	}
	encoded, err := encode(wire)
	if err != nil || len(encoded) > toldBytes {
		return nil
	}
	return encoded
}

// toldBytes is the largest answer with its header; the rest of a body is for what
// else is told.
const toldBytes = 192 << 10

// encode is json.Marshal for those who do not put it into HTML.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// text is a body as JSON can hold it, without growing to more than twice its size.
func text(body []byte) (text string, isBase64 bool) {
	control := func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' }
	if utf8.Valid(body) && bytes.IndexFunc(body, control) < 0 {
		return string(body), false
	}
	return base64.StdEncoding.EncodeToString(body), true
}
