package cookie

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// ErrFile is wrapped by every error about a cookie file that cannot be used.
var ErrFile = errors.New("cookie: unusable cookie file")

// Load returns the cookie in the file at path, without the newline at its
// end. If there is no such file it makes one, readable by its owner only,
// with 32 random characters, and made is true; of several processes that do
// so at once exactly one makes it and all return the same cookie. The
// directory must exist.
//
// A file that others can read is refused, unless it belongs to another user and
// only its group can, which then this process is in. So is anything that is not
// a regular file with a cookie in it. Load reads no more than a cookie's length
// and does not block on a pipe. Errors wrap [ErrFile].
func Load(path string) (cookie string, made bool, err error) {
	cookie, err = read(path)
	if errors.Is(err, fs.ErrNotExist) {
		if made, err = create(path); err == nil {
			cookie, err = read(path)
		}
	}
	if err != nil {
		return "", false, fmt.Errorf("%w: %w", ErrFile, err)
	}
	return cookie, made, nil
}

// Read returns the cookie in the file at path, as [Load] does, and makes none.
func Read(path string) (string, error) {
	cookie, err := read(path)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrFile, err)
	}
	return cookie, nil
}

// Replace puts the cookie next into the file at path, readable by its owner only
// and whole at every moment, if former is what is there; if next is there
// already, that is as good. It changes nothing if there is a third. A symbolic
// link stays one. It blocks until the file is on the disk. Errors wrap [ErrFile].
//
// Of several processes that replace one cookie by the same other at once, all
// succeed.
func Replace(path, former, next string) error {
	next = trimNewline(next)
	if fault := fault(next); fault != "" {
		return fmt.Errorf("%w: it %s; give 1 to %d bytes", ErrInvalid, fault, MaxLen)
	}
	there, err := read(path)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrFile, err)
	case there == next:
		return nil
	case there != trimNewline(former):
		return fmt.Errorf("%w: %s holds a third cookie, which is left there", ErrFile, path)
	}
	if path, err = filepath.EvalSymlinks(path); err == nil {
		err = renameio.WriteFile(path, []byte(next+"\n"), 0o600, renameio.IgnoreUmask())
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	return nil
}

// Replaceable says why [Replace] would fail for want of permissions, or nil.
func Replaceable(path string) error {
	target, err := filepath.EvalSymlinks(path)
	if err == nil {
		err = unix.Access(filepath.Dir(target), unix.W_OK|unix.X_OK)
	}
	if err != nil {
		return fmt.Errorf("%w: %s cannot be replaced: %w", ErrFile, path, err)
	}
	return nil
}

// read returns the cookie in the file at path. A symbolic link is followed,
// since that is how secrets are mounted in containers.
func read(path string) (string, error) {
	// O_NONBLOCK, or opening a pipe would wait for its writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		return "", fmt.Errorf("%s is a directory; name a file", path)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", path)
	}
	if err := guarded(path, info); err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxLen+int64(len("\r\n"))+1))
	if err != nil {
		return "", err
	}
	cookie := trimNewline(string(text))
	if fault := fault(cookie); fault != "" {
		return "", fmt.Errorf("%s %s; put 1 to %d bytes there, or remove it and have one made", path, fault, MaxLen)
	}
	return cookie, nil
}

// guarded returns an error if others than those for whom it is can use the file.
// One of this user's is for nobody else. One that belongs to another user may be
// for a group that this process is in: so a secret comes into a container that
// does not run as root.
func guarded(path string, info fs.FileInfo) error {
	mode := info.Mode().Perm()
	owner := -1
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		owner = int(stat.Uid)
	}
	switch {
	case mode&0o077 == 0, mode&0o037 == 0 && owner >= 0 && owner != os.Getuid():
		return nil
	case owner != os.Getuid():
		return fmt.Errorf("%s can be used by others (mode %04o), and belongs to another user; give it mode 0440 and a group that only this process is in: in Kubernetes, by fsGroup and defaultMode: 0400", path, mode)
	}
	return fmt.Errorf("%s can be used by others (mode %04o); run chmod 600 %[1]s", path, mode)
}

// create makes the file at path with a new cookie and reports whether it was
// the one to do so. The file appears whole or not at all: it is written under
// another name and then linked, which fails if the name is taken.
func create(path string) (bool, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".cookie-*") // mode 0600
	if err != nil {
		return false, fmt.Errorf("make %s: %w", path, err)
	}
	defer os.Remove(f.Name())
	if _, err = f.WriteString(Random() + "\n"); err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return false, err
	}
	err = os.Link(f.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, err
}

// Random returns a new cookie: 32 characters that hold 160 random bits.
func Random() string {
	var bits [20]byte
	rand.Read(bits[:]) // never fails
	return base32.StdEncoding.EncodeToString(bits[:])
}
