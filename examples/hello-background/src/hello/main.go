// Command hello greets whoever calls it, and logs what is posted to it: a result,
// or how a job ended.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// event is the part of Netlify's event that this function looks at.
type event struct {
	Method string `json:"httpMethod"`
	Body   string `json:"body"`
}

// outcome is what on_failure, or on_success, is told.
type outcome struct {
	Job      string `json:"job"`
	Function string `json:"function"`
	Status   string `json:"status"`
	Reason   string `json:"reason"`
	Response *struct {
		StatusCode int    `json:"statusCode"`
		Body       string `json:"body"`
	} `json:"response"`
}

func main() {
	var e event
	if err := json.NewDecoder(os.Stdin).Decode(&e); err != nil {
		fmt.Fprintln(os.Stderr, "no event:", err)
		os.Exit(1)
	}
	var o outcome
	if e.Method == "POST" && json.Unmarshal([]byte(e.Body), &o) == nil && o.Job != "" {
		fmt.Fprintf(os.Stderr, "job %s of %s: %s %s\n", o.Job, o.Function, o.Status, o.Reason)
		if o.Response != nil {
			fmt.Fprintf(os.Stderr, "it answered %d: %s\n", o.Response.StatusCode, o.Response.Body)
		}
	} else if e.Method == "POST" {
		fmt.Fprintln(os.Stderr, "posted:", e.Body)
	}
	fmt.Print(`{"statusCode": 200, "body": "hello"}`)
}
