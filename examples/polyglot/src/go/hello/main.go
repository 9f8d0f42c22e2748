// Command hello is a handler.
package main

import cloche "github.com/cloche-run/cloche/sdk/go"

func init() { cloche.Handle(hello) }

func main() {} // never runs in a handler

func hello(w *cloche.Response, _ *cloche.Request) {
	w.Send(200, "application/json", `{"message":"Serverless Functions are cool! 😎 Hello from Go."}`)
}
