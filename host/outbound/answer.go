package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/cloche-run/cloche/abi"
)

// read takes an answer whole, or not at all.
func read(resp *http.Response) (abi.FetchResponse, error) {
	answer := abi.FetchResponse{URL: resp.Request.URL.String(), Status: resp.StatusCode}
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		for _, value := range resp.Header[name] {
			if abi.IsToken(name) && abi.IsFieldValue(value) {
				answer.Header.Add(strings.ToLower(name), value)
			}
		}
	}
	if resp.ContentLength > abi.FetchBodyBytes && resp.Request.Method != http.MethodHead {
		return answer, errTooLarge()
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, abi.FetchBodyBytes+1))
	if err != nil {
		return answer, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > abi.FetchBodyBytes {
		return answer, errTooLarge()
	}
	answer.Body = body
	return answer, nil
}

func errTooLarge() error {
	return failf(abi.FetchTooLarge, "the answer has more than %d bytes", abi.FetchBodyBytes)
}

func failf(code abi.FetchCode, format string, args ...any) error {
	return &abi.FetchError{Code: code, Message: fmt.Sprintf(format, args...)}
}

func refusef(format string, args ...any) error { return failf(abi.FetchRefused, format, args...) }

// explain is an error as the guest may see it: without addresses of the host's own
// side, such as those of its resolver.
func explain(ctx context.Context, err error) error {
	var known *abi.FetchError
	var dns *net.DNSError
	var op *net.OpError
	var wrapper *url.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &known):
		return known
	case strings.Contains(err.Error(), "response headers exceeded"): // net/http has no name for it
		return failf(abi.FetchTooLarge, "the answer's header has more than %d bytes", abi.FetchHeadBytes)
	case errors.As(err, &dns):
		return failf(abi.FetchFailed, "look up %s: %s", dns.Name, dns.Err)
	case errors.As(err, &op):
		return failf(abi.FetchFailed, "%s: %v", op.Op, op.Err)
	case errors.As(err, &wrapper):
		err = wrapper.Err
	}
	return failf(abi.FetchFailed, "%s", abi.Printable(err.Error(), 500))
}
