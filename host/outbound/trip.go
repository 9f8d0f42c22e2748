package outbound

import (
	"net/http"
)

// trip is one fetch on its way: net/http asks it for each request of a chain of
// redirects, and each is judged anew.
type trip struct {
	client *Client
	from   Caller
	out    bool // it holds a slot
}

// RoundTrip implements http.RoundTripper.
func (t *trip) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.send(req)
	if err != nil && req.Body != nil {
		_ = req.Body.Close()
	}
	return resp, err
}

func (t *trip) send(req *http.Request) (*http.Response, error) {
	to, err := placeOf(req.URL)
	if err != nil { // a redirect's
		return nil, refusef("%v", err)
	}
	if t.from.Own.has(to) {
		return t.inside(req)
	}
	allowed, named := t.from.Allowed.match(to)
	if !allowed {
		return nil, refusef("%s is not in the function's allow_hosts", to.address())
	}
	if err := t.leave(req); err != nil {
		return nil, err
	}
	if named {
		return t.client.named.RoundTrip(req)
	}
	return t.client.public.RoundTrip(req)
}

// leave waits for a slot, which the whole fetch then holds.
func (t *trip) leave(req *http.Request) error {
	if t.out {
		return nil
	}
	select {
	case t.client.slots <- struct{}{}:
		t.out = true
		return nil
	case <-req.Context().Done():
		return req.Context().Err()
	}
}

func (t *trip) end() {
	if t.out {
		<-t.client.slots
	}
}
