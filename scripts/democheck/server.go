package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"time"
)

// server is a running cloche.
type server struct {
	url            string
	command        *exec.Cmd
	stdout, stderr bytes.Buffer  // complete after stop
	drained        chan struct{} // closed when stdout has ended
}

// start runs cloche until it has said where it listens. Whether it did or not,
// the caller must stop it.
func start(cloche string, args ...string) (*server, error) {
	s := &server{command: exec.Command(cloche, args...), drained: make(chan struct{})}
	s.command.Stderr = &s.stderr
	stdout, err := s.command.StdoutPipe()
	if err == nil {
		err = s.command.Start()
	}
	if err != nil {
		close(s.drained)
		return s, err
	}
	url := make(chan string, 1)
	go s.read(stdout, url)
	select {
	case s.url = <-url:
		return s, nil
	case <-s.drained:
		return s, errors.New("the server ended before it listened")
	case <-time.After(startTimeout):
		return s, fmt.Errorf("the server did not listen within %s", startTimeout)
	}
}

var listening = regexp.MustCompile(`^listening on (http://[^\s/]+)`)

// read keeps what the server prints and hands over the first address in it.
func (s *server) read(stdout io.Reader, url chan<- string) {
	defer close(s.drained)
	stdout = io.TeeReader(stdout, &s.stdout)
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if match := listening.FindStringSubmatch(lines.Text()); match != nil {
			url <- match[1]
			break
		}
	}
	_, _ = io.Copy(io.Discard, stdout) // until it ends: a full pipe would block the server
}

// stop asks the server to end, waits for it, and tells if it did not end well.
func (s *server) stop() error {
	if s.command.Process == nil {
		return nil
	}
	if err := s.command.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	kill := time.AfterFunc(stopTimeout, func() { _ = s.command.Process.Kill() })
	defer kill.Stop()
	<-s.drained
	if err := s.command.Wait(); err != nil {
		return fmt.Errorf("the server did not end well: %w", err)
	}
	return nil
}

// said returns all that the server printed.
func (s *server) said() string { return s.stdout.String() + s.stderr.String() }
