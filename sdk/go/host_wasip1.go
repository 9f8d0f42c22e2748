package cloche

import "unsafe"

// The http-wasm handler ABI: https://http-wasm.io/http-handler-abi/

var handler Handler

// Handle makes h the function of this guest. Call it once, from init: main does
// not run in a guest built with -buildmode=c-shared.
func Handle(h Handler) {
	if h == nil || handler != nil {
		panic("cloche: Handle needs one handler")
	}
	handler = h
}

//go:wasmexport handle_request
func handleRequest() uint64 {
	if handler == nil {
		panic("cloche: no handler; call cloche.Handle from init, not from main")
	}
	handler(&Response{to: host{}}, &Request{from: host{}})
	return 0 // there is no next handler
}

// handleResponse has nothing to do, but the ABI asks for it.
//
//go:wasmexport handle_response
func handleResponse(requestContext, isError uint32) {}

// host is the source and sink of a guest.
type host struct{}

func (host) text(p property, buf []byte) int {
	data, limit := unsafe.SliceData(buf), uint32(len(buf))
	switch p {
	case method:
		return int(getMethod(data, limit))
	case uri:
		return int(getURI(data, limit))
	case protocol:
		return int(getProtocolVersion(data, limit))
	default:
		return int(getSourceAddr(data, limit))
	}
}

func (host) list(name string, buf []byte) (count, length int) {
	data, limit := unsafe.SliceData(buf), uint32(len(buf))
	var countLength uint64
	if name == "" {
		countLength = getHeaderNames(request, data, limit)
	} else {
		countLength = getHeaderValues(request, name, data, limit)
	}
	return int(countLength >> 32), int(uint32(countLength))
}

func (host) read(buf []byte) (n int, eof bool) {
	eofLength := readBody(request, unsafe.SliceData(buf), uint32(len(buf)))
	return int(uint32(eofLength)), eofLength>>32 != 0
}

func (host) status(code int) { setStatusCode(uint32(code)) }

func (host) field(e edit, name, value string) {
	switch e {
	case set:
		setHeaderValue(response, name, value)
	case add:
		addHeaderValue(response, name, value)
	case remove:
		removeHeader(response, name)
	}
}

func (host) write(p []byte) { writeBody(response, unsafe.SliceData(p), uint32(len(p))) }

// Which headers or body an import is about.
const (
	request  uint32 = 0
	response uint32 = 1
)

//go:wasmimport http_handler get_method
//go:noescape
func getMethod(buf *byte, limit uint32) (length uint32)

//go:wasmimport http_handler get_uri
//go:noescape
func getURI(buf *byte, limit uint32) (length uint32)

//go:wasmimport http_handler get_protocol_version
//go:noescape
func getProtocolVersion(buf *byte, limit uint32) (length uint32)

//go:wasmimport http_handler get_source_addr
//go:noescape
func getSourceAddr(buf *byte, limit uint32) (length uint32)

//go:wasmimport http_handler get_header_names
//go:noescape
func getHeaderNames(kind uint32, buf *byte, limit uint32) (countLength uint64)

//go:wasmimport http_handler get_header_values
//go:noescape
func getHeaderValues(kind uint32, name string, buf *byte, limit uint32) (countLength uint64)

//go:wasmimport http_handler read_body
//go:noescape
func readBody(kind uint32, buf *byte, limit uint32) (eofLength uint64)

//go:wasmimport http_handler set_status_code
//go:noescape
func setStatusCode(code uint32)

//go:wasmimport http_handler set_header_value
//go:noescape
func setHeaderValue(kind uint32, name, value string)

//go:wasmimport http_handler add_header_value
//go:noescape
func addHeaderValue(kind uint32, name, value string)

//go:wasmimport http_handler remove_header
//go:noescape
func removeHeader(kind uint32, name string)

//go:wasmimport http_handler write_body
//go:noescape
func writeBody(kind uint32, body *byte, length uint32)
