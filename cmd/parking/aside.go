package main

import (
	"bytes"
	"os"
	"sync"

	"golang.org/x/term"
)

// An aside is where everything goes that is no answer: standard error or,
// while a prompt has that terminal, above the prompt's line. It is safe for
// concurrent use.
type aside struct {
	mu    sync.Mutex
	above func(line string) // nil: there is no prompt
}

// Write implements io.Writer; p is whole lines.
func (a *aside) Write(p []byte) (int, error) {
	a.mu.Lock()
	above := a.above
	if above == nil {
		defer a.mu.Unlock() // no prompt begins before it is written
		return os.Stderr.Write(p)
	}
	a.mu.Unlock()
	for line := range bytes.Lines(p) {
		above(string(bytes.TrimRight(line, "\n")))
	}
	return len(p), nil
}

// put has lines shown by above from now on, if standard error would go into
// the prompt; nil ends that.
func (a *aside) put(above func(line string)) {
	if above != nil && !term.IsTerminal(int(os.Stderr.Fd())) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.above = above
}
