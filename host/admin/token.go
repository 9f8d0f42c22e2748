package admin

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

const (
	// TokenFile is the name of the token in a data directory.
	TokenFile = "admin.token"
	// tokenBytes is what a token is made of, before base64url.
	tokenBytes = 32
	// A token that an operator wrote has 32 to 1024 characters.
	tokenLeast, tokenMost = 32, 1024
)

// token is the secret of an admin listener.
type token string

// matches compares in a time that says nothing about the token.
func (t token) matches(other string) bool {
	a, b := sha256.Sum256([]byte(t)), sha256.Sum256([]byte(other))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// ensureToken reads the token of a data directory, or makes both.
func ensureToken(data string) (token, error) {
	read, err := readToken(data)
	if !errors.Is(err, fs.ErrNotExist) {
		return read, err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return "", err
	}
	if err := makeToken(data); err != nil {
		return "", fmt.Errorf("make %s: %w", filepath.Join(data, TokenFile), err)
	}
	return readToken(data)
}

// makeToken puts a fresh token in place, whole or not at all, and leaves one
// alone that somebody else made meanwhile.
func makeToken(data string) error {
	secret := make([]byte, tokenBytes)
	rand.Read(secret)                             // never fails
	f, err := os.CreateTemp(data, TokenFile+".*") // O_EXCL, mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(base64.RawURLEncoding.EncodeToString(secret) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	path := filepath.Join(data, TokenFile)
	err = os.Link(f.Name(), path) // unlike a rename it replaces nothing
	if err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return os.Rename(f.Name(), path) // a file system without links
}

// readToken reads the token of a data directory and refuses one that is no
// secret. A missing one is fs.ErrNotExist.
func readToken(data string) (token, error) {
	path := filepath.Join(data, TokenFile)
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a file: remove it, the next start makes a token", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return "", fmt.Errorf("%s is open to others (mode %04o): chmod 600 it, or remove it so that the next start makes another", path, mode)
	}
	text, err := io.ReadAll(io.LimitReader(f, tokenMost+16))
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(text))
	if len(secret) < tokenLeast || len(secret) > tokenMost || strings.Trim(secret, tokenCharacters) != "" {
		return "", fmt.Errorf("%s holds no token of %d to %d letters, digits and -._~+/=: remove it, the next start makes one", path, tokenLeast, tokenMost)
	}
	return token(secret), nil
}

// tokenCharacters are those of a bearer token (RFC 6750, section 2.1).
const tokenCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/="

// check reports why the token on disk is not the one the server goes by.
func (t token) check(data string) (reason string) {
	onDisk, err := readToken(data)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("%s is gone: restart cloche to make another", TokenFile)
	}
	if err != nil {
		return err.Error()
	}
	if onDisk != t {
		return fmt.Sprintf("%s has changed: restart cloche to go by the new one", TokenFile)
	}
	return ""
}
