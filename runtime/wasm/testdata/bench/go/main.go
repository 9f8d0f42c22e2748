// Workloads for the metering benchmark, as a Go guest: each runs for n rounds
// and returns a checksum.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"regexp"
	"sort"
)

func main() {}

var document = []byte(`{"name":"cloche","list":[1,2,3.5,-400,true,false,null],"nested":{"deep":{"deeper":[[],[{}],[1,[2]]]}},"text":"the quick brown fox"}`)

//go:wasmexport json
func runJSON(n uint32) (sum uint32) {
	for range n * 10 {
		var v map[string]any
		if err := json.Unmarshal(document, &v); err != nil {
			panic(err)
		}
		out, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		sum += uint32(len(out))
	}
	return sum
}

//go:wasmexport sha256
func runSHA256(n uint32) (sum uint32) {
	block := make([]byte, 4096)
	for i := range n * 3 {
		block[0] = byte(i)
		h := sha256.Sum256(block)
		sum += uint32(h[0])
	}
	return sum
}

//go:wasmexport fannkuch
func runFannkuch(n uint32) (sum uint32) {
	for range n {
		sum += fannkuch(7)
	}
	return sum
}

func fannkuch(n int) uint32 {
	perm, count, copied := make([]int, n), make([]int, n), make([]int, n)
	for i := range perm {
		perm[i] = i
	}
	flips, r := 0, n
	for {
		for ; r != 1; r-- {
			count[r-1] = r
		}
		copy(copied, perm)
		for f := 0; ; f++ {
			k := copied[0]
			if k == 0 {
				flips = max(flips, f)
				break
			}
			for i, j := 0, k; i < j; i, j = i+1, j-1 {
				copied[i], copied[j] = copied[j], copied[i]
			}
		}
		for {
			if r == n {
				return uint32(flips)
			}
			first := perm[0]
			copy(perm[:r], perm[1:r+1])
			perm[r] = first
			if count[r]--; count[r] > 0 {
				break
			}
			r++
		}
	}
}

//go:wasmexport sort
func runSort(n uint32) (sum uint32) {
	values := make([]int, 2000)
	for range n {
		x := uint32(42)
		for i := range values {
			x = x*1664525 + 1013904223
			values[i] = int(x)
		}
		sort.Slice(values, func(i, j int) bool { return values[i] < values[j] })
		sum += uint32(values[7])
	}
	return sum
}

var (
	words = regexp.MustCompile(`(\w+)@(\w+)\.com`)
	text  = bytes.Repeat([]byte("write to someone@example.com or to nobody at all, "), 20)
)

//go:wasmexport regexp
func runRegexp(n uint32) (sum uint32) {
	for range n * 2 {
		sum += uint32(len(words.FindAll(text, -1)))
	}
	return sum
}
