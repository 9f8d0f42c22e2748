// Package cloche is what a function written in Go imports to be a handler: a
// guest whose Go runtime is started once, by init, and which then answers
// requests one after the other, through the http-wasm handler ABI.
//
//	func init() { cloche.Handle(hello) }
//	func main() {} // never runs in a handler
//
//	func hello(w *cloche.Response, r *cloche.Request) {
//		w.Send(200, "text/plain", "hello "+r.Query("name"))
//	}
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o hello.wasm .
//
// Package command, next to this one, is for programs that run once per event.
// A guest is a handler as soon as it contains this package, hence the two.
//
// Whatever a call leaves behind in memory is gone at the next one: the host
// puts the guest back to the state in which init left it. That includes the
// state of math/rand, whose top-level functions therefore may repeat
// themselves; crypto/rand asks the host each time.
//
// Log to standard error, with log, log/slog or println: it is the function's log.
package cloche

// Limits on what a guest takes from its host.
const (
	// MaxBodyBytes is the largest request body: 6 MiB, the host's limit too.
	MaxBodyBytes = 6 << 20
	// MaxValueBytes is the largest method, URI, address or set of header
	// values. No host of ours has one that comes near; reaching it is a panic.
	MaxValueBytes = 1 << 20
)

// Handler answers one request. A panic in it ends the instance and is answered
// 502, with its message in the log.
//
// r and w are only valid until the handler returns.
type Handler func(w *Response, r *Request)
