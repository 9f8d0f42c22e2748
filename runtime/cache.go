package runtime

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/cloche-run/cloche/runtime/wasm"
)

// What is in the directory of a cache: the prepared modules, their code in a
// directory of wazero's with its version, and directories of compilers at work.
const (
	preparedDir = "prepared"
	ownPrefix   = "new-"
)

// cached reads what a compiler left, and makes it the latest that was used.
func (e *Engine) cached(file string) (*prepared, error) {
	sealed, err := readSealed(file)
	if err != nil {
		return nil, err
	}
	p, err := decode(sealed)
	if err != nil || len(e.compiler) == 0 {
		return p, err
	}
	if p.File == "" {
		return nil, errSeal
	}
	now := time.Now()
	for _, used := range []string{file, e.codeFile(p.File)} {
		if err := os.Chtimes(used, now, now); err != nil {
			return nil, err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.used[file] = true
	return p, nil
}

func (e *Engine) codeFile(name string) string { return filepath.Join(e.cacheDir, e.codeDir, name) }

// codeDirOf is the name of the directory in which wazero keeps code: it tells its
// version and the machine.
func codeDirOf(ctx context.Context, dir string) (string, error) {
	if dir == "" {
		return "", nil
	}
	own, err := os.MkdirTemp(dir, ownPrefix)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(own)
	cache, err := wazero.NewCompilationCacheWithDir(own)
	if err != nil {
		return "", err
	}
	defer cache.Close(ctx)
	made, err := os.ReadDir(own)
	if err != nil || len(made) != 1 {
		return "", errors.Join(err, fmt.Errorf("%d directories of code", len(made)))
	}
	return made[0].Name(), nil
}

// preparedFile is where what module becomes is kept: keyed by its content and by
// all that decides what it becomes.
func (e *Engine) preparedFile(dir string, module []byte) string {
	key := hash([]byte(fmt.Sprintf("%d %s %+v ", wasm.RewriterVersion, e.codeDir, e.caps)), module)
	return filepath.Join(dir, preparedDir, hex.EncodeToString(key))
}

// hashPiece is what is hashed between two moments at which the scheduler and the
// collector can have the thread: it is assembly, and 32 MiB take it 25 ms or more.
const hashPiece = 64 << 10

func hash(parts ...[]byte) []byte {
	h := sha256.New()
	for _, part := range parts {
		for piece := range slices.Chunk(part, hashPiece) {
			h.Write(piece)
		}
	}
	return h.Sum(nil)
}

var errSeal = errors.New("runtime: the file is damaged")

// readSealed reads a file that writeSealed wrote, whole.
func readSealed(file string) ([]byte, error) {
	sealed, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if len(sealed) < sha256.Size {
		return nil, errSeal
	}
	if !bytes.Equal(hash(sealed[sha256.Size:]), sealed[:sha256.Size]) {
		return nil, errSeal
	}
	return sealed[sha256.Size:], nil
}

func writeSealed(file string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(file), "new-")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(append(hash(content), content...))
	if err = errors.Join(err, temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), file)
}

// emptyCache removes the files; wazero makes its directory only once.
func emptyCache(dir string) (err error) {
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*"))
	for _, file := range files {
		if removed := os.Remove(file); !errors.Is(removed, os.ErrNotExist) {
			err = errors.Join(err, removed)
		}
	}
	return err
}
