package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/config"
)

func TestErrorsNameFileLineKeyAndRemedy(t *testing.T) {
	long := strings.Repeat("k", config.MaxKeyBytes)
	for _, tt := range []struct{ name, toml, want string }{
		// Unknown keys.
		{"a misspelt setting", "[functions.hello]\n\ntimout = 1", `:3: functions.hello.timout: unknown key; did you mean "timeout"?`},
		{"letters swapped", "[functions]\nmemroy = 1", `:2: functions.memroy: unknown key; did you mean "memory"?`},
		{"a setting in another case", "[functions]\nTimeout = 1", `:2: functions.Timeout: unknown key; did you mean "timeout"?`},
		{"a setting in camel case", "[functions]\nnodeBundler = 'none'", `:2: functions.nodeBundler: unknown key; did you mean "node_bundler"?`},
		{"a misspelt planned setting", "[functions]\nretrys = 1", `:2: functions.retrys: unknown key; did you mean "retries"?`},
		{"a misspelt table", "[functoins.hello]", `:1: functoins: unknown key; did you mean "functions"?`},
		{"a misspelt table, dotted", "functoins.hello.timeout = 1", `:1: functoins: unknown key; did you mean "functions"?`},
		{"a capital table", "\n[Build]", `:2: Build: unknown key; did you mean "build"?`},
		{"a misspelt directory", "[build]\npublsh = 'x'", `:2: build.publsh: unknown key; did you mean "publish"?`},
		{"a key of a context", "[context.dev]\npublsh = 'x'", `:2: context.dev.publsh: unknown key; did you mean "publish"?`},
		{"a key like no other", "zebra = 1", ":1: zebra: unknown key; the keys here are build, context, functions"},
		{"directory of one function", "[functions.hello]\ndirectory = 'x'", ":2: functions.hello.directory: unknown key; it belongs to [functions] itself"},
		{"a function that is no table", "[functions]\nhello = 1", ":2: functions.hello: unknown key; the keys here are allow_hosts, "},

		// Lines and keys in every spelling of TOML.
		{"a quoted key", "[functions.\"api_*\"]\n# x\n\"tim out\" = 1", `:3: functions."api_*"."tim out": unknown key`},
		{"an escaped key", "[functions.hello]\n\"timou\\u0074\" = 'x'\nx1 = 1", ":2: functions.hello.timout: unknown key"},
		{"a literal key", "[functions.'h']\n'a\\b' = 1", `:2: functions.h."a\\b": unknown key`},
		{"a dotted key", "functions . \"hello\" . zzz = 1", ":1: functions.hello.zzz: unknown key"},
		{"an inline table", "[functions]\nhello = { timeout = 1, zzz = 1 }", ":2: functions.hello.zzz: unknown key"},
		{"an inline table of many lines", "[functions]\nhello = {\n timeout = 1, # x\n zzz = 1,\n}", ":4: functions.hello.zzz: unknown key"},
		{"after strings of many lines", "[build.environment]\nA = \"\"\"\n[functions]\nzzz = 1\n\"\"\"\"\nB = '''\n#'''\n[functions]\nzzz = 1", ":9: functions.zzz: unknown key"},
		{"after an array of many lines", "[functions]\nincluded_files = [ # [\n 'A', \"]\",\n]\nzzz = 1", ":5: functions.zzz: unknown key"},
		{"after comments and CRLF", "# a\r\n\r\n[functions] # b = [\r\nzzz = 1\r\n", ":4: functions.zzz: unknown key"},
		{"after an array of tables", "[[redirects]]\nfrom = 'a'\n[[redirects]]\nzzz = 1\n[functions]\nzzz = 2", ":6: functions.zzz: unknown key"},
		{"after a byte order mark", "\ufeff\nzzz = 1", ":2: zzz: unknown key"},

		// Wrong types.
		{"[build] that is no table", "build = 1", ":1: build: must be a table, not the number 1; write [build]"},
		{"[[functions]]", "[[functions]]\ntimeout = 1", ":1: functions: must be a table, not an array of tables; write [functions]"},
		{"[[functions.hello]]", "[functions]\n[[functions.hello]]", ":2: functions.hello: must be a table, not an array of tables; write [functions.hello], with single brackets"},
		{"a context that is no table", "[context]\ndev = 'x'", ":2: context.dev: must be a table, not the string \"x\"; write [context.dev]"},
		{"publish that is no string", "[build]\npublish = ['a']", ":2: build.publish: must be a string, not an array; put it in quotes"},
		{"directory that is no string", "[functions]\ndirectory = 1.5", ":2: functions.directory: must be a string, not the number 1.5"},
		{"an environment that is no table", "[build]\nenvironment = true", ":2: build.environment: must be a table, not true"},
		{"a directory outside, of a context in use", "[context.production]\nbase = '../x'", `:2: context.production.base: "../x" is absolute or holds ".."`},
		{"an impossible name", "[functions.'a/b']", `:1: functions."a/b": is neither the name of a function nor a glob for names; use letters`},
		{"too long a name", "[functions." + long[:abi.NameBytes+1] + "]", ": is neither the name of a function nor a glob for names"},

		// No TOML.
		{"a key twice", "[functions]\ntimeout = 1\n\ntimeout = 2", ":4: is not valid TOML: Key 'functions.timeout' has already been defined.; keep one of the two"},
		{"a table twice", "[functions]\n[build]\n[functions]", ":3: is not valid TOML: Key 'functions' has already been defined.; keep one of the two"},
		{"a key dotted and as a table", "[build]\nenvironment.A = ''\n[build.environment]\nA = ''", ":4: is not valid TOML: "},
		{"a key twice inside an inline table", "build = { base = 'a', base = 'b' }", ":1: is not valid TOML: "},
		{"a key without a value", "[build]\nbase =\npublish = 'x'", ":2: is not valid TOML: expected value"},
		{"a key without anything", "[build]\nbase", ":2: is not valid TOML: "},
		{"a value without quotes", "[build]\nbase = web", ":2: is not valid TOML: expected value but found \"web\" instead; https://toml.io"},
		{"a string without an end", "[build]\n\nbase = 'x\n", ":3: is not valid TOML: strings cannot contain newlines"},
		{"an array without an end", "[functions]\nenv = ['A'\n[build]\n", ":3: is not valid TOML: "},
		{"a glob without quotes", "\n[functions.api_*]\ntimeout = 1", `:2: is not valid TOML: expected '.' or ']' to end table name, but got '*' instead; a glob needs quotes: [functions."api_*"]`},
		{"two keys in a line", "a = 1 b = 2", ":1: is not valid TOML: "},
		{"a bad escape", `[build]` + "\n" + `base = "C:\windows"`, ":2: is not valid TOML: invalid escape"},
		{"a bad escape at the end", "[build]\nbase = \"a\\", ":1: is not valid TOML: "},
		{"a bad escape in a key", "\n\"\\q\" = 1", ":2: is not valid TOML: invalid escape"},
		{"a control character", "[build]\nbase = '\x01'", ":2: is not valid TOML: TOML files cannot contain control characters"},
		{"a NUL", "[build]\n\x00", ":2: is not valid TOML: "},
		{"too large a number", "[functions]\ntimeout = 99999999999999999999", ":2: is not valid TOML: 99999999999999999999 is out of range"},
		{"a string that ends in six quotes", "\n[build]\nbase = \"\"\"\"\\\\" + `""""""`, ":3: is not valid TOML; https://toml.io"},
		{"bytes that are not UTF-8", "[build]\nbase = '\xff'", ":2: is not UTF-8; save it as UTF-8"},
		{"UTF-16", "\xff\xfe[\x00", ": is UTF-16; save it as UTF-8"},

		// Limits.
		{"arrays that nest too deep", "\na = " + strings.Repeat("[", config.MaxDepth+1), ":2: arrays and tables nest deeper than 16; nest less deep"},
		{"tables that nest too deep", "\n" + strings.Repeat("a={", config.MaxDepth+1), ":2: a key has more than 16 parts"},
		{"a dotted key that is too deep", "\n" + strings.Repeat("a.", config.MaxDepth) + "a = 1", ":2: a key has more than 16 parts; nest less deep"},
		{"a table that is too deep", "\n[" + strings.Repeat("a.", config.MaxDepth) + "a]", ":2: a key has more than 16 parts"},
		{"a key that is too long", "\n" + long + "k = 1", ":2: a key is longer than 256 bytes; use a shorter one"},
		{"a quoted key that is too long", "\n'" + long + "k' = 1", ":2: a key is longer than 256 bytes"},
		{"an escaped key that is too long", "\n\"" + strings.Repeat(`\u0061`, config.MaxKeyBytes+1) + "\" = 1", ":2: a key is longer than 256 bytes"},
		{"too many keys", manyKeys(config.MaxKeys + 1), ":10001: the file has more than 10000 keys; split the site"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Load(write(t, tt.toml), "")
			if err == nil {
				t.Fatalf("got no error, want %q", tt.want)
			}
			first, _, _ := strings.Cut(err.Error(), "\n")
			if !strings.HasPrefix(first, config.FileName+tt.want) &&
				!(strings.HasPrefix(tt.want, ": ") && strings.Contains(first, tt.want)) {
				t.Errorf("got  %s\nwant %s%s", first, config.FileName, tt.want)
			}
			if !errors.As(err, new(*config.Error)) {
				t.Errorf("got a %T, want an *Error", err)
			}
		})
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d = 1\n", i)
	}
	return b.String()
}

func TestFilesAtTheLimitsAreRead(t *testing.T) {
	long := strings.Repeat("k", config.MaxKeyBytes)
	for name, toml := range map[string]string{
		"arrays":       "[dev]\na = " + strings.Repeat("[", config.MaxDepth) + strings.Repeat("]", config.MaxDepth),
		"parts":        "dev." + strings.Repeat("a.", config.MaxDepth-2) + "a = 1",
		"key":          "[dev]\n" + long + " = 1",
		"quoted key":   "[dev]\n'" + long + "' = 1",
		"escaped key":  "[dev]\n\"" + strings.Repeat(`\U00000061`, config.MaxKeyBytes) + "\" = 1",
		"keys":         "[dev]\n" + manyKeys(config.MaxKeys-1),
		"bytes":        "#" + strings.Repeat("x", config.MaxFileBytes-1),
		"name":         "[functions." + long[:abi.NameBytes] + "]",
		"only a table": "[dev]",
	} {
		if _, err := config.Load(write(t, toml), ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := config.Load(write(t, "#"+strings.Repeat("x", config.MaxFileBytes)), "")
	checkError(t, err, 0, "", "netlify.toml: is larger than 1048576 bytes")
}

func TestErrorsAreReportedTogetherInOrder(t *testing.T) {
	_, err := config.Load(write(t, `
[functions.hello]
timout = 1
memory = "5gb"
[build]
publsh = "x"
base = "/x"
[context.other.environment]
A = 1
`), "")
	// Directories are looked for only when all the rest is right.
	want := `netlify.toml:3: functions.hello.timout: unknown key; did you mean "timeout"?
netlify.toml:4: functions.hello.memory: the string "5gb" is out of range; write a size from "64kb" to "4096mb", such as "256mb", or a number of megabytes
netlify.toml:6: build.publsh: unknown key; did you mean "publish"?
netlify.toml:9: context.other.environment.A: must be a string, not the number 1; put it in quotes`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestTooManyErrorsAreCounted(t *testing.T) {
	for n, want := range map[int]int{config.MaxErrors: config.MaxErrors, config.MaxErrors + 5: config.MaxErrors + 1} {
		_, err := config.Load(write(t, manyKeys(n)), "")
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != want {
			t.Errorf("%d errors: got %d lines, want %d", n, len(lines), want)
		}
		if last := lines[len(lines)-1]; n > config.MaxErrors && last != "netlify.toml: 5 more errors; correct these first" {
			t.Errorf("%d errors: last is %q", n, last)
		}
	}
}

func TestMessagesAreFitForATerminal(t *testing.T) {
	for name, toml := range map[string]string{
		"keys":            `"\u001b[2J` + strings.Repeat("x", 200) + `" = 1`,
		"keys twice":      `"\u001b[2J" = 1` + "\n" + `"\u001b[2J" = 1`,
		"strings":         "[functions]\nprotocol = \"\\u001b[2J\\u202e" + strings.Repeat("é", 1000) + `"`,
		"variable names":  "[functions]\nenv = [\"\\u001b[2J\"]",
		"directories":     "[build]\nbase = \"../\\u001b[2J\"",
		"syntax errors":   "a = \u202e",
		"unknown escapes": "a = \"\\\u202e\"",
	} {
		_, err := config.Load(write(t, toml), "")
		if err == nil {
			t.Errorf("%s: got no error", name)
			continue
		}
		if text := err.Error(); strings.ContainsAny(text, "\x1b\u202e\n") || len(text) > 600 {
			t.Errorf("%s: got %q", name, text)
		}
	}
}

func TestWhatIsNoRegularFileIsRefused(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside.toml")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := func(target string) func(string) error {
		return func(path string) error { return os.Symlink(target, path) }
	}
	for name, tt := range map[string]struct {
		make func(path string) error
		want string
	}{
		"a directory":            {func(path string) error { return os.Mkdir(path, 0o700) }, "is not a regular file"},
		"a FIFO":                 {makeFIFO, "is not a regular file"},
		"a link to the outside":  {link(outside), "cannot be opened"},
		"a link to a device":     {link("/dev/zero"), "cannot be opened"},
		"a link to nowhere":      {link("nowhere"), "cannot be opened"},
		"a link to itself":       {link(config.FileName), "cannot be opened"},
		"a file without a right": {func(path string) error { return os.WriteFile(path, nil, 0) }, "cannot be opened"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			if err := tt.make(filepath.Join(root, config.FileName)); err != nil {
				t.Skip(err)
			}
			if name == "a file without a right" && os.Geteuid() <= 0 {
				t.Skip("root may read everything")
			}
			_, err := config.Load(root, "")
			checkError(t, err, 0, "", tt.want)
		})
	}

	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "real.toml"), []byte("[build]\nbase = 'b'"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real.toml", filepath.Join(root, config.FileName)); err != nil {
		t.Skip(err)
	}
	c, err := config.Load(root, "")
	if err != nil || c.Base != filepath.Join(root, "b") {
		t.Errorf("a link that stays inside: got %+v and %v", c, err)
	}
}

func TestASiteDirectoryMustBeThere(t *testing.T) {
	root := filepath.Join(t.TempDir(), "no-such")
	_, err := config.Load(root, "")
	var e *config.Error
	if !errors.As(err, &e) || !errors.Is(err, fs.ErrNotExist) || e.File != root {
		t.Errorf("got %v, want an *Error about %s", err, root)
	}
	file := write(t, "") + "/" + config.FileName
	if _, err := config.Load(file, ""); !errors.As(err, &e) || e.File != file {
		t.Errorf("got %v, want an *Error about %s", err, file)
	}
}
