// Package cli is the command line: one file per command. It prints, parses
// flags and asks the host; it decides nothing else.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cloche-run/cloche/host"
)

// version is set by the build.
var version = "devel"

// Main runs the command line and returns the exit code: 0, 1 for a failure, 2
// for a command that was not understood, and for run the program's own.
func Main(notices string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	if len(os.Args) == 2 && os.Args[1] == compileCommand {
		return host.Compile(ctx)
	}
	err := newRoot(notices).ExecuteContext(ctx)
	var exit *exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.status()
	}
	fmt.Fprintln(os.Stderr, paint(os.Stderr, red, "cloche: ")+err.Error())
	var usage *usageError
	if errors.As(err, &usage) {
		return 2
	}
	return 1
}

// usageError is a command line that was not understood.
type usageError struct{ error }

func newRoot(notices string) *cobra.Command {
	root := &cobra.Command{
		Use:   "cloche",
		Short: "Netlify Functions on your own machine, every function under glass",
		Long: `Cloche serves a directory of functions as Netlify does, each a WebAssembly
guest in a sandbox of its own.

  cloche dev ./my-site       serve, watch, explain errors
  cloche serve ./my-site     serve in production
  cloche invoke hello        call one function, without a browser
  cloche jobs list           what runs in the background, and what became of it
  cloche run tool.wasm       run a WASI program with this terminal

Put a module into ./my-site/netlify/functions/hello.wasm and it answers at
http://127.0.0.1:8888/.netlify/functions/hello.`,
		SuggestionsMinimumDistance: 2,

		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          knownCommand,
		Version:       version,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("cloche {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w: see `%s --help`", err, cmd.CommandPath())}
	})
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return fromEnvironment(cmd) }
	root.AddCommand(newServe(), newDev(), newInvoke(), newRun(), newFunctions(), newJobs(), newLogs(), newVersion(), newLicenses(notices))
	return root
}

// fromEnvironment takes each flag that was not given from CLOCHE_NAME, if that
// is set: CLOCHE_ADDR for --addr. CLOCHE_DATA is the data directory for every
// command, also for invoke, whose --data is a body.
func fromEnvironment(cmd *cobra.Command) (err error) {
	flags := cmd.Flags()
	flags.VisitAll(func(f *pflag.Flag) {
		name := "CLOCHE_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		switch separate := flags.Lookup("data-dir") != nil; {
		case separate && f.Name == "data":
			return
		case separate && f.Name == "data-dir":
			name = "CLOCHE_DATA"
		}
		value, ok := os.LookupEnv(name)
		if f.Changed || !ok || err != nil {
			return
		}
		if setErr := flags.Set(f.Name, value); setErr != nil {
			err = &usageError{fmt.Errorf("%s=%q: %w", name, value, setErr)}
		}
	})
	return err
}

// knownCommand refuses what is no command, and says which one it may have been.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	message := fmt.Sprintf("unknown command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		message += fmt.Sprintf("; did you mean %q", near[0])
	}
	return &usageError{fmt.Errorf("%s: see `%s --help`", message, cmd.CommandPath())}
}

// atMost is cobra's check of the number of arguments, with a usage error.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := cobra.MaximumNArgs(n)(cmd, args); err != nil {
			return &usageError{fmt.Errorf("%w: see `%s --help`", err, cmd.CommandPath())}
		}
		return nil
	}
}
