package abi_test

import (
	"reflect"
	"testing"

	"github.com/cloche-run/cloche/abi"
)

func TestHeaderNamesCompareWithoutCase(t *testing.T) {
	h := abi.Header{{"A", "1"}, {"b", "2"}, {"a", "3"}, {"C", "4"}}
	if got := h.Get("a"); got != "1" {
		t.Errorf("Get = %q", got)
	}
	if got := h.Values("a"); !reflect.DeepEqual(got, []string{"1", "3"}) {
		t.Errorf("Values = %q", got)
	}
	if h.Has("d") || !h.Has("c") {
		t.Error("Has is wrong")
	}
	h.Set("a", "5")
	h.Set("D", "6")
	h.Del("B")
	if want := (abi.Header{{"A", "5"}, {"C", "4"}, {"D", "6"}}); !reflect.DeepEqual(h, want) {
		t.Errorf("got %v, want %v", h, want)
	}
}
