// Package command is what a function written in Go imports to be a command: a
// program that runs once per event, as on AWS Lambda.
//
//	func main() { command.Run(hello) }
//
//	func hello(e command.Event) (command.Result, error) {
//		return command.Text(200, "hello "+e.QueryStringParameters["name"]), nil
//	}
//
//	GOOS=wasip1 GOARCH=wasm go build -o hello.wasm .
//
// The event arrives on standard input and the result leaves on standard output,
// both as the JSON of Netlify's and Lambda's functions. Standard error is the
// function's log; nothing else may be written to standard output.
//
// The function is an ordinary one, so a test calls it natively with an Event.
// The program is one too: echo '{"path":"/"}' | go run . prints its answer.
package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// MaxEventBytes is the largest event that Run reads: a body of 6 MiB with each
// byte escaped as \u0000, and 4 MiB for the rest.
const MaxEventBytes = 6*6<<20 + 4<<20

// ErrEventTooLarge is why Run ends on more than MaxEventBytes.
var ErrEventTooLarge = errors.New("event too large")

// Run answers the event on standard input with the result of f and returns; a
// program has nothing to do after it.
//
// If f returns an error, or its result is not one, the program ends with exit
// code 1 and the error on standard error, and the client gets a 502. A panic
// ends it with 2. A background function that ends so is tried again.
func Run(f func(Event) (Result, error)) {
	if err := run(f, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "command:", err)
		os.Exit(1)
	}
}

func run(f func(Event) (Result, error), in io.Reader, out io.Writer) error {
	event, err := read(in)
	if err != nil {
		return err
	}
	result, err := f(event)
	if err != nil {
		return err
	}
	return write(out, result)
}

func read(in io.Reader) (e Event, err error) {
	text, err := io.ReadAll(io.LimitReader(in, MaxEventBytes+1))
	if err != nil {
		return e, fmt.Errorf("read event: %w", err)
	}
	if len(text) > MaxEventBytes {
		return e, ErrEventTooLarge
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return e, fmt.Errorf("read event: %w", err)
	}
	return e, nil
}

func write(out io.Writer, r Result) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r.complete()); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}
