package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloche-run/cloche/host/admin"
	"github.com/cloche-run/cloche/host/logs"
)

// logFlags choose records.
type logFlags struct {
	siteFlags
	site    string
	follow  bool
	since   string
	level   string
	request string
	limit   int
	asJSON  bool
}

func newLogs() *cobra.Command {
	var flags logFlags
	cmd := &cobra.Command{
		Use:   "logs [NAME]",
		Short: "Show the log, of all functions or of one",
		Long: `Show what functions wrote to standard error, one line for each request, and what
the host had to say. The log is kept in the data directory and bounded by
--log-size of serve; it can be read whether or not a server runs.`,
		Example: `  cloche logs hello -f
  cloche logs --since 10m --level error`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			query, err := flags.query(args)
			if err != nil {
				return err
			}
			return flags.show(cmd, query)
		},
	}
	flags.siteFlags.add(cmd)
	cmd.Flags().StringVar(&flags.site, "site", ".", "the site directory")
	cmd.Flags().BoolVarP(&flags.follow, "follow", "f", false, "go on with what is logged from now on")
	cmd.Flags().StringVar(&flags.since, "since", "", "leave out what is older: 10m, or a time as in RFC 3339")
	cmd.Flags().StringVar(&flags.level, "level", "", "leave out what is less severe: debug, info, warn, error")
	cmd.Flags().StringVar(&flags.request, "request", "", "one request, by its x-nf-request-id")
	cmd.Flags().IntVarP(&flags.limit, "limit", "n", admin.DefaultRecords, "show the newest N records")
	cmd.Flags().BoolVar(&flags.asJSON, "json", false, "print JSON, a record a line")
	return cmd
}

func (f *logFlags) query(args []string) (q logs.Query, err error) {
	if err := f.at([]string{f.site}); err != nil {
		return q, err
	}
	q = logs.Query{Level: f.level, Request: f.request, Limit: f.limit}
	if len(args) > 0 {
		q.Function = args[0]
	}
	if f.since != "" {
		if q.Since, err = admin.ParseSince(f.since, time.Now()); err != nil {
			return q, &usageError{err}
		}
	}
	if f.limit < 1 || f.limit > admin.MaxRecords {
		return q, &usageError{fmt.Errorf("--limit %d: write a number from 1 to %d", f.limit, admin.MaxRecords)}
	}
	if err := q.Check(); err != nil {
		return q, &usageError{err}
	}
	return q, nil
}

// show reads the log through the server, or, if none runs, from the disk.
func (f *logFlags) show(cmd *cobra.Command, q logs.Query) error {
	ctx := cmd.Context()
	client, err := f.client(ctx)
	if err == nil {
		defer client.Close()
		return f.print(ctx, cmd.OutOrStdout(), client.Logs(ctx, q, f.follow))
	}
	if !errors.Is(err, admin.ErrNotRunning) {
		return err
	}
	records := logs.Read(f.data, q)
	if f.follow { // whoever serves this directory next
		records = logs.Follow(ctx, f.data, q)
	}
	return f.print(ctx, cmd.OutOrStdout(), records)
}

func (f *logFlags) print(ctx context.Context, out io.Writer, records iter.Seq2[logs.Record, error]) error {
	encoder := json.NewEncoder(out)
	for record, err := range records {
		if err != nil {
			return err
		}
		if f.asJSON {
			err = encoder.Encode(record)
		} else {
			err = logs.Format(out, record, colored(os.Stdout))
		}
		if err != nil || ctx.Err() != nil {
			return err
		}
	}
	return nil
}
