package config

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of a site variable. Netlify's, whose names may not begin with "_":
// https://docs.netlify.com/build/environment-variables/overview/.
const (
	// MaxVariableNameBytes is the longest name.
	MaxVariableNameBytes = 255
	// MaxVariableRunes is the longest value, in characters.
	MaxVariableRunes = 5000
)

// variables adds the variables of t to the site's.
func (s *site) variables(t table) {
	for _, name := range t.keys() {
		value, ok := t.text(name)
		if !ok {
			continue
		}
		if message, remedy := badVariable(name, value); message != "" {
			t.fail(name, message, remedy)
			continue
		}
		s.environment[name] = value
	}
}

// CheckVariable refuses a variable that netlify.toml could not hold either.
func CheckVariable(name, value string) error {
	if message, remedy := badVariable(name, value); message != "" {
		return fmt.Errorf("%s: %s; %s", quoted(name), message, remedy)
	}
	return nil
}

func badVariable(name, value string) (message, remedy string) {
	switch {
	case !isVariableName(name):
		return "is not a variable name", variableRemedy()
	case strings.ContainsRune(value, 0):
		return fmt.Sprintf("%s holds a NUL character", quoted(value)), "leave it out"
	case utf8.RuneCountInString(value) > MaxVariableRunes:
		return fmt.Sprintf("%s is longer than %d characters", quoted(value), MaxVariableRunes), "make it shorter"
	}
	return "", ""
}

func variableRemedy() string {
	return fmt.Sprintf("use letters, digits and _, not a digit first, at most %d", MaxVariableNameBytes)
}

// isVariableName reports whether name is [A-Za-z_][A-Za-z0-9_]*, within limits.
func isVariableName(name string) bool {
	if name == "" || len(name) > MaxVariableNameBytes || name[0] >= '0' && name[0] <= '9' {
		return false
	}
	for i := range len(name) {
		if !isBareByte(name[i]) || name[i] == '-' {
			return false
		}
	}
	return true
}

// names is an array of variable names; nil if key is absent.
func (t table) names(key string) []string {
	items := t.strings(key)
	for _, name := range items {
		if !isVariableName(name) {
			t.fail(key, quoted(name)+" is not a variable name", variableRemedy())
			return nil
		}
	}
	return items
}
