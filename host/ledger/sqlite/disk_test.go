package sqlite

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"
)

// disk is a disk for the twin that can be made to fail, and that knows what
// would be left of its files if the power went now: what was synced, and of what
// was written since an arbitrary part.
type disk struct {
	vfs.VFS
	name string

	mu    sync.Mutex
	calls map[string]int // by kind
	// fault is asked before every call; what it returns is the call's error.
	fault  func(kind string, nth int) error
	images map[string]*image
	frozen bool
}

// newDisk registers a disk until the test ends.
func newDisk(t testing.TB) *disk {
	d := &disk{
		VFS: vfs.Find("os"), name: fmt.Sprintf("disk%d", diskNumber.Add(1)),
		calls: make(map[string]int), fault: func(string, int) error { return nil }, images: make(map[string]*image),
	}
	vfs.Register(d.name, d)
	t.Cleanup(func() { vfs.Unregister(d.name) })
	return d
}

// diskNumber makes names: SQLite's list of disks is global.
var diskNumber atomic.Int64

// engine is the twin on this disk.
func (d *disk) engine() engine {
	e := twin()
	e.vfs = d.name
	return e
}

// call counts a call and returns its error.
func (d *disk) call(kind string) error {
	d.mu.Lock()
	d.calls[kind]++
	d.calls["any"]++
	fault, nth := d.fault, d.calls[kind]
	d.mu.Unlock()
	return fault(kind, nth)
}

func (d *disk) setFault(fault func(kind string, nth int) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.calls)
	d.fault = fault
}

func (d *disk) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if err := d.call("open"); err != nil {
		return nil, flags, err
	}
	i := d.image(name.String())
	f, flags, err := d.VFS.(vfs.VFSFilename).OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	return &diskFile{File: f, disk: d, image: i}, flags, nil
}

func (d *disk) Delete(name string, syncDir bool) error {
	if err := d.call("delete"); err != nil {
		return err
	}
	d.mu.Lock()
	if !d.frozen {
		delete(d.images, name)
	}
	d.mu.Unlock()
	return d.VFS.Delete(name, syncDir)
}

// image returns that of a file. What is there when it is first opened is durable.
func (d *disk) image(name string) *image {
	d.mu.Lock()
	defer d.mu.Unlock()
	if name == "" {
		return &image{}
	}
	if d.images[name] == nil {
		durable, _ := os.ReadFile(name)
		d.images[name] = &image{durable: durable}
	}
	return d.images[name]
}

// freeze ends all changes of the images: the power is gone.
func (d *disk) freeze() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.frozen = true
	for _, i := range d.images {
		i.freeze()
	}
}

// remains writes what may be left of the files to dir.
func (d *disk) remains(t testing.TB, dir string, random *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, i := range d.images {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), i.remains(random), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

type diskFile struct {
	vfs.File
	disk  *disk
	image *image
}

func (f *diskFile) SharedMemory() vfs.SharedMemory {
	if shared, ok := f.File.(vfs.FileSharedMemory); ok {
		return shared.SharedMemory()
	}
	return nil
}

func (f *diskFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.disk.call("read"); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.disk.call("write"); err != nil {
		return 0, err
	}
	f.image.write(p, off)
	return f.File.WriteAt(p, off)
}

func (f *diskFile) Truncate(size int64) error {
	if err := f.disk.call("truncate"); err != nil {
		return err
	}
	f.image.truncate(size)
	return f.File.Truncate(size)
}

// Sync does not bother the real disk: it is the image that counts.
func (f *diskFile) Sync(vfs.SyncFlag) error {
	if err := f.disk.call("sync"); err != nil {
		return err
	}
	f.image.sync()
	return nil
}

// image is what is durable of a file, and what was done to it since.
type image struct {
	mu      sync.Mutex
	durable []byte
	pending []write
	frozen  bool
}

// write is data at an offset, or no data and the file's new size.
type write struct {
	data []byte
	at   int64
}

func (i *image) write(p []byte, at int64) { i.add(write{append([]byte{}, p...), at}) }

func (i *image) truncate(size int64) { i.add(write{at: size}) }

func (i *image) add(w write) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.frozen {
		i.pending = append(i.pending, w)
	}
}

func (i *image) sync() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.frozen {
		return
	}
	for _, w := range i.pending {
		i.durable = w.apply(i.durable)
	}
	i.pending = nil
}

func (i *image) freeze() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.frozen = true
}

// sectorBytes is what a disk writes whole or not at all.
const sectorBytes = 512

// remains returns the file after a loss of power: of what was not synced, each
// sector may be there or not.
func (i *image) remains(random *rand.Rand) []byte {
	i.mu.Lock()
	defer i.mu.Unlock()
	file := append([]byte{}, i.durable...)
	part := random.IntN(3) // none, some, all of it
	for _, w := range i.pending {
		if part == 0 || part == 1 && len(w.data) == 0 && random.IntN(2) == 0 {
			continue
		}
		if part == 2 || len(w.data) == 0 {
			file = w.apply(file)
			continue
		}
		for at := 0; at < len(w.data); at += sectorBytes {
			if random.IntN(2) == 0 {
				file = write{w.data[at:min(at+sectorBytes, len(w.data))], w.at + int64(at)}.apply(file)
			}
		}
	}
	return file
}

func (w write) apply(file []byte) []byte {
	size := w.at + int64(len(w.data))
	if len(w.data) == 0 {
		file = file[:min(size, int64(len(file)))]
	}
	if grow := size - int64(len(file)); grow > 0 {
		file = append(file, make([]byte, grow)...)
	}
	copy(file[w.at:], w.data)
	return file
}
