package config

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cloche-run/cloche/abi"
)

// rule is the settings of the functions whose names match a glob.
type rule struct {
	glob     string
	settings settings
	line     int
	shared   bool // stands in [functions] itself
}

// functionRules reads [functions].
func (s *site) functionRules(t table) {
	shared, named := splitFunctions(t)
	shared.check(functionsKeys())
	if directory, ok := shared.text(directoryKey); ok && directory != "" {
		if s.functions.value != "" {
			s.doc.warn(s.functions.path, "functions.directory is set too and wins; it has no effect")
		}
		s.functions = place{directory, shared.to(directoryKey)}
	}
	s.rules = append(s.rules, rule{glob: "*", settings: shared.settings(), shared: true})

	for _, glob := range named {
		if !isGlob(glob) {
			t.fail(glob, "is neither the name of a function nor a glob for names", fmt.Sprintf(
				"use letters, digits, - and _, with * and ? as wildcards, at most %d characters", abi.NameBytes))
			continue
		}
		r := t.table(glob)
		r.check(functionKeys())
		s.rules = append(s.rules, rule{glob: glob, settings: r.settings(), line: s.doc.lines.at(r.path)})
	}
	slices.SortStableFunc(s.rules, func(a, b rule) int {
		return cmp.Or(cmp.Compare(a.weight(), b.weight()), cmp.Compare(a.line, b.line))
	})
}

// splitFunctions tells the properties of all functions from the names and globs
// of some. A key that is called like a property is one, unless its value is a
// table that holds nothing but properties: then a function happens to have that
// name. The rule is that of @netlify/config, src/functions_config.ts.
func splitFunctions(t table) (shared table, named []string) {
	properties := functionsKeys().all()
	shared = table{doc: t.doc, path: t.path, values: map[string]any{}}
	for _, key := range t.keys() {
		value := t.values[key]
		fields, isTable := value.(map[string]any)
		_, isArray := value.([]map[string]any)
		isProperty := slices.Contains(properties, key)
		switch {
		case isTable && (!isProperty || hasOnly(fields, properties)):
			named = append(named, key)
		case isArray && !isProperty:
			t.mistyped(key, "a table", "write ["+keyName(t.to(key))+"], with single brackets")
		default:
			shared.values[key] = value
		}
	}
	return shared, named
}

func hasOnly(fields map[string]any, keys []string) bool {
	for key := range fields {
		if !slices.Contains(keys, key) {
			return false
		}
	}
	return true
}

// weight orders rules: those of more weight win. Of two that weigh the same,
// the later in the file wins.
func (r rule) weight() int {
	if r.shared {
		return -2
	}
	return literals(r.glob)
}

// Unmatched warns of every rule that is for none of a site's functions: most
// likely their names are misspelt.
func (c *Config) Unmatched(functions []string) []Warning {
	var warnings []Warning
	for _, r := range c.rules {
		matches := func(name string) bool { return match(r.glob, name) }
		if r.shared || slices.ContainsFunc(functions, matches) {
			continue
		}
		message := "no function has this name"
		if meant := nearest(r.glob, functions); meant != "" {
			message += fmt.Sprintf("; did you mean %q?", meant)
		}
		warnings = append(warnings, Warning{Line: r.line, Key: keyName([]string{"functions", r.glob}), Message: message})
	}
	slices.SortStableFunc(warnings, func(a, b Warning) int { return cmp.Compare(a.Line, b.Line) })
	return warnings
}
