package memory

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"
)

// pageBytes is the size of a page of wasm.
const pageBytes = 64 << 10

// Image is the linear memory of a guest that is ready: sealed, and shared by all
// instances that start from it. On Linux it is a file in memory that holds what
// is not zero, and a mapping of it.
type Image struct {
	bytes []byte
	file  imageFile
	// budget is what the image is charged to until it is freed; held is how much.
	budget *Budget
	held   int64
	users  atomic.Int64 // accounts, and one for the image not being closed
	holds  atomic.Int64
	shut   atomic.Bool
}

// NewImage makes an image of content that is charged to no budget.
func NewImage(content []byte) (*Image, error) { return new(Budget).NewImage(content) }

// ErrNoRoom says that the budget has no room for an image.
var ErrNoRoom = errors.New("the budget has no room for it")

// NewImage makes an image of content, which it copies: a multiple of 64 KiB, which
// may be 0. It is charged, see Held, from before the copy until it is freed; the
// error is ErrNoRoom if it cannot be.
func (b *Budget) NewImage(content []byte) (*Image, error) {
	if len(content)%pageBytes != 0 {
		return nil, fmt.Errorf("memory: an image of %d bytes is not of whole pages of 64 KiB", len(content))
	}
	i := &Image{budget: b}
	i.users.Store(1)
	if err := i.fill(content); err != nil {
		return nil, fmt.Errorf("memory: image of %d bytes: %w", len(content), err)
	}
	return i, nil
}

// Bytes is the content, to be read only, valid until Close.
func (i *Image) Bytes() []byte { return i.bytes }

// Size is the length of Bytes.
func (i *Image) Size() uint64 { return uint64(len(i.bytes)) }

// Held is what the image itself takes at most, in bytes, however many instances
// share it.
func (i *Image) Held() int64 { return i.file.size(i) }

// Close gives the image up. Accounts that use it keep it until they are closed;
// the last one frees its memory and its descriptor.
func (i *Image) Close() error {
	if i.shut.Swap(true) {
		return nil
	}
	return i.release()
}

var errImageClosed = errors.New("memory: the image is closed")

// Hold lets accounts be opened with the image until Drop, even if it is closed
// meanwhile. It is false if it is closed now.
func (i *Image) Hold() bool {
	if i.acquire() != nil {
		return false
	}
	i.holds.Add(1)
	return true
}

// Drop ends a Hold.
func (i *Image) Drop() {
	i.holds.Add(-1)
	_ = i.release()
}

func (i *Image) acquire() error {
	for {
		n := i.users.Load()
		if n == 0 || i.shut.Load() && i.holds.Load() == 0 {
			return errImageClosed
		}
		if i.users.CompareAndSwap(n, n+1) {
			return nil
		}
	}
}

func (i *Image) release() error {
	if i.users.Add(-1) > 0 {
		return nil
	}
	return i.free()
}

// charge takes what the image will hold out of the budget.
func (i *Image) charge(bytes int) error {
	if bytes > 0 && !i.budget.grow(int64(bytes)) {
		return ErrNoRoom
	}
	i.held = int64(bytes)
	return nil
}

// uncharge gives it back.
func (i *Image) uncharge() {
	i.budget.release(i.held)
	i.held = 0
}

// isZero compares b with itself, moved by one byte.
func isZero(b []byte) bool { return len(b) == 0 || b[0] == 0 && Equal(b[1:], b[:len(b)-1]) }

// equalBytes is what is compared between two moments at which the scheduler and
// the collector can have the thread: it is assembly, and 1 GiB takes it 100 ms or more.
const equalBytes = 256 << 10

// Equal is bytes.Equal for what is as large as a memory.
func Equal(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for len(a) > equalBytes {
		if !bytes.Equal(a[:equalBytes], b[:equalBytes]) {
			return false
		}
		a, b = a[equalBytes:], b[equalBytes:]
	}
	return bytes.Equal(a, b)
}
