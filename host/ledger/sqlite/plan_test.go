package sqlite

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

// TestNoQueryReadsAllJobs has every method used and asks SQLite how it runs what
// the writer has prepared: nothing may cost more because there are more jobs.
func TestNoQueryReadsAllJobs(t *testing.T) {
	ctx := context.Background()
	l := mustOpen(t, copyOf(t), quick())
	defer l.Close(ctx)
	useAll(t, l)
	var queries []string
	if err := l.submit(ctx, &change{run: func(b *batch) error {
		for query := range b.w.stmts {
			queries = append(queries, query)
		}
		return nil
	}}); err != nil {
		t.Fatal(err)
	}
	queries = append(append(queries, readQueries()...), touches()...)
	for _, query := range queries {
		plan, err := explainPlan(ctx, l, query)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range plan {
			if strings.Contains(query, "LIMIT 1") && strings.HasPrefix(step, "SCAN") && !strings.Contains(step, "TEMP") {
				continue // reads one row and stops
			}
			if strings.HasPrefix(step, "SCAN jobs") || strings.HasPrefix(step, "SCAN requests") || strings.HasPrefix(step, "SCAN attempts") ||
				strings.HasPrefix(step, "SCAN keys") || strings.Contains(step, "TEMP B-TREE FOR ORDER BY") {
				t.Errorf("%s\n  %s", query, strings.Join(plan, "\n  "))
			}
		}
	}
	if len(queries) < 25 {
		t.Errorf("only %d queries were seen", len(queries))
	}
}

func explainPlan(ctx context.Context, l *Ledger, query string) (steps []string, err error) {
	args := make([]any, strings.Count(query, "?"))
	for i := range args {
		args[i] = 1
	}
	err = rows(ctx, l.reader, func(row scanner) error {
		var id, parent, unused int
		var detail string
		err := row.Scan(&id, &parent, &unused, &detail)
		steps = append(steps, detail)
		return err
	}, "EXPLAIN QUERY PLAN "+query, args...)
	return steps, err
}

// readQueries are those of the readers whose cost matters.
func readQueries() []string {
	return []string{
		"SELECT id FROM jobs WHERE id < ? ORDER BY id DESC LIMIT ?",
		"SELECT id FROM jobs WHERE fn = ? AND status = ? AND id < ? ORDER BY id DESC LIMIT ?",
		"SELECT run_at FROM jobs INDEXED BY jobs_waiting WHERE fn = ? AND status <= 3 ORDER BY run_at, id LIMIT 1",
		"SELECT " + jobColumns + ", " + lastError + " FROM jobs WHERE id = ?",
		orphans, highWater,
	}
}

// useAll uses every method that writes.
func useAll(t *testing.T, l *Ledger) {
	t.Helper()
	ctx := context.Background()
	var wrong []error
	must := func(err error) { wrong = append(wrong, err) }
	j := ledger.NewJob{Function: "f", IdempotencyKey: "k", UniqueKey: "u", OnSuccess: "next", MaxAge: time.Hour}
	enqueued, err := l.Enqueue(ctx, []ledger.NewJob{j})
	must(err)
	for range 2 {
		claims, err := l.Claim(ctx, ledger.Limits{Max: 1, Others: 9})
		must(err)
		for _, c := range claims {
			_, err := l.Finish(ctx, []ledger.Outcome{{ID: c.Job.ID, Token: c.Token, Result: ledger.OK}})
			must(err)
			_, err = l.Replay(ctx, c.Job.ID)
			must(err)
		}
	}
	_, err = l.Cancel(ctx, enqueued[0].ID)
	must(err)
	must(l.SetPaused(ctx, "f", true))
	must(l.Settle(ctx, []ledger.Settled{{Seq: 1}, {Seq: 2, Again: true}}))
	_, err = l.Prune(ctx, ledger.Retention{Keep: map[ledger.Status]ledger.Keep{ledger.Succeeded: {Jobs: 1}, ledger.Canceled: {}}}, 10)
	must(err)
	for _, err := range wrong {
		if err != nil {
			t.Fatal(fmt.Errorf("use: %w", err))
		}
	}
}
