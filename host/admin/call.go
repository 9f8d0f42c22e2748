package admin

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/logs"
)

// Call is the request a function is to be invoked with. In JSON it is
// {"method","path","query","headers","multiValueHeaders","body","isBase64Encoded",
// "scheduled"}, all of it optional.
type Call struct {
	// Method is POST if "" and there is a body, else GET.
	Method string
	// Path is percent-encoded; the function's route if "".
	Path string
	// Query is what follows "?", encoded.
	Query string
	// Header has lower-case names and, once read from JSON, is sorted by name.
	Header abi.Header
	// Body is at most abi.RequestBodyBytes, abi.BackgroundBodyBytes for a
	// background function.
	Body []byte
	// Scheduled calls a function with a schedule as that does, at once and not as a
	// job; method, query and body of the call are then the schedule's.
	Scheduled bool
}

// Answer is what an invocation ended in. In JSON it is {"status","headers",
// "multiValueHeaders","body","isBase64Encoded","error","usage","logs"}.
type Answer struct {
	// Status, Header and Body are what the function answered, or zero.
	Status int
	Header abi.Header
	Body   []byte
	// Error is why there is no answer of the function's own.
	Error *abi.Error
	Usage Usage
	// Logs is what the function logged, oldest first.
	Logs []logs.Record
}

// Usage is what one invocation took.
type Usage struct {
	// Queue is the wait for an instance, Init the time to one that is ready, Exec
	// the time in the guest.
	Queue       Millis `json:"queue_ms"`
	Init        Millis `json:"init_ms"`
	Exec        Millis `json:"exec_ms"`
	MemoryBytes int64  `json:"memory_bytes"`
	// Fuel may be beyond 2^53.
	Fuel     uint64 `json:"fuel"`
	LogBytes int    `json:"log_bytes"`
}

// content is a header and a body in JSON, in Netlify's shape: a name that has
// one line is in headers, one that has more in multiValueHeaders.
type content struct {
	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	Body              string              `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

type callJSON struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Query  string `json:"query"`
	content
	Scheduled bool `json:"scheduled"`
}

type answerJSON struct {
	Status int `json:"status"`
	content
	Error *faultJSON    `json:"error,omitempty"`
	Usage Usage         `json:"usage"`
	Logs  []logs.Record `json:"logs"`
}

type faultJSON struct {
	Fault   abi.Fault `json:"fault"`
	Message string    `json:"message"`
	Trace   string    `json:"trace,omitempty"`
}

// MarshalJSON writes the call as the API takes it.
func (c Call) MarshalJSON() ([]byte, error) {
	return json.Marshal(callJSON{c.Method, c.Path, c.Query, pack(c.Header, c.Body), c.Scheduled})
}

// UnmarshalJSON reads a call and refuses fields that mean nothing.
func (c *Call) UnmarshalJSON(text []byte) error {
	var wire callJSON
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&wire); err != nil {
		return err
	}
	header, body, err := wire.unpack()
	if err != nil {
		return err
	}
	*c = Call{wire.Method, wire.Path, wire.Query, header, body, wire.Scheduled}
	return nil
}

// MarshalJSON writes the answer as the API gives it.
func (a Answer) MarshalJSON() ([]byte, error) {
	wire := answerJSON{Status: a.Status, content: pack(a.Header, a.Body), Usage: a.Usage, Logs: a.Logs}
	if a.Logs == nil {
		wire.Logs = []logs.Record{}
	}
	if a.Error != nil {
		wire.Error = &faultJSON{a.Error.What, a.Error.Message, a.Error.Detail}
	}
	return json.Marshal(wire)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (a *Answer) UnmarshalJSON(text []byte) error {
	var wire answerJSON
	if err := json.Unmarshal(text, &wire); err != nil {
		return err
	}
	header, body, err := wire.unpack()
	if err != nil {
		return err
	}
	*a = Answer{Status: wire.Status, Header: header, Body: body, Usage: wire.Usage, Logs: wire.Logs}
	if e := wire.Error; e != nil {
		a.Error = &abi.Error{What: e.Fault, Message: e.Message, Detail: e.Trace}
	}
	return nil
}

func pack(header abi.Header, body []byte) content {
	c := content{Headers: map[string]string{}, MultiValueHeaders: map[string][]string{}}
	for _, f := range header {
		name := strings.ToLower(f.Name)
		c.MultiValueHeaders[name] = append(c.MultiValueHeaders[name], f.Value)
	}
	maps.DeleteFunc(c.MultiValueHeaders, func(name string, values []string) bool {
		if len(values) == 1 {
			c.Headers[name] = values[0]
		}
		return len(values) == 1
	})
	c.Body = string(body)
	if !utf8.Valid(body) {
		c.Body, c.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return c
}

func (c content) unpack() (header abi.Header, body []byte, err error) {
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		header.Add(strings.ToLower(name), c.Headers[name])
	}
	for _, name := range slices.Sorted(maps.Keys(c.MultiValueHeaders)) {
		for _, value := range c.MultiValueHeaders[name] {
			header.Add(strings.ToLower(name), value)
		}
	}
	slices.SortStableFunc(header, func(a, b abi.Field) int { return strings.Compare(a.Name, b.Name) })
	if !c.IsBase64Encoded {
		return header, []byte(c.Body), nil
	}
	body, err = base64.StdEncoding.DecodeString(c.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("body is not base64: %w", err)
	}
	return header, body, nil
}
