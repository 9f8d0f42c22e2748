// Command cgi is an ordinary net/http handler. Only the last line knows that it
// is served by CGI; on a server of its own it would be http.ListenAndServe.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"net/http/cgi"
)

func main() {
	if err := cgi.Serve(http.HandlerFunc(hello)); err != nil {
		log.Fatal(err)
	}
}

func hello(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]string{
		"message": "Serverless Functions are cool! 😎 Hello from net/http.",
		"method":  r.Method,
		"path":    r.URL.Path,
		"name":    r.FormValue("name"),
	})
}
