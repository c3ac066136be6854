// Package probe is where a node says what it does, for instruments to count. The
// code that acts emits an event and knows nobody who listens; an instrument attaches
// to the kinds that it is for, and knows nothing of how they come about. Nothing is
// lost between them, as it may be on its way to a reader of the node's events, who
// are people: an instrument is called by the code that acts, at once.
//
// What happens often is told in sums, once for a batch of changes or a message. To
// emit what nobody is attached to costs one load, and never any memory.
package probe

import (
	"slices"
	"sync"
	"sync/atomic"
)

// A Bus has a topic for each kind of event. The zero value is ready to use.
type Bus struct {
	Recorded  Topic[Recorded]
	Refused   Topic[Refused]
	Called    Topic[Called]
	Sent      Topic[Sent]
	Merged    Topic[Merged]
	Arrived   Topic[Arrived]
	Announced Topic[Announced]
	Pulled    Topic[Pulled]
	Rejected  Topic[Rejected]
	Member    Topic[Member]
	Gate      Topic[Gate]
	Fault     Topic[Fault]
}

// A Topic brings events of one kind to whoever is attached. The zero value is
// ready to use, and all methods are safe for concurrent use.
type Topic[E any] struct {
	attached atomic.Pointer[[]func(E)]
	mu       sync.Mutex // held to attach
}

// Emit calls all who are attached, in the order in which they were.
func (t *Topic[E]) Emit(e E) {
	if all := t.attached.Load(); all != nil {
		for _, f := range *all {
			f(e)
		}
	}
}

// Wanted reports whether anybody is attached: who needs a clock or a count for an
// event alone can do without it else.
func (t *Topic[E]) Wanted() bool { return t.attached.Load() != nil }

// Attach has f called with each event from now on, for as long as the bus lives. It
// is called on the goroutine that acts, which may hold locks of the node's, and by
// several at once: it must be quick, must not block, and must not call the node.
func (t *Topic[E]) Attach(f func(E)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []func(E)
	if old := t.attached.Load(); old != nil {
		all = slices.Clone(*old)
	}
	all = append(all, f)
	t.attached.Store(&all)
}
