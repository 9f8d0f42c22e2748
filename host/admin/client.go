package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/cloche-run/cloche/host/logs"
)

// What a Client may meet; the message of the error that wraps one names the
// remedy.
var (
	// ErrNotRunning is that nobody listens at the address.
	ErrNotRunning = errors.New("cloche is not running")
	// ErrToken is that the token is missing, or not the server's.
	ErrToken = errors.New("no token for this server")
	// ErrVersion is a server of another version, or of something else.
	ErrVersion = errors.New("not a cloche that this one can talk to")
)

const (
	// dialTimeout and askTimeout bound what should be answered at once.
	dialTimeout = 3 * time.Second
	askTimeout  = 15 * time.Second
	// answerBytes is the largest reply a Client reads: 64 MiB.
	answerBytes = 64 << 20
)

// StatusError is the server's refusal of one request.
type StatusError struct {
	// Status is the HTTP status: 404 for what does not exist.
	Status  int
	Message string
}

func (e *StatusError) Error() string { return e.Message }

// Client talks to the admin listener of a running host.
type Client struct {
	base  string
	addr  string
	data  string
	token token
	http  *http.Client
}

// NewClient makes a client for the admin address "host:port" of a host that
// serves with the data directory data, where it reads the token. An address that
// listens everywhere is reached on loopback. Nothing is sent yet.
func NewClient(addr, data string) (*Client, error) {
	base, err := baseURL(addr)
	if err != nil {
		return nil, err
	}
	token, err := readToken(data)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no %s in %s; serve with this data directory, or name the right one with --data", ErrToken, TokenFile, data)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	transport := &http.Transport{
		// Proxy is nil: the token goes to the address and nowhere else.
		DialContext:     (&net.Dialer{Timeout: dialTimeout}).DialContext,
		MaxIdleConns:    2,
		IdleConnTimeout: askTimeout,
	}
	noRedirect := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{
		base: base, addr: addr, data: data, token: token,
		http: &http.Client{Transport: transport, CheckRedirect: noRedirect},
	}, nil
}

func baseURL(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("admin address %q: want host:port, like 127.0.0.1:8889", addr)
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip.Is6() {
			host = "::1"
		}
	}
	return "http://" + net.JoinHostPort(host, port), nil
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Functions lists the functions of the site.
func (c *Client) Functions(ctx context.Context) ([]Function, error) {
	var list functionList
	err := c.ask(ctx, "/api/functions", &list)
	return list.Functions, err
}

// Stats returns what the functions took.
func (c *Client) Stats(ctx context.Context) (stats Stats, err error) {
	err = c.ask(ctx, "/api/stats", &stats)
	return stats, err
}

// Invoke calls a function. That it failed is in Answer.Error; err is about
// reaching it, a *StatusError if the server refused the call. It waits for as
// long as ctx lets it.
func (c *Client) Invoke(ctx context.Context, function string, call Call) (answer Answer, err error) {
	body, err := json.Marshal(call)
	if err != nil {
		return answer, err
	}
	path := "/api/functions/" + url.PathEscape(function) + "/invoke"
	response, err := c.do(ctx, http.MethodPost, path, bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	defer response.Body.Close()
	err = c.decode(response, &answer)
	return answer, err
}

// Logs returns the records that q asks for, at most DefaultRecords unless q has
// a limit of its own, and with follow those to come, until ctx ends (no error)
// or the server (none either if it was shut down).
func (c *Client) Logs(ctx context.Context, q logs.Query, follow bool) iter.Seq2[logs.Record, error] {
	return func(yield func(logs.Record, error) bool) {
		err := c.stream(ctx, "/api/logs?"+encodeLogQuery(q, follow), func(r logs.Record) bool {
			return yield(r, nil)
		})
		if err != nil && !(follow && ctx.Err() != nil) {
			yield(logs.Record{}, err)
		}
	}
}

func encodeLogQuery(q logs.Query, follow bool) string {
	values := url.Values{}
	for name, value := range map[string]string{"function": q.Function, "request": q.Request, "level": q.Level} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if !q.Since.IsZero() {
		values.Set("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	if q.Limit != 0 {
		values.Set("limit", strconv.Itoa(q.Limit))
	}
	if follow {
		values.Set("follow", "1")
	}
	return values.Encode()
}

// stream calls each for every record of a reply until it returns false.
func (c *Client) stream(ctx context.Context, path string, each func(logs.Record) bool) error {
	response, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 2*logs.LineBytes)
	for lines.Scan() {
		var r logs.Record
		if err := r.UnmarshalJSON(lines.Bytes()); err != nil {
			return err
		}
		if !each(r) {
			return nil
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("the log was cut off: %w", err)
	}
	return nil
}

// ask gets a JSON document that takes no time.
func (c *Client) ask(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	response, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return c.decode(response, into)
}

func (c *Client) decode(response *http.Response, into any) error {
	text, err := io.ReadAll(io.LimitReader(response.Body, answerBytes+1))
	if err != nil {
		return fmt.Errorf("the answer of %s was cut off: %w", c.addr, err)
	}
	if len(text) > answerBytes {
		return fmt.Errorf("the answer of %s is larger than %d bytes", c.addr, answerBytes)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%w: %s answers what is no JSON of ours: %w", ErrVersion, c.addr, err)
	}
	return nil
}

// do sends a request and returns a reply of status 200, whose body the caller
// closes.
func (c *Client) do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+string(c.token))
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if err := c.refusal(response); err != nil {
		response.Body.Close()
		return nil, err
	}
	return response, nil
}

// unreachable tells a server that is not there from everything else.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if dial := (*net.OpError)(nil); errors.As(err, &dial) && dial.Op == "dial" {
		return fmt.Errorf("%w at %s: start it with cloche serve, or name its admin address with --admin (%w)", ErrNotRunning, c.addr, dial)
	}
	return fmt.Errorf("no answer from %s: %w", c.addr, err)
}

// refusal is the error that a reply stands for, or nil.
func (c *Client) refusal(response *http.Response) error {
	switch version := response.Header.Get(headerVersion); {
	case version == "":
		return fmt.Errorf("%w: what listens at %s is something else; name the admin address of cloche with --admin", ErrVersion, c.addr)
	case version != apiVersion:
		return fmt.Errorf("%w: the server at %s has version %q of the admin API, this command %q; use the same cloche for both", ErrVersion, c.addr, version, apiVersion)
	case response.StatusCode == http.StatusOK:
		return nil
	case response.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%w: the server at %s has another than %s in %s; name the server's data directory with --data", ErrToken, c.addr, TokenFile, c.data)
	}
	refused := &StatusError{Status: response.StatusCode}
	var reason failure
	text, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if json.Unmarshal(text, &reason) == nil {
		refused.Message = reason.Error
	}
	if refused.Message == "" {
		refused.Message = response.Status
	}
	return refused
}
