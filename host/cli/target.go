package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host"
	"github.com/cloche-run/cloche/host/admin"
)

// target is a site that commands talk to: a server that runs, through its admin
// API, or, when none does, the site itself, loaded for this one command.
type target interface {
	Functions(ctx context.Context) ([]admin.Function, error)
	Invoke(ctx context.Context, name string, call admin.Call) (admin.Answer, error)
	Close()
}

// open finds the target.
func (f *siteFlags) open(ctx context.Context) (target, error) {
	client, err := f.client(ctx)
	if err == nil {
		return client, nil
	}
	if !errors.Is(err, admin.ErrNotRunning) {
		return nil, err
	}
	options, err := f.options()
	if err != nil {
		return nil, err
	}
	h, err := host.Open(ctx, options)
	if err != nil {
		return nil, err
	}
	return local{h}, nil
}

// client finds the server that runs with this data directory. Only "nobody is
// there" is admin.ErrNotRunning: a server that refuses us is not worked around.
func (f *siteFlags) client(ctx context.Context) (*admin.Client, error) {
	if _, err := os.Stat(filepath.Join(f.data, admin.TokenFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w with %s: start it with cloche serve", admin.ErrNotRunning, f.data)
	}
	addr := f.admin
	if addr == "" {
		addr = cmp.Or(host.AdminAddress(f.data), host.DefaultAdmin)
	}
	client, err := admin.NewClient(addr, f.data)
	if err != nil {
		return nil, err
	}
	if _, err := client.Functions(ctx); err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

type local struct{ host *host.Host }

func (l local) Functions(context.Context) ([]admin.Function, error) { return l.host.Functions(), nil }
func (l local) Close()                                              { _ = l.host.Close() }

func (l local) Invoke(ctx context.Context, name string, call admin.Call) (admin.Answer, error) {
	answer, err := l.host.InvokeFunction(ctx, name, call)
	var fault abi.Faulter
	if errors.As(err, &fault) && fault.Fault() != abi.FaultUnknownFunction {
		answer.Error = &abi.Error{What: fault.Fault(), Message: fault.Error(), Detail: fault.Trace()}
		err = nil
	}
	return answer, err
}
