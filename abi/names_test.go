package abi_test

import (
	"strings"
	"testing"

	"github.com/cloche-run/cloche/abi"
)

func TestValidNameIsNetlifysRule(t *testing.T) {
	for _, name := range []string{"a", "hello-background", "A_1", strings.Repeat("x", abi.NameBytes)} {
		if !abi.ValidName(name) {
			t.Errorf("ValidName(%q) = false", name)
		}
	}
	for _, name := range []string{"", "a.b", "he$llo", "a b", "é", "a%2Fb", "../x", strings.Repeat("x", abi.NameBytes+1)} {
		if abi.ValidName(name) {
			t.Errorf("ValidName(%q) = true", name)
		}
	}
}
