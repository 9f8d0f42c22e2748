package config_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloche-run/cloche/host/config"
)

// write makes a site with the given netlify.toml.
func write(t *testing.T, toml string) (root string) {
	t.Helper()
	root = t.TempDir()
	if err := os.WriteFile(filepath.Join(root, config.FileName), []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	return root
}

// load is for files that must be good.
func load(t *testing.T, toml, context string) *config.Config {
	t.Helper()
	c, err := config.Load(write(t, toml), context)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return c
}

func TestASiteWithoutAFileHasDefaults(t *testing.T) {
	root := t.TempDir()
	c, err := config.Load(root, "")
	if err != nil {
		t.Fatal(err)
	}
	if c.Path != "" || c.Root != root || c.Base != root || c.Publish != "" || len(c.Warnings) != 0 || len(c.Environment) != 0 {
		t.Errorf("got %+v, want nothing but the site directory", c)
	}
	if want := filepath.Join(root, "netlify", "functions"); c.Functions != want {
		t.Errorf("Functions = %q, want %q", c.Functions, want)
	}
	if _, err := os.Stat(filepath.Join(root, "netlify")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load made a directory: %v", err)
	}
}

func TestAFileThatIsThereIsNamed(t *testing.T) {
	for name, toml := range map[string]string{"empty": "", "with a byte order mark": "\ufeff[build]\n", "with CRLF": "[build]\r\n\r\n"} {
		c := load(t, toml, "")
		if want := filepath.Join(c.Root, config.FileName); c.Path != want {
			t.Errorf("%s: Path = %q, want %q", name, c.Path, want)
		}
	}
}

func TestDirectories(t *testing.T) {
	for _, tt := range []struct {
		name, toml, context      string
		base, functions, publish string
	}{
		{
			name:      "default to netlify/functions and no publishing",
			functions: "netlify/functions", publish: "none",
		},
		{
			name:      "are taken from [build] and [functions]",
			toml:      "[build]\npublish = 'dist/'\n[functions]\ndirectory = 'fn'",
			functions: "fn", publish: "dist",
		},
		{
			name:      "can be the whole site",
			toml:      "[build]\npublish = '.'",
			functions: "netlify/functions",
		},
		{
			name: "are relative to base, the default too",
			toml: "[build]\nbase = 'web/app'\npublish = 'dist'",
			base: "web/app", functions: "web/app/netlify/functions", publish: "web/app/dist",
		},
		{
			name:      "of functions may stand in [build], as they used to",
			toml:      "[build]\nfunctions = 'lambda'",
			functions: "lambda", publish: "none",
		},
		{
			name:      "of functions in [functions] win over [build]",
			toml:      "[build]\nfunctions = 'lambda'\n[functions]\ndirectory = 'fn'",
			functions: "fn", publish: "none",
		},
		{
			name:    "of the context win over both",
			toml:    "[functions]\ndirectory = 'fn'\n[context.dev]\nfunctions = 'devfn'\npublish = 'devdist'\nbase = 'b'",
			context: "dev",
			base:    "b", functions: "b/devfn", publish: "b/devdist",
		},
		{
			name:      "that are empty are absent",
			toml:      "[build]\nbase = ''\npublish = ''\nfunctions = ''\n[functions]\ndirectory = ''",
			functions: "netlify/functions", publish: "none",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := load(t, tt.toml, tt.context)
			publish := filepath.Join(c.Root, tt.publish)
			if tt.publish == "none" {
				publish = ""
			}
			for _, p := range []struct{ name, got, want string }{
				{"Base", c.Base, filepath.Join(c.Root, tt.base)},
				{"Functions", c.Functions, filepath.Join(c.Root, tt.functions)},
				{"Publish", c.Publish, publish},
			} {
				if p.got != p.want {
					t.Errorf("%s = %q, want %q", p.name, p.got, p.want)
				}
			}
		})
	}
}

func TestDirectoriesStayInside(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		wantErr     string // "" if it is fine
	}{
		{"an absolute path", "/etc", "absolute"},
		{"the parent", "..", "absolute"},
		{"a path through the parent", "a/../../b", "absolute"},
		{"a path that comes back", "a/../b", "absolute"},
		{"a name with two dots", "..a", ""},
		{"a missing directory", "no/such", ""},
		{"a file", "netlify.toml", "is not a directory"},
		{"a path through a file", "netlify.toml/x", "cannot be used"},
		{"a link to the outside", "out", "cannot be used"},
		{"a path through a link to the outside", "out/etc", "cannot be used"},
		{"a path through a link to the parent", "up/x", "cannot be used"},
		{"a link to a missing outside", "nowhere", "cannot be used"},
		{"a link to itself", "loop", "cannot be used"},
		{"a link that stays inside", "in", ""},
		{"a NUL", `a\u0000b`, "cannot be used"},
	} {
		for _, key := range []string{"base", "publish", "functions"} {
			t.Run(tt.name+" as "+key, func(t *testing.T) {
				root := write(t, "[build]\n"+key+` = "`+tt.value+`"`)
				for name, target := range map[string]string{
					"out": t.TempDir(), "up": "..", "nowhere": "../no-such", "loop": "loop", "in": "real",
				} {
					if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
						t.Skip(err)
					}
				}
				if err := os.Mkdir(filepath.Join(root, "real"), 0o700); err != nil {
					t.Fatal(err)
				}
				_, err := config.Load(root, "")
				if tt.wantErr == "" {
					if err != nil {
						t.Errorf("got %v, want no error", err)
					}
					return
				}
				checkError(t, err, 2, "build."+key, tt.wantErr)
			})
		}
	}
}

// checkError wants one *Error with a line and a key, whose text holds a part.
func checkError(t *testing.T, err error, line int, key, part string) {
	t.Helper()
	var e *config.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error", err)
	}
	if e.File != config.FileName || e.Line != line || e.Key != key {
		t.Errorf("got %s:%d: %s, want %s:%d: %s", e.File, e.Line, e.Key, config.FileName, line, key)
	}
	if !strings.Contains(e.Error(), part) {
		t.Errorf("got %q, want %q in it", e.Error(), part)
	}
}

const contexts = `
[build]
publish = "base"
[build.environment]
A = "base"
B = "base"
C = "base"
[context.production]
publish = "production"
[context.production.environment]
A = "production"
[context.branch-deploy.environment]
A = "branch-deploy"
B = "branch-deploy"
[context."feat/*"]
environment = { A = "any feature" }
[context."feat/one"]
environment.A = "feature one"
[context."f*".environment]
A = "any f"
[context.dev]
environment = { D = "dev" }
`

func TestContextsOverrideTheBase(t *testing.T) {
	for _, tt := range []struct {
		name, context, publish string
		want                   map[string]string
	}{
		{"no context is production", "", "production", map[string]string{"A": "production", "B": "base", "C": "base"}},
		{"production", "production", "production", map[string]string{"A": "production", "B": "base", "C": "base"}},
		{"dev", "dev", "base", map[string]string{"A": "base", "B": "base", "C": "base", "D": "dev"}},
		{"a context that is not in the file", "deploy-preview", "base", map[string]string{"A": "base", "B": "base", "C": "base"}},
		{"a branch is a branch deploy", "main", "base", map[string]string{"A": "branch-deploy", "B": "branch-deploy", "C": "base"}},
		{"a branch by name wins over globs", "feat/one", "base", map[string]string{"A": "feature one", "B": "branch-deploy", "C": "base"}},
		{"of two globs the later wins", "feat/two", "base", map[string]string{"A": "any f", "B": "branch-deploy", "C": "base"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := load(t, contexts, tt.context)
			got := maps.Clone(c.BuildEnvironment)
			maps.Copy(got, c.Environment)
			if !maps.Equal(got, tt.want) {
				t.Errorf("variables = %v, want %v", got, tt.want)
			}
			if got := filepath.Base(c.Publish); got != tt.publish {
				t.Errorf("Publish = %q, want %q", got, tt.publish)
			}
		})
	}
}

func TestVariablesHaveLimits(t *testing.T) {
	long := strings.Repeat("A", config.MaxVariableNameBytes)
	full := strings.Repeat("é", config.MaxVariableRunes)
	for _, tt := range []struct {
		name, line, key, wantErr string
	}{
		{"a name of the longest kind", long + ` = "x"`, "", ""},
		{"a name of the longest kind, quoted", `"` + long + `" = "x"`, "", ""},
		{"a name that is one longer", long + `A = "x"`, long[:64] + "…", "is not a variable name; use letters"},
		{"a name that begins with a digit", `1A = "x"`, "1A", "is not a variable name"},
		{"a name that begins with an underscore", `_A1 = "x"`, "", ""},
		{"a name with a hyphen", `A-B = "x"`, "A-B", "is not a variable name"},
		{"a name with an equals sign", `"A=B" = "x"`, `"A=B"`, "is not a variable name"},
		{"an empty name", `"" = "x"`, `""`, "is not a variable name"},
		{"an empty value", `A = ""`, "", ""},
		{"a value of the longest kind", `A = "` + full + `"`, "", ""},
		{"a value that is one longer", `A = "` + full + `x"`, "A", "longer than 5000 characters"},
		{"a value with a NUL", `A = "a\u0000b"`, "A", `"a\x00b" holds a NUL`},
		{"a value of many lines", "A = \"a\\nb\"", "", ""},
		{"a number", `A = 18`, "A", "must be a string, not the number 18; put it in quotes"},
		{"a table", `A.B = "x"`, "A", "must be a string, not a table"},
	} {
		for _, table := range []string{"build", "context.dev", "context.production"} {
			t.Run(tt.name+" in "+table, func(t *testing.T) {
				_, err := config.Load(write(t, "["+table+".environment]\n"+tt.line), "")
				if tt.wantErr == "" {
					if err != nil {
						t.Errorf("got %v, want no error", err)
					}
					return
				}
				checkError(t, err, 2, table+".environment."+tt.key, tt.wantErr)
			})
		}
	}
}
