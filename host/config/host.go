package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/outbound"
)

// MaxAllowHosts is how many entries one allow_hosts may have.
const MaxAllowHosts = 256

// MaxDestinationBytes is the longest URL that is told how a job ended.
const MaxDestinationBytes = 2048

// hosts is a list of patterns of hosts, sorted and each once; nil if key is absent.
func (t table) hosts(key string) []string {
	list := t.strings(key)
	if list == nil {
		return nil
	}
	if len(list) > MaxAllowHosts {
		t.fail(key, fmt.Sprintf("has %d entries", len(list)), fmt.Sprintf("write at most %d", MaxAllowHosts))
		return nil
	}
	if _, err := outbound.ParseHosts(list); err != nil {
		t.fail(key, printable(err.Error(), maxMessage), "[] is none but the own site")
		return nil
	}
	return join(nil, list)
}

// join is the two lists as one, sorted and each entry once.
func join(a, b []string) []string {
	joined := append(append([]string{}, a...), b...)
	slices.Sort(joined)
	return slices.Compact(joined)
}

// destination is what is told how a job ended: a function, or a URL; "" is none.
func (t table) destination(key string) *string {
	text, ok := t.text(key)
	switch {
	case !ok:
		return nil
	case strings.Contains(text, "/"):
		return t.address(key, text)
	case text != "" && !abi.ValidName(text):
		t.fail(key, quoted(text)+" is no function's name", "write the name of a function of the site, or a URL")
		return nil
	}
	return &text
}

func (t table) address(key, text string) *string {
	const remedy = `write "https://example.com/path", and its host in allow_hosts`
	if len(text) > MaxDestinationBytes {
		t.fail(key, "is too long for a URL", remedy)
		return nil
	}
	if err := outbound.CheckURL(text); err != nil {
		t.fail(key, quoted(text)+": "+printable(err.Error(), maxMessage), remedy)
		return nil
	}
	return &text
}
