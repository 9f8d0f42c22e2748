package cli

import (
	"context"
	"log/slog"
	"os"
	"sync"

	"github.com/cloche-run/cloche/host/logs"
)

// console is a slog.Handler that prints records for people.
type console struct {
	mu    *sync.Mutex
	out   *os.File
	level slog.Level
	attrs []slog.Attr
}

func newConsole(out *os.File, level slog.Level) slog.Handler {
	return &console{mu: new(sync.Mutex), out: out, level: level}
}

func (c *console) Enabled(_ context.Context, level slog.Level) bool { return level >= c.level }

func (c *console) Handle(_ context.Context, r slog.Record) error {
	line := logs.Record{Time: r.Time, Level: r.Level, Message: r.Message}
	add := func(attr slog.Attr) bool {
		switch attr.Key {
		case "function":
			line.Function = attr.Value.String()
		case "request":
			line.Request = attr.Value.String()
		default:
			line.Attrs = append(line.Attrs, attr)
		}
		return true
	}
	for _, attr := range c.attrs {
		add(attr)
	}
	r.Attrs(add)
	c.mu.Lock()
	defer c.mu.Unlock()
	return logs.Format(c.out, line, colored(c.out))
}

func (c *console) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *c
	with.attrs = append(with.attrs[:len(with.attrs):len(with.attrs)], attrs...)
	return &with
}

// WithGroup is not used by the host: its keys are flat.
func (c *console) WithGroup(string) slog.Handler { return c }
