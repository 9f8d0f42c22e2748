package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Millis is a time.Duration that is a number of milliseconds in JSON.
type Millis time.Duration

// MarshalJSON writes as many digits as it takes.
func (m Millis) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(m) / float64(time.Millisecond))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Millis) UnmarshalJSON(text []byte) error {
	var ms float64
	if err := json.Unmarshal(text, &ms); err != nil {
		return err
	}
	*m = Millis(ms * float64(time.Millisecond))
	return nil
}

// reply sends v as JSON.
func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	// What fails here is the connection; there is nobody left to tell.
	_ = encoder.Encode(v)
}

// failure is the answer of everything that went wrong.
type failure struct {
	Error string `json:"error"`
}

// fail says what went wrong and what to do about it.
func fail(w http.ResponseWriter, status int, format string, args ...any) {
	reply(w, status, failure{fmt.Sprintf(format, args...)})
}
