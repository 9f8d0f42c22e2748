package admin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEachErrorOfTheClientNamesTheRemedy(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	otherToken := t.TempDir()
	os.WriteFile(filepath.Join(otherToken, TokenFile), []byte(strings.Repeat("x", 43)), 0o600)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	serve := func(handler http.HandlerFunc) string {
		s := httptest.NewServer(handler)
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	other := serve(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) })
	newer := serve(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(headerVersion, "2") })
	redirect := serve(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+h.addr+r.URL.Path, http.StatusFound)
	})

	for name, test := range map[string]struct {
		addr, data string
		want       error
		remedy     string
	}{
		"not running":     {nobody.Addr().String(), h.data, ErrNotRunning, "cloche serve"},
		"no token":        {h.addr, t.TempDir(), ErrToken, "--data"},
		"another token":   {h.addr, otherToken, ErrToken, "--data"},
		"something else":  {other, h.data, ErrVersion, "--admin"},
		"another version": {newer, h.data, ErrVersion, "same cloche"},
		"a redirect":      {redirect, h.data, ErrVersion, "--admin"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := NewClient(test.addr, test.data)
			if err == nil {
				defer c.Close()
				_, err = c.Functions(context.Background())
			}
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.remedy) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAnAddressThatListensEverywhereIsReachedOnLoopback(t *testing.T) {
	for addr, want := range map[string]string{
		":8889": "http://127.0.0.1:8889", "0.0.0.0:1": "http://127.0.0.1:1", "[::]:1": "http://[::1]:1",
		"10.0.0.1:1": "http://10.0.0.1:1", "[fe80::1]:1": "http://[fe80::1]:1", "box.lan:1": "http://box.lan:1",
	} {
		if got, err := baseURL(addr); err != nil || got != want {
			t.Errorf("%s is %s, %v; want %s", addr, got, err, want)
		}
	}
	if _, err := baseURL("8889"); err == nil {
		t.Error("a bare port: no error")
	}
}

func TestTheClientPassesRefusalsOn(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	_, err := h.client(t).Invoke(context.Background(), "no/body", Call{})
	if refused := (*StatusError)(nil); !errors.As(err, &refused) || refused.Status != 404 || !strings.Contains(refused.Message, "no/body") {
		t.Errorf("got %v", err)
	}
}

func TestTheClientEndsWithItsContext(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := h.client(t).Stats(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
