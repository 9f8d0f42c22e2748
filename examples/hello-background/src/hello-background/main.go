// Command hello-background takes 15 seconds and then answers: longer than a client
// should wait, and than most functions may take. It is a job, so the answer goes to
// the function that on_success names.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// event is the part of Netlify's event that this function looks at.
type event struct {
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

func main() {
	var e event
	if err := json.NewDecoder(os.Stdin).Decode(&e); err != nil {
		fmt.Fprintln(os.Stderr, "no event:", err)
		os.Exit(1) // a failure: the job is tried again
	}
	fmt.Fprintf(os.Stderr, "job %s, attempt %s\n", e.Headers["x-cloche-job"], e.Headers["x-cloche-attempt"])
	if e.Body == "fail" {
		fmt.Fprintln(os.Stderr, "as you wish")
		os.Exit(1)
	}
	time.Sleep(15 * time.Second)
	fmt.Fprintln(os.Stderr, "done")
	answer := map[string]any{"statusCode": 200, "body": "it took a while: " + time.Now().UTC().Format(time.RFC3339)}
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		os.Exit(1)
	}
}
