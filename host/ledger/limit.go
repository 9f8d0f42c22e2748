package ledger

import (
	"time"

	"github.com/cloche-run/cloche/abi"
)

// Limits of what a ledger takes. What breaks one is ErrInvalid, before anything
// is written.
const (
	// BodyBytes is the largest body of a request: 262,144 bytes.
	BodyBytes = abi.BackgroundBodyBytes
	// HeadBytes is the largest request without its body, as it is stored: 128 KiB.
	HeadBytes = 128 << 10
	// NameBytes is the longest name of a function or an origin.
	NameBytes = 256
	// KeyBytes is the longest key.
	KeyBytes = 512
	// TargetBytes is the longest destination.
	TargetBytes = 2048
	// ResponseBytes is the largest response that an event carries: 256 KiB.
	ResponseBytes = 256 << 10
	// BatchJobs is how many jobs one Enqueue takes, and BatchOutcomes how many
	// outcomes one Finish.
	BatchJobs     = 1000
	BatchOutcomes = 1000
	// MaxPage is the longest page of a list, DefaultPage the usual one.
	MaxPage     = 1000
	DefaultPage = 50
)

// Limits of what is kept. What is longer is cut.
const (
	// ErrorBytes is how much of an attempt's error: its beginning, 4 KiB.
	ErrorBytes = 4 << 10
	// LogBytes is how much of an attempt's log: its end, 16 KiB.
	LogBytes = 16 << 10
	// MaxAttempts is how many attempts of a job, the latest: 100.
	MaxAttempts = 100
)

const (
	// MaxInterrupts is how many deaths of the host end a job, as CrashLoop.
	MaxInterrupts = 5
	// DefaultKeyAge is how long an idempotency key holds, and DefaultUniqueAge a
	// unique key.
	DefaultKeyAge    = 24 * time.Hour
	DefaultUniqueAge = 7 * 24 * time.Hour
	// MaxWait bounds every duration and RunAt: ten years from now.
	MaxWait = 10 * 365 * 24 * time.Hour
)

// Backoff is how long a job waits after the host died for the nth time while it
// ran: 1 s, 4 s, 16 s, 64 s, never more than 5 minutes.
func Backoff(interrupts int) time.Duration {
	wait := time.Second
	for n := 1; n < interrupts && wait < 5*time.Minute; n++ {
		wait *= 4
	}
	return min(wait, 5*time.Minute)
}

// CutError and CutLog return what is kept of an error and of a log.
func CutError(s string) string { return s[:min(len(s), ErrorBytes)] }

// CutLog returns the end of a log, not more than is kept.
func CutLog(b []byte) []byte { return b[max(0, len(b)-LogBytes):] }
