// Package route decides what a path asks for. It knows paths only: no HTTP, no
// files.
package route

import "strings"

// functionPath is https://docs.netlify.com/build/functions/get-started/'s
// default URL of a function.
const functionPath = "/.netlify/functions/"

// Function takes the function's name out of a raw path: /.netlify/functions/NAME,
// with or without a slash or anything else behind it. The name is compared as it
// stands, escapes and case included; ok is false for every other path.
func Function(path string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(path, functionPath)
	if !ok {
		return "", false
	}
	name, _, _ = strings.Cut(rest, "/")
	return name, name != ""
}
