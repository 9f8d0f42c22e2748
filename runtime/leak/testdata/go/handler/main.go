// Command handler asks package state as a handler.
package main

import (
	"leak/state"

	cloche "github.com/cloche-run/cloche/sdk/go"
)

func init() { cloche.Handle(serve) }
func main() {}

func serve(w *cloche.Response, r *cloche.Request) {
	answer, finish := state.Serve(r.Header("x-do"), r.Header("x-secret"))
	w.Send(200, "text/plain", answer)
	finish()
}
