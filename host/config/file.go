package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"unicode/utf8"
)

const (
	// FileName is the file that Load looks for in the site directory.
	FileName = "netlify.toml"
	// MaxFileBytes is the largest file that is read: 1 MiB.
	MaxFileBytes = 1 << 20
)

const placeRemedy = "it must be a regular file inside the site directory"

// openSite opens the site directory. Whatever is then opened through it stays
// inside, symbolic links included.
func openSite(root string) (*os.Root, error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, syscall.ENOTDIR
	}
	return os.OpenRoot(root)
}

// readFile returns the text of netlify.toml, and whether there is one.
func readFile(dir *os.Root) (text string, found bool, err error) {
	info, err := dir.Stat(FileName)
	if errors.Is(err, fs.ErrNotExist) && !isLink(dir, FileName) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fileError("cannot be opened: "+reason(err), placeRemedy, err)
	}
	if !info.Mode().IsRegular() {
		return "", false, fileError("is not a regular file", placeRemedy, nil)
	}
	// Should a FIFO take the file's place meanwhile, opening it must not block.
	f, err := dir.OpenFile(FileName, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", false, fileError("cannot be opened: "+reason(err), placeRemedy, err)
	}
	defer f.Close()
	text, err = readRegular(f)
	return text, err == nil, err
}

// isLink tells a link to nowhere from a file that is not there.
func isLink(dir *os.Root, name string) bool {
	info, err := dir.Lstat(name)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

func readRegular(f *os.File) (string, error) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return "", fileError("is not a regular file", placeRemedy, err)
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err != nil {
		return "", fileError("cannot be read: "+reason(err), "", err)
	}
	return decodeText(string(data))
}

// decodeText checks what the bytes of a file must be before TOML begins:
// at most MaxFileBytes of UTF-8, with or without a byte order mark.
func decodeText(text string) (string, error) {
	const remedy = "save it as UTF-8"
	if len(text) > MaxFileBytes {
		return "", fileError(fmt.Sprintf("is larger than %d bytes", MaxFileBytes), "make it smaller", nil)
	}
	if strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
		return "", fileError("is UTF-16", remedy, nil)
	}
	if !utf8.ValidString(text) {
		line := 1 + strings.Count(text[:invalidAt(text)], "\n")
		return "", &Error{File: FileName, Line: line, Message: "is not UTF-8", Remedy: remedy}
	}
	return strings.TrimPrefix(text, "\ufeff"), nil
}

// invalidAt returns the offset of the first byte that is not UTF-8.
func invalidAt(text string) int {
	for i, r := range text {
		if r == utf8.RuneError {
			if _, width := utf8.DecodeRuneInString(text[i:]); width == 1 {
				return i
			}
		}
	}
	return len(text)
}
