// Command democheck starts a site with cloche on free ports, asks every function
// of it once and ends the server again. It fails when an answer is not a 2xx.
//
//	democheck CLOCHE SITE_DIR
package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	startTimeout  = time.Minute // a cold start compiles every guest
	answerTimeout = 30 * time.Second
	stopTimeout   = 30 * time.Second
	bodyLimit     = 64 << 10
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: democheck CLOCHE SITE_DIR")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "democheck:", err)
		os.Exit(1)
	}
}

func run(cloche, site string) error {
	names, err := functions(site)
	if err != nil {
		return err
	}
	s, err := start(cloche, "dev", site, "--addr", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	if err == nil {
		err = askAll(s.url, names)
	}
	if err = errors.Join(err, s.stop()); err != nil {
		return fmt.Errorf("%w\nthe server said:\n%s", err, s.said())
	}
	return nil
}

// functions returns the names of the functions of a site.
func functions(site string) (names []string, err error) {
	dir := filepath.Join(site, "netlify", "functions")
	paths, err := filepath.Glob(filepath.Join(dir, "*.wasm"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".wasm"))
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no function in %s", dir)
	}
	return names, nil
}

func askAll(url string, names []string) error {
	for _, name := range names {
		if err := ask(url+"/.netlify/functions/"+name, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// ask prints one line for a good answer and returns any other as an error.
func ask(url, name string) error {
	client := http.Client{
		Timeout:       answerTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	start := time.Now()
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, bodyLimit))
	if err != nil {
		return err
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("%s\n%s", response.Status, body)
	}
	fmt.Printf("%d  %-24s %5d bytes  %s\n", response.StatusCode, name, len(body), time.Since(start).Round(time.Millisecond))
	return nil
}
