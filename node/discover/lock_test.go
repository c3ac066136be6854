package discover

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// A lock file that is removed while it is locked may not let two have the
// lock: one who opened it before, and one who makes it anew.
func TestLockOfARemovedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var holder sync.Mutex
	hammer(8, func(int) {
		for won := 0; won < 200; {
			f, err := tryLock(path, os.O_RDWR|os.O_CREATE, 0)
			if errors.Is(err, errHeld) {
				continue
			}
			if err != nil {
				t.Error(err)
				return
			}
			if !holder.TryLock() {
				t.Error("two have the lock")
				return
			}
			won++
			holder.Unlock()
			os.Remove(path)
			unlock(f)
		}
	})
}

func TestTryLockRefuses(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(
		syscall.Mkfifo(at("pipe"), 0o600),
		os.Mkdir(at("dir"), 0o700),
		os.WriteFile(at("file"), nil, 0o600),
		os.Symlink(at("file"), at("link")),
	); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		kind fs.FileMode
	}{{"pipe", 0}, {"dir", 0}, {"link", 0}, {"file", fs.ModeDir}, {"absent", 0}} {
		if f, err := tryLock(at(tt.name), os.O_RDONLY, tt.kind); err == nil {
			f.Close()
			t.Errorf("locked the %s", tt.name)
		}
	}
}
