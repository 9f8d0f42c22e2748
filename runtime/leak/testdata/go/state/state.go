// Package state is what a Go guest can keep from one request for the next, and
// what it draws at random. See doc.go of package leak for what it is asked and what
// it answers.
package state

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"
)

const (
	prefix      = "~secret~"
	secretBytes = 24
	page        = 4096
	heapBytes   = 64 << 10
	mostFDs     = 32
)

var (
	counter int
	global  string
	heap    = bytes.Repeat([]byte{'h'}, heapBytes) // from before the first request
	table   = map[string]string{}
	held    *os.File
	grown   [][]byte
	closed  = make(chan struct{})
)

// guest looks at one request.
type guest struct {
	words, secret string
	answer        strings.Builder
}

// Serve does what words say. finish is to be called when the answer has left.
func Serve(words, secret string) (answer string, finish func()) {
	g := &guest{words: words, secret: strings.Clone(secret)}
	if g.asked("random") {
		g.random()
		return g.answer.String(), func() {}
	}
	g.work()
	return g.answer.String(), g.finish
}

func (g *guest) asked(word string) bool { return strings.Contains(g.words, word) }

func (g *guest) say(format string, arguments ...any) { fmt.Fprintf(&g.answer, format, arguments...) }

func (g *guest) work() {
	counter++
	g.say("counter=%d goroutines=%d", counter, runtime.NumGoroutine())
	if global != "" || len(table) > 0 {
		g.say(" !global=%s%v", global, table)
	}
	global, table[g.secret] = g.secret, g.secret
	go func() { <-closed }() // never ends
	g.lookAtMemory()
	g.useHeap()
	g.useEnvironment()
	g.useTmp()
	g.useDescriptors()
	os.Stderr.WriteString(g.secret) // a line without an end
}

// lookAtMemory looks for secrets of others in all memory up to the end of a new
// block. The block must be empty: Go takes for granted that new memory is.
func (g *guest) lookAtMemory() {
	size := 1 << 20
	if g.asked("grow") {
		size = 5 << 20 // more than the runtime asks for at a time
	}
	block := make([]byte, size)
	grown = append(grown, block)
	for i, n := range unsafe.Slice((*uint64)(unsafe.Pointer(&block[0])), size/8) {
		if n != 0 {
			g.say(" !grown-at-%d=%q", 8*i, block[8*i:][:8])
			break
		}
	}
	end := uintptr(unsafe.Pointer(&block[0])) + uintptr(size)
	g.lookAt(unsafe.Slice((*byte)(unsafe.Pointer(uintptr(page))), end-page))
	g.writeMemory(block)
}

func (g *guest) lookAt(memory []byte) {
	for at := 0; ; at += len(prefix) {
		next := bytes.Index(memory[at:], []byte(prefix))
		if next < 0 || at+next+secretBytes > len(memory) {
			return
		}
		at += next
		if found := string(memory[at : at+secretBytes]); isSecret(found) && found != g.secret {
			g.say(" !memory-at-%d=%s", at, found)
			return
		}
	}
}

func isSecret(s string) bool {
	return strings.Trim(s[len(prefix):], "0123456789abcdef") == ""
}

// writeMemory leaves the secret page by page.
func (g *guest) writeMemory(block []byte) {
	for at := 0; at+secretBytes <= len(block); at += page {
		copy(block[at:], g.secret)
	}
	copy(block[len(block)-secretBytes:], g.secret)
}

func (g *guest) useHeap() {
	for at, b := range heap {
		if b != 'h' {
			g.say(" !heap-at-%d=%q", at, heap[at:][:secretBytes])
			break
		}
	}
	g.writeMemory(heap)
}

func (g *guest) useEnvironment() {
	if left := os.Getenv("LEFT"); left != "" {
		g.say(" !environment=%s", left)
	}
	os.Setenv("LEFT", g.secret)
}

func (g *guest) useTmp() {
	if text, err := os.ReadFile("/tmp/left"); err == nil {
		g.say(" !tmp=%s", text)
	}
	entries, _ := os.ReadDir("/tmp")
	for _, entry := range entries {
		g.say(" !tmp-has=%s", entry.Name())
	}
	if err := os.WriteFile("/tmp/left", []byte(g.secret), 0o600); err != nil {
		g.say(" no-tmp")
	}
}

// useDescriptors says which there are, and leaves one more.
func (g *guest) useDescriptors() {
	g.say(" fds=")
	for fd := range mostFDs {
		var status syscall.Stat_t
		if syscall.Fstat(fd, &status) == nil {
			g.say("%d:%d,", fd, fdflags(fd))
		}
	}
	var err error
	if held, err = os.Create("/tmp/held"); err != nil {
		g.say(" nothing-held")
		return
	}
	held.WriteString(g.secret)
	g.say(" fd=%d", held.Fd())
	fdSetFlags(2, 1) // append
}

// finish closes what the next request will need, and traps.
func (g *guest) finish() {
	if g.asked("close") {
		syscall.Close(1)
		fdRenumber(int32(held.Fd()), 0)
		syscall.Close(2)
	}
	if g.asked("trap") {
		panic("trap")
	}
}

//go:wasmimport wasi_snapshot_preview1 fd_renumber
func fdRenumber(from, to int32) uint32

//go:wasmimport wasi_snapshot_preview1 fd_fdstat_get
func fdStat(fd int32, out unsafe.Pointer) uint32

//go:wasmimport wasi_snapshot_preview1 fd_fdstat_set_flags
func fdSetFlags(fd int32, flags uint32) uint32

func fdflags(fd int) uint64 {
	var stat [3]uint64
	fdStat(int32(fd), unsafe.Pointer(&stat))
	return stat[0] >> 16 & 0xffff
}
