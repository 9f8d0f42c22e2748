package config

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// table is one table of a document. Its methods read a key each: they return
// nil or nothing for a key that is absent, and for one that is wrong, which
// they report to the document.
type table struct {
	doc    *document
	path   []string
	values map[string]any
}

// keys are sorted, so that the same file always reads the same way.
func (t table) keys() []string { return slices.Sorted(maps.Keys(t.values)) }

// to is the path of key.
func (t table) to(key string) []string { return append(slices.Clip(t.path), key) }

// table returns the table under key, empty if it is absent.
func (t table) table(key string) table {
	child := table{doc: t.doc, path: t.to(key)}
	switch v := t.values[key].(type) {
	case nil:
	case map[string]any:
		child.values = v
	default:
		t.mistyped(key, "a table", "write ["+keyName(child.path)+"]")
	}
	return child
}

func (t table) text(key string) (string, bool) {
	switch v := t.values[key].(type) {
	case nil:
	case string:
		return v, true
	default:
		t.mistyped(key, "a string", "put it in quotes")
	}
	return "", false
}

func (t table) boolean(key string) *bool {
	switch v := t.values[key].(type) {
	case nil:
	case bool:
		return &v
	default:
		t.mistyped(key, "true or false", "write it without quotes")
	}
	return nil
}

// choice is a string that must be one of options.
func (t table) choice(key string, options ...string) *string {
	v, ok := t.text(key)
	if !ok {
		return nil
	}
	if !slices.Contains(options, v) {
		t.fail(key, fmt.Sprintf("%s is no %s", quoted(v), key), fmt.Sprintf("write one of %q", options))
		return nil
	}
	return &v
}

// count is a whole number from low to high.
func (t table) count(key string, low, high int) *int {
	switch v := t.values[key].(type) {
	case nil:
	case int64:
		if v < int64(low) || v > int64(high) {
			t.fail(key, fmt.Sprintf("%d is out of range", v), fmt.Sprintf("write a whole number from %d to %d", low, high))
			return nil
		}
		n := int(v)
		return &n
	default:
		t.mistyped(key, "a whole number", fmt.Sprintf("write one from %d to %d, without quotes", low, high))
	}
	return nil
}

// strings is an array of strings; nil if key is absent, empty if it is empty.
func (t table) strings(key string) []string {
	const remedy = `write it as ["A", "B"]`
	v, ok := t.values[key]
	if !ok {
		return nil
	}
	items, ok := v.([]any)
	if !ok {
		t.mistyped(key, "an array of strings", remedy)
		return nil
	}
	texts := make([]string, len(items))
	for i, item := range items {
		if texts[i], ok = item.(string); !ok {
			t.fail(key, fmt.Sprintf("must hold strings only, not %s", shown(item)), remedy)
			return nil
		}
	}
	return texts
}

func (t table) fail(key, message, remedy string) { t.doc.fail(t.to(key), message, remedy) }

func (t table) mistyped(key, want, remedy string) {
	t.fail(key, fmt.Sprintf("must be %s, not %s", want, shown(t.values[key])), remedy)
}

// shown describes a value in a message.
func shown(v any) string {
	switch v := v.(type) {
	case string:
		return "the string " + quoted(v)
	case int64:
		return fmt.Sprintf("the number %d", v)
	case float64:
		return fmt.Sprintf("the number %v", v)
	case bool:
		return fmt.Sprint(v)
	case time.Time:
		return "a date"
	case map[string]any:
		return "a table"
	case []map[string]any:
		return "an array of tables"
	default:
		return "an array"
	}
}

// number takes either kind of TOML number.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	}
	return 0, false
}
