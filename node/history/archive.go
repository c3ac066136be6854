package history

import (
	"encoding/binary"
	"slices"
	"sync"
)

// SegmentSize is how many bytes a segment has. Of each life two are kept.
const SegmentSize = 16 << 20

// headSize is what a segment begins with: a magic number, the length of what was
// written, when the node last gave a sign of life, in microseconds since 1970, and
// how many records found no room.
const headSize = 32

var magic = [8]byte{'p', 'a', 'r', 'k', 'h', 'i', 's', '1'}

// An Archive is where the histories of the nodes of one host and cluster are.
// It is safe for concurrent use.
type Archive interface {
	// Begin makes a segment of a life's log, numbered from 0, and forgets those
	// before its predecessor.
	Begin(life Life, number uint64) (Segment, error)
	// Stored returns what is there of all lives but that one, as it is now.
	Stored(but Life) ([]Stored, error)
}

// A Segment is written by one goroutine at a time.
type Segment interface {
	// Room makes the first n bytes of Bytes ready to be written to.
	Room(n int) error
	// Bytes is all of the segment. What is written to it stays if the process
	// dies. It must not be used after Close.
	Bytes() []byte
	Close() error
}

// Stored is the log of one life, as it was found: its segments in order, whose
// content is not to be trusted.
type Stored struct {
	Life     Life
	Alive    bool // the life goes on
	Segments [][]byte
}

// Memory is an archive in memory, for nodes that live and die in one process.
type Memory struct {
	mu    sync.Mutex
	lives []Life
	logs  map[Life][]*memorySegment // the two latest
}

// NewMemory returns an empty archive.
func NewMemory() *Memory { return &Memory{logs: make(map[Life][]*memorySegment)} }

type memorySegment struct {
	b      []byte
	in     *Memory
	closed bool // under in.mu
}

// Room implements Segment.
func (s *memorySegment) Room(n int) error {
	if n > len(s.b) {
		grown := make([]byte, min(max(n, 2*len(s.b), 1<<12), SegmentSize))
		copy(grown, s.b)
		s.b = grown
	}
	return nil
}

func (s *memorySegment) Bytes() []byte { return s.b }

func (s *memorySegment) Close() error {
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	s.closed = true
	return nil
}

// Begin implements Archive.
func (m *Memory) Begin(life Life, _ uint64) (Segment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.logs[life] == nil {
		m.lives = append(m.lives, life)
	}
	s := &memorySegment{in: m}
	all := append(m.logs[life], s)
	m.logs[life] = all[max(0, len(all)-2):]
	return s, nil
}

// Stored implements Archive. Of a life that goes on there are no segments: nobody
// may read what it writes.
func (m *Memory) Stored(but Life) (out []Stored, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, life := range m.lives {
		if life == but {
			continue
		}
		s := Stored{Life: life}
		for _, seg := range m.logs[life] {
			if seg.closed {
				s.Segments = append(s.Segments, slices.Clone(seg.b))
			}
		}
		if s.Alive = len(s.Segments) < len(m.logs[life]); s.Alive {
			s.Segments = nil
		}
		out = append(out, s)
	}
	return out, nil
}

// used returns how many bytes of a segment were written, or 0 if it is none.
func used(b []byte) int {
	if n := written(b); n >= headSize && n <= len(b) {
		return n
	}
	return 0
}

// written returns how many bytes of a segment its head says were written.
func written(head []byte) int {
	if len(head) < headSize || [8]byte(head) != magic {
		return 0
	}
	return int(min(binary.LittleEndian.Uint64(head[8:]), SegmentSize+1))
}
