package node_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"parking/node/fault"
)

// A deed is one thing that a schedule has done to a cluster. It names nodes and
// plates by numbers, which are taken modulo those that there are when its time
// has come, so that a schedule is drawn without knowing what becomes of it.
type deed struct {
	at     time.Duration // since its stretch began
	what   act
	who    int // the node at which it is done
	whom   int // another one
	plate  int // below 0: one of the plates that all share
	gate   int
	value  int
	bits   uint64 // who is on which side, or which of several ways
	effect fault.Effect
	span   time.Duration
}

type act string

const (
	enter     act = "enter" // by track_entry or through a gate
	exit      act = "exit"
	setSpaces act = "set spaces"
	setGates  act = "set gates"

	partition act = "partition"
	oneWay    act = "one-way cut"
	isolate   act = "isolate"
	link      act = "link" // loses, delays or doubles
	around    act = "all links of a node"
	everyLink act = "all links"
	unplug    act = "unplug" // the cable: not even orders get through
	mend      act = "heal"

	crash   act = "crash"
	restart act = "restart"
	freeze  act = "freeze"
	clock   act = "clock"
	arrive  act = "join"
	leave   act = "leave"

	crashGate act = "gate crash"
	moveGate  act = "gate move"
	rebalance act = "rebalance"
)

// kits are what a stretch may have beside entries and exits. Each stretch has
// some of them: what one kind of fault hides another one would show.
var kits = [][]act{
	{setSpaces, setSpaces, setGates},
	{partition, partition, isolate, mend, mend},
	{oneWay, oneWay, mend},
	{link, around, around, everyLink, mend},
	{unplug},
	{crash, restart, restart},
	{freeze},
	{clock},
	{arrive, leave, restart},
	{crashGate, moveGate, moveGate, rebalance},
}

// sharedPlates is how many plates come and go everywhere at once.
const sharedPlates = 4

// A schedule draws stretches of chaos, one after the other, from a seed alone.
type schedule struct {
	rand   *rand.Rand
	brief  bool // no stretch of minutes
	plates int  // that were ever entered, each once
}

func newSchedule(seed uint64, size int, brief bool) *schedule {
	return &schedule{rand: rand.New(rand.NewPCG(seed, 100+uint64(size))), brief: brief}
}

// stretch is a time of chaos; then there are quiet times.
type stretch struct {
	deeds []deed
	long  time.Duration
	quiet time.Duration
}

func (s *schedule) between(low, high time.Duration) time.Duration {
	return low + time.Duration(s.rand.Int64N(int64(high-low)))
}

// stretch draws the next one.
func (s *schedule) stretch() (out stretch) {
	r := s.rand
	out.long, out.quiet = s.between(8*time.Second, 40*time.Second), s.between(0, 15*time.Second)
	every := []time.Duration{100 * time.Millisecond, 300 * time.Millisecond, time.Second}[r.IntN(3)]
	faults := []time.Duration{time.Second, 3 * time.Second, 8 * time.Second}[r.IntN(3)]
	if r.IntN(6) == 0 && !s.brief { // long ones, in which what is cut stays cut
		out.long, out.quiet = s.between(time.Minute, 4*time.Minute), s.between(0, 2*time.Minute)
		every, faults = 5*every, 5*faults
	}
	share := 0.0
	if r.IntN(2) == 0 {
		share = 0.3
	}
	for at := time.Duration(0); ; {
		at += 1 + time.Duration(r.ExpFloat64()*float64(every))
		if at >= out.long {
			break
		}
		out.deeds = append(out.deeds, s.passage(at, share))
	}
	var acts []act
	for _, kit := range kits {
		if r.IntN(2) == 0 {
			acts = append(acts, kit...)
		}
	}
	for at := time.Duration(0); len(acts) > 0; {
		at += 1 + time.Duration(r.ExpFloat64()*float64(faults))
		if at >= out.long {
			break
		}
		out.deeds = append(out.deeds, s.draw(at, acts[r.IntN(len(acts))]))
	}
	slices.SortStableFunc(out.deeds, func(a, b deed) int { return int(a.at - b.at) })
	return out
}

// passage draws an entry or an exit; share is how many are of shared plates.
func (s *schedule) passage(at time.Duration, share float64) deed {
	what := enter
	if s.rand.IntN(5) < 2 {
		what = exit
	}
	d := s.draw(at, what)
	switch {
	case s.rand.Float64() < share:
		d.plate = -1 - s.rand.IntN(sharedPlates)
	case what == enter || s.plates == 0:
		d.what, d.plate = enter, s.plates
		s.plates++
	default: // rather a late one
		d.plate = s.plates - 1 - min(s.rand.IntN(s.plates), s.rand.IntN(s.plates), s.rand.IntN(s.plates))
	}
	return d
}

func (s *schedule) draw(at time.Duration, what act) deed {
	r := s.rand
	d := deed{
		at: at, what: what, who: r.IntN(1 << 20), whom: r.IntN(1 << 20), gate: r.IntN(1 << 20),
		value: r.IntN(1 << 20), bits: r.Uint64(),
	}
	switch what {
	case link, around, everyLink:
		kind := 1 + r.IntN(7)
		if kind&1 > 0 {
			d.effect.Drop = 0.05 + 0.5*r.Float64()
		}
		if kind&2 > 0 {
			d.effect.Delay = s.between(time.Millisecond, 300*time.Millisecond)
			d.effect.Jitter = time.Duration(r.Int64N(int64(d.effect.Delay)))
		}
		if kind&4 > 0 {
			d.effect.Dup = 0.5 * r.Float64()
		}
	case freeze, unplug:
		d.span = s.between(50*time.Millisecond, 6*time.Second)
	case clock:
		d.span = s.between(-10*time.Minute, 10*time.Minute)
	}
	return d
}

func (d deed) String() string {
	out := fmt.Sprintf("%9.3fs %s who=%d whom=%d", d.at.Seconds(), d.what, d.who, d.whom)
	switch d.what {
	case enter, exit:
		out += fmt.Sprintf(" plate=%d gate=%d", d.plate, d.gate)
	case link, around, everyLink:
		out += " " + d.effect.String()
	case freeze, unplug, clock:
		out += " " + d.span.String()
	}
	return out
}

// The same seed draws the same schedule, another one another.
func TestASeedDrawsItsSchedule(t *testing.T) {
	drawn := func(seed uint64) (all string) {
		s := newSchedule(seed, 3, false)
		for range 20 {
			x := s.stretch()
			all += fmt.Sprint(x.long, x.quiet, x.deeds)
		}
		return all
	}
	if first := drawn(1); first != drawn(1) || first == drawn(2) {
		t.Error("a seed does not draw its own schedule")
	}
}
