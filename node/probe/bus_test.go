package probe_test

import (
	"slices"
	"sync"
	"testing"

	"parking/node/probe"
)

// Whoever is attached is called with each event, in the order in which they were
// attached, and others' topics are nobody's business.
func TestEventsReachWhoIsAttached(t *testing.T) {
	var bus probe.Bus
	var got []int
	bus.Recorded.Emit(probe.Recorded{Entries: 1}) // nobody hears
	if bus.Recorded.Wanted() {
		t.Error("wanted, and nobody is attached")
	}
	bus.Recorded.Attach(func(e probe.Recorded) { got = append(got, e.Entries) })
	bus.Recorded.Emit(probe.Recorded{Entries: 2})
	bus.Recorded.Attach(func(e probe.Recorded) { got = append(got, 10*e.Entries) })
	bus.Recorded.Emit(probe.Recorded{Entries: 3})
	bus.Announced.Emit(probe.Announced{})
	if !bus.Recorded.Wanted() || bus.Announced.Wanted() {
		t.Errorf("wanted: recorded %v, announced %v", bus.Recorded.Wanted(), bus.Announced.Wanted())
	}
	if want := []int{2, 3, 30}; !slices.Equal(got, want) {
		t.Errorf("heard %v, want %v", got, want)
	}
}

// Nothing is lost, however many emit, and attach, at once.
func TestNothingIsLost(t *testing.T) {
	var bus probe.Bus
	var mu sync.Mutex
	total := 0
	bus.Merged.Attach(func(e probe.Merged) {
		mu.Lock()
		defer mu.Unlock()
		total += e.New
	})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 1000 {
				bus.Merged.Emit(probe.Merged{New: 1})
			}
		})
		group.Go(func() { bus.Merged.Attach(func(probe.Merged) {}) })
	}
	group.Wait()
	if total != 8000 {
		t.Errorf("%d came, want 8000", total)
	}
}

// Every lane, outcome and reason has a name of its own.
func TestNames(t *testing.T) {
	seen := make(map[string]bool)
	name := func(s string) {
		if s == "" || seen[s] {
			t.Errorf("%q is no name, or another's", s)
		}
		seen[s] = true
	}
	for l := range probe.Lanes {
		name("lane " + l.String())
	}
	for o := range probe.Outcomes {
		name("outcome " + o.String())
	}
	for f := range probe.Fates {
		name("fate " + f.String())
	}
}
