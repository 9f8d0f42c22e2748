package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloche-run/cloche/host/admin"
)

func newFunctions() *cobra.Command {
	var flags siteFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "functions [SITE_DIR]",
		Aliases: []string{"function", "ls"},
		Short:   "List the functions, their limits and what they took this month",
		Long: `List the functions of SITE_DIR (default: the current directory): those of the
server that runs with this data directory or, if none does, those on disk.`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := flags.at(args); err != nil {
				return err
			}
			t, err := flags.open(cmd.Context())
			if err != nil {
				return err
			}
			defer t.Close()
			list, err := t.Functions(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(list)
			}
			return printFunctions(cmd, list)
		},
	}
	flags.add(cmd)
	flags.limits.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// runs is what a function runs for: requests, jobs or a schedule.
func runs(f *admin.Function) string {
	text := "request"
	switch {
	case f.Schedule != "":
		text = f.Schedule
	case f.Background:
		text = "job"
	}
	if f.Paused {
		text += " (paused)"
	}
	return text
}

func printFunctions(cmd *cobra.Command, list []admin.Function) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tKIND\tSIZE\tTIMEOUT\tMEMORY\tAT ONCE\tRUNS\tCALLS\tERRORS\tRUN TIME\tROUTE")
	for _, f := range list {
		kind := f.Kind
		if f.State == admin.StateFailed {
			kind = "failed"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d+%d\t%s\t%d\t%d\t%s\t%s\n", f.Name, kind, bytesText(f.Bytes),
			time.Duration(f.Timeout), bytesText(f.MemoryBytes), f.Concurrency, f.Queue, runs(&f),
			f.Usage.Invocations, f.Usage.Errors, time.Duration(f.Usage.RunTime).Round(time.Millisecond), f.Route)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, f := range list {
		if f.Error != "" {
			fmt.Fprintf(cmd.OutOrStdout(), "\n%s %s\n", paint(os.Stdout, red, f.Name+":"), strings.TrimSpace(f.Error))
		}
	}
	return nil
}
