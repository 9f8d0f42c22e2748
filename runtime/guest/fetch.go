package guest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/cloche-run/cloche/abi"
)

// Fetcher fetches for one invocation.
type Fetcher interface {
	// Fetch returns an *abi.FetchError if there is no answer.
	Fetch(context.Context, abi.FetchRequest) (abi.FetchResponse, error)
	// Reserve is asked before bytes of an answer are kept; a negative number gives
	// them back.
	Reserve(bytes int64) bool
}

// fetches are the answers that an invocation holds, and why the last fetch failed.
// A handle is an index.
type fetches struct {
	open  [abi.FetchOpen]*fetched
	error string
}

// fetched is an answer that the guest reads.
type fetched struct {
	status int
	head   string
	body   []byte // what was not read yet
	held   int64  // bytes that are reserved
}

// fetchImports are the functions of the cloche module. Rules 70 to 79 of ABI.md.
func fetchImports() []fetchFunction {
	return []fetchFunction{
		{abi.ImportFetch, "iiii", "i", fetch},
		{abi.ImportFetchStatus, "i", "i", func(_ context.Context, c *Call, _ memory, stack []uint64) {
			stack[0] = uint64(c.fetched(stack[0]).status)
		}},
		{abi.ImportFetchHead, "iii", "i", func(_ context.Context, c *Call, m memory, stack []uint64) {
			f := c.fetched(stack[0])
			m.put(stack[1:], f.head)
			stack[0] = stack[1]
		}},
		{abi.ImportFetchBody, "iii", "i", fetchBody},
		{abi.ImportFetchClose, "i", "", func(_ context.Context, c *Call, _ memory, stack []uint64) {
			c.forget(c.fetched(stack[0]))
			c.fetches.open[uint32(stack[0])] = nil
		}},
		{abi.ImportFetchError, "ii", "i", func(_ context.Context, c *Call, m memory, stack []uint64) {
			m.put(stack, c.fetches.error)
		}},
	}
}

// fetchFunction is a hostFunction that may wait.
type fetchFunction struct {
	name, params, results string
	call                  func(ctx context.Context, c *Call, m memory, stack []uint64)
}

// instantiateFetch adds the cloche module to rt.
func instantiateFetch(ctx context.Context, rt wazero.Runtime) error {
	b := rt.NewHostModuleBuilder(abi.ModuleCloche)
	for _, f := range fetchImports() {
		b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(
			func(ctx context.Context, mod api.Module, stack []uint64) {
				c := callFrom(ctx)
				switch {
				case ctx.Err() != nil:
					abort("the invocation is over")
				case c.Early || c.Fetcher == nil:
					abort("%s is called before there is a request", f.name)
				}
				f.call(ctx, c, memory{mod.Memory()}, stack)
			},
		), valueTypes(f.params), valueTypes(f.results)).Export(f.name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

// fetch sends the request and waits for the whole answer.
func fetch(ctx context.Context, c *Call, m memory, stack []uint64) {
	handle, err := c.fetch(ctx, m, stack)
	if ctx.Err() != nil {
		abort("the invocation ended during a fetch")
	}
	if err != nil {
		code := abi.FetchFailed
		var known *abi.FetchError
		if errors.As(err, &known) {
			code = known.Code
		}
		c.fetches.error = err.Error()
		stack[0] = api.EncodeI32(int32(code))
		return
	}
	stack[0] = uint64(handle)
}

func (c *Call) fetch(ctx context.Context, m memory, stack []uint64) (handle int, err error) {
	head, body := m.read(stack[0], stack[1]), m.read(stack[2], stack[3])
	handle = slices.Index(c.fetches.open[:], nil)
	switch {
	case handle < 0:
		return 0, &abi.FetchError{Code: abi.FetchBusy, Message: "too many answers are open: close some"}
	case len(head) > abi.FetchHeadBytes:
		return 0, &abi.FetchError{Code: abi.FetchTooLarge, Message: "the head of the request is too large"}
	case len(body) > abi.RequestBodyBytes:
		return 0, &abi.FetchError{Code: abi.FetchTooLarge, Message: "the body of the request is too large"}
	}
	req, err := parseFetch(string(head))
	if err != nil {
		return 0, err
	}
	req.Body = bytes.Clone(body) // whoever sends it may do so for longer than the guest lives
	resp, err := c.Fetcher.Fetch(ctx, req)
	if err != nil {
		return 0, err
	}
	f := &fetched{status: resp.Status, head: fetchHead(&resp), body: resp.Body}
	f.held = int64(len(f.head) + cap(f.body))
	if !c.Fetcher.Reserve(f.held) {
		return 0, &abi.FetchError{Code: abi.FetchBusy, Message: "the host has no memory for the answer"}
	}
	c.fetches.open[handle] = f
	return handle, nil
}

// parseFetch reads "METHOD URL" or "METHOD URL manual" and lines of "name: value".
func parseFetch(head string) (r abi.FetchRequest, err error) {
	first, rest, _ := strings.Cut(head, "\n")
	words := strings.Split(first, " ")
	if r.Manual = len(words) == 3 && words[2] == "manual"; len(words) != 2 && !r.Manual {
		return r, &abi.FetchError{Code: abi.FetchInvalid, Message: "the head of a request begins with its method, a space and its URL"}
	}
	r.Method, r.URL = words[0], words[1]
	for line := range strings.SplitSeq(strings.TrimSuffix(rest, "\n"), "\n") {
		name, value, found := strings.Cut(line, ":")
		if !found && rest == "" {
			break
		}
		value = strings.Trim(value, " \t")
		if !found || !abi.IsToken(name) || !abi.IsFieldValue(value) {
			return r, &abi.FetchError{Code: abi.FetchInvalid, Message: "no header line: " + strconv.Quote(abi.Printable(line, 80))}
		}
		r.Header.Add(name, value)
	}
	return r, nil
}

// fetchHead is an answer's head as a guest reads it.
func fetchHead(r *abi.FetchResponse) string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(r.Status) + " " + r.URL + "\n")
	for _, f := range r.Header {
		b.WriteString(f.Name + ": " + f.Value + "\n")
	}
	return b.String()
}

// fetchBody reads on in a body; without room it tells how much is left.
func fetchBody(_ context.Context, c *Call, m memory, stack []uint64) {
	f := c.fetched(stack[0])
	if uint32(stack[2]) == 0 {
		stack[0] = uint64(len(f.body))
		return
	}
	n := copy(m.read(stack[1], stack[2]), f.body)
	f.body = f.body[n:]
	stack[0] = uint64(n)
}

func (c *Call) fetched(handle uint64) *fetched {
	if i := uint32(handle); i < abi.FetchOpen && c.fetches.open[i] != nil {
		return c.fetches.open[i]
	}
	abort("%d is no open answer", int32(handle))
	return nil
}

// End gives back what the host kept for the guest. The call is over.
func (c *Call) End() {
	for _, f := range c.fetches.open {
		if f != nil {
			c.forget(f)
		}
	}
	c.fetches = fetches{}
}

func (c *Call) forget(f *fetched) { c.Fetcher.Reserve(-f.held) }
