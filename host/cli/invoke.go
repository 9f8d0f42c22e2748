package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/admin"
	"github.com/cloche-run/cloche/host/logs"
)

// invokeFlags make up the request.
type invokeFlags struct {
	siteFlags
	site    string
	method  string
	query   string
	body    string
	file    string
	headers []string
	include bool
	// scheduled calls the function as its schedule does.
	scheduled bool
}

func newInvoke() *cobra.Command {
	var flags invokeFlags
	cmd := &cobra.Command{
		Use:   "invoke NAME",
		Short: "Call one function and print what it answers",
		Long: `Call the function NAME once: in the server that runs with this data directory
or, if none does, by loading the site for this call. The body goes to standard
output, the function's log and what the call took to standard error. The exit
code is 1 if the function failed or answered 400 or more. A running server makes
a job of a call of a background function; ` + "`cloche jobs`" + ` shows what becomes of it.`,
		Example: `  cloche invoke hello
  cloche invoke cleanup --scheduled
  cloche invoke echo --data '{"a":1}' --querystring 'x=1&y=2'
  cloche invoke resize --file photo.jpg --header 'content-type: image/jpeg' > small.jpg`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{errors.New("name one function: cloche invoke NAME (`cloche functions` lists them)")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return invoke(cmd, args[0], &flags) },
	}
	flags.addInvoke(cmd)
	return cmd
}

func (f *invokeFlags) addInvoke(cmd *cobra.Command) {
	f.addAs(cmd, "data-dir")
	f.limits.add(cmd)
	flags := cmd.Flags()
	flags.StringVarP(&f.body, "data", "d", "", "the body; - reads standard input")
	flags.StringVarP(&f.file, "file", "f", "", "a file whose content is the body")
	flags.StringVarP(&f.query, "querystring", "q", "", "the query, without ?")
	flags.StringVarP(&f.method, "method", "X", "", "the method (default GET, POST with a body)")
	flags.StringArrayVarP(&f.headers, "header", "H", nil, `a header, "name: value"; repeat for more`)
	flags.BoolVarP(&f.include, "include", "i", false, "print status and headers before the body")
	flags.BoolVar(&f.scheduled, "scheduled", false, "call it as its schedule does, now")
	flags.StringVar(&f.site, "site", ".", "the site directory")
}

func (f *invokeFlags) call() (call admin.Call, err error) {
	call.Scheduled = f.scheduled
	call.Method, call.Query = f.method, strings.TrimPrefix(f.query, "?")
	for _, line := range f.headers {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !abi.IsToken(strings.TrimSpace(name)) {
			return call, &usageError{fmt.Errorf(`--header %q: write "name: value"`, line)}
		}
		call.Header.Add(strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value))
	}
	switch {
	case f.file != "" && f.body != "":
		return call, &usageError{errors.New("--data and --file are both bodies: give one")}
	case f.file != "":
		call.Body, err = os.ReadFile(f.file)
	case f.body == "-":
		call.Body, err = io.ReadAll(io.LimitReader(os.Stdin, abi.RequestBodyBytes+1))
	default:
		call.Body = []byte(f.body)
	}
	if len(call.Body) > abi.RequestBodyBytes {
		err = fmt.Errorf("the body has more than %d bytes, the most a function takes", abi.RequestBodyBytes)
	}
	if len(call.Body) > 0 && !call.Header.Has("content-type") {
		call.Header.Add("content-type", "application/json")
	}
	return call, err
}

func invoke(cmd *cobra.Command, name string, flags *invokeFlags) error {
	if !abi.ValidName(name) {
		return &usageError{fmt.Errorf("%q is no function name: `cloche functions` lists what there is", name)}
	}
	call, err := flags.call()
	if err != nil {
		return err
	}
	if err := flags.at([]string{flags.site}); err != nil {
		return err
	}
	t, err := flags.open(cmd.Context())
	if err != nil {
		return err
	}
	defer t.Close()
	if err := knows(cmd.Context(), t, name); err != nil {
		return err
	}
	answer, err := t.Invoke(cmd.Context(), name, call)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return printAnswer(cmd, answer, flags.include)
}

// knows refuses a name that the target has no function of.
func knows(ctx context.Context, t target, name string) error {
	list, err := t.Functions(ctx)
	if err != nil {
		return err
	}
	for _, f := range list {
		if f.Name == name {
			return nil
		}
	}
	return fmt.Errorf("there is no function %s: `cloche functions` lists what there is", name)
}

func printAnswer(cmd *cobra.Command, a admin.Answer, include bool) error {
	aside, out := cmd.ErrOrStderr(), cmd.OutOrStdout()
	for _, record := range a.Logs {
		fmt.Fprintln(aside, paint(os.Stderr, dim, "| ")+abi.Printable(record.Message, logs.MessageBytes))
	}
	if a.Error != nil {
		for line := range strings.Lines(a.Error.Detail) {
			fmt.Fprintln(aside, abi.Printable(strings.TrimSuffix(line, "\n"), logs.MessageBytes))
		}
		return fmt.Errorf("%s: %s", a.Error.What, abi.Printable(a.Error.Message, logs.MessageBytes))
	}
	if include {
		fmt.Fprintf(out, "%d\n", a.Status)
		for _, f := range a.Header {
			fmt.Fprintf(out, "%s: %s\n", f.Name, abi.Printable(f.Value, logs.MessageBytes))
		}
		fmt.Fprintln(out)
	}
	if _, err := out.Write(a.Body); err != nil {
		return err
	}
	if colored(os.Stdout) && len(a.Body) > 0 && a.Body[len(a.Body)-1] != '\n' {
		fmt.Fprintln(out)
	}
	fmt.Fprintln(aside, paint(os.Stderr, dim, fmt.Sprintf("%d in %s, %d fuel, %s of memory", a.Status,
		(time.Duration(a.Usage.Init)+time.Duration(a.Usage.Exec)).Round(10*time.Microsecond), a.Usage.Fuel, bytesText(a.Usage.MemoryBytes))))
	if id := a.Header.Get(abi.HeaderJob); id != "" && a.Status == http.StatusAccepted {
		fmt.Fprintf(aside, "it is job %s: cloche jobs show %s\n", id, id)
	}
	if a.Status >= 400 {
		return fmt.Errorf("the function answered %d", a.Status)
	}
	return nil
}
