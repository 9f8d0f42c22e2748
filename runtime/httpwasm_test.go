package runtime_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	httpwasm "github.com/http-wasm/http-wasm-host-go/tck"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime"
)

// TestHTTPWasmTCK runs the conformance kit of http-wasm, whole, over HTTP/1.1
// and HTTP/2, with the kit's own backend as the next handler.
func TestHTTPWasmTCK(t *testing.T) {
	engine := newEngine(t)
	function, err := engine.Load(t.Context(), httpwasm.GuestWASM, runtime.FunctionConfig{
		Name: "tck",
		Next: nextHandler(httpwasm.BackendHandler()),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			server := httptest.NewUnstartedServer(serve(t, function))
			if server.EnableHTTP2 = protocol == "HTTP/2.0"; server.EnableHTTP2 {
				server.StartTLS()
			} else {
				server.Start()
			}
			t.Cleanup(server.Close)
			httpwasm.Run(t, server.Client(), server.URL)
		})
	}
}

// serve is the least that net/http needs to speak to a function. cloche's own
// front refuses TRACE and HTTP/2, which the kit uses.
func serve(t *testing.T, function *runtime.Function) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		req := &abi.Request{
			Method: r.Method, Proto: r.Proto, Scheme: "http", Host: r.Host, Path: r.URL.EscapedPath(),
			RawQuery: r.URL.RawQuery, HasQuery: r.URL.RawQuery != "", Body: body, RemoteAddr: r.RemoteAddr,
			Header: abi.Header{{Name: "host", Value: r.Host}},
		}
		if req.Path == "" {
			req.Path = "/"
		}
		for name, values := range r.Header {
			for _, value := range values {
				req.Header.Add(strings.ToLower(name), value)
			}
		}
		out := &abi.Buffer{Limit: abi.ResponseBodyBytes}
		resp := &abi.Response{Body: out}
		if _, err := function.Invoke(r.Context(), req, resp); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		for _, f := range resp.Header {
			w.Header().Add(f.Name, f.Value)
		}
		w.WriteHeader(resp.Status)
		_, _ = w.Write(out.Bytes)
	})
}

func nextHandler(h http.Handler) func(*abi.Request, *abi.Response) {
	return func(req *abi.Request, resp *abi.Response) {
		r := httptest.NewRequest(req.Method, req.Target(), strings.NewReader(string(req.Body)))
		for _, f := range req.Header {
			if f.Name != "host" {
				r.Header.Add(f.Name, f.Value)
			}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		resp.Status = w.Code
		names := make([]string, 0, len(w.Header()))
		for name := range w.Header() {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			for _, value := range w.Header()[name] {
				resp.Header.Add(name, value)
			}
		}
		_, _ = resp.Body.Write(w.Body.Bytes())
	}
}

func newEngine(t testing.TB) *runtime.Engine {
	t.Helper()
	engine, err := runtime.New(t.Context(), runtime.Config{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close(t.Context()) })
	return engine
}
