package node

import (
	"context"
	"sync"
	"time"

	"parking/lot"
)

// A Kind says what an Event tells.
type Kind uint8

// The kinds of events, and the fields that each uses.
const (
	NodeJoined    Kind = iota + 1 // Node, Count alive
	NodeLeft                      // Node, Count alive
	NodeFailed                    // Node, Reason, Count alive
	VehicleCame                   // Node, Plate, Gate
	VehicleLeft                   // Node, Plate, Gate (0: none named)
	GatesRun                      // Node, Gates, Reason
	GatesClosed                   // Gates, Reason
	GatesSplit                    // Gates
	GateCrashed                   // Gate, Reason
	SettingSet                    // Node, Reason the setting's name, Count its value
	StateJoined                   // Count came, Gone went
	LotOver                       // Count vehicles more than spaces
	Notice                        // Reason
	FaultInjected                 // Node it was ordered at, Reason what
	FaultHealed                   // Node it was ordered at, or none; Reason what
)

// An Event is something that happened in the cluster, as this node saw it.
type Event struct {
	At     time.Time
	Kind   Kind
	Node   string
	Here   bool // Node is this one
	Plate  lot.Plate
	Gate   lot.GateID
	Gates  []lot.GateID
	Reason string
	Count  int
	Gone   int
}

const (
	// busCap is how many events the slowest reader may be behind.
	busCap = 2048
	// busBatch is how many events are read at once.
	busBatch = 256
)

// bus keeps the latest events in a ring. Whoever emits one writes it there, once,
// however many read; each reader has a place of its own in the ring, and those
// that are lapped miss what was overwritten. So nobody who reads slowly, or not
// at all, holds up the node or other readers.
type bus struct {
	mu     sync.Mutex
	ring   []Event
	next   uint64        // how many were ever emitted
	more   chan struct{} // closed at the next event; nil while nobody waits
	closed bool
}

func newBus() *bus { return &bus{ring: make([]Event, busCap)} }

func (b *bus) emit(e Event) {
	e.At = time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.ring[b.next%busCap] = e
	b.next++
	b.wake()
}

// wake wakes those who wait; b.mu is held.
func (b *bus) wake() {
	if b.more != nil {
		close(b.more)
		b.more = nil
	}
}

func (b *bus) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.wake()
}

// A Subscription reads a node's events from where it began. It belongs to one
// goroutine, and may be dropped at any time.
type Subscription struct {
	bus  *bus
	at   uint64 // the number of the next event
	read []Event
}

func (b *bus) subscribe() *Subscription {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &Subscription{bus: b, at: b.next}
}

// Next returns the events that came since the last call, some hundred at most,
// and how many were missed before them because they were not read in time. It
// blocks until there is one. None are returned once ctx or the node has ended
// and all have been read. The slice is valid until the next call.
func (s *Subscription) Next(ctx context.Context) (events []Event, missed int) {
	b := s.bus
	for {
		b.mu.Lock()
		if s.at < b.next {
			if oldest := b.next - min(b.next, busCap); s.at < oldest {
				missed, s.at = int(oldest-s.at), oldest
			}
			s.read = s.read[:0]
			for ; s.at < b.next && len(s.read) < busBatch; s.at++ {
				s.read = append(s.read, b.ring[s.at%busCap])
			}
			b.mu.Unlock()
			return s.read, missed
		}
		if b.closed {
			b.mu.Unlock()
			return nil, 0
		}
		if b.more == nil {
			b.more = make(chan struct{})
		}
		more := b.more
		b.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return nil, 0
		}
	}
}
