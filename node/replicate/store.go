package replicate

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"parking/lot/crdt"
	"parking/node/probe"
)

// A Change is news from a replica: one mutation, or a whole state that was
// joined. Origin tells how it came.
type Change struct {
	Mutation *crdt.Mutation // nil if a state was joined
	Outcome  crdt.Outcome
	Merge    crdt.Merge // of a state
	Origin   Origin
}

// An Origin is the way a change came into a replica.
type Origin uint8

// The origins.
const (
	Own    Origin = iota // made here, for this node's own user
	Served               // made here, for another node's user
	Answer               // another node's answer to this node's user
	Event                // pushed
	Pull                 // pulled
)

// origins is how a change comes that comes by each lane.
var origins = [probe.Lanes]Origin{probe.Gossip: Event, probe.Fanout: Event, probe.Pull: Pull, probe.State: Pull, probe.Answer: Answer}

// A Store is a node's replica: it owns the document. All methods are safe for
// concurrent use.
type Store struct {
	mu      sync.RWMutex
	doc     *crdt.Document
	observe func(*crdt.Document, Change)
	probe   *probe.Bus
	push    func([]crdt.Mutation) // set before the first Update
	made    atomic.Uint64         // mutations of this replica's own
	wall    wall
	current atomic.Bool // what comes is news, and not what was there when this replica began

	outMu  sync.Mutex
	outbox [][]crdt.Mutation // as they were made
	waits  int               // how many they are
	lapsed bool              // the outbox overflowed since it was last taken
	ready  chan struct{}     // ticks when the outbox is not empty
}

// outboxCap bounds the mutations that wait to be pushed. A writer that is
// faster than the gossip makes them go by pull instead.
const outboxCap = 8192

// NewStore owns doc from now on. observe is told of every change, in order,
// while the store is locked, with the document as it is then: it may read that
// and must neither block nor call the store. Instruments are told by the bus.
func NewStore(doc *crdt.Document, observe func(*crdt.Document, Change), bus *probe.Bus) *Store {
	s := &Store{doc: doc, observe: observe, probe: bus, ready: make(chan struct{}, 1)}
	s.push = s.keep
	return s
}

// View calls f with the document, which f must not change nor keep.
func (s *Store) View(f func(*crdt.Document)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	f(s.doc)
}

// Update calls f, which may read and mutate the document in one step, and
// pushes the mutations it returns.
func (s *Store) Update(by Origin, f func(*crdt.Document) ([]crdt.Mutation, error)) ([]crdt.Mutation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ms, err := f(s.doc)
	var made probe.Recorded
	for i := range ms {
		switch ms[i].Kind {
		case crdt.Entry:
			made.Entries++
		case crdt.Exit:
			made.Exits++
		}
		s.observe(s.doc, Change{Mutation: &ms[i], Outcome: crdt.Joined, Origin: by})
	}
	if len(ms) > 0 {
		s.made.Store(ms[len(ms)-1].Dot.Seq)
		s.push(ms)
	}
	if made != (probe.Recorded{}) {
		s.probe.Recorded.Emit(made)
	}
	return ms, err
}

// Join merges mutations that another node sent by that lane, in so many bytes. Those
// that claim what cannot be are refused; the others are merged nevertheless, or one
// forgery would keep two replicas apart.
func (s *Store) Join(ms []crdt.Mutation, lane probe.Lane, bytes int) (refused error) {
	if len(ms) == 0 {
		return nil
	}
	tally := probe.Merged{Lane: lane, Bytes: bytes}
	for part := range slices.Chunk(ms, joinPart) {
		if err := s.join(part, &tally); err != nil {
			refused = err
		}
	}
	s.probe.Merged.Emit(tally)
	return refused
}

// joinPart is how many mutations are joined before others have their turn.
const joinPart = 1024

func (s *Store) join(ms []crdt.Mutation, tally *probe.Merged) (refused error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	arrivals := arrivals{probe: s.probe, wall: &s.wall, wanted: s.current.Load() && s.probe.Arrived.Wanted()}
	defer arrivals.tell()
	for i := range ms {
		if err := s.doc.Believe(&ms[i]); err != nil {
			refused = err
			tally.Forged++
			continue
		}
		out := s.doc.Join(ms[i])
		if out == crdt.Known {
			tally.Known++
			continue
		}
		tally.New++
		if ms[i].Kind != crdt.Register {
			arrivals.add(ms[i].Wall)
		}
		s.observe(s.doc, Change{Mutation: &ms[i], Outcome: out, Origin: origins[tally.Lane]})
	}
	return refused
}

// wall is the host's wall clock in milliseconds, at half the price: the operating
// system has two clocks, and time.Now reads both. It may be a second behind where
// the wall clock was set.
type wall struct{ base time.Time }

func (w *wall) millis() int64 {
	since := time.Since(w.base)
	if since > time.Second {
		w.base, since = time.Now(), 0
	}
	return w.base.UnixMilli() + int64((time.Duration(w.base.Nanosecond())%time.Millisecond+since)/time.Millisecond)
}

// arrivals tells how old changes are that are joined one after the other: those
// that were made in the same millisecond together.
type arrivals struct {
	probe  *probe.Bus
	wall   *wall
	wanted bool
	now    int64 // in milliseconds since 1970; 0 before there was one
	made   int64 // when they were made
	count  int
}

func (a *arrivals) add(made int64) {
	if made != a.made {
		a.tell()
		a.made = made
	}
	a.count++
}

func (a *arrivals) tell() {
	if a.count > 0 && a.wanted {
		if a.now == 0 { // one look at the clock for all
			a.now = a.wall.millis()
		}
		a.probe.Arrived.Emit(probe.Arrived{Changes: a.count, Age: time.Duration(a.now-a.made) * time.Millisecond})
	}
	a.count = 0
}

// JoinState merges a whole state that another node sent in so many bytes, in one
// step, but for what it claims and cannot be: that is refused.
func (s *Store) JoinState(st *crdt.State, bytes int) (refused error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tally := probe.Merged{Lane: probe.State, Bytes: bytes}
	if refused = s.doc.BelieveState(st); refused != nil {
		tally.Forged = 1
	}
	if m := s.doc.JoinState(st); m.Changed() {
		tally.New = 1
		s.observe(s.doc, Change{Merge: m, Origin: Pull})
	} else {
		tally.Known = 1
	}
	s.probe.Merged.Emit(tally)
	return refused
}

// Covers reports whether all that theirs claims was seen here, apart from what
// this replica itself never issued.
func (s *Store) Covers(theirs crdt.Version) (all bool) {
	s.View(func(d *crdt.Document) { all = d.Covers(theirs) })
	return all
}

// Digest returns the document's digest.
func (s *Store) Digest() (d crdt.Digest) {
	s.View(func(doc *crdt.Document) { d = doc.Digest() })
	return d
}

// Version returns what the document has seen.
func (s *Store) Version() (v crdt.Version) {
	s.View(func(doc *crdt.Document) { v = doc.Version() })
	return v
}

// Mark returns digest and version of one moment.
func (s *Store) Mark() (d crdt.Digest, v crdt.Version) {
	s.View(func(doc *crdt.Document) { d, v = doc.Digest(), doc.Version() })
	return d, v
}

// Self returns the replica that the document is.
func (s *Store) Self() crdt.Replica { return s.doc.Self() }

// Made returns how many mutations this replica has made.
func (s *Store) Made() uint64 { return s.made.Load() }

// keep puts mutations into the outbox, for the gossip.
func (s *Store) keep(ms []crdt.Mutation) {
	s.outMu.Lock()
	if s.waits+len(ms) > outboxCap {
		s.outbox, s.waits, s.lapsed = nil, 0, true
	} else if !s.lapsed {
		s.outbox, s.waits = append(s.outbox, ms), s.waits+len(ms)
	}
	s.outMu.Unlock()
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// take empties the outbox; lapsed says that not all of it is there.
func (s *Store) take() (ms [][]crdt.Mutation, lapsed bool) {
	s.outMu.Lock()
	defer s.outMu.Unlock()
	ms, lapsed = s.outbox, s.lapsed
	s.outbox, s.waits, s.lapsed = nil, 0, false
	return ms, lapsed
}

// Waiting returns how many mutations wait to be pushed.
func (s *Store) Waiting() int {
	s.outMu.Lock()
	defer s.outMu.Unlock()
	return s.waits
}
