package cli

import (
	"os"

	"golang.org/x/term"
)

// Colours, for terminals only.
const (
	red   = "\x1b[31m"
	dim   = "\x1b[2m"
	bold  = "\x1b[1m"
	reset = "\x1b[0m"
)

// colored reports whether f is a terminal that wants colours
// (https://no-color.org).
func colored(f *os.File) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

func paint(f *os.File, color, text string) string {
	if !colored(f) {
		return text
	}
	return color + text + reset
}
