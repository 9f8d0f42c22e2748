package sqlite

import (
	"context"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

// Kinds of keys.
const (
	idempotent = 1 + iota
	unique
)

// Enqueue records jobs and returns when they are durable.
func (l *Ledger) Enqueue(ctx context.Context, jobs []ledger.NewJob) ([]ledger.Enqueued, error) {
	if err := ledger.ValidateJobs(jobs, l.clock.Now()); err != nil {
		return nil, err
	}
	copies, bytes := copyJobs(jobs)
	enqueued, err := submit(ctx, l, &change{bytes: bytes, grows: true}, func(b *batch) (enqueued []ledger.Enqueued, err error) {
		for i := range copies {
			e, err := b.enqueue(&copies[i])
			if err != nil {
				return nil, err
			}
			enqueued = append(enqueued, e)
		}
		return enqueued, nil
	})
	if err == nil {
		l.rouse()
	}
	return enqueued, err
}

// copied is a job that shares no memory with its caller's, who may go away
// before it is written.
type copied struct {
	ledger.NewJob
	head, body []byte
	replayOf   ledger.ID
}

func copyJobs(jobs []ledger.NewJob) (copies []copied, bytes int) {
	for i := range jobs {
		c := copied{NewJob: jobs[i].Clone()}
		c.head, c.body = c.Request.AppendHead(nil), bytesOf(c.Request.Body)
		c.Request = ledger.Request{}
		bytes += len(c.head) + len(c.body) + rowBytes
		copies = append(copies, c)
	}
	return copies, bytes
}

// rowBytes is about what a job takes beside its request.
const rowBytes = 512

func (b *batch) enqueue(j *copied) (ledger.Enqueued, error) {
	for i, value := range []string{j.IdempotencyKey, j.UniqueKey} {
		if holder, err := b.holder(idempotent+i, j.Function, value); err != nil || !holder.IsZero() {
			return ledger.Enqueued{ID: holder, Existing: true}, err
		}
	}
	id := b.newID(b.now)
	if err := b.insert(id, j); err != nil {
		return ledger.Enqueued{}, err
	}
	if err := b.hold(idempotent, &j.NewJob, j.IdempotencyKey, j.KeyAge, ledger.DefaultKeyAge, id); err != nil {
		return ledger.Enqueued{}, err
	}
	err := b.hold(unique, &j.NewJob, j.UniqueKey, j.UniqueAge, ledger.DefaultUniqueAge, id)
	return ledger.Enqueued{ID: id}, err
}

// holder returns the job that has a key, none if it is free.
func (b *batch) holder(kind int, function, value string) (id ledger.ID, err error) {
	if value == "" {
		return id, nil
	}
	err = b.each(func(row scanner) error {
		var holder []byte
		err := row.Scan(&holder)
		id = toID(holder)
		return err
	}, "SELECT job FROM keys WHERE kind = ? AND fn = ? AND value = ? AND expires_at > ?", kind, function, value, b.now.UnixMicro())
	return id, err
}

func (b *batch) hold(kind int, j *ledger.NewJob, value string, age, otherwise time.Duration, id ledger.ID) error {
	if value == "" {
		return nil
	}
	if age == 0 {
		age = otherwise
	}
	return b.exec(`INSERT INTO keys (kind, fn, value, job, expires_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET job = excluded.job, expires_at = excluded.expires_at`,
		kind, j.Function, value, id[:], b.now.Add(age).UnixMicro())
}

func (b *batch) insert(id ledger.ID, j *copied) error {
	status, runAt, expires := queued, b.now, time.Time{}
	if at := j.RunAt.Truncate(time.Microsecond); at.After(b.now) {
		status, runAt = scheduled, at
	}
	if j.MaxAge > 0 {
		expires = b.now.Add(j.MaxAge)
	}
	bytes := len(j.head) + len(j.body)
	b.count(j.Function, status, 1, int64(bytes))
	b.count("", totalAccepted, 1, 0)
	err := b.exec("INSERT INTO requests (job, sum, head, body) VALUES (?, ?, ?, ?)", id[:], sum(j.head, j.body), j.head, j.body)
	if err != nil {
		return err
	}
	return b.exec(`INSERT INTO jobs (id, fn, origin, status, created_at, run_at, expires_at, idempotency_key, unique_key,
		replay_of, parent, depth, on_success, on_failure, request_bytes) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		id[:], j.Function, orNull(j.Origin), status, b.now.UnixMicro(), runAt.UnixMicro(), timeOrNull(expires),
		orNull(j.IdempotencyKey), orNull(j.UniqueKey), idOrNull(j.replayOf), idOrNull(j.Parent), j.Depth,
		orNull(j.OnSuccess), orNull(j.OnFailure), bytes)
}

// Replay enqueues the request of a job that has ended once more.
func (l *Ledger) Replay(ctx context.Context, id ledger.ID) (ledger.ID, error) {
	replay, err := submit(ctx, l, &change{bytes: ledger.BodyBytes, grows: true}, func(b *batch) (ledger.ID, error) {
		return b.replay(id)
	})
	if err == nil {
		l.rouse()
	}
	return replay, err
}

func (b *batch) replay(id ledger.ID) (ledger.ID, error) {
	old, err := b.find(id)
	if err != nil {
		return ledger.ID{}, err
	}
	if !old.Status.Ended() {
		return ledger.ID{}, ledger.ErrUnfinished
	}
	j := copied{replayOf: id, NewJob: ledger.NewJob{
		Function: old.Function, Origin: old.Origin, Parent: old.Parent, Depth: old.Depth,
		OnSuccess: old.OnSuccess, OnFailure: old.OnFailure,
	}}
	if !old.ExpiresAt.IsZero() {
		j.MaxAge = old.ExpiresAt.Sub(old.CreatedAt)
	}
	r, err := b.request(id)
	if err == nil {
		_, err = r.decode()
	}
	if err != nil {
		return ledger.ID{}, err
	}
	j.head, j.body = r.head, r.body
	replay := b.newID(b.now)
	return replay, b.insert(replay, &j)
}

// find returns a job, or ErrNotFound.
func (b *batch) find(id ledger.ID) (s stored, err error) {
	err = b.each(func(row scanner) error { return s.scan(row) }, "SELECT "+jobColumns+" FROM jobs WHERE id = ?", id[:])
	if err == nil && s.ID.IsZero() {
		err = ledger.ErrNotFound
	}
	return s, err
}
