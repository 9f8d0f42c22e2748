package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/admin"
	"github.com/cloche-run/cloche/host/logs"
)

// jobFlags are those of all commands about jobs.
type jobFlags struct {
	siteFlags
	site     string
	function string
	statuses []string
	limit    int
	asJSON   bool
	watch    bool
	all      bool
}

func newJobs() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "jobs",
		Aliases: []string{"job"},
		Short:   "Show and steer background jobs",
		Long: `Show the jobs of the server that runs with this data directory, and steer them: a
request for a background function, a tick of a schedule and the end of a job
that somebody is told of each become a job. A job that failed is tried again, then
dead; what is dead stays visible and can be replayed.`,
		Example: `  cloche jobs list --status dead
  cloche jobs show 01KAN0M7VJ3F5ZK6C5Q8S1W2XE
  cloche jobs replay --all --function report-background`,
		Args:                       knownCommand,
		SuggestionsMinimumDistance: 2,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newJobsList(), newJobsShow(), newJobsCancel(), newJobsReplay(),
		newJobsPause("pause", "Start no more jobs of a function, also after a restart", true),
		newJobsPause("resume", "Start jobs of a paused function again", false), newJobsPurge())
	return cmd
}

func (f *jobFlags) add(cmd *cobra.Command) {
	f.siteFlags.add(cmd)
	cmd.Flags().StringVar(&f.site, "site", ".", "the site directory")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
}

// server finds the server; the caller closes the client.
func (f *jobFlags) server(ctx context.Context) (*admin.Client, error) {
	if err := f.at([]string{f.site}); err != nil {
		return nil, err
	}
	return f.client(ctx)
}

// talk calls do with the server.
func (f *jobFlags) talk(cmd *cobra.Command, do func(ctx context.Context, c *admin.Client) error) error {
	client, err := f.server(cmd.Context())
	if err != nil {
		return err
	}
	defer client.Close()
	return do(cmd.Context(), client)
}

func newJobsList() *cobra.Command {
	var flags jobFlags
	cmd := &cobra.Command{
		Use:     "list [FUNCTION]",
		Aliases: []string{"ls"},
		Short:   "List jobs, the newest first",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := flags.query(args)
			if err != nil {
				return err
			}
			return flags.talk(cmd, func(ctx context.Context, c *admin.Client) error {
				return flags.repeat(ctx, cmd.OutOrStdout(), func(out io.Writer) error { return flags.list(ctx, out, c, q) })
			})
		},
	}
	flags.add(cmd)
	cmd.Flags().StringSliceVar(&flags.statuses, "status", nil, "only those that are queued, scheduled, running, retrying, succeeded, dead or canceled")
	cmd.Flags().IntVarP(&flags.limit, "limit", "n", 50, "the newest N")
	cmd.Flags().BoolVarP(&flags.watch, "watch", "w", false, "show the list again every second, until Ctrl-C")
	return cmd
}

func (f *jobFlags) query(args []string) (q admin.JobQuery, err error) {
	if len(args) > 0 {
		q.Function = args[0]
	}
	if len(f.statuses) > 1 {
		return q, &usageError{errors.New("--status takes one status here")}
	}
	if len(f.statuses) == 1 {
		q.Status = f.statuses[0]
	}
	if q.Limit = f.limit; f.limit < 1 {
		return q, &usageError{fmt.Errorf("--limit %d: write a number from 1 on", f.limit)}
	}
	return q, nil
}

// jobsPage is how many jobs are asked for at a time.
const jobsPage = 500

// list prints up to q.Limit jobs.
func (f *jobFlags) list(ctx context.Context, out io.Writer, c *admin.Client, q admin.JobQuery) error {
	jobs, err := collect(ctx, c, q)
	if err != nil {
		return err
	}
	if f.asJSON {
		return json.NewEncoder(out).Encode(jobs)
	}
	if len(jobs) == 0 {
		_, err := fmt.Fprintln(out, "no jobs")
		return err
	}
	return printJobs(out, jobs)
}

// collect asks for pages until there are q.Limit jobs; 0 is all.
func collect(ctx context.Context, c *admin.Client, q admin.JobQuery) (jobs []admin.Job, err error) {
	limit := q.Limit
	jobs = []admin.Job{}
	for limit == 0 || len(jobs) < limit {
		q.Limit = jobsPage
		if limit > 0 {
			q.Limit = min(jobsPage, limit-len(jobs))
		}
		page, err := c.Jobs(ctx, q)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, page.Jobs...)
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			break
		}
	}
	return jobs, nil
}

func printJobs(out io.Writer, jobs []admin.Job) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tFUNCTION\tSTATUS\tATTEMPT\tAGE\tNEXT\tERROR")
	for _, j := range jobs {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", j.ID, abi.Printable(j.Function, abi.NameBytes), standing(&j), j.Attempt,
			brief(time.Since(j.CreatedAt)), next(&j), firstLine(j.Error, 60))
	}
	return w.Flush()
}

// standing is a status with its reason.
func standing(j *admin.Job) string {
	switch {
	case j.Reason != "":
		return j.Status + " (" + j.Reason + ")"
	case j.CancelRequested && j.Status == "running":
		return "running (canceling)"
	}
	return j.Status
}

// next is in how long a job that waits is due.
func next(j *admin.Job) string {
	if wait := time.Until(j.RunAt); (j.Status == "retrying" || j.Status == "scheduled") && wait > 0 {
		return "in " + brief(wait)
	}
	return ""
}

// brief is a duration in one unit or two.
func brief(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < time.Hour:
		return strings.TrimSuffix(d.Round(time.Second).String(), "0s")
	case d < 48*time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}

// firstLine leaves out Netlify's "RequestId: ID Error: " too: the job says which.
func firstLine(text string, bytes int) string {
	line, _, _ := strings.Cut(text, "\n")
	if _, error, ok := strings.Cut(line, " Error: "); ok && strings.HasPrefix(line, "RequestId: ") {
		line = error
	}
	return abi.Printable(line, bytes)
}

// repeat shows something once or, with --watch, every second on a screen of its own.
func (f *jobFlags) repeat(ctx context.Context, out io.Writer, show func(io.Writer) error) error {
	for {
		var text strings.Builder
		if err := show(&text); err != nil {
			if ctx.Err() != nil && f.watch {
				return nil
			}
			return err
		}
		if f.watch && colored(os.Stdout) {
			fmt.Fprint(out, "\x1b[H\x1b[2J")
		}
		if _, err := io.WriteString(out, text.String()); err != nil || !f.watch {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

func newJobsShow() *cobra.Command {
	var flags jobFlags
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one job, its attempts and what they logged",
		Args:  exactly(1, "name one job: cloche jobs show ID (`cloche jobs list` lists them)"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.talk(cmd, func(ctx context.Context, c *admin.Client) error {
				return flags.repeat(ctx, cmd.OutOrStdout(), func(out io.Writer) error {
					job, err := c.Job(ctx, args[0])
					if err != nil {
						return err
					}
					if flags.asJSON {
						return json.NewEncoder(out).Encode(job)
					}
					return printJob(out, &job)
				})
			})
		},
	}
	flags.add(cmd)
	cmd.Flags().BoolVarP(&flags.watch, "watch", "w", false, "show it again every second, until Ctrl-C")
	return cmd
}

func printJob(out io.Writer, j *admin.JobDetail) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, abi.Printable(value, logs.MessageBytes))
		}
	}
	line("job", j.ID)
	line("function", j.Function)
	line("status", standing(&j.Job))
	line("from", j.Origin)
	line("accepted", moment(j.CreatedAt))
	line("next", next(&j.Job))
	line("ended", moment(j.FinishedAt))
	line("replay of", j.ReplayOf)
	line("follows", j.Parent)
	if j.Interrupts > 0 {
		line("host died", fmt.Sprintf("%d times while it ran", j.Interrupts))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, a := range j.Attempts {
		fmt.Fprintf(out, "\nattempt %d  %s  %s for %s\n", a.N, a.Outcome, moment(a.StartedAt), brief(a.EndedAt.Sub(a.StartedAt)))
		printLines(out, "  ! ", a.Error)
		printLines(out, "  | ", a.Log)
	}
	return nil
}

func printLines(out io.Writer, prefix, text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintln(out, prefix+abi.Printable(strings.TrimSuffix(line, "\n"), logs.MessageBytes))
	}
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

func newJobsCancel() *cobra.Command {
	var flags jobFlags
	cmd := &cobra.Command{
		Use:   "cancel ID...",
		Short: "End jobs: those that wait at once, those that run within moments",
		Args:  some("name a job: cloche jobs cancel ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.talk(cmd, func(ctx context.Context, c *admin.Client) error {
				jobs := []admin.Job{}
				for _, id := range args {
					job, err := c.CancelJob(ctx, id)
					if err != nil {
						return fmt.Errorf("%s: %w", abi.Printable(id, abi.NameBytes), err)
					}
					jobs = append(jobs, job)
				}
				if flags.asJSON {
					return json.NewEncoder(cmd.OutOrStdout()).Encode(jobs)
				}
				return printJobs(cmd.OutOrStdout(), jobs)
			})
		},
	}
	flags.add(cmd)
	return cmd
}

func newJobsReplay() *cobra.Command {
	var flags jobFlags
	cmd := &cobra.Command{
		Use:   "replay ID...",
		Short: "Run jobs once more that have ended: each becomes a new job",
		Example: `  cloche jobs replay 01KAN0M7VJ3F5ZK6C5Q8S1W2XE
  cloche jobs replay --all --function report-background`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if flags.all == (len(args) > 0) {
				return &usageError{errors.New("name jobs, or say --all for every dead one, of one --function or of all")}
			}
			return flags.talk(cmd, func(ctx context.Context, c *admin.Client) error { return flags.replay(ctx, cmd, c, args) })
		},
	}
	flags.add(cmd)
	cmd.Flags().BoolVar(&flags.all, "all", false, "replay every job that is dead")
	cmd.Flags().StringVar(&flags.function, "function", "", "with --all: of this function only")
	return cmd
}

func (f *jobFlags) replay(ctx context.Context, cmd *cobra.Command, c *admin.Client, ids []string) error {
	if f.all {
		dead, err := collect(ctx, c, admin.JobQuery{Function: f.function, Status: "dead"})
		if err != nil {
			return err
		}
		for _, j := range dead {
			ids = append(ids, j.ID)
		}
		slices.Reverse(ids) // the oldest first, as they came
	}
	type replay struct {
		ID       string `json:"id"`
		ReplayOf string `json:"replay_of"`
	}
	done := []replay{}
	for _, id := range ids {
		next, err := c.ReplayJob(ctx, id)
		if err != nil {
			return fmt.Errorf("%s: %w (%d of %d replayed)", abi.Printable(id, abi.NameBytes), err, len(done), len(ids))
		}
		done = append(done, replay{next, id})
		if !f.asJSON {
			fmt.Fprintf(cmd.OutOrStdout(), "%s is job %s now\n", id, next)
		}
	}
	if f.asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(done)
	}
	if len(done) == 0 {
		fmt.Fprintln(cmd.OutOrStdout(), "no dead jobs")
	}
	return nil
}

func newJobsPause(use, short string, paused bool) *cobra.Command {
	var flags jobFlags
	cmd := &cobra.Command{
		Use:   use + " FUNCTION...",
		Short: short,
		Args:  some("name a function: cloche jobs " + use + " NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.talk(cmd, func(ctx context.Context, c *admin.Client) error {
				for _, name := range args {
					if err := c.SetPaused(ctx, name, paused); err != nil {
						return err
					}
					if !flags.asJSON {
						fmt.Fprintf(cmd.OutOrStdout(), "%s: %sd\n", name, use)
					}
				}
				if flags.asJSON {
					return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"functions": args, "paused": paused})
				}
				return nil
			})
		},
	}
	flags.add(cmd)
	return cmd
}

func newJobsPurge() *cobra.Command {
	var flags jobFlags
	cmd := &cobra.Command{
		Use:   "purge",
		Short: "Forget jobs that have ended",
		Args:  atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if flags.all == (len(flags.statuses) > 0) {
				return &usageError{errors.New("say which with --status succeeded, dead or canceled, or --all for every job that has ended")}
			}
			return flags.talk(cmd, func(ctx context.Context, c *admin.Client) error {
				n, err := c.PurgeJobs(ctx, admin.JobPurge{Function: flags.function, Statuses: flags.statuses})
				if err != nil {
					return err
				}
				if flags.asJSON {
					return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]int{"purged": n})
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d jobs forgotten\n", n)
				return err
			})
		},
	}
	flags.add(cmd)
	cmd.Flags().StringSliceVar(&flags.statuses, "status", nil, "those that are succeeded, dead or canceled; repeat or separate by commas")
	cmd.Flags().StringVar(&flags.function, "function", "", "of this function only")
	cmd.Flags().BoolVar(&flags.all, "all", false, "all that have ended")
	return cmd
}

// exactly and some check the number of arguments.
func exactly(n int, remedy string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return &usageError{errors.New(remedy)}
		}
		return nil
	}
}

func some(remedy string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return &usageError{errors.New(remedy)}
		}
		return nil
	}
}
