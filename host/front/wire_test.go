package front

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
)

// class is one way to write a request, and what must come of it.
type class struct {
	name     string
	raw      string
	statuses string // of every final response, in order, such as "200 200"
	open     bool   // the connection serves a further request
	targets  string // what reached the handler, separated by spaces; "" is nothing
	interim  int    // how many 100 Continue are sent
}

const h = "Host: site.test\r\n"

// smuggled is a request that hides in another one. It must never be answered.
const smuggled = "GET /smuggled HTTP/1.1\r\nHost: site.test\r\n\r\n"

func framing() []class {
	return []class{
		{
			name: "content-length and transfer-encoding",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", statuses: "400",
		},
		{
			name: "transfer-encoding before content-length",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", statuses: "400",
		},
		{
			name: "CL.TE with a second request in the body",
			raw: "POST /a HTTP/1.1\r\n" + h + fmt.Sprintf("Content-Length: %d\r\n", len(smuggled)+5) +
				"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, statuses: "400",
		},
		{
			name: "TE.CL with a second request in the body",
			raw: "POST /a HTTP/1.1\r\n" + h + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" +
				fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled), statuses: "400",
		},
		{
			name: "both in HTTP/1.0 with keep-alive",
			raw:  "POST /a HTTP/1.0\r\n" + h + "Connection: keep-alive\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, statuses: "400",
		},
		{
			name: "transfer-encoding in HTTP/1.0",
			raw:  "POST /a HTTP/1.0\r\n" + h + "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", statuses: "400",
		},
		{
			name: "two content-lengths that differ",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + smuggled, statuses: "400",
		},
		{
			name: "two content-lengths that agree",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", statuses: "400",
		},
		{
			name: "a list of content-lengths",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Content-Length: 1, 1\r\n\r\nx", statuses: "400",
		},
		{
			name: "content-length with a sign",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Content-Length: +1\r\n\r\nx", statuses: "400",
		},
		{
			name: "negative content-length",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Content-Length: -1\r\n\r\nx", statuses: "400",
		},
		{
			name: "content-length in hexadecimal",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Content-Length: 0x1\r\n\r\nx", statuses: "400",
		},
		{
			name: "empty content-length",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Content-Length:\r\n\r\nx", statuses: "400",
		},
		{
			name: "content-length with a space inside",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Content-Length: 1 1\r\n\r\nx", statuses: "400",
		},
		{
			name: "content-length that overflows 64 bits",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Content-Length: 18446744073709551617\r\n\r\nx", statuses: "413",
		},
		{
			name: "content-length far over the limit, before the body arrives",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Content-Length: 1000000000000\r\n\r\n", statuses: "413",
		},
		{
			name: "content-length one over the limit",
			raw:  "POST /a HTTP/1.1\r\n" + h + fmt.Sprintf("Content-Length: %d\r\n\r\n", abi.RequestBodyBytes+1), statuses: "413",
		},
		{
			name: "transfer-encoding identity with content-length",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Transfer-Encoding: identity\r\nContent-Length: 1\r\n\r\nx", statuses: "400",
		},
		{
			name: "transfer-encoding identity",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Transfer-Encoding: identity\r\n\r\n", statuses: "501",
		},
		{
			name: "transfer-encoding gzip, chunked",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", statuses: "501",
		},
		{
			name: "transfer-encoding chunked, identity",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", statuses: "501",
		},
		{
			name: "transfer-encoding xchunked",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", statuses: "501",
		},
		{
			name: "transfer-encoding with a quoted coding",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", statuses: "501",
		},
		{
			name: "transfer-encoding with a vertical tab",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + smuggled, statuses: "400",
		},
		{
			name: "two transfer-encodings",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", statuses: "400",
		},
		{
			name: "space before the colon of transfer-encoding",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + smuggled, statuses: "400",
		},
		{
			name: "obs-fold inside transfer-encoding",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + smuggled, statuses: "400",
		},
		{
			name: "transfer-encoding in any case",
			raw:  "POST /a HTTP/1.1\r\n" + h + "tRANSFER-eNCODING: \t CHUNKED \r\n\r\n2\r\nok\r\n0\r\n\r\n", statuses: "200", open: true, targets: "POST /a",
		},
		{
			name: "bare LF as every line end",
			raw:  "GET /a HTTP/1.1\nHost: site.test\n\n", statuses: "400",
		},
		{
			name: "bare LF after the request line",
			raw:  "GET /a HTTP/1.1\n" + h + "\r\n", statuses: "400",
		},
		{
			name: "bare LF after one header line",
			raw:  "GET /a HTTP/1.1\r\n" + h + "X-A: 1\nTransfer-Encoding: chunked\r\n\r\n", statuses: "400",
		},
		{
			name: "bare LF as the last line",
			raw:  "GET /a HTTP/1.1\r\n" + h + "\n" + smuggled, statuses: "400",
		},
		{
			name: "bare CR inside a value",
			raw:  "GET /a HTTP/1.1\r\n" + h + "X-A: 1\rTransfer-Encoding: chunked\r\n\r\n", statuses: "400",
		},
		{
			name: "CR CR LF as line end",
			raw:  "GET /a HTTP/1.1\r\n" + h + "X-A: 1\r\r\n\r\n", statuses: "400",
		},
		{
			name: "an empty line before the request",
			raw:  "\r\nGET /a HTTP/1.1\r\n" + h + "\r\n", statuses: "200", open: true, targets: "GET /a",
		},
		{
			name: "three empty lines before the request",
			raw:  "\r\n\r\n\r\nGET /a HTTP/1.1\r\n" + h + "\r\n", statuses: "400",
		},
		{
			name: "bytes that are no HTTP",
			raw:  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", statuses: "400",
		},
		{
			name: "two requests at once",
			raw:  "GET /a HTTP/1.1\r\n" + h + "\r\nGET /b HTTP/1.1\r\n" + h + "\r\n", statuses: "200 200", open: true, targets: "GET /a GET /b",
		},
		{
			name: "a body and a request at once",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Content-Length: 2\r\n\r\nokGET /b HTTP/1.1\r\n" + h + "\r\n", statuses: "200 200", open: true, targets: "POST /a GET /b",
		},
		{
			name: "a good request, then a bad one",
			raw:  "GET /a HTTP/1.1\r\n" + h + "\r\nGET /b HTTP/1.1\r\n" + h + "X Y: 1\r\n\r\n" + smuggled, statuses: "200 400", targets: "GET /a",
		},
		{
			name: "a request after connection: close",
			raw:  "GET /a HTTP/1.1\r\n" + h + "Connection: close\r\n\r\n" + smuggled, statuses: "200", targets: "GET /a",
		},
		{
			name: "a body on GET is not the next request",
			raw:  "GET /a HTTP/1.1\r\n" + h + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(smuggled)) + smuggled, statuses: "200", open: true, targets: "GET /a",
		},
		{
			name: "a chunked body on OPTIONS is not the next request",
			raw: "OPTIONS /a HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n" +
				fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled), statuses: "200", open: true, targets: "OPTIONS /a",
		},
	}
}

func chunks() []class {
	chunked := func(name, body, statuses string) class {
		c := class{name: name, raw: "POST /a HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n" + body, statuses: statuses}
		if statuses == "200" {
			c.open, c.targets = true, "POST /a"
		}
		return c
	}
	return []class{
		chunked("chunks with leading zeros and both cases of digits", "000a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "200"),
		chunked("a chunk extension", "2;name=\"a;b\"\r\nok\r\n0;last\r\n\r\n", "200"),
		chunked("space before a chunk extension", "2 ;a=b\r\nok\r\n0\r\n\r\n", "200"),
		chunked("space after the chunk size", "2 \r\nok\r\n0\r\n\r\n"+smuggled, "400"),
		chunked("space before the chunk size", " 2\r\nok\r\n0\r\n\r\n"+smuggled, "400"),
		chunked("an empty chunk extension", "2;\r\nok\r\n0\r\n\r\n", "400"),
		chunked("very long chunk extension", "2;"+strings.Repeat("a", 4096)+"\r\nok\r\n0\r\n\r\n", "400"),
		chunked("control byte in a chunk extension", "2;a\x00\r\nok\r\n0\r\n\r\n", "400"),
		chunked("bare LF after the chunk size", "2\nok\r\n0\r\n\r\n", "400"),
		chunked("bare LF in a chunk extension", "2;a\nok\r\n0\r\n\r\n"+smuggled, "400"),
		chunked("bare LF after the chunk data", "2\r\nok\n0\r\n\r\n"+smuggled, "400"),
		chunked("a chunk size without digits", "\r\nok\r\n0\r\n\r\n", "400"),
		chunked("a chunk size with 0x", "0x2\r\nok\r\n0\r\n\r\n", "400"),
		chunked("a negative chunk size", "-2\r\nok\r\n0\r\n\r\n", "400"),
		chunked("a chunk size that overflows", "10000000000000002\r\nok\r\n0\r\n\r\n", "400"),
		chunked("a chunk size over the limit", "ffffffff\r\nok\r\n0\r\n\r\n", "413"),
		chunked("data longer than the chunk size", "2\r\nokay\r\n0\r\n\r\n", "400"),
		chunked("many tiny chunks", strings.Repeat("1\r\nx\r\n", 2000)+"0\r\n\r\n", "200"),
		chunked("too many tiny chunks", strings.Repeat("1\r\nx\r\n", FramingBytes/5+1)+"0\r\n\r\n", "413"),
		chunked("extensions beyond the byte budget", strings.Repeat("1;"+strings.Repeat("e", 200)+"\r\nx\r\n", FramingBytes/200+1)+"0\r\n\r\n", "413"),
		chunked("trailers", "2\r\nok\r\n0\r\nX-Checksum: 1\r\nX-B: 2\r\n\r\n", "200"),
		chunked("a trailer that would frame", "2\r\nok\r\n0\r\nContent-Length: 50\r\n\r\n", "200"),
		chunked("a bad trailer", "2\r\nok\r\n0\r\nX Checksum: 1\r\n\r\n", "400"),
		chunked("trailers that are too long", "0\r\nX: "+strings.Repeat("a", TrailerBytes)+"\r\n\r\n", "431"),
		chunked("too many trailers", "0\r\n"+strings.Repeat("X: a\r\n", RequestFields+1)+"\r\n", "431"),
		chunked("chunks over the body limit", strings.Repeat("100000\r\n"+strings.Repeat("x", 1<<20)+"\r\n", 6)+"1\r\nx\r\n0\r\n\r\n", "413"),
	}
}

func fieldClasses() []class {
	with := func(name, lines, statuses string) class {
		c := class{name: name, raw: "GET /a HTTP/1.1\r\n" + lines + "\r\n", statuses: statuses}
		if statuses == "200" {
			c.open, c.targets = true, "GET /a"
		}
		return c
	}
	return []class{
		with("obs-fold in any field", h+"X-A: 1\r\n 2\r\n", "400"),
		with("obs-fold with a tab", h+"X-A: 1\r\n\t2\r\n", "400"),
		with("a first header line that is folded", " "+h, "400"),
		with("space in a field name", h+"X Y: v\r\n", "400"),
		with("space before the colon", h+"X-Y : v\r\n", "400"),
		with("an empty field name", h+": v\r\n", "400"),
		with("a line without colon", h+"nonsense\r\n", "400"),
		with("a byte over 0x7f in a field name", h+"X-\xc3\xa9: v\r\n", "400"),
		with("a NUL in a field name", h+"X\x00: v\r\n", "400"),
		with("a Connection that names too many fields", h+"Connection: "+strings.Repeat("a,", connectionOptions+1)+"\r\n", "431"),
		with("a NUL in a value", h+"X: a\x00b\r\n", "400"),
		with("an escape byte in a value", h+"X: a\x1bb\r\n", "400"),
		with("a DEL in a value", h+"X: a\x7fb\r\n", "400"),
		with("a tab and bytes over 0x7f in a value", h+"X: a\tb\xc3\xa9\r\n", "200"),
		with("an empty value", h+"X:\r\n", "200"),
		with("as many fields as allowed", h+strings.Repeat("X: 1\r\n", RequestFields-1), "200"),
		with("one field more than allowed", h+strings.Repeat("X: 1\r\n", RequestFields), "431"),
		with("a header that is too large", h+"X: "+strings.Repeat("a", HeadBytes)+"\r\n", "431"),
		with("a header too large in many lines", h+strings.Repeat("X: "+strings.Repeat("a", 300)+"\r\n", 60), "431"),
		with("no host", "", "400"),
		with("an empty host", "Host:\r\n", "400"),
		with("two hosts", h+"Host: other.test\r\n", "400"),
		with("the same host twice", h+h, "400"),
		with("a host with user information", "Host: a@evil\r\n", "400"),
		with("a host with a path", "Host: site.test/a\r\n", "400"),
		with("a host with a space", "Host: site.test evil\r\n", "400"),
		with("a list of hosts", "Host: site.test, evil\r\n", "400"),
		with("a host with an escape", "Host: site%2etest\r\n", "400"),
		with("a host with a bad port", "Host: site.test:80a\r\n", "400"),
		with("a host with an empty port", "Host: site.test:\r\n", "400"),
		with("a host with port 65536", "Host: site.test:65536\r\n", "400"),
		with("a port without host", "Host: :80\r\n", "400"),
		with("a host in half a bracket", "Host: [::1\r\n", "400"),
		with("a name in brackets", "Host: [site.test]\r\n", "400"),
		with("an IPv6 zone", "Host: [fe80::1%25eth0]\r\n", "400"),
		with("a host with a port", "Host: site.test:8888\r\n", "200"),
		with("an IPv6 host with a port", "Host: [::1]:8888\r\n", "200"),
		with("an IPv4 host", "Host: 127.0.0.1:8888\r\n", "200"),
		with("an unknown expectation", h+"Expect: a-miracle\r\n", "417"),
		with("an expectation without body", h+"Expect: 100-continue\r\n", "200"),
		{
			name:     "100-continue",
			raw:      "POST /a HTTP/1.1\r\n" + h + "Content-Length: 2\r\nExpect: 100-Continue\r\n\r\nok",
			statuses: "200", open: true, interim: 1, targets: "POST /a",
		},
		{
			name:     "100-continue with chunks",
			raw:      "POST /a HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n2\r\nok\r\n0\r\n\r\n",
			statuses: "200", open: true, interim: 1, targets: "POST /a",
		},
		{
			name: "100-continue with a body too large",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Content-Length: 100000000\r\nExpect: 100-continue\r\n\r\n", statuses: "413",
		},
		{
			name: "100-continue with a bad header",
			raw:  "POST /a HTTP/1.1\r\n" + h + "Content-Length: 2\r\nX Y: 1\r\nExpect: 100-continue\r\n\r\n", statuses: "400",
		},
		{
			name: "an unknown expectation in HTTP/1.0",
			raw:  "GET /a HTTP/1.0\r\n" + h + "Expect: a-miracle\r\n\r\n", statuses: "200", targets: "GET /a",
		},
	}
}

func targetClasses() []class {
	ask := func(line, statuses, targets string) class {
		return class{
			name: line[:min(len(line), 60)], raw: line + "\r\n" + h + "\r\n",
			statuses: statuses, open: statuses == "200" || statuses == "204", targets: targets,
		}
	}
	long := "/" + strings.Repeat("a", TargetBytes-1)
	return []class{
		ask("GET /a?b=%zz&c=%00 HTTP/1.1", "200", "GET /a?b=%zz&c=%00"),
		ask("GET /a? HTTP/1.1", "200", "GET /a?"),
		ask("GET /a%2Fb/c%20d HTTP/1.1", "200", "GET /a%2Fb/c%20d"),
		ask("GET //evil.test/a HTTP/1.1", "200", "GET //evil.test/a"),
		ask("GET /a//b HTTP/1.1", "200", "GET /a//b"),
		ask("GET /a/../b HTTP/1.1", "200", "GET /b"),
		ask("GET /../../etc/passwd HTTP/1.1", "200", "GET /etc/passwd"),
		ask("GET /%2e%2e/%2E./.%2e/x HTTP/1.1", "200", "GET /x"),
		ask("GET /a/%2e%2e%2fb HTTP/1.1", "200", "GET /a/%2e%2e%2fb"),
		ask("GET /a/%252e%252e/b HTTP/1.1", "200", "GET /a/%252e%252e/b"),
		ask("GET /a\xc3\xa9 HTTP/1.1", "400", ""),
		ask("GET /a\x01 HTTP/1.1", "400", ""),
		ask("GET /a\x7f HTTP/1.1", "400", ""),
		ask("GET /a\tb HTTP/1.1", "400", ""),
		ask("GET /a?\xc3\xa9 HTTP/1.1", "400", ""),
		ask("GET /a#b HTTP/1.1", "400", ""),
		ask("GET /a\\..\\b HTTP/1.1", "400", ""),
		ask("GET /a%00b HTTP/1.1", "400", ""),
		ask("GET /a%zz HTTP/1.1", "400", ""),
		ask("GET /a%2 HTTP/1.1", "400", ""),
		ask("GET a HTTP/1.1", "400", ""),
		ask("GET ?a HTTP/1.1", "400", ""),
		ask("GET * HTTP/1.1", "400", ""),
		ask("OPTIONS * HTTP/1.1", "204", ""),
		ask("OPTIONS /a HTTP/1.1", "200", "OPTIONS /a"),
		ask("GET http://site.test/a?b HTTP/1.1", "200", "GET /a?b"),
		ask("GET HTTP://SITE.test HTTP/1.1", "200", "GET /"),
		ask("GET https://site.test?b HTTP/1.1", "200", "GET /?b"),
		ask("GET http://evil.test/a HTTP/1.1", "400", ""),
		ask("GET http://a@site.test/a HTTP/1.1", "400", ""),
		ask("GET http:///a HTTP/1.1", "400", ""),
		ask("GET file:///etc/passwd HTTP/1.1", "400", ""),
		ask("GET gopher://site.test/ HTTP/1.1", "400", ""),
		ask("CONNECT site.test:443 HTTP/1.1", "405", ""),
		ask("CONNECT /a HTTP/1.1", "405", ""),
		ask("TRACE /a HTTP/1.1", "405", ""),
		ask("GET "+long+" HTTP/1.1", "200", "GET "+long),
		ask("GET "+long+"a HTTP/1.1", "414", ""),
		ask("GET /"+strings.Repeat("a", HeadBytes)+" HTTP/1.1", "414", ""),
	}
}

func lineClasses() []class {
	line := func(line, statuses, targets string) class {
		return class{
			name: "request line " + line, raw: line + "\r\n" + h + "\r\n",
			statuses: statuses, open: statuses == "200", targets: targets,
		}
	}
	return []class{
		line("PURGE /a HTTP/1.1", "200", "PURGE /a"),
		line("get /a HTTP/1.1", "200", "get /a"),
		line("M-SEARCH /a HTTP/1.1", "200", "M-SEARCH /a"),
		line(strings.Repeat("M", MethodBytes)+" /a HTTP/1.1", "200", strings.Repeat("M", MethodBytes)+" /a"),
		line(strings.Repeat("M", MethodBytes+1)+" /a HTTP/1.1", "400", ""),
		line("GE(T /a HTTP/1.1", "400", ""),
		line(" GET /a HTTP/1.1", "400", ""),
		line("GET  /a HTTP/1.1", "400", ""),
		line("GET /a  HTTP/1.1", "400", ""),
		line("GET /a HTTP/1.1 ", "400", ""),
		line("GET /a b HTTP/1.1", "400", ""),
		line("GET\t/a\tHTTP/1.1", "400", ""),
		line("GET /a", "400", ""),
		line("GET", "400", ""),
		line("GET /a HTTP/1.2", "505", ""),
		line("GET /a HTTP/2.0", "505", ""),
		line("PRI * HTTP/2.0", "505", ""),
		line("GET /a HTTP/0.9", "505", ""),
		line("GET /a http/1.1", "400", ""),
		line("GET /a HTTP/1.10", "400", ""),
		line("GET /a HTTP/11", "400", ""),
		line("GET /a ICY/1.1", "400", ""),
		{name: "HTTP/1.0 closes", raw: "GET /a HTTP/1.0\r\n" + h + "\r\n" + smuggled, statuses: "200", targets: "GET /a"},
		{name: "HTTP/1.0 without host", raw: "GET /a HTTP/1.0\r\n\r\n", statuses: "200", targets: "GET /a"},
		{
			name: "HTTP/1.0 with keep-alive", raw: "GET /a HTTP/1.0\r\n" + h + "Connection: keep-alive\r\n\r\n",
			statuses: "200", open: true, targets: "GET /a",
		},
		{name: "HTTP/1.0 with a body of many steps", raw: "POST /a HTTP/1.0\r\n" + h + "Connection: keep-alive\r\nContent-Length: 200000\r\n\r\n" +
			strings.Repeat("x", 200000), statuses: "200", targets: "POST /a"},
	}
}

// TestWire replays every class of request through a real listener: what is
// answered, what reaches the handler, and whether the connection goes on.
func TestWire(t *testing.T) {
	rec := &recorder{}
	addr := start(t, rec, Config{})
	for _, c := range slices.Concat(framing(), chunks(), fieldClasses(), targetClasses(), lineClasses()) {
		t.Run(c.name, func(t *testing.T) {
			rec.seen = nil
			replay(t, addr, c)
			want := c.targets
			if c.open {
				want = strings.TrimSpace(want + " GET /probe")
			}
			if got := strings.Join(rec.targets(), " "); got != want {
				t.Errorf("the handler was asked %.200q, want %.200q", got, want)
			}
		})
	}
}

// replay sends one class and checks its responses. A connection that should be
// open is asked one more thing; any other must be closed with nothing following.
func replay(t *testing.T, addr string, c class) {
	t.Helper()
	conn := dial(t, addr)
	go conn.send(c.raw)
	method, _, _ := strings.Cut(strings.TrimLeft(c.raw, "\r\n"), " ")
	interim := 0
	for _, want := range strings.Fields(c.statuses) {
		r, n, err := conn.receive(method)
		interim += n
		if err != nil {
			t.Fatalf("no response, want %s: %v", want, err)
		}
		if got := fmt.Sprint(r.StatusCode); got != want {
			t.Fatalf("got status %s %q, want %s", got, r.body, want)
		}
		if r.Header.Get("X-Nf-Request-Id") == "" || r.Header.Get("Server") != "cloche" {
			t.Errorf("got header %v, want a request id and our name", r.Header)
		}
	}
	if interim != c.interim {
		t.Errorf("got %d interim responses, want %d", interim, c.interim)
	}
	if !c.open {
		if !conn.ended() {
			t.Error("the connection goes on, want it closed")
		}
		return
	}
	conn.send("GET /probe HTTP/1.1\r\n" + h + "Connection: close\r\n\r\n")
	if r, _, err := conn.receive("GET"); err != nil || r.StatusCode != 200 {
		t.Errorf("the connection does not go on: %v", err)
	}
	if !conn.ended() {
		t.Error("the connection goes on after Connection: close")
	}
}

// TestWireByteByByte cuts every class into single bytes: where a packet ends
// must make no difference.
func TestWireByteByByte(t *testing.T) {
	rec := &recorder{}
	addr := start(t, rec, Config{})
	for _, c := range slices.Concat(framing(), chunks(), fieldClasses(), lineClasses()) {
		if len(c.raw) > 300 || c.statuses != "200" {
			continue
		}
		conn := dial(t, addr)
		_ = conn.Conn.SetDeadline(time.Now().Add(5 * time.Second))
		for i := range len(c.raw) {
			conn.send(c.raw[i : i+1])
		}
		if r, _, err := conn.receive("GET"); err != nil || r.StatusCode != 200 {
			t.Errorf("%s: got %v %v, want 200", c.name, r.Response, err)
		}
	}
}

// TestSlowRequests wants 408 and a closed connection for requests that do not
// get on, and silence for connections that never began one.
func TestSlowRequests(t *testing.T) {
	addr := start(t, &recorder{}, Config{ReadTimeout: 150 * time.Millisecond, IdleTimeout: 150 * time.Millisecond})
	for name, raw := range map[string]string{
		"one byte":                       "G",
		"half a head":                    "GET /a HTTP/1.1\r\nHost: si",
		"bare CR as separator":           "GET /a HTTP/1.1\rHost: site.test\r\r",
		"half a body":                    "POST /a HTTP/1.1\r\n" + h + "Content-Length: 10\r\n\r\nabc",
		"half a large body":              "POST /a HTTP/1.1\r\n" + h + "Content-Length: 1000000\r\n\r\nabc",
		"half a chunk":                   "POST /a HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
		"half a chunk line":              "POST /a HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n5",
		"chunks without end":             "POST /a HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		"trailers without end":           "POST /a HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n",
		"100-continue and then no body":  "POST /a HTTP/1.1\r\n" + h + "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n",
		"a large body as 100-continue":   "POST /a HTTP/1.1\r\n" + h + "Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n",
		"one request, then half another": "GET /a HTTP/1.1\r\n" + h + "\r\nGET /b",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, addr)
			c.send(raw)
			r, _, err := c.receive("POST")
			if err == nil && strings.HasPrefix(name, "one request") {
				r, _, err = c.receive("GET")
			}
			if err != nil || r.StatusCode != 408 {
				t.Fatalf("got %v %v, want 408", r.Response, err)
			}
			if !c.ended() {
				t.Error("the connection goes on")
			}
		})
	}
	t.Run("a head that trickles", func(t *testing.T) {
		t.Parallel()
		c := dial(t, addr)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		c.send("GET /a HTTP/1.1\r\n" + h)
		for range 100 {
			<-tick.C
			if _, err := io.WriteString(c.Conn, "X: 1\r\n"); err != nil {
				return
			}
		}
		t.Error("the connection lives as long as bytes trickle in")
	})
	t.Run("nothing at all", func(t *testing.T) {
		t.Parallel()
		if c := dial(t, addr); !c.ended() {
			t.Error("got bytes, want the connection closed without a word")
		}
	})
	t.Run("nothing after a request", func(t *testing.T) {
		t.Parallel()
		c := dial(t, addr)
		c.send("GET /a HTTP/1.1\r\n" + h + "\r\n")
		if r, _, err := c.receive("GET"); err != nil || r.StatusCode != 200 || !c.ended() {
			t.Errorf("got %v %v, want 200 and a silent end", r.Response, err)
		}
	})
}
