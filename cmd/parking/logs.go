package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// The formats of a log.
const (
	textLog = "text"
	jsonLog = "json"
)

func (s *settings) checkLogFormat() error {
	if s.LogFormat != textLog && s.LogFormat != jsonLog {
		return fmt.Errorf("the log format %.40q is not text or json", s.LogFormat)
	}
	return nil
}

// logger returns what logs there as the settings say. Each line names the node and
// the cluster.
func (s *settings) logger(to io.Writer) *slog.Logger {
	opt := &slog.HandlerOptions{Level: s.level}
	var h slog.Handler = slog.NewTextHandler(to, opt)
	if s.LogFormat == jsonLog {
		h = slog.NewJSONHandler(to, opt)
	}
	return slog.New(h).With("node", s.Name, "cluster", s.Cluster)
}

// lostLines says in the log's format that some of it are lost.
func (s *settings) lostLines(n int) string {
	if s.LogFormat != jsonLog {
		return fmt.Sprintf("... %d lines of the log are lost\n", n)
	}
	var line strings.Builder
	s.logger(&line).Error("lines of the log are lost", "lines", n) // whatever the level: it was to be logged
	return line.String()
}

// lastWords tells what a node without a prompt has ended with, where a log of
// documents is not to end with a line that is none; else that is still to be told.
func (s *settings) lastWords(log *slog.Logger, err error) error {
	words, code := ending(err)
	if words == "" || s.LogFormat != jsonLog {
		return err
	}
	log.Error(words)
	return exitError(code)
}

// logs is where what is logged goes: to another writer, in a goroutine of its
// own. Gossip logs, and must not wait for a terminal that has stopped reading:
// what that does not take in time is dropped, and counted.
type logs struct {
	to   io.Writer
	lost func(lines int) string // says so; a whole line
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

func newLogs(to io.Writer, lost func(lines int) string) *logs {
	l := &logs{to: to, lost: lost, lines: make(chan []byte, maxLogs), done: make(chan struct{})}
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
	case l.lines <- append(l.losses(), p...):
		l.dropped = 0
	default:
		l.dropped++
	}
	return len(p), nil
}

// losses returns what to write of the lines that were dropped.
func (l *logs) losses() []byte {
	if l.dropped == 0 {
		return nil
	}
	return []byte(l.lost(l.dropped))
}

func (l *logs) write() {
	defer close(l.done)
	for line := range l.lines {
		_, _ = l.to.Write(line)
	}
	_, _ = l.to.Write(l.losses()) // closed: nobody drops any more
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
