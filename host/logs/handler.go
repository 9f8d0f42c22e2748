package logs

import (
	"context"
	"log/slog"
	"slices"
	"sync"
)

// sink is where the handlers of one log end.
type sink struct {
	lines sync.Pool // of *line
	write func(line []byte) error
}

// line is the memory in which one record is put together.
type line struct {
	attrs attrs
	whole []byte
}

// handler turns slog records into lines. It is immutable.
type handler struct {
	sink *sink
	// function, request and with are what WithAttrs has settled, with encoded.
	function, request string
	with              attrs
	// prefix is the open groups, each with its dot.
	prefix string
}

// Enabled reports true: what is worth logging is for the caller to say.
func (h *handler) Enabled(context.Context, slog.Level) bool { return true }

// Handle queues the record. Nothing of it is kept.
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	l, _ := h.sink.lines.Get().(*line)
	if l == nil {
		l = new(line)
	}
	defer h.sink.lines.Put(l)

	l.attrs.encoded = append(l.attrs.encoded[:0], h.with.encoded...)
	l.attrs.cut = h.with.cut
	fields := Record{
		Time: r.Time, Level: r.Level, Message: r.Message,
		Function: h.function, Request: h.request,
	}
	r.Attrs(func(attr slog.Attr) bool {
		if !h.field(attr, &fields.Function, &fields.Request) {
			l.attrs.add(h.prefix, attr)
		}
		return true
	})
	l.attrs.encoded = l.attrs.close()
	l.whole = appendRecord(l.whole[:0], fields, l.attrs.encoded)
	return h.sink.write(l.whole)
}

// field takes the attributes that are fields of a record.
func (h *handler) field(attr slog.Attr, function, request *string) bool {
	if h.prefix != "" {
		return false
	}
	switch attr.Key {
	case keyFunction:
		*function = attr.Value.Resolve().String()
	case keyRequest:
		*request = attr.Value.Resolve().String()
	default:
		return false
	}
	return true
}

// WithAttrs returns a handler that adds attrs to every record.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clone := *h
	clone.with.encoded = slices.Clone(h.with.encoded)
	for _, attr := range attrs {
		if !h.field(attr, &clone.function, &clone.request) {
			clone.with.add(h.prefix, attr)
		}
	}
	return &clone
}

// WithGroup returns a handler that puts name before the keys of what follows.
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	clone := *h
	clone.prefix += name + "."
	return &clone
}
