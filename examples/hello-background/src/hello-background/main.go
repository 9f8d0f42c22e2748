// Command hello-background takes 15 seconds and then posts its result to hello:
// longer than a client should wait, and than most functions may take. It is a job,
// so nobody waits for its answer.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/cloche-run/cloche/sdk/go/fetch"
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
	time.Sleep(work())
	if err := tell("it took a while: " + time.Now().UTC().Format(time.RFC3339)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(`{"statusCode": 200, "body": "done"}`)
}

// work is how long it takes: 15 seconds, or what the variable WORK says.
func work() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("WORK")); err == nil {
		return d
	}
	return 15 * time.Second
}

// tell posts a result to hello. A function of the own site is called by its URL,
// and without a network.
func tell(result string) error {
	site := os.Getenv("URL") // as a variable of the site
	if site == "" {
		site = "http://localhost:8888"
	}
	resp, err := fetch.Post(site+"/.netlify/functions/hello", "text/plain", []byte(result))
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "hello answered %d: %s\n", resp.Status, resp.Body)
	if resp.Status != 200 {
		return fmt.Errorf("hello answered %d", resp.Status)
	}
	return nil
}
