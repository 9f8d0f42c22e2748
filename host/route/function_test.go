package route_test

import (
	"testing"

	"github.com/cloche-run/cloche/host/route"
)

func TestFunctionTakesTheNameOutOfThePath(t *testing.T) {
	for path, want := range map[string]string{
		"/.netlify/functions/hello":             "hello",
		"/.netlify/functions/hello/":            "hello",
		"/.netlify/functions/hello/extra/path":  "hello",
		"/.netlify/functions/hello/c%2Fd":       "hello",
		"/.netlify/functions/HELLO":             "HELLO",
		"/.netlify/functions/he%6Clo":           "he%6Clo",
		"/.netlify/functions/hello%2Fextra":     "hello%2Fextra",
		"/.netlify/functions/hello.js":          "hello.js",
		"/.netlify/functions":                   "",
		"/.netlify/functions/":                  "",
		"/.netlify/functions//hello":            "",
		"//.netlify/functions/hello":            "",
		"/.Netlify/functions/hello":             "",
		"/x/.netlify/functions/hello":           "",
		"/":                                     "",
		"":                                      "",
		"/.netlify/functions/hello-background/": "hello-background",
	} {
		got, ok := route.Function(path)
		if got != want || ok != (want != "") {
			t.Errorf("Function(%q) = %q, %v; want %q", path, got, ok, want)
		}
	}
}
