package leak

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime"
)

// atOnce is how many requests are in flight.
const atOnce = 64

// deeds are what requests do, in turn. Most leave an instance that can be set
// back; some leave one that had to be thrown away, or that someone forgot to.
var deeds = []string{
	"leak", "leak grow", "leak", "leak close", "leak", "leak grow close", "leak", "leak trap", "leak", "leak grow trap",
}

func TestNoRequestSeesAnother(t *testing.T) {
	n := count(t, "LEAK", 100)
	if testing.Short() {
		n = 2 * atOnce
	}
	for _, guest := range guests() {
		t.Run(guest, func(t *testing.T) { testIsolation(t, guest, abi.IsolationSnapshot, n) })
		t.Run(guest+" made anew", func(t *testing.T) { testIsolation(t, guest, abi.IsolationFresh, atOnce) })
	}
}

func testIsolation(t *testing.T, guest, isolation string, n int) {
	seen := newWitness(t)
	f := load(t, newEngine(t), module(t, guest), runtime.FunctionConfig{Isolation: isolation, Log: seen.line})
	each(t, n, atOnce, func(i int) error { return seen.ask(f, deeds[i%len(deeds)]) })
	if !seen.logged() {
		t.Error("no secret came to the log: the guests do not do what they should")
	}
}

// With reuse every handler must be caught, or the test above proves nothing. A
// command ends with its request: for it, reuse is the same as snapshot.
func TestReuseIsCaught(t *testing.T) {
	for _, guest := range guests() {
		t.Run(guest, func(t *testing.T) {
			seen := newWitness(t)
			f := load(t, newEngine(t), module(t, guest), runtime.FunctionConfig{Isolation: abi.IsolationReuse, Log: seen.line})
			var mutex sync.Mutex
			var found []string
			each(t, 50, 2, func(int) error {
				answer, err := ask(t.Context(), f, "leak", newSecret())
				mutex.Lock()
				defer mutex.Unlock()
				found = append(found, wrong(answer)...)
				return err
			})
			for _, what := range []string{"counter", "!global", "!memory", "!heap"} {
				if got := slices.Contains(found, what); got == isCommand(guest) {
					t.Errorf("%s: leaks %v, want %v; found %v", what, got, !isCommand(guest), found)
				}
			}
		})
	}
}

// wrong returns the names of the words that tell of a leak.
func wrong(answer string) (names []string) {
	for _, word := range strings.Fields(answer) {
		name, value, _ := strings.Cut(word, "=")
		name, _, _ = strings.Cut(name, "-") // the place
		if name[0] == '!' || name == "counter" && value != "1" {
			names = append(names, name)
		}
	}
	return names
}

// newSecret is a text that guests find again, wherever it is.
func newSecret() string { return fmt.Sprintf("~secret~%016x", rand.Uint64()) }

// witness compares what guests answer and log.
type witness struct {
	t *testing.T

	mutex  sync.Mutex
	first  map[string]string // the first answer to each deed
	lines  int
	leaked string // a line of the log with the secret of another
}

func newWitness(t *testing.T) *witness { return &witness{t: t, first: map[string]string{}} }

// ask has a guest do something and says what is wrong with it.
func (w *witness) ask(f *runtime.Function, deed string) error {
	answer, err := ask(w.t.Context(), f, deed, newSecret())
	if strings.Contains(deed, "trap") {
		var trap *runtime.Trap
		if !errors.As(err, &trap) {
			return fmt.Errorf("%q: got %q and %v, want a trap", deed, answer, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("%q: %w", deed, err)
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.first[deed] == "" {
		w.first[deed] = answer
	}
	switch {
	case !strings.HasPrefix(answer, "counter=1 "), len(wrong(answer)) > 0:
		return fmt.Errorf("%q: %s", deed, answer)
	case answer != w.first[deed]:
		return fmt.Errorf("%q: %s\nanother answered %s", deed, answer, w.first[deed])
	case w.leaked != "":
		return fmt.Errorf("%q: log: %s", deed, w.leaked)
	}
	return nil
}

// line takes a line of the log, which holds the secret of its own request only.
func (w *witness) line(req *abi.Request, line []byte) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for rest := string(line); ; {
		_, after, found := strings.Cut(rest, "~secret~")
		if !found {
			return
		}
		w.lines++
		if !strings.HasPrefix("~secret~"+after, req.ID) {
			w.leaked = string(line)
		}
		rest = after
	}
}

func (w *witness) logged() bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.lines > 0
}
