package config

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// contexts reads every [context.NAME], so that an error does not wait for the
// deploy that meets it, and applies those that are for context, the most
// specific last. Netlify's order is base, context, branch:
// https://docs.netlify.com/build/configure-builds/file-based-configuration/#deploy-contexts.
func (s *site) contexts(t table, context string) {
	read := make(map[string]site)
	for _, name := range t.keys() {
		c := site{doc: s.doc, environment: map[string]string{}}
		c.build(contextTable(t, name))
		read[name] = c
	}
	for _, name := range contextNames(context) {
		for _, match := range t.matching(name) {
			s.override(read[match])
		}
	}
}

// contextTable checks [context.NAME], whose functions may be a directory, as in
// [build], or settings, which no context can have yet.
func contextTable(t table, name string) table {
	c := t.table(name)
	c.check(contextKeys())
	if _, ok := c.values["functions"].(map[string]any); ok {
		c.doc.warn(c.to("functions"), "this version of cloche has no function settings by context; it has no effect")
		c.values = maps.Clone(c.values)
		delete(c.values, "functions")
	}
	return c
}

// contextNames are the contexts of a deploy, the most specific last. Whatever
// is no context of Netlify's own is the branch of a branch deploy.
func contextNames(context string) []string {
	switch context {
	case "":
		return []string{"production"}
	case "production", "dev", "deploy-preview", "branch-deploy":
		return []string{context}
	}
	return []string{"branch-deploy", context}
}

// matching returns the key called name or else, in the order of the file, those
// that end in "*" and begin name, such as "feat/*".
func (t table) matching(name string) []string {
	if _, ok := t.values[name]; ok {
		return []string{name}
	}
	var keys []string
	for _, key := range t.keys() {
		if prefix, ok := strings.CutSuffix(key, "*"); ok && strings.HasPrefix(name, prefix) {
			keys = append(keys, key)
		}
	}
	slices.SortStableFunc(keys, func(a, b string) int {
		return cmp.Compare(t.doc.lines.at(t.to(a)), t.doc.lines.at(t.to(b)))
	})
	return keys
}
