package discover

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// Locks are taken with flock(2) directly rather than through a library,
// because all of it needs the descriptor that is locked: whether its file is
// still the one at the path, and writing the holder's process number into it.

var (
	errHeld     = errors.New("held by another process")
	errReplaced = errors.New("replaced by another file")
)

// The directory's lock is held for one pass over a few files, so whoever
// cannot have it within dirWait has met a process that is stopped.
const (
	dirWait = 10 * time.Second
	dirPoll = 200 * time.Microsecond
)

// lockDir takes the lock of dir, waiting for at most dirWait. Everything that
// looks at or changes files of the directory does so under it.
func lockDir(dir string) (*os.File, error) {
	for deadline := time.Now().Add(dirWait); ; time.Sleep(dirPoll) {
		f, err := tryLock(dir, os.O_RDONLY, fs.ModeDir)
		switch {
		case err == nil:
			return f, nil
		case errors.Is(err, errHeld) && time.Now().Before(deadline):
			continue
		case errors.Is(err, errHeld):
			err = fmt.Errorf("%s has been locked by another process for %v; is one stopped?", dir, dirWait)
		}
		return nil, unusable(err)
	}
}

// Alone runs f while no other process has dir locked: whom f stops does not hold
// everybody up. It waits as [ClaimName] does.
func Alone(dir string, f func() error) error {
	guard, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer unlock(guard)
	return f()
}

// tryLock opens the file at path, which must be of the given type, and takes
// its lock without waiting. The error is errHeld if somebody else has it, and
// wraps fs.ErrNotExist if there is no file and flag does not make one.
func tryLock(path string, flag int, kind fs.FileMode) (*os.File, error) {
	// Other than the directory, nothing is reached through a symbolic link;
	// O_NONBLOCK, or opening a pipe would wait for its other end.
	flag |= syscall.O_NONBLOCK
	if kind != fs.ModeDir {
		flag |= syscall.O_NOFOLLOW
	}
	for {
		f, err := os.OpenFile(path, flag, 0o600)
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err == nil && info.Mode().Type() != kind {
			err = fmt.Errorf("%s is in the way (a file of another kind, %v)", path, info.Mode())
		}
		if err == nil {
			err = lockOpen(f, path)
		}
		if err == nil {
			return f, nil
		}
		f.Close()
		if !errors.Is(err, errReplaced) {
			return nil, err
		}
	}
}

// lockOpen takes the lock of f, opened at path, without waiting. The error is
// errHeld, or errReplaced: between open and flock the file may be removed,
// and another one made and locked by somebody else, so that the lock of the
// old one guards nothing.
func lockOpen(f *os.File, path string) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errHeld
	}
	if err == nil && !stillAt(f, path) {
		return errReplaced
	}
	return err
}

// stillAt reports whether f is the file that now is at path.
func stillAt(f *os.File, path string) bool {
	held, err := f.Stat()
	if err != nil {
		return false
	}
	found, err := os.Stat(path)
	return err == nil && os.SameFile(held, found)
}

// unlock gives a lock back. Closing the file alone would leave it held for a
// moment if another goroutine is starting a process, which has a copy of the
// descriptor until it executes.
func unlock(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	f.Close()
}
