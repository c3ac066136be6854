package fault

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Fault is one order and what it does to links.
type Fault struct {
	ID    uint64 // drawn by who ordered it; the same on all nodes
	What  string // as it was ordered: "partition larry | gary harry"
	By    string // the node it was ordered at
	Since time.Time
	Links map[Link]Effect // not written to any more
	Node  string          // of a fault of a whole node, which a Table knows nothing of: it has no links
	Stops bool            // that one: it is paused
}

// Hinders reports whether it may keep nodes from hearing each other in time, or from
// running: packets that come twice do not, nor does a clock.
func (f Fault) Hinders() bool {
	if f.Node != "" {
		return f.Stops
	}
	for _, e := range f.Links {
		if e.Stops() || e.slows() {
			return true
		}
	}
	return false
}

// MaxFaults bounds how many are in force at once on one node.
const MaxFaults = 256

// A Table holds the faults in force on one node. It is safe for concurrent use;
// looking a link up takes no lock.
type Table struct {
	mu  sync.Mutex // of those who write
	now atomic.Pointer[state]
}

// state is a table's content at one moment; it is not written to any more.
type state struct {
	faults  []Fault         // in the order in which they came
	links   map[Link]Effect // of all of them together; nil: none
	changed chan struct{}   // closed when another state is in force
}

// NewTable returns a table without faults.
func NewTable() *Table {
	t := &Table{}
	t.now.Store(&state{changed: make(chan struct{})})
	return t
}

// Faults returns what is in force, in the order in which it came.
func (t *Table) Faults() []Fault { return slices.Clone(t.now.Load().faults) }

// Add puts a fault in force, and reports whether there was room for it. One of
// the same ID takes the place of the one before.
func (t *Table) Add(f Fault) (ok bool) {
	t.change(func(all []Fault) []Fault {
		all = slices.DeleteFunc(all, func(o Fault) bool { return o.ID == f.ID })
		if ok = len(all) < MaxFaults; ok {
			all = append(all, f)
		}
		return all
	})
	return ok
}

// A Healing is what was taken back of one fault.
type Healing struct {
	Fault Fault // as it was
	Links []Link
	Whole bool // nothing of it is left
}

// Remove heals the links that which selects of each fault. It returns them,
// sorted, and what that took back of which fault.
func (t *Table) Remove(which func(Fault, Link) bool) (healed []Link, of []Healing) {
	seen := make(map[Link]bool)
	t.change(func(all []Fault) (kept []Fault) {
		for _, f := range all {
			h := Healing{Fault: f}
			links := maps.Clone(f.Links)
			for l := range f.Links {
				if which(f, l) {
					seen[l] = true
					delete(links, l)
					h.Links = append(h.Links, l)
				}
			}
			if h.Whole = len(links) == 0; len(h.Links) > 0 {
				slices.SortFunc(h.Links, Link.Compare)
				of = append(of, h)
			}
			if f.Links = links; !h.Whole {
				kept = append(kept, f)
			}
		}
		return kept
	})
	return slices.SortedFunc(maps.Keys(seen), Link.Compare), of
}

func (t *Table) change(f func([]Fault) []Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.now.Load()
	next := &state{faults: f(slices.Clone(old.faults)), changed: make(chan struct{})}
	for _, f := range next.faults {
		for l, e := range f.Links {
			if next.links == nil {
				next.links = make(map[Link]Effect)
			}
			next.links[l] = next.links[l].with(e)
		}
	}
	t.now.Store(next)
	close(old.changed)
}
