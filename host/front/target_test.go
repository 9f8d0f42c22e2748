package front

import (
	"bytes"
	"net/url"
	"path"
	"strings"
	"testing"
)

func TestResolve(t *testing.T) {
	for in, want := range map[string]string{
		"/":                    "/",
		"/a/b":                 "/a/b",
		"/a/./b":               "/a/b",
		"/a/../b":              "/b",
		"/a/..":                "/",
		"/a/b/..":              "/a/",
		"/a/.":                 "/a/",
		"/.":                   "/",
		"/..":                  "/",
		"/../..":               "/",
		"/../../a":             "/a",
		"/a/b/../../../../c":   "/c",
		"/%2e%2e/a":            "/a",
		"/a/%2E/b":             "/a/b",
		"/a/.%2e/b":            "/b",
		"/a/%2e./b":            "/b",
		"/a/...":               "/a/...",
		"/a/%2e%2e%2e/b":       "/a/%2e%2e%2e/b",
		"/.a/..b/c./d..":       "/.a/..b/c./d..",
		"/a/..%2fb":            "/a/..%2fb",
		"/a/%252e%252e/b":      "/a/%252e%252e/b",
		"/a//../b":             "/a/b",
		"//..//a":              "//a",
		"/a/../..//evil.test/": "//evil.test/",
		"/a/b/./":              "/a/b/",
		"/a/b/../":             "/a/",
	} {
		if got := string(resolve([]byte(in))); got != want {
			t.Errorf("resolve(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzResolve holds the resolver against the standard library's: where no
// segment is empty, both must reach the same place.
func FuzzResolve(f *testing.F) {
	for _, s := range []string{"/", "/a/../b", "/%2e%2E/.%2e/x", "/a/./", "//..//", "/a/...", "/a%2f../b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if !strings.HasPrefix(in, "/") || !wellEncoded([]byte(in)) {
			return
		}
		got := string(resolve([]byte(in)))
		if !strings.HasPrefix(got, "/") || len(got) > len(in) {
			t.Fatalf("resolve(%q) = %q", in, got)
		}
		if again := string(resolve([]byte(got))); again != got {
			t.Fatalf("resolve(%q) = %q, and again %q", in, got, again)
		}
		for segment := range strings.SplitSeq(got, "/") {
			if plain, err := url.PathUnescape(segment); err != nil || plain == "." || plain == ".." {
				t.Fatalf("resolve(%q) = %q leaves %q", in, got, segment)
			}
		}
		if strings.Contains(in, "//") {
			return
		}
		undot := strings.NewReplacer("%2e", ".", "%2E", ".")
		want := path.Clean(undot.Replace(in))
		if clean := path.Clean(undot.Replace(got)); clean != want {
			t.Fatalf("resolve(%q) = %q, path.Clean says %q", in, got, want)
		}
	})
}

// FuzzTarget wants no target to be accepted that two readers could read in two
// ways.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{"/", "*", "/a?b", "http://site.test/a", "HTTPS://x?", "file:///a", "/%00", "/a\\b", "//x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		q := &request{}
		q.req.Method = "GET"
		if q.target(bytes.Clone([]byte(in))) != nil {
			return
		}
		if !strings.HasPrefix(q.req.Path, "/") || strings.ContainsAny(q.req.Path, "?#\\ ") {
			t.Fatalf("%q: got path %q", in, q.req.Path)
		}
		if _, err := url.PathUnescape(q.req.Path); err != nil {
			t.Fatalf("%q: got path %q: %v", in, q.req.Path, err)
		}
		if q.authority == "" && len(q.req.Target()) > len(in) {
			t.Fatalf("%q: got target %q", in, q.req.Target())
		}
	})
}
