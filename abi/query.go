package abi

import "strings"

// multi is a name with all its values.
type multi struct {
	name   string
	values []string
}

// index groups names in the order of their first appearance. A short list is
// searched, a long one mapped: a client chooses its length.
type index struct {
	groups []multi
	byName map[string]int
}

const searchLimit = 16

func (x *index) add(name, value string) {
	if i, ok := x.find(name); ok {
		x.groups[i].values = append(x.groups[i].values, value)
		return
	}
	x.groups = append(x.groups, multi{name, []string{value}})
	if x.byName != nil {
		x.byName[name] = len(x.groups) - 1
	}
}

func (x *index) find(name string) (int, bool) {
	if x.byName == nil && len(x.groups) > searchLimit {
		x.byName = make(map[string]int, 4*searchLimit)
		for i, g := range x.groups {
			x.byName[g.name] = i
		}
	}
	if x.byName != nil {
		i, ok := x.byName[name]
		return i, ok
	}
	for i, g := range x.groups {
		if g.name == name {
			return i, true
		}
	}
	return 0, false
}

func group(h Header) []multi {
	x := index{groups: make([]multi, 0, len(h))}
	for _, f := range h {
		x.add(strings.ToLower(f.Name), f.Value)
	}
	return x.groups
}

// parseQuery splits a query as the URL standard's form parser does
// (https://url.spec.whatwg.org/#urlencoded-parsing): "&" separates, "+" is a
// space, a bad escape stays as it is.
func parseQuery(raw string) []multi {
	var x index
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		x.add(unescape(name), unescape(value))
	}
	return x.groups
}

func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(s):
			high, ok1 := Unhex(s[i+1])
			low, ok2 := Unhex(s[i+2])
			if ok1 && ok2 {
				c = high<<4 | low
				i += 2
			}
		}
		b = append(b, c)
	}
	return string(b)
}
