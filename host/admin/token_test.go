package admin

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestTheFirstStartMakesAToken(t *testing.T) {
	data := filepath.Join(t.TempDir(), "new", "data")
	first, err := ensureToken(data)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := base64.RawURLEncoding.DecodeString(string(first)); err != nil || len(raw) != 32 {
		t.Errorf("token %q is %d bytes, %v", first, len(raw), err)
	}
	info, err := os.Stat(filepath.Join(data, TokenFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if second, err := ensureToken(data); err != nil || second != first {
		t.Errorf("the second start has %q, %v", second, err)
	}
	if left, _ := os.ReadDir(data); len(left) != 1 {
		t.Errorf("%d files are left in the data directory", len(left))
	}
}

func TestConcurrentStartsAgreeOnAToken(t *testing.T) {
	data := t.TempDir()
	tokens := make([]token, 16)
	var all sync.WaitGroup
	for i := range tokens {
		all.Go(func() { tokens[i], _ = ensureToken(data) })
	}
	all.Wait()
	for _, one := range tokens {
		if one == "" || one != tokens[0] {
			t.Fatalf("tokens %q", tokens)
		}
	}
}

func TestATokenThatIsNoSecretIsRefused(t *testing.T) {
	good := strings.Repeat("a", 43)
	for name, test := range map[string]struct {
		text   string
		mode   os.FileMode
		remedy string
	}{
		"readable by the group":   {good, 0o640, "chmod 600"},
		"readable by everybody":   {good, 0o604, "chmod 600"},
		"writable by the group":   {good, 0o620, "chmod 600"},
		"empty":                   {"", 0o600, "remove it"},
		"short":                   {"hunter2", 0o600, "remove it"},
		"long":                    {strings.Repeat("a", 5000), 0o600, "remove it"},
		"of two words":            {good + " " + good, 0o600, "remove it"},
		"with control characters": {good + "\x00" + good, 0o600, "remove it"},
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			path := filepath.Join(data, TokenFile)
			os.WriteFile(path, []byte(test.text), 0o600)
			os.Chmod(path, test.mode)
			_, err := ensureToken(data)
			if err == nil || !strings.Contains(err.Error(), test.remedy) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v", err)
			}
			if good := strings.Trim(test.text, "a") == "" && len(test.text) > 7; err != nil && good && strings.Contains(err.Error(), test.text[:8]) {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
}

func TestATokenMayEndInANewline(t *testing.T) {
	data := t.TempDir()
	good := strings.Repeat("a", 43)
	os.WriteFile(filepath.Join(data, TokenFile), []byte(good+"\r\n"), 0o600)
	if got, err := ensureToken(data); err != nil || string(got) != good {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestADirectoryIsNoToken(t *testing.T) {
	data := t.TempDir()
	os.Mkdir(filepath.Join(data, TokenFile), 0o700)
	if _, err := ensureToken(data); err == nil {
		t.Error("no error")
	}
}
