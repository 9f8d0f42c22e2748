package logs

import (
	"io"
	"log/slog"
	"strings"

	"github.com/cloche-run/cloche/abi"
)

// What a terminal that has colors is told.
const (
	colorOff    = "\x1b[0m"
	colorDim    = "\x1b[2m"
	colorRed    = "\x1b[31m"
	colorYellow = "\x1b[33m"
	colorCyan   = "\x1b[36m"
)

// Format writes r to w as one line for people: when, how severe, which function,
// what, and the attributes. Whatever a terminal would obey is shown escaped
// ("\x1b"), and a message or value longer than MessageBytes ends with Mark.
// There is one call of w.Write.
func Format(w io.Writer, r Record, color bool) error {
	p := printer{color: color}
	p.paint(colorDim, inYears(r.Time).Format("2006-01-02T15:04:05.000Z"))
	p.WriteByte(' ')
	p.paint(levelColor(r.Level), (r.Level.String() + "     ")[:max(5, len(r.Level.String()))])
	if r.Function != "" {
		p.WriteByte(' ')
		p.paint(colorCyan, abi.Printable(r.Function, NameBytes))
	}
	if r.Message != "" {
		p.WriteString(" " + abi.Printable(r.Message, MessageBytes))
	}
	for _, attr := range r.Attrs {
		p.pair(attr.Key, attr.Value.Resolve().String())
	}
	if r.Request != "" {
		p.pair(keyRequest, r.Request)
	}
	p.WriteByte('\n')
	_, err := io.WriteString(w, p.String())
	return err
}

// printer puts a line together.
type printer struct {
	strings.Builder
	color bool
}

func (p *printer) paint(color, text string) {
	if p.color && color != "" {
		text = color + text + colorOff
	}
	p.WriteString(text)
}

func (p *printer) pair(key, value string) {
	value = abi.Printable(value, MessageBytes)
	if value == "" || strings.ContainsAny(value, ` "=`) {
		value = `"` + strings.ReplaceAll(value, `"`, `\"`) + `"`
	}
	p.WriteByte(' ')
	p.paint(colorDim, abi.Printable(key, NameBytes)+"=")
	p.WriteString(value)
}

func levelColor(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return colorRed
	case level >= slog.LevelWarn:
		return colorYellow
	case level < slog.LevelInfo:
		return colorDim
	}
	return ""
}
