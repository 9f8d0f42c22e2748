// Command command asks package state as a command.
package main

import (
	"leak/state"

	"github.com/cloche-run/cloche/sdk/go/command"
)

func main() {
	finish := func() {}
	command.Run(func(e command.Event) (result command.Result, err error) {
		result.Body, finish = state.Serve(e.Headers["x-do"], e.Headers["x-secret"])
		return result, nil
	})
	finish()
}
