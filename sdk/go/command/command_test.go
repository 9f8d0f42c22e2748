package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"
)

func TestMain(m *testing.M) {
	functions := map[string]func(Event) (Result, error){
		"ok":    func(Event) (Result, error) { return Text(200, "fine"), nil },
		"error": func(Event) (Result, error) { return Result{}, errors.New("no luck") },
		"panic": func(Event) (Result, error) { panic("no luck") },
	}
	if f := functions[os.Getenv("COMMAND_TEST")]; f != nil {
		Run(f)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestRunEndsAsItsFunctionDoes(t *testing.T) {
	for _, c := range []struct {
		function, event string
		exit            int
		stdout, stderr  string
	}{
		{"ok", "{}", 0, `"body":"fine"`, ""},
		{"error", "{}", 1, "", "command: no luck\n"},
		{"panic", "{}", 2, "", "panic: no luck"},
		{"ok", "", 1, "", "command: read event: unexpected end of JSON input\n"},
		{"ok", "[]", 1, "", "command: read event: json: cannot unmarshal"},
	} {
		run := exec.Command(os.Args[0])
		run.Env = append(os.Environ(), "COMMAND_TEST="+c.function)
		run.Stdin = strings.NewReader(c.event)
		var stdout, stderr strings.Builder
		run.Stdout, run.Stderr = &stdout, &stderr
		run.Run()
		if got := run.ProcessState.ExitCode(); got != c.exit {
			t.Errorf("%s on %q: got exit code %d, want %d", c.function, c.event, got, c.exit)
		}
		if !strings.Contains(stdout.String(), c.stdout) || c.stdout == "" && stdout.Len() > 0 {
			t.Errorf("%s on %q: got standard output %q, want %q", c.function, c.event, &stdout, c.stdout)
		}
		if !strings.Contains(stderr.String(), c.stderr) || c.stderr == "" && stderr.Len() > 0 {
			t.Errorf("%s on %q: got standard error %q, want %q", c.function, c.event, &stderr, c.stderr)
		}
	}
}

func TestEventIsRead(t *testing.T) {
	const text = `{"rawUrl":"http://h/a%20b?q=1&q=2","rawQuery":"q=1&q=2","path":"/a%20b","httpMethod":"POST",
		"headers":{"content-type":"image/png","x-cloche-attempt":"2"},"multiValueHeaders":{"Accept":["a","b"]},
		"queryStringParameters":{"q":"1, 2"},"multiValueQueryStringParameters":{"q":["1","2"]},
		"body":"AP8=","isBase64Encoded":true,"blobs":"unknown members are fine"}`
	e, err := read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ what, got, want string }{
		{"RawURL", e.RawURL, "http://h/a%20b?q=1&q=2"},
		{"RawQuery", e.RawQuery, "q=1&q=2"},
		{"Path", e.Path, "/a%20b"},
		{"HTTPMethod", e.HTTPMethod, "POST"},
		{"header", e.Header("Content-Type"), "image/png"},
		{"attempt", e.Header("x-cloche-attempt"), "2"},
		{"several headers", strings.Join(e.MultiValueHeaders["Accept"], "|"), "a|b"},
		{"query", e.QueryStringParameters["q"], "1, 2"},
		{"several query values", strings.Join(e.MultiValueQueryStringParameters["q"], "|"), "1|2"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.what, c.got, c.want)
		}
	}
	if body, err := e.Bytes(); err != nil || !bytes.Equal(body, []byte{0, 255}) {
		t.Errorf("body: got %v, error %v", body, err)
	}
}

func TestEventWithNulls(t *testing.T) {
	e, err := read(strings.NewReader(`{"body":null,"queryStringParameters":null,"headers":null}`))
	if err != nil {
		t.Fatal(err)
	}
	if body, err := e.Bytes(); err != nil || len(body) != 0 || e.Header("x") != "" {
		t.Errorf("got body %q, error %v", body, err)
	}
}

func TestEventBodyThatIsNotBase64(t *testing.T) {
	if _, err := (Event{Body: "%", IsBase64Encoded: true}).Bytes(); err == nil {
		t.Error("want an error")
	}
}

// endless stands for an event without an end.
type endless struct{ served int }

func (r *endless) Read(p []byte) (int, error) {
	r.served += len(p)
	return len(p), nil
}

func TestEventThatIsTooLarge(t *testing.T) {
	in := &endless{}
	if _, err := read(in); !errors.Is(err, ErrEventTooLarge) {
		t.Errorf("got error %v", err)
	}
	if in.served > 2*MaxEventBytes {
		t.Errorf("read %d bytes before giving up", in.served)
	}
}

func TestEventThatBreaksOff(t *testing.T) {
	broken := errors.New("broken")
	if _, err := read(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("got error %v", err)
	}
}

func TestResultIsWritten(t *testing.T) {
	asJSON, err := JSON(201, map[string]string{"a": "<😎>"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		result Result
		want   string
	}{
		{"zero value", Result{}, `{"statusCode":200,"body":""}`},
		{"text", Text(404, "<no>"), `{"statusCode":404,"headers":{"content-type":"text/plain; charset=utf-8"},"body":"<no>"}`},
		{"json", asJSON, `{"statusCode":201,"headers":{"content-type":"application/json"},"body":"{\"a\":\"\\u003c😎\\u003e\"}"}`},
		{"bytes", Bytes(200, "image/png", []byte{0, 255}), `{"statusCode":200,"headers":{"content-type":"image/png"},"body":"AP8=","isBase64Encoded":true}`},
		{"base64 by hand", Result{Body: "AP8=", IsBase64Encoded: true}, `{"statusCode":200,"body":"AP8=","isBase64Encoded":true}`},
		{"cookies", Result{MultiValueHeaders: map[string][]string{"set-cookie": {"a=1", "b=2"}}}, `{"statusCode":200,"multiValueHeaders":{"set-cookie":["a=1","b=2"]},"body":""}`},
	} {
		var out strings.Builder
		if err := write(&out, c.result); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := strings.TrimSuffix(out.String(), "\n"); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestJSONOfWhatHasNone(t *testing.T) {
	if _, err := JSON(200, func() {}); err == nil {
		t.Error("want an error")
	}
}

func FuzzResult(f *testing.F) {
	f.Add("plain")
	f.Add("\xff\x00\"")
	f.Fuzz(func(t *testing.T, body string) {
		var out bytes.Buffer
		if err := write(&out, Result{Body: body}); err != nil {
			t.Fatal(err)
		}
		var back Result
		if err := json.Unmarshal(out.Bytes(), &back); err != nil {
			t.Fatal(err)
		}
		got, err := Event{Body: back.Body, IsBase64Encoded: back.IsBase64Encoded}.Bytes()
		if err != nil || string(got) != body {
			t.Errorf("got %q, error %v, want %q", got, err, body)
		}
	})
}
