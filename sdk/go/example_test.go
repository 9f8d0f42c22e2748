package cloche_test

import (
	"fmt"

	cloche "github.com/cloche-run/cloche/sdk/go"
)

// hello is what a function would pass to cloche.Handle in its init.
func hello(w *cloche.Response, r *cloche.Request) {
	name := r.Query("name")
	if name == "" {
		w.Send(400, "text/plain", "who are you?")
		return
	}
	w.Send(200, "text/plain", "hello "+name)
}

func ExampleTest() {
	got := cloche.Test(hello, cloche.TestRequest{URI: "/.netlify/functions/hello?name=Ada+L."})
	fmt.Println(got.Status, got.Header.Get("Content-Type"), string(got.Body))
	// Output: 200 text/plain hello Ada L.
}

func ExampleRequest_Body() {
	upper := func(w *cloche.Response, r *cloche.Request) {
		body, err := r.Body()
		if err != nil {
			w.Send(413, "text/plain", err.Error())
			return
		}
		fmt.Fprintf(w, "%s has %d bytes", body, len(body))
	}
	got := cloche.Test(upper, cloche.TestRequest{Method: "POST", Body: []byte("🔔")})
	fmt.Println(string(got.Body))
	// Output: 🔔 has 4 bytes
}
