// Package outbound fetches for guests. A URL of the own site is a call of one of
// its functions, in this process and without a socket. Any other has to be one that
// the function may call, and the address that is connected to has to be a public
// one, unless its host is allowed by name: that is checked where it is dialled, so
// that neither a redirect nor a name that suddenly means another address leads
// elsewhere.
//
// Nothing of the host's is sent along: no proxy of its environment, no cookies, no
// credentials.
package outbound

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/cloche-run/cloche/abi"
)

// Site is the own site. It always answers: what goes wrong is an answer with the
// status that a client would get.
type Site interface {
	// Call answers a request of depth calls. ctx is the caller's.
	Call(ctx context.Context, req *abi.Request, resp *abi.Response)
}

// Limits of a Client, besides those of abi.
const (
	// DefaultConcurrency is how many fetches leave the host at once. Those above it
	// wait, at most until their caller's deadline. Calls of the own site do not count:
	// the site's own limits are for them, and they never wait.
	DefaultConcurrency = 128
	// DialTimeout is for a connection, and again for its TLS.
	DialTimeout = 10 * time.Second
	// IdleTimeout and IdleConns bound the connections that are kept for later.
	IdleTimeout = 30 * time.Second
	IdleConns   = 64
)

// UserAgent is sent unless the guest says otherwise.
const UserAgent = "cloche"

// Config is what a Client is made of. Site is required.
type Config struct {
	Site Site
	// Concurrency is DefaultConcurrency if 0.
	Concurrency int
	// Resolver is the system's if nil.
	Resolver *net.Resolver
}

// Client fetches. It is safe for concurrent use; Close it at the end.
type Client struct {
	site  Site
	slots chan struct{}
	// Connections to hosts that may be private are kept apart: one that a function
	// may use because it names the host is never another function's.
	public, named *http.Transport
}

// New makes a Client.
func New(config Config) *Client {
	if config.Concurrency == 0 {
		config.Concurrency = DefaultConcurrency
	}
	dialer := &net.Dialer{Timeout: DialTimeout, Resolver: config.Resolver}
	guarded := *dialer
	guarded.Control = onlyPublic
	return &Client{
		site: config.Site, slots: make(chan struct{}, config.Concurrency),
		public: transport(&guarded), named: transport(dialer),
	}
}

func transport(dialer *net.Dialer) *http.Transport {
	return &http.Transport{
		DialContext: dialer.DialContext, TLSHandshakeTimeout: DialTimeout,
		MaxIdleConns: IdleConns, IdleConnTimeout: IdleTimeout,
		MaxResponseHeaderBytes: abi.FetchHeadBytes,
	}
}

// Close closes idle connections.
func (c *Client) Close() {
	c.public.CloseIdleConnections()
	c.named.CloseIdleConnections()
}

// Caller is whom something is fetched for.
type Caller struct {
	// Depth is how many calls and jobs led to the caller.
	Depth int
	// Allowed are the hosts it may call.
	Allowed Hosts
	// Own is where the own site is found.
	Own Origins
}

// Fetch makes one request, follows its redirects and reads the answer. An error is
// an *abi.FetchError, or ctx's own once that has ended.
func (c *Client) Fetch(ctx context.Context, from Caller, req abi.FetchRequest) (abi.FetchResponse, error) {
	out, err := newRequest(ctx, &req)
	if err != nil {
		return abi.FetchResponse{}, err
	}
	t := &trip{client: c, from: from}
	defer t.end()
	client := http.Client{Transport: t, CheckRedirect: redirects(req.Manual)}
	resp, err := client.Do(out)
	if err != nil {
		return abi.FetchResponse{}, explain(ctx, err)
	}
	defer resp.Body.Close()
	answer, err := read(resp)
	if err != nil {
		return abi.FetchResponse{}, explain(ctx, err)
	}
	return answer, nil
}

func redirects(manual bool) func(*http.Request, []*http.Request) error {
	return func(_ *http.Request, via []*http.Request) error {
		switch {
		case manual:
			return http.ErrUseLastResponse
		case len(via) > abi.FetchRedirects:
			return failf(abi.FetchFailed, "more than %d redirects", abi.FetchRedirects)
		}
		return nil
	}
}
