package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain lets this binary be the cloche of its own tests.
func TestMain(m *testing.M) {
	if behaviour := os.Getenv("FAKE_CLOCHE"); behaviour != "" {
		fakeCloche(behaviour)
		return
	}
	os.Exit(m.Run())
}

// fakeCloche serves a good function and a bad one until it is interrupted.
func fakeCloche(behaviour string) {
	fmt.Println("args:", os.Args[1:])
	if behaviour == "ends at once" {
		fmt.Fprintln(os.Stderr, "no such site")
		os.Exit(1)
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	http.HandleFunc("/.netlify/functions/good", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
	})
	http.HandleFunc("/.netlify/functions/bad", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the guest trapped", http.StatusBadGateway)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	go func() { _ = http.Serve(listener, nil) }()
	<-interrupted
	if behaviour == "ends badly" {
		os.Exit(3)
	}
}

func TestRun(t *testing.T) {
	for name, test := range map[string]struct {
		behaviour string
		functions []string
		want      []string // parts of the error; none for success
	}{
		"every answer is good":    {"serves", []string{"good.wasm", "notes.txt"}, nil},
		"one answer is bad":       {"serves", []string{"bad.wasm", "good.wasm"}, []string{"bad: 502", "the guest trapped", "127.0.0.1:0"}},
		"there is no function":    {"serves", nil, []string{"no function in"}},
		"the server cannot start": {"ends at once", []string{"good.wasm"}, []string{"ended before it listened", "no such site"}},
		"the server ends badly":   {"ends badly", []string{"good.wasm"}, []string{"did not end well", "exit status 3"}},
	} {
		t.Run(name, func(t *testing.T) {
			site := t.TempDir()
			dir := filepath.Join(site, "netlify", "functions")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			for _, f := range test.functions {
				if err := os.WriteFile(filepath.Join(dir, f), nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("FAKE_CLOCHE", test.behaviour)
			err := run(os.Args[0], site)
			if err != nil && test.want == nil {
				t.Errorf("got %v, want none", err)
			}
			for _, part := range test.want {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("got %v, want one with %q", err, part)
				}
			}
		})
	}
}

func TestRunWithoutBinary(t *testing.T) {
	site := t.TempDir()
	dir := filepath.Join(site, "netlify", "functions")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "good.wasm"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(filepath.Join(site, "cloche"), site); err == nil {
		t.Error("got no error for a binary that is not there")
	}
}
