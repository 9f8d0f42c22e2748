package host_test

import (
	"strings"

	"github.com/cloche-run/cloche/abi"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// handler is abuse of the http_handler imports.
func (a *attacks) handler() {
	a.pointers()
	a.headers()
	a.bodies()
	a.statuses()
	a.moments()
}

// one adds a handler that makes calls of one import, with one list of arguments each.
func (a *attacks) one(name, call string, want int, argLists ...[]int64) {
	g := a.newGuest(2, call)
	var body code
	for _, args := range argLists {
		body = body.Then(g.do(call, args...))
	}
	a.add(name, g.handles(body), want)
}

// pointers: each import with addresses and lengths outside the memory.
func (a *attacks) pointers() {
	outside := a.between(2*abi.PageBytes-3, 1<<32-1)
	for _, p := range []struct {
		call string
		want int
		args []int64
	}{
		{"log", 502, []int64{0, outside, 9}},
		{"log", 502, []int64{2, 0, 1<<32 - 1}},
		{"get_method", 502, []int64{outside, 99}},
		{"get_uri", 502, []int64{outside, 999}},
		{"get_uri", 200, []int64{outside, 0}},
		{"get_protocol_version", 502, []int64{outside, 999}},
		{"get_source_addr", 502, []int64{outside, 999}},
		{"get_config", 200, []int64{outside, 999}},
		{"get_header_names", 502, []int64{0, outside, 1 << 20}},
		{"get_header_values", 502, []int64{0, outside, 9, scratch, 99}},
		{"set_method", 502, []int64{outside, 9}},
		{"set_uri", 502, []int64{outside, 1<<32 - 1}},
		{"set_header_value", 502, []int64{1, outside, 9, 0, 0}},
		{"set_header_value", 502, []int64{1, scratch, 1, outside, 9}},
		{"add_header_value", 502, []int64{1, scratch, 1<<32 - 1, 0, 0}},
		{"remove_header", 502, []int64{1, outside, 9}},
		{"read_body", 502, []int64{0, outside, 1 << 20}},
		{"write_body", 502, []int64{1, outside, 9}},
		{"write_body", 502, []int64{1, 0, 1<<32 - 1}},
	} {
		name := "pointer-" + p.call + "-" + string(rune('a'+len(a.list)%26)) + string(rune('a'+len(a.list)/26%26))
		a.one(name, p.call, p.want, p.args)
	}
}

func (a *attacks) headers() {
	set := func(name, field, value string, want int) {
		g := a.newGuest(2, "add_header_value")
		np, ns := g.text(field)
		vp, vs := g.text(value)
		a.add(name, g.handles(g.do("add_header_value", 1, np, ns, vp, vs)), want)
	}
	set("header-crlf", "x-a", "b\r\nset-cookie: evil=1", 502)
	set("header-nul", "x-a", "b\x00c", 502)
	set("header-name-crlf", "x-a: b\r\nx-b", "c", 502)
	set("header-name-space", "x a", "b", 502)
	set("header-name-empty", "", "b", 502)
	set("header-framing", "transfer-encoding", "chunked", 200)
	set("header-length", "content-length", "99999", 200)
	set("header-connection", "connection", "upgrade", 200)
	set("header-evil", "x-evil", strings.Repeat("a", abi.ResponseHeaderBytes), 502)

	g := a.newGuest(2, "add_header_value")
	add := g.do("add_header_value", 1, scratch, 9, scratch, 9)
	g.Data(scratch, "x-flood-1")
	a.add("header-flood", g.handles(code{}.Forever(add)), 502)
	g = a.newGuest(4, "add_header_value")
	g.Data(scratch, strings.Repeat("x", abi.PageBytes))
	large := g.do("add_header_value", 1, scratch, abi.PageBytes, scratch, abi.PageBytes)
	a.add("header-flood-large", g.handles(code{}.Forever(large)), 502)
	g = a.newGuest(4, "set_header_value")
	g.Data(scratch, strings.Repeat("y", abi.PageBytes))
	same := g.do("set_header_value", 0, scratch, abi.PageBytes, scratch, abi.PageBytes)
	a.add("header-set-for-ever", g.handles(code{}.Forever(same)), 504)
	g = a.newGuest(2, "remove_header")
	g.Data(scratch, "x-nf-request-id")
	a.add("header-remove", g.handles(g.do("remove_header", 0, scratch, 15)), 200)
	a.one("header-kind", "get_header_names", 502, []int64{a.between(4, 1<<31), scratch, 9})
	a.one("header-trailers", "get_header_names", 200, []int64{2, scratch, 9}, []int64{3, scratch, 9})
	a.one("trailer-set", "set_header_value", 502, []int64{3, scratch, 1, scratch, 1})
}

func (a *attacks) bodies() {
	g := a.newGuest(bulkPages, "write_body")
	a.add("body-60-MB", g.handles(g.do("write_body", 1, 0, bulkBytes)), 502)
	g = a.newGuest(bulkPages, "write_body")
	a.add("body-flood", g.handles(code{}.Forever(g.do("write_body", 1, 0, a.between(9, 99_999)))), 502)
	g = a.newGuest(bulkPages, "write_body")
	a.add("body-request-flood", g.handles(code{}.Forever(g.do("write_body", 0, 0, a.between(9, 99_999)))), 502)
	a.one("body-read-nothing", "read_body", 502, []int64{0, scratch, 0})
	a.one("body-read-of-response", "read_body", 200, []int64{1, scratch, 9})
	g = a.newGuest(2, "read_body")
	a.add("body-read-for-ever", g.handles(code{}.Forever(g.do("read_body", 0, scratch, 9))), 504)
	g = a.newGuest(bulkPages, "log")
	a.add("log-60-MB", g.handles(code{}.Repeat(100, g.do("log", 0, 0, bulkBytes))), 200, 504)
	g = a.newGuest(2, "log")
	ptr, size := g.text(evil)
	a.add("log-evil", g.handles(g.do("log", -99, ptr, size)), 200)
}

func (a *attacks) statuses() {
	for _, s := range []struct {
		name   string
		status int64
		want   int
	}{
		{"status-99", 99, 502},
		{"status-100", 100, 502},
		{"status-101", 101, 502},
		{"status-199", 199, 502},
		{"status-600", 600, 502},
		{"status-1000", 1000, 502},
		{"status-negative", -1, 502},
		{"status-599", 599, 599},
		{"status-304", 304, 304},
	} {
		a.one(s.name, "set_status_code", s.want, []int64{s.status})
	}
	g := a.newGuest(2, "set_status_code", "write_body")
	a.add("status-204-with-body", g.handles(g.do("set_status_code", 204).Then(g.do("write_body", 1, scratch, 999))), 204)
	a.one("features", "enable_features", 200, []int64{-1}, []int64{0})
}

// moments: calls when they are not expected.
func (a *attacks) moments() {
	for _, call := range []struct {
		name string
		args []int64
		want int
	}{
		{"write_body", []int64{1, scratch, 9}, 502}, // there is no request yet
		{"set_status_code", []int64{201}, 502},
		{"log", []int64{0, scratch, 9}, 200},
		{"read_body", []int64{0, scratch, 9}, 502},
		{"get_uri", []int64{scratch, 999}, 502},
		{"get_header_names", []int64{0, 1 << 31, 999}, 502},
	} {
		g := a.newGuest(2, call.name)
		g.Module.Start(g.Func(nil, nil, g.do(call.name, call.args...)...))
		a.add("in-start-"+call.name, g.handles(nil), call.want)
	}
	g := a.newGuest(2, "set_method")
	ptr, size := g.text("GET / HTTP/1.1\r\nX: 1")
	a.add("method", g.handles(g.do("set_method", ptr, size)), 502)
	g = a.newGuest(2, "set_uri")
	ptr, size = g.text("/a b\r\nX: 1")
	a.add("uri", g.handles(g.do("set_uri", ptr, size)), 502)
	g = a.newGuest(2, "set_uri")
	a.add("uri-late", g.handlesBoth(code{}.I64(1), g.do("set_uri", scratch, 0)), 502)
	g = a.newGuest(2, "set_status_code")
	a.add("status-late", g.handlesBoth(code{}.I64(1), g.do("set_status_code", 201)), 502)
	a.add("next", a.newGuest(2).handlesBoth(code{}.I64(a.random.Int64()|1), nil), 404)
	g = a.newGuest(2)
	g.ExportFunc(abi.ExportHandleRequest, g.Func(nil, nil))
	a.refuse("of-another-type", g.Bytes(), "handle_re")
	g = a.newGuest(2, "set_status_code")
	g.ExportFunc(abi.ExportStart, g.Func(nil, []byte{w.I32}, w.I32Const, 0))
	a.refuse("start-with-result", g.Bytes(), "_start")

	// A program may call the imports of a handler too.
	g = a.command(2, "set_status_code", "write_body")
	a.add("of-a-program", g.answers(g.do("set_status_code", 1000).Then(g.do("write_body", 1, scratch, 999))), 200)
}
