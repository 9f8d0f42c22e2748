package host_test

import (
	"fmt"
	"strings"

	"github.com/cloche-run/cloche/abi"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// answer is programs whose answer is none, or one that must not be sent as it is.
func (a *attacks) answer() {
	prints := func(name, text string, want ...int) {
		g := a.command(uint64(len(text))/abi.PageBytes + 3)
		a.add(name, g.program(g.print(1, text)), want...)
	}
	for _, s := range []string{"0", "-1", "99", "101", "199", "600", "1000", "1e400", "200.5", `"abc"`, `""`, "null", "true", "[200]", `{"a":1}`, "4294967496"} {
		name := "status-" + strings.Trim(strings.NewReplacer(`"`, "q", "[", "l", "]", "l", "{", "o", "}", "o", ":", "", ".", "_").Replace(s), "-")
		prints(name, `{"statusCode":`+s+`}`, 502)
	}
	prints("empty", "", 502)
	prints("null", "null", 502)
	prints("list", "[]", 502)
	prints("string", `"statusCode"`, 502)
	prints("cut", `{"statusCode":200`, 502)
	prints("two", okAnswer+okAnswer, 502)
	prints("noise", string(a.noise(2000)), 502)
	prints("not-utf-8", `{"statusCode":200,"body":"`+"\xff\xfe"+`"}`, 200)
	prints("body-is-a-number", `{"statusCode":200,"body":7}`, 502)
	prints("base64", `{"statusCode":200,"isBase64Encoded":true,"body":"*"}`, 502)
	prints("base64-is-a-string", `{"statusCode":200,"isBase64Encoded":"yes"}`, 502)
	prints("status-204-with-body", `{"statusCode":204,"body":"x"}`, 204)
	prints("header-crlf", `{"statusCode":200,"headers":{"x-a":"b\r\nset-cookie: evil=1"}}`, 502)
	prints("header-name", `{"statusCode":200,"headers":{"x a\r\n":"b"}}`, 502)
	prints("header-value", `{"statusCode":200,"headers":{"x-a":{"b":1}}}`, 502)
	prints("header-framing", `{"statusCode":200,"body":"x","headers":{"content-length":"99999","transfer-encoding":"chunked","connection":"upgrade"}}`, 200)
	prints("headers-are-a-list", `{"statusCode":200,"headers":["a"]}`, 502)
	prints("headers-101", `{"statusCode":200,"headers":{`+a.members(101, `"v"`)+`}}`, 502)
	prints("cookies-101", `{"statusCode":200,"multiValueHeaders":{"set-cookie":["a"`+strings.Repeat(`,"a"`, 100)+`]}}`, 502)
	prints("header-64-KB", `{"statusCode":200,"headers":{"x-a":"`+strings.Repeat("v", abi.ResponseHeaderBytes)+`"}}`, 502)

	prints("body-over-6-MB", `{"statusCode":200,"body":"`+strings.Repeat("b", abi.ResponseBodyBytes+1)+`"}`, 502)
	prints("deep-lists", `{"statusCode":200,"x":`+strings.Repeat("[", 3<<20), 502)
	prints("deep-objects", strings.Repeat(`{"a":`, 1<<20), 502)
	prints("deep-lists-in-header", `{"statusCode":200,"multiValueHeaders":{"a":`+strings.Repeat("[", 3<<20), 502)
	prints("members", `{"statusCode":200,`+a.members(400_000, "1")+`}`, 200, 502, 504)
	prints("members-repeated", `{"statusCode":200`+strings.Repeat(`,"headers":{"a":"b"}`, 300_000)+`}`, 200, 502, 504)
	prints("headers-repeated", `{"statusCode":200,"headers":{"a":"b"`+strings.Repeat(`,"a":"b"`, 800_000)+`}}`, 502)
	prints("white-space", strings.Repeat(" ", 8_000_000)+okAnswer, 200)
	prints("escapes", `{"statusCode":200,"body":"`+strings.Repeat(`\u0000`, 1_000_000)+`"}`, 200)

	cgi := func(name, text string, want int) {
		g := a.command(uint64(len(text))/abi.PageBytes + 3)
		a.add("cgi-"+name, g.program(g.print(1, text)), want).config = `protocol = "cgi"`
	}
	cgi("empty", "", 502)
	cgi("no-header", "hello", 502)
	cgi("status", "Status: 101 Switching\n\n", 502)
	cgi("header", "A\x1b[2J: b\n\n", 502)
	cgi("lines", strings.Repeat("\n", 1<<20), 200)
	cgi("header-lines", strings.Repeat("A: b\n", 1<<20)+"\n", 502)
	cgi("body-over-6-MB", "\n"+strings.Repeat("b", abi.ResponseBodyBytes+1), 502)
	g := a.command(2)
	a.add("cgi-trap", g.program(g.print(1, "A: b\n\n").Op(w.Unreachable)), 502).config = `protocol = "cgi"`
}

// members is n members of an object with names that nobody knows.
func (a *attacks) members(n int, value string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"x%d":%s`, i+int(a.between(0, 1))*n, value)
	}
	return b.String()
}
