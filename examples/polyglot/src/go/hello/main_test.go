package main

import (
	"encoding/json"
	"strings"
	"testing"

	cloche "github.com/cloche-run/cloche/sdk/go"
)

func TestHelloIsFromGo(t *testing.T) {
	got := cloche.Test(hello, cloche.TestRequest{URI: "/.netlify/functions/hello"})
	var body struct{ Message string }
	if err := json.Unmarshal(got.Body, &body); err != nil {
		t.Fatal(err)
	}
	if got.Status != 200 || !strings.HasSuffix(body.Message, "😎 Hello from Go.") {
		t.Errorf("got %d %q", got.Status, body.Message)
	}
}
