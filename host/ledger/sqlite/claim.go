package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"math"

	"github.com/cloche-run/cloche/host/ledger"
)

// Claim hands out due jobs.
func (l *Ledger) Claim(ctx context.Context, limits ledger.Limits) ([]ledger.Claim, error) {
	if err := limits.Validate(); err != nil {
		return nil, err
	}
	limits.Running = maps.Clone(limits.Running)
	return submit(ctx, l, &change{}, func(b *batch) ([]ledger.Claim, error) { return b.claim(limits) })
}

func (b *batch) claim(limits ledger.Limits) (claims []ledger.Claim, err error) {
	lines, err := b.lines(limits)
	if err != nil {
		return nil, err
	}
	for len(claims) < limits.Max {
		line := shortest(lines)
		if line == nil {
			return claims, nil
		}
		claim, ok, err := b.start(line.head())
		if err != nil {
			return nil, err
		}
		if ok {
			claims = append(claims, claim)
			line.running++
		}
		if err := b.advance(line); err != nil {
			return nil, err
		}
	}
	return claims, nil
}

// line is the due jobs of a function, the next one first.
type line struct {
	function string
	running  int
	limit    int
	want     int // how many are read at a time
	jobs     []stored
	isWhole  bool // there are no more than jobs
}

func (l *line) head() *stored { return &l.jobs[0] }

// shortest returns the line of which a job is to start, nil if there is none.
func shortest(lines []*line) (first *line) {
	for _, l := range lines {
		if len(l.jobs) > 0 && l.running < l.limit && (first == nil || l.before(first)) {
			first = l
		}
	}
	return first
}

func (l *line) before(other *line) bool {
	a, b := l.head(), other.head()
	return cmp.Or(
		cmp.Compare(l.running, other.running),
		a.RunAt.Compare(b.RunAt),
		bytes.Compare(a.ID[:], b.ID[:]),
	) < 0
}

// lines returns the lines of all functions that have jobs waiting. Those at
// their limit are read too: what comes too late must end.
func (b *batch) lines(limits ledger.Limits) (lines []*line, err error) {
	if err := b.flush(); err != nil {
		return nil, err
	}
	err = b.each(func(row scanner) error {
		l, isPaused := &line{}, false
		err := row.Scan(&l.function, &l.running, &isPaused)
		if l.limit = limits.Of(l.function); isPaused {
			l.limit = 0
		}
		l.want = 1 + max(0, min(limits.Max, l.limit-l.running))
		lines = append(lines, l)
		return err
	}, waitingFunctions)
	for _, l := range lines {
		if err == nil {
			err = b.fill(l)
		}
	}
	return lines, err
}

// waitingFunctions are the functions with jobs that wait, how many of each run,
// and whether it is paused.
const waitingFunctions = `SELECT fn, sum(jobs * (status = 4)), EXISTS (SELECT 1 FROM paused WHERE paused.fn = counters.fn)
	FROM counters WHERE fn <> '' AND status <= 4 GROUP BY fn HAVING sum(jobs * (status <= 3)) > 0`

// fill reads the beginning of a line.
func (b *batch) fill(l *line) error { return b.read(l, math.MinInt64, ledger.ID{}) }

// advance goes on behind the first job of a line.
func (b *batch) advance(l *line) error {
	first := l.jobs[0]
	if l.jobs = l.jobs[1:]; len(l.jobs) == 0 && !l.isWhole {
		return b.read(l, first.RunAt.UnixMicro(), first.ID)
	}
	return b.expire(l)
}

// read reads on behind a job.
func (b *batch) read(l *line, runAt int64, id ledger.ID) error {
	l.jobs = nil
	err := b.each(func(row scanner) error {
		var s stored
		err := s.scan(row)
		l.jobs = append(l.jobs, s)
		return err
	}, "SELECT "+jobColumns+` FROM jobs INDEXED BY jobs_waiting WHERE fn = ? AND status <= 3 AND run_at <= ? AND (run_at, id) > (?, ?)
		ORDER BY run_at, id LIMIT ?`, l.function, b.now.UnixMicro(), runAt, id[:], l.want)
	if err != nil {
		return err
	}
	l.isWhole = len(l.jobs) < l.want
	return b.expire(l)
}

// expire ends the jobs at the head of a line that come too late.
func (b *batch) expire(l *line) error {
	for len(l.jobs) > 0 {
		first := l.jobs[0]
		if first.ExpiresAt.IsZero() || first.ExpiresAt.After(b.now) {
			return nil
		}
		if err := b.end(&first, dead, ledger.Expired, nil); err != nil {
			return err
		}
		if l.jobs = l.jobs[1:]; len(l.jobs) == 0 && !l.isWhole {
			return b.read(l, first.RunAt.UnixMicro(), first.ID)
		}
	}
	return nil
}

// start makes a job run, or ends it if its request is damaged.
func (b *batch) start(s *stored) (claim ledger.Claim, ok bool, err error) {
	r, err := b.request(s.ID)
	if err != nil {
		return claim, false, err
	}
	if claim.Request, err = r.decode(); err != nil {
		return claim, false, b.end(s, dead, ledger.Damaged, nil)
	}
	if s.token > 0 {
		if s.Error, err = b.lastError(s.ID); err != nil {
			return claim, false, err
		}
	}
	b.move(&s.Job, s.status, running)
	s.status, s.Status, s.StartedAt, s.token = running, ledger.Running, b.now, s.token+1
	claim.Job, claim.Token = s.Job, s.token
	b.w.running[s.ID] = *s
	return claim, true, b.exec("UPDATE jobs SET status = ?, started_at = ?, token = ? WHERE id = ?", running, b.now.UnixMicro(), s.token, s.ID[:])
}

// SetPaused stops jobs of a function from being claimed, or lets them again.
func (l *Ledger) SetPaused(ctx context.Context, function string, paused bool) error {
	if err := ledger.ValidateFunction(function); err != nil {
		return err
	}
	query := "DELETE FROM paused WHERE fn = ?"
	if paused {
		query = "INSERT INTO paused (fn) VALUES (?) ON CONFLICT DO NOTHING"
	}
	err := l.submit(ctx, &change{run: func(b *batch) error { return b.exec(query, function) }})
	if err == nil {
		l.rouse()
	}
	return err
}
