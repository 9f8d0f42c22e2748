package front

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"strconv"
	"testing"

	"github.com/cloche-run/cloche/abi"
)

// faults are the constants of type Fault, read from abi's source so that a new
// one cannot be forgotten.
func faults(t *testing.T) (list []abi.Fault) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../abi/fault.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Fault" {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, abi.Fault(value))
		}
		return true
	})
	return list
}

func TestEveryFaultHasARow(t *testing.T) {
	all := faults(t)
	if len(all) < 26 {
		t.Fatalf("found %d faults in abi", len(all))
	}
	for _, fault := range append(all, faultClientBusy) {
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
