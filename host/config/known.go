package config

import (
	"fmt"
	"slices"
	"strings"
)

// vocabulary is the keys that a table may hold, separated by spaces.
type vocabulary struct {
	served  string // what this version does
	planned string // what cloche's design has and this version does not do
	netlify string // what Netlify does and cloche does not
}

// The keys of netlify.toml, after
// https://docs.netlify.com/build/configure-builds/file-based-configuration/ and
// @netlify/config. Some are no longer documented but still met in old files.
const (
	siteServed  = "build context functions"
	siteNetlify = "database dev edge_functions edge_handlers extensions forms headers identity images " +
		"integrations plugins redirects settings spa_fallback template"

	buildServed  = "base environment functions"
	buildPlanned = "publish"
	buildNetlify = "command edge_functions edge_handlers ignore lifecycle processing services"

	contextNetlify = "build dev headers images integrations plugins redirects"

	functionServed = "allow_hosts background concurrency env fuel idempotency included_files isolation max_age memory on_failure " +
		"on_success protocol queue retries retry_jitter schedule timeout tmp"
	functionPlanned = "limits"
	functionNetlify = "deno_import_map external_node_modules generator ignored_node_modules name node_bundler " +
		"node_version region vcpu"

	directoryKey = "directory"
)

func siteKeys() vocabulary { return vocabulary{served: siteServed, netlify: siteNetlify} }
func buildKeys() vocabulary {
	return vocabulary{served: buildServed, planned: buildPlanned, netlify: buildNetlify}
}

func contextKeys() vocabulary {
	return vocabulary{served: buildServed, planned: buildPlanned, netlify: buildNetlify + " " + contextNetlify}
}

func functionKeys() vocabulary {
	return vocabulary{served: functionServed, planned: functionPlanned, netlify: functionNetlify}
}

// functionsKeys are the properties that [functions] itself may have.
func functionsKeys() vocabulary {
	keys := functionKeys()
	keys.served += " " + directoryKey
	return keys
}

func (v vocabulary) all() []string {
	return slices.Concat(strings.Fields(v.served), strings.Fields(v.planned), strings.Fields(v.netlify))
}

// check warns of every key that has no effect and fails on every unknown one.
func (t table) check(v vocabulary) {
	for _, key := range t.keys() {
		switch {
		case slices.Contains(strings.Fields(v.served), key):
		case slices.Contains(strings.Fields(v.planned), key):
			t.doc.warn(t.to(key), "this version of cloche does not serve it yet; it has no effect")
		case slices.Contains(strings.Fields(v.netlify), key):
			t.doc.warn(t.to(key), "cloche does not serve this Netlify setting; it has no effect")
		default:
			t.fail(key, "unknown key", t.hint(v, key))
		}
	}
}

// hint says what an unknown key may have been meant to be.
func (t table) hint(v vocabulary, key string) string {
	if meant := nearest(key, v.all()); meant != "" {
		return fmt.Sprintf("did you mean %q?", meant)
	}
	if key == directoryKey && len(t.path) == 2 {
		return "it belongs to [functions] itself"
	}
	return "the keys here are " + strings.Join(strings.Fields(v.served), ", ")
}
