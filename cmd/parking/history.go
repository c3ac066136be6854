package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"parking/repl/prompt"
)

// maxHistoryBytes bounds what is read of a file with a history. A prompt.History
// is smaller.
const maxHistoryBytes = 8 << 20

// stateDir returns the directory in which the user's histories are kept, and
// what decides it.
func stateDir() (dir string, from source, err error) {
	const xdg = "XDG_STATE_HOME"
	if dir := os.Getenv(xdg); filepath.IsAbs(dir) { // a relative one is to be ignored, says the XDG specification
		return filepath.Join(dir, "parking"), source{byEnvironment, xdg}, nil
	}
	dir, err = expand("~/.local/state/parking")
	return dir, from, err
}

// A historyFile keeps the lines typed at the prompts of one cluster's nodes,
// from one prompt to the next. Any number of prompts may add to it at once.
type historyFile struct {
	path   string
	create bool // it is made where it does not exist
}

// openHistory returns the history of a cluster. Where create is false and
// there is none, none is kept.
func openHistory(cluster string, create bool) (*historyFile, error) {
	dir, _, err := stateDir()
	if err == nil && create {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, err
	}
	return &historyFile{filepath.Join(dir, cluster+".history"), create}, nil
}

// load returns what the file holds: nothing if there is none.
func (h *historyFile) load() (*prompt.History, error) {
	info, err := os.Stat(h.path)
	if errors.Is(err, fs.ErrNotExist) {
		return prompt.NewHistory(), nil
	}
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s is no regular file", h.path)
	case info.Mode().Perm()&0o200 == 0:
		err = fmt.Errorf("%s is not to be written to", h.path)
	}
	if err != nil {
		return prompt.NewHistory(), err
	}
	f, err := os.Open(h.path)
	if err != nil {
		return prompt.NewHistory(), err
	}
	defer f.Close()
	start := max(0, info.Size()-maxHistoryBytes)
	text, err := io.ReadAll(io.NewSectionReader(f, start, maxHistoryBytes))
	if start > 0 { // somebody else made it so long: in the midst of a line
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return prompt.NewHistory(strings.Split(string(text), "\n")...), err
}

// add makes line the latest in the file. The file is replaced in one step, so
// that whoever reads it finds it whole.
func (h *historyFile) add(line string) error {
	dir, err := os.Open(filepath.Dir(h.path))
	if errors.Is(err, fs.ErrNotExist) && !h.create {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close() // and with it goes the lock
	if err := lockSoon(dir); err != nil {
		return err
	}
	if _, err := os.Lstat(h.path); errors.Is(err, fs.ErrNotExist) && !h.create {
		return nil
	}
	lines, err := h.load()
	if err != nil {
		return err
	}
	lines.Add(line)
	path := h.path
	if target, err := filepath.EvalSymlinks(path); err == nil { // a link stays one
		path = target
	}
	next := path + ".new"
	_ = os.Remove(next) // of a process that was killed
	if err := os.WriteFile(next, []byte(strings.Join(lines.Lines(), "\n")+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// lockTries and lockEvery bound the wait for other prompts that are writing:
// that takes a moment, unless one was stopped meanwhile.
const (
	lockTries = 400
	lockEvery = 5 * time.Millisecond
)

// lockSoon locks a directory until it is closed. Where directories cannot be
// locked, as on some network file systems, two prompts at once may lose a line
// of each other's.
func lockSoon(dir *os.File) error {
	for range lockTries {
		if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
			return nil
		}
		time.Sleep(lockEvery)
	}
	return fmt.Errorf("another prompt holds %s", dir.Name())
}

// history returns the lines of earlier prompts, and how to keep one of this
// one's; nil if they cannot be kept, which is told.
func (c *console) history() (past *prompt.History, remember func(line string)) {
	past = prompt.NewHistory()
	file, err := openHistory(c.cluster, c.die != nil) // attached, it makes nothing
	if err == nil {
		past, err = file.load()
	}
	if errors.Is(err, errNoHome) && c.die == nil { // in a container: nobody expects one there
		return past, nil
	}
	if err != nil {
		fmt.Fprintf(c.aside, "note: the history is not kept: %v\n", err)
		return past, nil
	}
	return past, func(line string) {
		if err != nil {
			return // it failed before
		}
		if err = file.add(line); err != nil {
			fmt.Fprintf(c.aside, "note: the history is not kept any more: %v\n", err)
		}
	}
}
