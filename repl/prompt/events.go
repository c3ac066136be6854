package prompt

import (
	"fmt"
	"sync"
)

// maxEvents is how many events are kept while they cannot be shown.
const maxEvents = 500

// An eventQueue holds the events not shown yet. When it is full, the oldest
// gives way. Its methods may be called from any goroutine; none blocks.
type eventQueue struct {
	mu      sync.Mutex
	lines   []string
	dropped int
}

func (q *eventQueue) push(line string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.lines) == maxEvents {
		q.lines = append(q.lines[:0], q.lines[1:]...)
		q.dropped++
	}
	q.lines = append(q.lines, line)
}

func (q *eventQueue) pending() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.lines) > 0
}

// take empties the queue and returns the lines to show, oldest first, after
// one that says how many were dropped before them.
func (q *eventQueue) take() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines := q.lines
	switch {
	case q.dropped == 1:
		lines = append([]string{"… 1 event not shown"}, lines...)
	case q.dropped > 1:
		lines = append([]string{fmt.Sprintf("… %d events not shown", q.dropped)}, lines...)
	}
	q.lines, q.dropped = nil, 0
	return lines
}
