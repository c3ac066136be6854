package discover

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrRuntimeDir is wrapped by every error about a runtime directory that
// cannot be used. Its text says what to do.
var ErrRuntimeDir = errors.New("discover: unusable runtime directory")

// RuntimeDir returns the absolute path of the directory in which the nodes of
// this host find each other: override if that is not empty, else parking
// within xdg, the value of XDG_RUNTIME_DIR, else a directory of this user's
// in /tmp. A value of xdg that is not absolute or belongs to another user
// counts as absent, as the XDG base directory specification has it.
//
// The directory need not exist yet: [ClaimName] makes it, [List] finds nobody
// there. One that exists and cannot be used is an error.
//
// The directory's permissions are what guards the sockets in it. Those of an
// override are the user's choice; the one in /tmp must be this user's alone.
func RuntimeDir(override, xdg string) (string, error) {
	dir := sharedTemp()
	switch {
	case override != "":
		abs, err := filepath.Abs(override)
		if err != nil {
			return "", unusable(err)
		}
		dir = abs
	case filepath.IsAbs(xdg) && !foreign(xdg):
		dir = filepath.Join(xdg, "parking")
	}
	if err := inspect(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", unusable(err)
	}
	return dir, nil
}

// makeDir makes the runtime directory if it is missing, and inspects it.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unusable(err)
	}
	if err := inspect(dir); err != nil {
		return unusable(err)
	}
	return nil
}

// inspect reports why dir cannot be used.
func inspect(dir string) error {
	if dir == sharedTemp() {
		if err := inspectPrivate(dir); err != nil {
			return err
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	if err := unix.Access(dir, unix.R_OK|unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("%s cannot be written: %w", dir, err)
	}
	return nil
}

// sharedTemp is the directory used when nothing else is configured. It is in
// /tmp and not in $TMPDIR, which differs between a user's terminals and is
// too long for a socket's path on macOS.
func sharedTemp() string { return "/tmp/parking-" + strconv.Itoa(os.Getuid()) }

// inspectPrivate reports whether another user may have made dir, or could
// reach into it: in /tmp anyone can take a name first.
func inspectPrivate(dir string) error {
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	case owner(info) != os.Getuid():
		return fmt.Errorf("%s belongs to another user", dir)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s is open to others (mode %04o, not 0700)", dir, info.Mode().Perm())
	}
	return nil
}

// foreign reports whether path is known to belong to another user.
func foreign(path string) bool {
	info, err := os.Stat(path)
	return err == nil && owner(info) != os.Getuid()
}

// owner returns the number of the user whom a file belongs to.
func owner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}

// unusable wraps why a runtime directory cannot be used in what to do.
func unusable(err error) error {
	return fmt.Errorf("%w: %w; set PARKING_RUNTIME_DIR to a short path of a local directory that you can write", ErrRuntimeDir, err)
}
