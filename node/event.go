package node

import (
	"sync"
	"time"

	"parking/lot"
)

// A Kind says what an Event tells.
type Kind uint8

// The kinds of events, and the fields that each uses.
const (
	NodeJoined  Kind = iota + 1 // Node, Count alive
	NodeLeft                    // Node, Count alive
	NodeFailed                  // Node, Reason, Count alive
	VehicleCame                 // Node, Plate, Gate
	VehicleLeft                 // Node, Plate, Gate (0: none named)
	GatesRun                    // Node, Gates, Reason
	GatesClosed                 // Gates, Reason
	GatesSplit                  // Gates
	GateCrashed                 // Gate, Reason
	SettingSet                  // Node, Reason the setting's name, Count its value
	StateJoined                 // Count came, Gone went
	LotOver                     // Count vehicles more than spaces
	Notice                      // Reason
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

// subscriptionCap is how many events wait for one subscriber.
const subscriptionCap = 1024

// A Subscription receives a node's events through a bounded queue of its own,
// so that nobody who reads slowly holds up the node or other readers.
type Subscription struct {
	bus    *bus
	ch     chan Event
	mu     sync.Mutex
	missed int
}

// Events delivers what happens from now on. It is closed by Close, and when
// the node ends.
func (s *Subscription) Events() <-chan Event { return s.ch }

// Missed returns how many events were dropped since the last call because they
// were not taken in time.
func (s *Subscription) Missed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.missed
	s.missed = 0
	return n
}

// Close ends the subscription.
func (s *Subscription) Close() { s.bus.remove(s) }

// bus hands each event to all subscribers, never blocking.
type bus struct {
	mu     sync.Mutex
	subs   map[*Subscription]struct{}
	closed bool
}

func newBus() *bus { return &bus{subs: make(map[*Subscription]struct{})} }

func (b *bus) subscribe() *Subscription {
	s := &Subscription{bus: b, ch: make(chan Event, subscriptionCap)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		close(s.ch)
	} else {
		b.subs[s] = struct{}{}
	}
	return s
}

func (b *bus) remove(s *Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.subs[s]; ok {
		delete(b.subs, s)
		close(s.ch)
	}
}

func (b *bus) emit(e Event) {
	e.At = time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.subs {
		select {
		case s.ch <- e:
		default:
			s.mu.Lock()
			s.missed++
			s.mu.Unlock()
		}
	}
}

func (b *bus) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for s := range b.subs {
		delete(b.subs, s)
		close(s.ch)
	}
}
