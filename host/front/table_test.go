package front

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/cloche-run/cloche/abi"
)

func TestEveryFaultHasARow(t *testing.T) {
	for _, fault := range abi.Faults() {
		r, ok := rowOf(fault)
		if !ok {
			t.Errorf("%s has no row", fault)
		}
		if http.StatusText(r.status) == "" || r.errorType == "" {
			t.Errorf("%s: incomplete row %+v", fault, r)
		}
		if busy := r.status == 429 || r.status == 503; r.retry != busy {
			t.Errorf("%s: status %d, retry %t", fault, r.status, r.retry)
		}
	}
}

func TestStatus(t *testing.T) {
	for want, err := range map[int]error{
		200: nil,
		500: errors.New("any"),
		502: fmt.Errorf("wrapped: %w", &abi.Error{What: abi.FaultTrap}),
		504: &abi.Error{What: abi.FaultDeadline},
	} {
		if got := Status(err); got != want {
			t.Errorf("Status(%v) = %d, want %d", err, got, want)
		}
	}
	if got := Status(&abi.Error{What: "unheard of"}); got != 500 {
		t.Errorf("an unknown fault is %d, want 500", got)
	}
}
