package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/cloche-run/cloche/host/config"
)

func readExample(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../netlify.toml.example")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheExampleSpellsOutTheDefaults(t *testing.T) {
	got := load(t, readExample(t), "")
	want, err := config.Load(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hello", "hello-background"} {
		if got, want := got.Function(name), want.Function(name); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	if relative(t, got) != relative(t, want) {
		t.Errorf("directories: got %v, want %v", relative(t, got), relative(t, want))
	}
	if len(got.Environment) != 0 || len(got.Warnings) != 0 {
		t.Errorf("got variables %v and warnings %v, want none", got.Environment, got.Warnings)
	}
}

func relative(t *testing.T, c *config.Config) [3]string {
	var names [3]string
	for i, dir := range []string{c.Base, c.Functions, c.Publish} {
		if dir == "" {
			continue
		}
		name, err := filepath.Rel(c.Root, dir)
		if err != nil {
			t.Fatal(err)
		}
		names[i] = name
	}
	return names
}

func TestTheExampleIsRightWhenUncommented(t *testing.T) {
	text := regexp.MustCompile(`(?m)^#([A-Za-z\[])`).ReplaceAllString(readExample(t), "$1")
	// The old key and the new are two ways to say one thing.
	c := load(t, strings.Replace(text, `functions = "netlify/functions"`+"\n", "", 1), "feat/x")
	if len(c.Warnings) != 0 {
		t.Errorf("got warnings %v, want none", c.Warnings)
	}
	if got := c.Environment["GREETING"]; got != "hello, branch" {
		t.Errorf("GREETING = %q", got)
	}
	if got := c.Function("api_x").Concurrency; got != 16 {
		t.Errorf("api_x: concurrency = %d", got)
	}
}
