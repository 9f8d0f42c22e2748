// Package config turns a site's netlify.toml into a Config: where the site's
// directories are, which variables it has, and under which limits each of its
// functions runs. It is the only room that knows TOML.
//
// The file is untrusted input. Reading it never blocks and never panics; it
// ends in a Config, or in errors that name the file, the line, the key and what
// to write instead. The format is Netlify's, with cloche's own keys for
// functions: https://docs.netlify.com/build/configure-builds/file-based-configuration/.
// The netlify.toml.example at the root of the repository documents every key.
package config

import (
	"os"
	"path/filepath"
)

// DefaultFunctionsDirectory is where functions are looked for, relative to the
// base directory, when the file does not say.
const DefaultFunctionsDirectory = "netlify/functions"

// Config is what one netlify.toml says about one site. It does not change after
// Load and may be used by many goroutines at once.
type Config struct {
	// Root is the site directory, absolute.
	Root string
	// Path is the netlify.toml that was read, or "" if the site has none.
	Path string
	// Base is the directory that the other two are relative to, absolute. It is
	// Root unless the file says otherwise.
	Base string
	// Functions is the functions directory, absolute. It need not exist.
	Functions string
	// Publish is the directory of static files, absolute, or "" for none: unlike
	// Netlify, cloche never publishes the whole site directory unasked. It need
	// not exist.
	Publish string
	// Environment holds the variables of the contexts that apply,
	// BuildEnvironment those of [build.environment], which Netlify's functions see
	// in dev and not in production. The caller must not change them.
	Environment, BuildEnvironment map[string]string
	// Warnings are the keys that are known but have no effect, by line.
	Warnings []Warning

	rules []rule // least specific first
}

// Load reads root/netlify.toml as it applies to a context: "production" (also
// ""), "dev", "deploy-preview", or the name of a branch. Without a file every
// setting has its default. Errors are of type *Error, several of them joined.
func Load(root, context string) (*Config, error) {
	absolute, err := filepath.Abs(root)
	if err != nil {
		return nil, siteError(root, err)
	}
	dir, err := openSite(absolute)
	if err != nil {
		return nil, siteError(root, err)
	}
	defer dir.Close()

	text, found, err := readFile(dir)
	if err != nil {
		return nil, err
	}
	s, err := parse(text, context)
	if err != nil {
		return nil, err
	}
	c, err := s.config(dir, absolute)
	if err != nil {
		return nil, err
	}
	if found {
		c.Path = filepath.Join(absolute, FileName)
	}
	return c, nil
}

// config finds the directories that s names.
func (s *site) config(dir *os.Root, root string) (*Config, error) {
	base := s.directory(dir, ".", s.base)
	if err := s.doc.err(); err != nil {
		return nil, err // one mistake, one error: the others depend on base
	}
	functions := s.directory(dir, base, s.functions)
	publish := ""
	if s.publish.value != "" {
		publish = filepath.Join(root, s.directory(dir, base, s.publish))
	}
	if err := s.doc.err(); err != nil {
		return nil, err
	}
	return &Config{
		Root:             root,
		Base:             filepath.Join(root, base),
		Functions:        filepath.Join(root, functions),
		Publish:          publish,
		Environment:      s.environment,
		BuildEnvironment: s.buildEnvironment,
		Warnings:         s.doc.sortedWarnings(),
		rules:            s.rules,
	}, nil
}
