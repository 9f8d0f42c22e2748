package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cloche-run/cloche/host/config"
)

const (
	notYet     = "this version of cloche does not serve it yet; it has no effect"
	notNetlify = "cloche does not serve this Netlify setting; it has no effect"
)

func TestKeysWithoutEffectGiveOneWarningEach(t *testing.T) {
	for _, tt := range []struct {
		name, toml string
		want       []config.Warning
	}{
		{"a planned setting", "[functions]\nlimits = 1000", []config.Warning{{2, "functions.limits", notYet}}},
		{
			"a planned setting of two functions", "[functions.b]\nlimits = 1\n[functions.a]\nlimits = 1",
			[]config.Warning{{2, "functions.b.limits", notYet}, {4, "functions.a.limits", notYet}},
		},
		{
			"many redirects", "[[redirects]]\nfrom = 'a'\n[redirects.headers]\nX = 'y'\n[[redirects]]\nfrom = 'b'",
			[]config.Warning{{1, "redirects", notNetlify}},
		},
		{
			"whole tables", "[dev]\nport = 1\n[dev.https]\nzzz = 1\n[template.environment]\nA = 1",
			[]config.Warning{{1, "dev", notNetlify}, {5, "template", notNetlify}},
		},
		{
			"a table that is only implied", "\n[build.processing.css]\nbundle = true",
			[]config.Warning{{2, "build.processing", notNetlify}},
		},
		{"a build command", "[build]\ncommand = 'make'", []config.Warning{{2, "build.command", notNetlify}}},
		{
			"keys of a context that is not in use", "[context.x]\ncommand = 'make'\n[[context.x.plugins]]\npackage = 'p'",
			[]config.Warning{{2, "context.x.command", notNetlify}, {3, "context.x.plugins", notNetlify}},
		},
		{
			"keys of the context in use", "[context.production]\ncommand = 'make'",
			[]config.Warning{{2, "context.production.command", notNetlify}},
		},
		{
			"function settings of a context", "[context.production]\n[context.production.functions]\ntimeout = 1",
			[]config.Warning{{2, "context.production.functions", "this version of cloche has no function settings by context; it has no effect"}},
		},
		{
			"the old functions directory beside the new", "[build]\nfunctions = 'a'\n[functions]\ndirectory = 'b'",
			[]config.Warning{{2, "build.functions", "functions.directory is set too and wins; it has no effect"}},
		},
		{"a folder of static files", "[build]\npublish = 'public'", []config.Warning{{2, "build.publish", notYet}}},
		{"nothing of the kind", rules, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := load(t, tt.toml, "").Warnings
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("got  %v\nwant %v", got, tt.want)
			}
		})
	}
}

func TestEveryKeyOfTheDesignIsKnown(t *testing.T) {
	planned := "limits"
	for _, key := range strings.Fields(planned) {
		c := load(t, "[functions]\n"+key+" = 1", "")
		if want := (config.Warning{2, "functions." + key, notYet}); len(c.Warnings) != 1 || c.Warnings[0] != want {
			t.Errorf("%s: got %v, want %v", key, c.Warnings, want)
		}
	}
}
