package discover

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// How long, and of how many dead nodes, the port is remembered.
	rememberFor = 24 * time.Hour
	rememberMax = 256
	// After how many dead nodes one look removes no more: others wait for it.
	pruneMax = 250
)

// List returns the entries of the living, published nodes of dir, sorted by
// name, cluster and fingerprint; this process's own is among them. It removes
// what dead nodes have left, some hundreds at a time. A directory that does
// not exist has no nodes. It waits as [ClaimName] does.
func List(dir string) ([]Entry, error) {
	guard, err := lockDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer unlock(guard)
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, unusable(err)
	}
	var alive []Entry
	var memories []memory
	seen := make(map[string]bool)
	pruned := 0
	for _, file := range files {
		stem, ok := stemOf(file.Name())
		if !ok || seen[stem] {
			continue
		}
		seen[stem] = true
		p := pathsOf(dir, stem)
		lock, err := tryLock(p.lock, os.O_RDONLY, 0)
		switch {
		case errors.Is(err, errHeld):
			if e, err := p.readEntry(); err == nil { // else not published yet
				alive = append(alive, e)
			}
			continue
		case err == nil:
			if pruned < pruneMax && p.lockIsOurs() {
				pruned++
				p.retire()
				os.Remove(p.lock) // last, so that nothing is left without it
			}
			unlock(lock)
		}
		memories = p.remembered(memories)
	}
	forget(memories)
	slices.SortFunc(alive, func(a, b Entry) int {
		return strings.Compare(a.Name+"/"+a.Cluster+"/"+a.Fingerprint, b.Name+"/"+b.Cluster+"/"+b.Fingerprint)
	})
	return alive, nil
}

// stemOf returns the stem of a file's name, if it is named like one of ours.
func stemOf(name string) (string, bool) {
	ext := filepath.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	return stem, slices.Contains([]string{".lock", ".json", ".sock", ".port", ".tmp"}, ext) && stemChars.MatchString(stem)
}

// retire turns the entry of a dead node into the memory of its port and
// removes its socket. The caller holds the directory's lock and knows that
// nobody else holds the node's. What cannot be removed now is left to the next
// look, and what is not certainly ours is left for good: the directory may
// hold other things as well.
func (p paths) retire() {
	if e, err := p.readEntry(); err == nil {
		if port, err := splitAddr(e.Addr); err == nil {
			_ = p.writeFile(p.port, []byte(strconv.Itoa(port)+"\n"))
		}
		os.Remove(p.entry)
	}
	removeOf(p.socket, fs.ModeSocket)
	removeOf(p.temp, 0)
}

// lockIsOurs reports whether a lock file that nobody holds was made by a node.
func (p paths) lockIsOurs() bool {
	if _, err := p.readPID(); err == nil {
		return true
	}
	// Empty if the node died between making and writing it.
	info, err := os.Lstat(p.lock)
	return err == nil && info.Mode().IsRegular() && info.Size() == 0
}

// removeOf removes the file at path if it is of the given type.
func removeOf(path string, kind fs.FileMode) {
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == kind {
		os.Remove(path)
	}
}

// A memory is a file that remembers a dead node's port.
type memory struct {
	path  string
	since time.Time
}

// remembered appends the memory of the node's port, if there is one.
func (p paths) remembered(to []memory) []memory {
	if _, err := p.readPort(); err != nil {
		return to
	}
	info, err := os.Lstat(p.port)
	if err != nil {
		return to
	}
	return append(to, memory{p.port, info.ModTime()})
}

// forget removes the memories that are too old or too many.
func forget(memories []memory) {
	slices.SortFunc(memories, func(a, b memory) int { return b.since.Compare(a.since) })
	for i, m := range memories {
		if i >= rememberMax || time.Since(m.since) > rememberFor {
			os.Remove(m.path)
		}
	}
}
