package config

import (
	"strings"

	"github.com/cloche-run/cloche/abi"
)

const wildcards = "*?"

// isGlob reports whether s can be the name of a function, wildcards included.
func isGlob(s string) bool {
	for i := range len(s) {
		if !isBareByte(s[i]) && strings.IndexByte(wildcards, s[i]) < 0 {
			return false
		}
	}
	return s != "" && len(s) <= abi.NameBytes
}

// literals counts the characters of glob that stand for themselves, less one if
// others do not, so that an exact name weighs more than any glob.
func literals(glob string) int {
	n := len(glob)
	for _, wildcard := range wildcards {
		n -= strings.Count(glob, string(wildcard))
	}
	if n < len(glob) {
		n--
	}
	return n
}

// match reports whether glob is for name: "*" is any number of characters, "?"
// is one. It goes back to the last "*" only, so many of them cost no more than
// len(glob) * len(name) steps.
func match(glob, name string) bool {
	g, n := 0, 0
	star, starName := -1, 0
	for n < len(name) {
		switch {
		case g < len(glob) && glob[g] == '*':
			star, starName = g, n
			g++
		case g < len(glob) && (glob[g] == '?' || glob[g] == name[n]):
			g++
			n++
		case star >= 0:
			starName++
			g, n = star+1, starName
		default:
			return false
		}
	}
	return strings.Trim(glob[g:], "*") == ""
}
