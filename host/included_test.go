package host

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestIncludedFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"data/a.txt", "data/b.json", "data/deep/c.txt", "data/.hidden.txt", ".env", ".git/config.txt",
		".cloche/admin.token", "web/data/d.txt", "netlify.toml", "var/admin.token",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("content of "+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "data/passwd.txt")); err != nil {
		t.Fatal(err)
	}
	site, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer site.Close()
	for name, test := range map[string]struct {
		base     string
		patterns []string
		want     string
	}{
		"none":                        {".", nil, ""},
		"a pattern":                   {".", []string{"data/*.txt"}, "data/a.txt"},
		"any depth":                   {".", []string{"data/**/*.txt"}, "data/a.txt data/deep/c.txt"},
		"without some":                {".", []string{"data/**", "!data/deep/**"}, "data/a.txt data/b.json"},
		"the order does not matter":   {".", []string{"!data/deep/**", "data/**"}, "data/a.txt data/b.json"},
		"everything but what is dark": {".", []string{"**", "**/.*", ".env", ".git/**", ".cloche/**"}, "data/a.txt data/b.json data/deep/c.txt netlify.toml web/data/d.txt"},
		"out of the site":             {".", []string{"../**", "/etc/*", "data/../../**"}, ""},
		"under a base":                {"web", []string{"data/*"}, "data/d.txt"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := include(site, test.base, "var", test.patterns)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			if got.fs != nil {
				_ = fs.WalkDir(got.fs, ".", func(name string, entry fs.DirEntry, _ error) error {
					if !entry.IsDir() {
						names = append(names, name)
					}
					return nil
				})
			}
			slices.Sort(names)
			if list := strings.Join(names, " "); list != test.want {
				t.Errorf("got %q, want %q", list, test.want)
			}
		})
	}
	if _, err := include(site, ".", "", []string{"[a"}); err == nil {
		t.Error("a bad pattern is taken")
	}
}
