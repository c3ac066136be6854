package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// logs is where what is logged goes: to another writer, in a goroutine of its
// own. Gossip logs, and must not wait for a terminal that has stopped reading:
// what that does not take in time is dropped, and counted.
type logs struct {
	to   io.Writer
	done chan struct{}

	mu      sync.Mutex
	lines   chan []byte
	closed  bool
	dropped int
}

const (
	maxLogs  = 1000                   // that wait
	lastLogs = 200 * time.Millisecond // to be written at the end
)

func newLogs(to io.Writer) *logs {
	l := &logs{to: to, lines: make(chan []byte, maxLogs), done: make(chan struct{})}
	go l.write()
	return l
}

// Write implements io.Writer. It never blocks.
func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return len(p), nil
	}
	select {
	case l.lines <- append(l.lost(), p...):
		l.dropped = 0
	default:
		l.dropped++
	}
	return len(p), nil
}

// lost returns what to write of the lines that were dropped.
func (l *logs) lost() []byte {
	if l.dropped == 0 {
		return nil
	}
	return fmt.Appendf(nil, "... %d lines of the log are lost\n", l.dropped)
}

func (l *logs) write() {
	defer close(l.done)
	for line := range l.lines {
		_, _ = l.to.Write(line)
	}
	_, _ = l.to.Write(l.lost()) // closed: nobody drops any more
}

// close ends it, when what was logged is written or after a short time.
func (l *logs) close() {
	l.mu.Lock()
	l.closed = true
	close(l.lines)
	l.mu.Unlock()
	select {
	case <-l.done:
	case <-time.After(lastLogs):
	}
}
