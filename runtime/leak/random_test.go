package leak

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime"
)

// drawn is what a guest draws, by how: see the guests' own files.
type drawn struct {
	atInit string // for AT_INIT
	want   string // names, of which each comes in every answer
	inTurn bool   // one request at a time
}

// generators are what fresh processes draw differently. Each of AT_INIT is a
// function of its own: what the runtime must do for one (make every instance
// anew, say) must not hide what it forgets for another.
func generators() map[string][]drawn {
	c := []drawn{{"", "getentropy", false}, {"random_get,", "getentropy init-getentropy", false}}
	rust := []drawn{
		{"", "random_get hasher", false},
		{"random_get,", "random_get hasher init-random_get", false},
		{"hasher,", "random_get hasher init-hasher", false},
	}
	const request = "fixed-pcg fixed-chacha fixed-source crypto crypto-later math math-later v2 v2-later maphash maphash-later"
	// A clock has steps of 100 µs: two that begin together may read the same.
	golang := []drawn{{"", request, false}, {"seed,", request, false}, {"timed,", request + " timed", true}, {"clocked,", request + " clocked", true}}
	golang = append(golang, drawn{"crypto,", request + " init-crypto", false})
	return map[string][]drawn{
		"c-handler": c, "c-command": c, "rust-handler": rust, "rust-command": rust,
		"as-handler": {{"", "random_get Math.random", false}, {"all,", "random_get Math.random init-Math.random", false}},
		"go-handler": golang, "go-command": golang,
	}
}

func TestNothingRandomComesTwice(t *testing.T) {
	n := count(t, "LEAK", 30)
	for guest, all := range generators() {
		engine := newEngine(t)
		for _, drawn := range all {
			name := strings.TrimSuffix(drawn.atInit, ",")
			if name == "" {
				name = "nothing"
			}
			t.Run(guest+" that drew "+name, func(t *testing.T) {
				testDraws(t, engine, module(t, guest), drawn, n)
			})
		}
	}
}

// testDraws asks two functions of one module in turn.
func testDraws(t *testing.T, engine *runtime.Engine, code []byte, what drawn, n int) {
	config := runtime.FunctionConfig{Isolation: abi.IsolationSnapshot}
	if what.atInit != "" {
		config.Env = []runtime.Variable{{Name: "AT_INIT", Value: what.atInit}}
	}
	functions := []*runtime.Function{load(t, engine, code, config), load(t, engine, code, config)}
	seen := &draws{seen: map[string]string{}}
	together := atOnce / 8
	if what.inTurn {
		together = 1
	}
	each(t, n, together, func(i int) error {
		answer, err := ask(t.Context(), functions[i%2], "random", newSecret())
		if err != nil {
			return err
		}
		return seen.add(answer, strings.Fields(what.want))
	})
}

func TestDrawsAreCaught(t *testing.T) {
	for name, test := range map[string]struct {
		answers [2]string
		want    string // part of the error; "" for none
	}{
		"new numbers and the same fixed ones": {[2]string{"a=1 fixed=7", "a=2 fixed=7"}, ""},
		"a number twice":                      {[2]string{"a=1 fixed=7", "a=1 fixed=7"}, "a is 1, which a was before"},
		"another fixed number":                {[2]string{"a=1 fixed=7", "a=2 fixed=8"}, "fixed is 8, was 7"},
		"a generator that is not there":       {[2]string{"a=1 fixed=7", "b=2 fixed=7"}, "without a"},
		"an answer cut short":                 {[2]string{"a=1 fixed=7", "a=2"}, "want [a fixed]"},
	} {
		t.Run(name, func(t *testing.T) {
			seen := &draws{seen: map[string]string{}}
			want := []string{"a", "fixed"}
			if err := seen.add(test.answers[0], want); err != nil {
				t.Fatal(err)
			}
			err := seen.add(test.answers[1], want)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// draws are the numbers that one function drew.
type draws struct {
	mutex sync.Mutex
	seen  map[string]string // a value of a random name -> its name; a fixed name -> its value
}

// add takes one answer, which must have the names wanted and no others. Two
// names never have the same number either.
func (d *draws) add(answer string, want []string) error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	words := strings.Fields(answer)
	if len(words) != len(want) {
		return fmt.Errorf("got %s, want %s", answer, want)
	}
	got := map[string]string{}
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		got[name] = value
	}
	for _, name := range want {
		value, ok := got[name]
		if !ok {
			return fmt.Errorf("got %s, without %s", answer, name)
		}
		if err := d.number(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (d *draws) number(name, value string) error {
	isFixed := strings.HasPrefix(name, "fixed")
	key := value
	if isFixed {
		key = name
	}
	before, known := d.seen[key]
	d.seen[key] = value
	if !isFixed {
		d.seen[key] = name
	}
	switch {
	case isFixed && known && before != value:
		return fmt.Errorf("%s is %s, was %s: its seed is fixed", name, value, before)
	case !isFixed && known:
		return fmt.Errorf("%s is %s, which %s was before", name, value, before)
	}
	return nil
}
