package outbound

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/cloche-run/cloche/abi"
)

// newRequest checks what a guest wants and makes it a request of net/http.
func newRequest(ctx context.Context, r *abi.FetchRequest) (*http.Request, error) {
	if err := check(r); err != nil {
		return nil, err
	}
	u, err := url.Parse(r.URL)
	switch {
	case err != nil:
		return nil, failf(abi.FetchInvalid, "%.200q is no URL", r.URL)
	case u.User != nil:
		return nil, failf(abi.FetchInvalid, "the URL has a user in it: send an Authorization header")
	}
	if _, err := placeOf(u); err != nil {
		return nil, failf(abi.FetchInvalid, "%v", err)
	}
	u = u.ResolveReference(u) // takes dot segments out
	out, err := http.NewRequestWithContext(ctx, r.Method, u.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, failf(abi.FetchInvalid, "%v", err)
	}
	out.Header.Set("User-Agent", UserAgent)
	for i, f := range r.Header {
		switch {
		case isHosts(f.Name):
		case abi.EqualFold(f.Name, "user-agent"), !r.Header[:i].Has(f.Name):
			out.Header.Set(f.Name, f.Value)
		default:
			out.Header.Add(f.Name, f.Value)
		}
	}
	return out, nil
}

func check(r *abi.FetchRequest) error {
	head := len(r.Method) + len(r.URL)
	for _, f := range r.Header {
		if !abi.IsToken(f.Name) || !abi.IsFieldValue(f.Value) {
			return failf(abi.FetchInvalid, "%.80q is no header field", f.Name)
		}
		head += len(f.Name) + len(f.Value)
	}
	switch {
	case !abi.IsToken(r.Method), abi.EqualFold(r.Method, http.MethodConnect), abi.EqualFold(r.Method, http.MethodTrace):
		return failf(abi.FetchInvalid, "%.40q is no method that can be fetched with", r.Method)
	case head > abi.FetchHeadBytes:
		return failf(abi.FetchTooLarge, "a request head of %d bytes: at most %d", head, abi.FetchHeadBytes)
	case len(r.Body) > abi.RequestBodyBytes:
		return failf(abi.FetchTooLarge, "a request body of %d bytes: at most %d", len(r.Body), abi.RequestBodyBytes)
	}
	return nil
}

// isHosts reports whether a header field is the host's to set: what is about the
// connection, and what tells how deep a chain of calls is. "_" counts as "-", as
// in front.
func isHosts(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	switch name {
	case "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "proxy",
		"te", "trailer", "transfer-encoding", "upgrade", "expect", "host", "content-length":
		return true
	}
	return strings.HasPrefix(name, abi.HeaderPrefixCloche)
}
