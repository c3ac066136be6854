package node

import (
	"context"

	"parking/lot"
	"parking/lot/crdt"
	"parking/node/replicate"
)

// A Way is how an entry or an exit came into this replica.
type Way string

// The ways. StateWay is by a whole state that was joined; OldWay is for what came
// so long ago that it is not known any more, and NoWay for what has not come.
const (
	OwnWay    Way = "own"    // made here, for this node's own user
	ServedWay Way = "served" // made here, for another node's user
	AnswerWay Way = "answer" // another node's answer to this node's user
	EventWay  Way = "event"  // pushed
	PullWay   Way = "pull"   // pulled
	StateWay  Way = "state"
	OldWay    Way = "unknown"
	NoWay     Way = "none"
)

var waysOf = map[replicate.Origin]Way{
	replicate.Own: OwnWay, replicate.Served: ServedWay, replicate.Answer: AnswerWay,
	replicate.Event: EventWay, replicate.Pull: PullWay,
}

// A Fate is what became of an entry or an exit.
type Fate string

// The fates. An exit is done: it has no value that could be superseded.
const (
	Live       Fate = "live"       // it is the plate's entry, the winner if there are several
	Conflict   Fate = "conflict"   // it is in the lot beside the winner
	Superseded Fate = "superseded" // by an exit or another entry
	Done       Fate = "done"
)

// A Story is one entry or exit of a plate: what is known of it here.
type Story struct {
	crdt.Trace
	Way       Way
	Fate      Fate
	Overtaken bool // what superseded it had come here before
}

// An Account is what this replica knows of a plate's entries and exits, by rank.
type Account struct {
	Plate   lot.Plate
	In      bool
	Stories []Story
	Whole   bool // nothing older was forgotten
}

// Why tells how it came that the plate is in the lot here, or not. A plate that
// nothing is known of is refused as absent.
func (n *Node) Why(ctx context.Context, p lot.Plate) (a Account, err error) {
	if err := n.await(ctx); err != nil {
		return a, err
	}
	a.Plate = p
	n.store.View(func(d *crdt.Document) {
		traces, whole := d.Traces(p)
		dots := make([]crdt.Dot, 0, len(traces))
		for _, t := range traces {
			dots = append(dots, t.Dot)
		}
		came, full := n.ways.of(dots)
		a.Whole = whole
		for _, t := range traces {
			s := Story{Trace: t, Way: StateWay, Fate: Superseded, Overtaken: came[t.Dot].overtaken}
			w, known := came[t.Dot]
			switch {
			case known:
				s.Way = waysOf[w.by]
			case !t.Seen:
				s.Way = NoWay
			case full:
				s.Way = OldWay
			}
			if t.Kind == crdt.Exit {
				s.Fate = Done
			}
			a.Stories = append(a.Stories, s)
		}
	})
	for i := len(a.Stories) - 1; i >= 0; i-- { // the last by rank is the winner
		switch s := &a.Stories[i]; {
		case !s.Live:
		case a.In:
			s.Fate = Conflict
		default:
			s.Fate, a.In = Live, true
		}
	}
	if len(a.Stories) > 0 {
		return a, nil
	}
	if a.Whole {
		return a, lot.Refuse(lot.Absent, "nothing is known of %s here; read lists the vehicles", p)
	}
	return a, lot.Refuse(lot.Absent, "nothing is known of %s here, and older changes are no longer known; read lists the vehicles", p)
}
