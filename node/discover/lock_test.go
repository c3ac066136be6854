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

// One who opened a lock file before it was removed, and one who made it anew,
// may not both have the lock.
func TestLockOfARemovedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	early, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := lockOpen(early, path); !errors.Is(err, errReplaced) {
		t.Errorf("locking a removed file: %v", err)
	}
	late, err := tryLock(path, os.O_RDWR|os.O_CREATE, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock(late)
	if err := lockOpen(early, path); !errors.Is(err, errReplaced) {
		t.Errorf("locking a replaced file: %v", err)
	}
	if _, err := tryLock(path, os.O_RDWR, 0); !errors.Is(err, errHeld) {
		t.Errorf("locking a locked file: %v", err)
	}
}

func TestLocksExcludeEachOther(t *testing.T) {
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

// Neither locking nor reading waits for a pipe, follows a link or reads more
// than is reasonable.
func TestOddFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(
		syscall.Mkfifo(at("pipe"), 0o600),
		os.Mkdir(at("dir"), 0o700),
		os.WriteFile(at("file"), nil, 0o600),
		os.WriteFile(at("huge"), make([]byte, maxFile+1), 0o600),
		os.Symlink(at("file"), at("link")),
	); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pipe", "dir", "link", "absent"} {
		if f, err := tryLock(at(name), os.O_RDONLY, 0); err == nil {
			f.Close()
			t.Errorf("locked the %s", name)
		}
	}
	if f, err := tryLock(at("file"), os.O_RDONLY, fs.ModeDir); err == nil {
		f.Close()
		t.Error("locked a file as a directory")
	}
	for _, name := range []string{"pipe", "dir", "link", "absent", "huge"} {
		if data, err := readFile(at(name)); err == nil {
			t.Errorf("read %d bytes of the %s", len(data), name)
		}
	}
}

// While one is alone nobody else has the directory locked.
func TestAlone(t *testing.T) {
	dir := t.TempDir()
	own := errors.New("its own")
	err := Alone(dir, func() error {
		if _, err := tryLock(dir, os.O_RDONLY, fs.ModeDir); !errors.Is(err, errHeld) {
			t.Errorf("another has locked the directory, too: %v", err)
		}
		return own
	})
	if !errors.Is(err, own) {
		t.Errorf("the error is %v", err)
	}
	f, err := tryLock(dir, os.O_RDONLY, fs.ModeDir)
	if err != nil {
		t.Fatal(err)
	}
	unlock(f)
}
