package outbound

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/cloche-run/cloche/abi"
)

// Origins are where the own site is found.
type Origins struct{ places []place }

// OwnOrigins are those of a site that listens on a port of this machine, and of
// URLs that lead to it from elsewhere. What is no http or https URL is left out.
func OwnOrigins(port int, urls ...string) (o Origins) {
	for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
		o.places = append(o.places, place{"http", host, strconv.Itoa(port)})
	}
	for _, address := range urls {
		if u, err := url.Parse(address); err == nil {
			if p, err := placeOf(u); err == nil {
				o.places = append(o.places, p)
			}
		}
	}
	return o
}

func (o Origins) has(p place) bool { return slices.Contains(o.places, p) }

// inside has the own site answer. The depth of the chain is the caller's and one
// more, whatever the guest would like it to be.
func (t *trip) inside(req *http.Request) (*http.Response, error) {
	in, err := t.request(req)
	if err != nil {
		return nil, err
	}
	body := &abi.Buffer{Limit: abi.FetchBodyBytes}
	answer := &abi.Response{Body: body}
	t.client.site.Call(req.Context(), in, answer)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if len(body.Bytes) > 0 && !answer.Header.Has("content-type") {
		answer.Header.Add("content-type", "text/plain; charset=utf-8") // as the edge does
	}
	resp := &http.Response{
		StatusCode: answer.Status, Status: strconv.Itoa(answer.Status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Request: req, Body: http.NoBody,
	}
	for _, f := range answer.Header {
		if !isHosts(f.Name) || strings.HasPrefix(strings.ToLower(f.Name), abi.HeaderPrefixCloche) {
			resp.Header.Add(f.Name, f.Value)
		}
	}
	if req.Method != http.MethodHead {
		resp.ContentLength, resp.Body = int64(len(body.Bytes)), io.NopCloser(bytes.NewReader(body.Bytes))
	}
	return resp, nil
}

// request is what the own site is asked.
func (t *trip) request(req *http.Request) (*abi.Request, error) {
	in := &abi.Request{
		Method: req.Method, Proto: "HTTP/1.1", Scheme: req.URL.Scheme, Host: req.URL.Host,
		Path: req.URL.EscapedPath(), RawQuery: req.URL.RawQuery, HasQuery: req.URL.RawQuery != "" || req.URL.ForceQuery,
		Header: abi.Header{{Name: "host", Value: req.URL.Host}},
	}
	if in.Path == "" {
		in.Path = "/"
	}
	if !abi.IsTarget(in.Path) || !abi.IsTarget(in.RawQuery) || strings.Contains(in.Path, "%00") {
		return nil, failf(abi.FetchInvalid, "%.200q is no path of a function", in.Path)
	}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
		in.Body = body
		_ = req.Body.Close()
	}
	for _, name := range slices.Sorted(maps.Keys(req.Header)) {
		lower := strings.ToLower(name)
		if isHosts(lower) || isEdges(lower) {
			continue
		}
		for _, value := range req.Header[name] {
			in.Header.Add(lower, value)
		}
	}
	if len(in.Body) > 0 {
		in.Header.Add("content-length", strconv.Itoa(len(in.Body)))
	}
	in.Header.Add(abi.HeaderDepth, strconv.Itoa(t.from.Depth+1))
	return in, nil
}

// isEdges reports whether a header field is one that only the edge of a site tells
// its functions: who the client is.
func isEdges(name string) bool {
	name = strings.ReplaceAll(name, "_", "-")
	return name == abi.HeaderClientIP || strings.HasPrefix(name, abi.HeaderPrefixNetlify) ||
		strings.HasPrefix(name, abi.HeaderPrefixEvent) || strings.HasPrefix(name, "x-forwarded-")
}
