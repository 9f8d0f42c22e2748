package guest

import (
	"context"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/limits"
)

// hostFunction is one function of the http_handler module. Parameters arrive on the
// stack, and the result replaces them, as wazero's api.GoModuleFunc defines.
type hostFunction struct {
	name    string
	params  string // one letter each: i for i32, l for i64
	results string
	call    func(c *Call, m memory, stack []uint64)
}

// imports are all functions of https://http-wasm.io/http-handler-abi/.
func imports() []hostFunction {
	return []hostFunction{
		{"enable_features", "i", "i", enableFeatures},
		{"get_config", "ii", "i", func(_ *Call, _ memory, stack []uint64) { stack[0] = 0 }},
		{"log_enabled", "i", "i", logEnabled},
		{"log", "iii", "", logMessage},
		{"get_method", "ii", "i", func(c *Call, m memory, stack []uint64) { m.put(stack, c.Request.Method) }},
		{"set_method", "ii", "", setMethod},
		{"get_uri", "ii", "i", func(c *Call, m memory, stack []uint64) { m.put(stack, c.Request.Target()) }},
		{"set_uri", "ii", "", setURI},
		{"get_protocol_version", "ii", "i", func(c *Call, m memory, stack []uint64) { m.put(stack, c.Request.Proto) }},
		{"get_source_addr", "ii", "i", func(c *Call, m memory, stack []uint64) { m.put(stack, c.Request.RemoteAddr) }},
		{"get_header_names", "iii", "l", getHeaderNames},
		{"get_header_values", "iiiii", "l", getHeaderValues},
		{"set_header_value", "iiiii", "", setHeaderValue},
		{"add_header_value", "iiiii", "", addHeaderValue},
		{"remove_header", "iii", "", removeHeader},
		{"read_body", "iii", "l", readBody},
		{"write_body", "iii", "", writeBody},
		{"get_status_code", "", "i", getStatusCode},
		{"set_status_code", "i", "", setStatusCode},
	}
}

// beforeRequests are what a guest may call while it gets ready.
var beforeRequests = [...]string{"enable_features", "get_config", "log_enabled", "log"}

// Instantiate adds the modules that guests may import, besides WASI, to rt.
func Instantiate(ctx context.Context, rt wazero.Runtime) error {
	if err := instantiateFetch(ctx, rt); err != nil {
		return err
	}
	b := rt.NewHostModuleBuilder(abi.ModuleHandler)
	for _, f := range imports() {
		call, name := f.call, f.name
		beforehand := slices.Contains(beforeRequests[:], name)
		b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(
			func(ctx context.Context, mod api.Module, stack []uint64) {
				if ctx.Err() != nil { // thousands of calls fit between two checks of the fuel
					abort("the invocation is over")
				}
				c := callFrom(ctx)
				if c.Early && !beforehand {
					abort("%s is called before there is a request", name)
				}
				call(c, memory{mod.Memory()}, stack)
			},
		), valueTypes(f.params), valueTypes(f.results)).Export(f.name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

func valueTypes(letters string) []api.ValueType {
	types := make([]api.ValueType, len(letters))
	for i := range letters {
		types[i] = map[byte]api.ValueType{'i': api.ValueTypeI32, 'l': api.ValueTypeI64}[letters[i]]
	}
	return types
}

// abort ends the guest from within an import, by the panic that wazero turns
// into the error of the guest's call. It is how proc_exit ends a guest too.
func abort(format string, args ...any) {
	panic(limits.Trapf(abi.FaultTrap, "the host refused a call: "+format, args...))
}

// The kinds of header and of body.
const (
	ofRequest         = 0
	ofResponse        = 1
	ofRequestTrailer  = 2
	ofResponseTrailer = 3
)

func enableFeatures(c *Call, _ memory, stack []uint64) {
	c.handler.features |= uint32(stack[0]) & featuresOffered
	stack[0] = uint64(c.handler.features)
}

// Log levels run from -1 (debug) to 2 (error); 3 is none.
func logEnabled(c *Call, _ memory, stack []uint64) {
	enabled := c.Log.Line != nil && int32(stack[0]) < 3
	stack[0] = 0
	if enabled {
		stack[0] = 1
	}
}

func logMessage(c *Call, m memory, stack []uint64) {
	_, _ = c.Log.Write(m.read(stack[1], stack[2]))
	_, _ = c.Log.Write([]byte{'\n'})
}

func setMethod(c *Call, m memory, stack []uint64) {
	c.mustBeforeNext("set the method")
	method := m.string(stack[0], stack[1])
	if !abi.IsToken(method) {
		abort("%.80q is no method", method)
	}
	c.ownRequest().Method = method
}

func setURI(c *Call, m memory, stack []uint64) {
	c.mustBeforeNext("set the URI")
	uri := m.string(stack[0], stack[1])
	if uri == "" {
		uri = "/"
	}
	if uri[0] != '/' || strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		abort("%.80q is no URI of a path and a query", uri)
	}
	r := c.ownRequest()
	r.Path, r.RawQuery, r.HasQuery = strings.Cut(uri, "?")
}

func getHeaderNames(c *Call, m memory, stack []uint64) {
	var names []string
	for _, f := range *c.header(stack[0]) {
		if name := strings.ToLower(f.Name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	stack[0] = m.putList(stack[1], stack[2], names)
}

func getHeaderValues(c *Call, m memory, stack []uint64) {
	values := c.header(stack[0]).Values(m.fieldName(stack[1], stack[2]))
	stack[0] = m.putList(stack[3], stack[4], values)
}

func setHeaderValue(c *Call, m memory, stack []uint64) {
	h := c.mutableHeader(stack[0], "set")
	h.Set(m.field(stack[1:]))
	boundHeader(*h)
}

func addHeaderValue(c *Call, m memory, stack []uint64) {
	h := c.mutableHeader(stack[0], "add")
	h.Add(m.field(stack[1:]))
	boundHeader(*h)
}

func removeHeader(c *Call, m memory, stack []uint64) {
	c.mutableHeader(stack[0], "remove").Del(m.fieldName(stack[1], stack[2]))
}

// boundHeader keeps a guest from building a header without end in the host's
// memory. A request's own header has at most as many fields.
func boundHeader(h abi.Header) {
	if len(h) > 2*abi.ResponseFields {
		abort("more than %d header fields", 2*abi.ResponseFields)
	}
}

// header is the header of a kind, for reading. Trailers are not offered: they
// are always empty.
func (c *Call) header(kind uint64) *abi.Header {
	switch uint32(kind) {
	case ofRequest:
		return &c.Request.Header
	case ofResponse:
		return &c.handler.response.Header
	case ofRequestTrailer, ofResponseTrailer:
		return &abi.Header{}
	}
	abort("no such kind of header: %d", uint32(kind))
	return nil
}

func (c *Call) mutableHeader(kind uint64, verb string) *abi.Header {
	switch uint32(kind) {
	case ofRequest:
		c.mustBeforeNext(verb + " a request header")
		return &c.ownRequest().Header
	case ofResponse:
		c.mustOwnResponse(verb + " a response header")
		return &c.handler.response.Header
	}
	_ = c.header(kind) // knows which kinds there are
	abort("cannot %s a trailer: the feature is not offered", verb)
	return nil
}

func readBody(c *Call, m memory, stack []uint64) {
	if uint32(stack[2]) == 0 {
		abort("read_body into an empty buffer would never end")
	}
	body, at := c.Request.Body, &c.handler.requestRead
	if uint32(stack[0]) != ofRequest {
		c.mustOwnResponse("read the response body")
		body, at = c.handler.buffer.Bytes, &c.handler.answerRead
	} else if c.handler.afterNext && c.handler.features&featureBufferRequest == 0 {
		abort("cannot read the request body after the next handler without buffer_request")
	}
	rest := body[min(*at, len(body)):]
	n := copy(m.read(stack[1], stack[2]), rest)
	*at += n
	stack[0] = uint64(n)
	if n == len(rest) {
		stack[0] |= 1 << 32 // end of body
	}
}

// writeBody appends; the first call of each phase forgets what was there.
func writeBody(c *Call, m memory, stack []uint64) {
	s := &c.handler
	p := m.read(stack[1], stack[2])
	if uint32(stack[0]) == ofRequest {
		c.mustBeforeNext("write the request body")
		r := c.ownRequest()
		if !s.requestWritten {
			r.Body, s.requestWritten = nil, true
		}
		if len(r.Body)+len(p) > abi.RequestBodyBytes {
			abort("request body larger than %d bytes", abi.RequestBodyBytes)
		}
		r.Body = append(r.Body, p...)
		return
	}
	c.mustOwnResponse("write the response body")
	if !s.answerWritten {
		if err := s.response.Body.Reset(); err != nil {
			panic(err)
		}
		s.answerWritten = true
	}
	if _, err := s.response.Body.Write(p); err != nil {
		panic(err)
	}
}

func getStatusCode(c *Call, _ memory, stack []uint64) {
	c.mustOwnResponse("read the status")
	stack[0] = uint64(c.handler.response.Status)
	if stack[0] == 0 {
		stack[0] = 200
	}
}

func setStatusCode(c *Call, _ memory, stack []uint64) {
	c.mustOwnResponse("set the status")
	c.handler.response.Status = int(uint32(stack[0]))
}

func (c *Call) mustBeforeNext(what string) {
	if c.handler.afterNext {
		abort("cannot %s after the next handler", what)
	}
}

// mustOwnResponse: before the next handler the response is the guest's own;
// after it only if the guest asked to have it buffered.
func (c *Call) mustOwnResponse(what string) {
	if c.handler.afterNext && c.handler.features&featureBufferResponse == 0 {
		abort("cannot %s after the next handler without buffer_response", what)
	}
}
