package config

import "maps"

// site is what a file says, before its directories are looked for.
type site struct {
	doc *document

	base, functions, publish place
	environment              map[string]string
	buildEnvironment         map[string]string
	rules                    []rule
}

// place is a directory as the file names it.
type place struct {
	value string
	path  []string // the key that says so
}

// parse reads the text of a netlify.toml as it applies to context.
func parse(text, context string) (*site, error) {
	doc, err := read(text)
	if err != nil {
		return nil, err
	}
	s := &site{doc: doc, environment: map[string]string{}}
	root := doc.root()
	root.check(siteKeys())

	build := root.table("build")
	build.check(buildKeys())
	s.build(build)
	s.buildEnvironment, s.environment = s.environment, map[string]string{}
	s.functionRules(root.table("functions"))
	s.contexts(root.table("context"), context)

	if s.functions.value == "" {
		s.functions = place{DefaultFunctionsDirectory, []string{"functions", directoryKey}}
	}
	return s, doc.err()
}

// build reads the keys of [build], or those of a context.
func (s *site) build(t table) {
	for key, p := range map[string]*place{"base": &s.base, "functions": &s.functions, "publish": &s.publish} {
		// Templates are full of base = "", which Netlify takes as absent too.
		if value, ok := t.text(key); ok && value != "" {
			*p = place{value, t.to(key)}
		}
	}
	s.variables(t.table("environment"))
}

// override lets the keys that o has win over those of s.
func (s *site) override(o site) {
	for _, p := range []struct{ to, from *place }{
		{&s.base, &o.base}, {&s.functions, &o.functions}, {&s.publish, &o.publish},
	} {
		if p.from.value != "" {
			*p.to = *p.from
		}
	}
	maps.Copy(s.environment, o.environment)
}
