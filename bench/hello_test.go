// Package bench measures cloche against what people would use instead, in the
// same run, on loopback. Ratios to the yardstick carry over to other machines,
// absolute figures do not.
package bench

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/cloche-run/cloche/host"
)

const examples = "../examples/polyglot"

// BenchmarkHello asks for a small answer over HTTP with 16 connections: from a
// bare fasthttp handler, the yardstick, and from functions of each kind. Logs
// and metrics are on. cpu-us/op is of the whole process, the client included.
func BenchmarkHello(b *testing.B) {
	var yardstick float64
	b.Run("fasthttp", func(b *testing.B) {
		body := []byte(`{"message":"hello"}`)
		server := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
			ctx.SetContentType("application/json")
			ctx.SetBody(body)
		}}
		ln := listen(b)
		go func() { _ = server.Serve(ln) }()
		b.Cleanup(func() { _ = server.Shutdown() })
		yardstick = load(b, ln.Addr().String(), "/")
	})
	address := serve(b)
	for _, function := range []struct{ name, kind string }{
		{"hello-c", "handler-C"},
		{"hello-zig", "command-Zig"},
		{"hello", "handler-Go"},
		{"echo", "command-Go"},
	} {
		b.Run(function.kind, func(b *testing.B) {
			rate := load(b, address, "/.netlify/functions/"+function.name)
			if yardstick > 0 {
				b.ReportMetric(rate/yardstick, "of-fasthttp")
			}
		})
	}
}

// serve serves the examples and returns the address.
func serve(b *testing.B) string {
	if _, err := os.Stat(filepath.Join(examples, "netlify/functions/hello.wasm")); err != nil {
		b.Fatal("the Go examples are not built: run `make guests`")
	}
	ctx, cancel := context.WithCancel(context.Background())
	h, err := host.Open(ctx, host.Options{Dir: examples, Data: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	public, private := listen(b), listen(b)
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(h.Run(ctx, public, private, nil), h.Close()) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	return public.Addr().String()
}

func listen(b *testing.B) net.Listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	return ln
}

// load sends b.N requests and returns how many a second were answered.
func load(b *testing.B, address, path string) (rate float64) {
	const connections = 16
	client := &fasthttp.HostClient{Addr: address, MaxConns: 2 * connections}
	defer client.CloseIdleConnections()
	b.SetParallelism(max(connections/runtime.GOMAXPROCS(0), 1))
	b.ReportAllocs()
	before := cpu()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
		req.SetRequestURI("http://" + address + path)
		for pb.Next() {
			if err := client.Do(req, resp); err != nil {
				b.Error(err)
				return
			}
			if resp.StatusCode() != 200 {
				b.Errorf("status %d: %.200s", resp.StatusCode(), resp.Body())
				return
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-us/op")
	rate = float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "req/s")
	return rate
}

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
