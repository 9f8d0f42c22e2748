package ledger

import "time"

// Query chooses jobs. The zero Query is the newest DefaultPage of all.
type Query struct {
	Function string
	Status   Status
	// Limit is at most MaxPage; 0 is DefaultPage.
	Limit int
	// Cursor is a Page's Next, to go on behind it.
	Cursor string
}

// Page is a part of a list. Next is "" at its end. A page may be the last
// although it is full, and jobs that change status in between may be missed.
type Page struct {
	Jobs []Job
	Next string
}

// Stats is what a ledger holds.
type Stats struct {
	// Counts holds what is not zero.
	Counts map[string]map[Status]Count // by function
	// Due is how long the job has waited that has been due longest, of functions
	// that are not paused; 0 if none is due.
	Due time.Duration
	// Accepted and Pruned are all jobs there ever were and those forgotten since:
	// what Counts holds is the difference.
	Accepted, Pruned int64
	// Events is how many are to be delivered, now or later.
	Events int64
	// Paused lists functions, sorted.
	Paused []string
	// Bytes is the size of the store, on disk if it is there.
	Bytes int64
}

// Count is a number of jobs and what their requests take.
type Count struct{ Jobs, Bytes int64 }

// Total returns the counts of all functions by status.
func (s Stats) Total() map[Status]Count {
	total := make(map[Status]Count)
	for _, counts := range s.Counts {
		for status, c := range counts {
			t := total[status]
			total[status] = Count{t.Jobs + c.Jobs, t.Bytes + c.Bytes}
		}
	}
	return total
}

// Retention says what Prune leaves.
type Retention struct {
	// Function restricts it to one; "" is all.
	Function string
	// Keep is by status, of Succeeded, Dead and Canceled. A status that is not in
	// it is kept for ever.
	Keep map[Status]Keep
}

// Keep says what is kept of the jobs that ended in some way: those that ended
// less than Age ago, and of these the latest Jobs, if it is not 0. Keep{} keeps none.
type Keep struct {
	Age  time.Duration
	Jobs int64
}

// Pruned is what one Prune did.
type Pruned struct {
	// Jobs and Keys are how many were forgotten.
	Jobs, Keys int
	// More is set if the budget ended it.
	More bool
}

// Event tells a destination that a job has ended. It is recorded together with
// the end.
type Event struct {
	Seq int64
	// Job is the job's id; it is there until it is pruned.
	Job    ID
	Status Status // Succeeded or Dead
	// Target is the job's OnSuccess or OnFailure.
	Target string
	// Response is that of the Outcome, nil for a job that is dead.
	Response []byte
	// At is when the job ended; Tries is how often the event was delayed.
	At    time.Time
	Tries int
}

// Settled is what becomes of an event: it is removed, or is there again after a
// while.
type Settled struct {
	Seq   int64
	Again bool
	After time.Duration
}
