package main

import (
	"os"
	"path/filepath"
	"strings"
)

const (
	historyFile = ".parking_history"
	// historyMax is how many lines are remembered; a file that has grown to
	// twice as many is cut.
	historyMax = 1000
)

// A history is the lines typed at prompts, kept in a file from one prompt to
// the next. All prompts of a user's append to one file.
type history struct {
	lines []string
	file  *os.File // nil: nothing is kept
}

// openHistory reads the history in home and keeps it open to append. Where it
// cannot, or there is none and none is to be made, the lines are kept for
// this prompt only.
func openHistory(home string, create bool) *history {
	h := &history{}
	if home == "" {
		return h
	}
	path, flags := filepath.Join(home, historyFile), os.O_RDWR|os.O_APPEND
	if create {
		flags |= os.O_CREATE
	}
	data, err := os.ReadFile(path)
	if err == nil && len(data) > 0 {
		all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
		h.lines = all[max(0, len(all)-historyMax):]
		if len(all) > 2*historyMax {
			h.cut(path)
		}
	}
	if h.file, err = os.OpenFile(path, flags, 0o600); err != nil {
		h.file = nil
	}
	return h
}

// cut makes the file as long as what is remembered. What another prompt
// appends at that moment may be lost.
func (h *history) cut(path string) {
	short := path + ".new"
	if os.WriteFile(short, []byte(strings.Join(h.lines, "\n")+"\n"), 0o600) == nil {
		_ = os.Rename(short, path)
	}
}

// all returns the lines, oldest first.
func (h *history) all() []string { return h.lines }

// add appends a line, unless it repeats the last one.
func (h *history) add(line string) {
	if n := len(h.lines); n > 0 && h.lines[n-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	h.lines = h.lines[max(0, len(h.lines)-historyMax):]
	if h.file != nil {
		_, _ = h.file.WriteString(line + "\n") // one write, so lines stay whole
	}
}

// close ends the file.
func (h *history) close() {
	if h.file != nil {
		h.file.Close()
	}
}
