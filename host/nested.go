package host

import (
	"context"
	"fmt"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/config"
	"github.com/cloche-run/cloche/host/front"
	"github.com/cloche-run/cloche/host/jobs"
	"github.com/cloche-run/cloche/host/outbound"
)

// defaultPort is where functions find their site while it does not listen.
const defaultPort = 8888

// inside is the host as its own guests reach it.
type inside struct{ *Host }

// Call implements outbound.Site.
func (i inside) Call(ctx context.Context, req *abi.Request, resp *abi.Response) {
	i.dress(req)
	if err := i.Invoke(ctx, req, resp); err != nil {
		front.Answer(req, resp, err)
	}
	resp.Header.Set(abi.HeaderRequestID, req.ID)
}

// dress gives a request from within what the edge gives one from outside.
func (i inside) dress(req *abi.Request) {
	const address = "127.0.0.1"
	site := i.options.Front.SiteID
	if site == "" {
		site = "unlinked"
	}
	req.ID, req.RemoteAddr = front.NewID(), address+":0"
	req.Header = append(
		req.Header,
		abi.Field{Name: abi.HeaderRequestID, Value: req.ID},
		abi.Field{Name: abi.HeaderClientIP, Value: address},
		abi.Field{Name: abi.HeaderConnectionIP, Value: address},
		abi.Field{Name: abi.HeaderForwardedFor, Value: address},
		abi.Field{Name: "x-forwarded-proto", Value: req.Scheme},
		abi.Field{Name: abi.HeaderAccountID, Value: i.options.Front.AccountID},
		abi.Field{Name: abi.HeaderSiteID, Value: site},
	)
}

// fetcher is the grant of a function that may call hosts, and its own site.
func (h *Host) fetcher(hosts outbound.Hosts) func(context.Context, *abi.Request, abi.FetchRequest) (abi.FetchResponse, error) {
	return func(ctx context.Context, caller *abi.Request, req abi.FetchRequest) (abi.FetchResponse, error) {
		return h.outbound.Fetch(ctx, h.caller(h.site.Load(), hosts, depthOf(caller)), req)
	}
}

func (h *Host) caller(s *site, hosts outbound.Hosts, depth int) outbound.Caller {
	port := int(h.port.Load())
	if port == 0 {
		port = defaultPort
	}
	url := ""
	if s != nil {
		url = s.url
	}
	return outbound.Caller{Depth: depth, Allowed: hosts, Own: outbound.OwnOrigins(port, url)}
}

// allowed is whom a function may call. Where nothing is said, that is everything
// public in dev, and in production nothing but the own site.
func (h *Host) allowed(settings config.Function) outbound.Hosts {
	list := settings.AllowHosts
	if list == nil && h.options.Dev {
		list = []string{outbound.Everything}
	}
	hosts, _ := outbound.ParseHosts(list) // the list was checked when it was read
	return hosts
}

// Deliver implements jobs.Messenger. What the function of the job may call, the
// news of its job may reach.
func (w worker) Deliver(ctx context.Context, m jobs.Message) error {
	s, err := w.acquire()
	if err != nil {
		return err
	}
	defer s.release()
	f := s.functions[m.Function]
	if f == nil {
		return fmt.Errorf("the site has no function %s, whose allow_hosts would count", m.Function)
	}
	resp, err := w.outbound.Fetch(ctx, w.caller(s, w.allowed(f.settings), m.Depth), abi.FetchRequest{
		Method: "POST", URL: m.URL, Header: m.Header, Body: m.Body,
	})
	if err == nil && (resp.Status < 200 || resp.Status > 299) {
		err = fmt.Errorf("it answered %d", resp.Status)
	}
	return err
}

// unreachable says why a destination of a function's jobs is none; "" if it is.
func (h *Host) unreachable(s *site, name, to string) string {
	switch {
	case to == "":
	case jobs.IsURL(to):
		if !h.caller(s, h.allowed(s.functions[name].settings), 0).Permits(to) {
			return fmt.Sprintf("on_success and on_failure may be URLs of hosts that are in allow_hosts, %q is none", to)
		}
	case s.functions[to] == nil:
		return fmt.Sprintf("on_success and on_failure name functions of the site, %q is none", to)
	}
	return ""
}
