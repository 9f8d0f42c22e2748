package fetch

import "unsafe"

// The functions of the module "cloche": rules 70 to 79 of abi/ABI.md.

//go:wasmimport cloche fetch
//go:noescape
func hostFetch(head string, body *byte, length uint32) int32

//go:wasmimport cloche fetch_head
//go:noescape
func hostHead(handle int32, buf *byte, limit uint32) uint32

//go:wasmimport cloche fetch_body
//go:noescape
func hostBody(handle int32, buf *byte, limit uint32) uint32

//go:wasmimport cloche fetch_close
func hostClose(handle int32)

//go:wasmimport cloche fetch_error
//go:noescape
func hostError(buf *byte, limit uint32) uint32

func send(head string, r Request) (*Response, error) {
	handle := hostFetch(head, unsafe.SliceData(r.Body), uint32(len(r.Body)))
	if handle < 0 {
		return nil, &Error{Code(handle), text(hostError)}
	}
	defer hostClose(handle)
	resp, err := parse(text(func(buf *byte, limit uint32) uint32 { return hostHead(handle, buf, limit) }))
	if err != nil {
		return nil, err
	}
	resp.Body = make([]byte, hostBody(handle, nil, 0))
	hostBody(handle, unsafe.SliceData(resp.Body), uint32(len(resp.Body)))
	return resp, nil
}

// text asks for a text twice: for its length, and with room for it.
func text(get func(buf *byte, limit uint32) uint32) string {
	buf := make([]byte, get(nil, 0))
	get(unsafe.SliceData(buf), uint32(len(buf)))
	return string(buf)
}
