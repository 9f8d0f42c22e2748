package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cloche-run/cloche/host"
)

// limitFlags are the limits of guests that only an operator sets.
type limitFlags struct {
	stack size
	caps  []string
}

func (f *limitFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Var(&f.stack, "stack", "what the nested calls of a guest may take (default 16mb)")
	flags.StringSliceVar(&f.caps, "cap", nil, "raise a cap on what modules may hold, NAME=NUMBER; repeat or separate by commas")
	cmd.Long += "\n\n" + capsText()
}

// options sets the limits of o.
func (f *limitFlags) options(o *host.Options) (err error) {
	o.StackBytes = int64(f.stack)
	o.Caps = host.DefaultCaps()
	for _, text := range f.caps {
		name, number, _ := strings.Cut(text, "=")
		n, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			return &usageError{fmt.Errorf("--cap %q: write NAME=NUMBER, such as functions=60000", text)}
		}
		if err := o.Caps.Raise(name, n); err != nil {
			return &usageError{fmt.Errorf("--cap %s: %w", text, err)}
		}
	}
	return nil
}

// capsText lists the caps for --help.
func capsText() string {
	var text strings.Builder
	text.WriteString("Caps, for --cap, with what they are by default. They can only be raised:\n")
	host.DefaultCaps().Each(func(name string, value uint64) {
		fmt.Fprintf(&text, "\n  %-16s %d", name, value)
	})
	return text.String()
}
