package node_test

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"parking/lot"
	"parking/lot/crdt"
)

// A told is what one user asked for, at one life of one node, and what was
// answered. It begins with a look at that node's replica and ends with one.
type told struct {
	at         *lively
	plate      lot.Plate
	out        bool
	gate       lot.GateID
	byGate     bool // through the gate's process, which may run elsewhere
	only       bool // nobody else ever enters that plate
	ack        int  // how many other nodes were to have it
	begin, end time.Time

	before, after []crdt.Trace
	range0        [2]int // gates before and after
	wasFull       bool   // somewhere, meanwhile
	answered      bool   // and the node lived to tell
	err           error
	made          []crdt.Dot // what an accepted request wrote
	lost          bool       // it died with the nodes that had it
}

func (x *told) accepted() bool { return x.answered && x.err == nil }

// refused reports whether it was answered that nothing was done.
func (x *told) refused() bool {
	return x.answered && x.err != nil && !errors.Is(x.err, lot.Unknown)
}

func (x *told) String() string {
	verb := "enter"
	if x.out {
		verb = "exit"
	}
	if !x.byGate {
		verb = "track_" + verb
	}
	answer := "not answered"
	switch {
	case x.accepted():
		answer = "ok"
	case x.answered:
		answer = x.err.Error()
	}
	if x.ack > 0 {
		verb += fmt.Sprint(" ack ", x.ack)
	}
	s := fmt.Sprintf("%s %s gate %d at %s (%v to %v): %s", verb, x.plate, x.gate, x.at.Name(), x.begin.Format("04:05.000"), x.end.Format("04:05.000"), answer)
	if len(x.made) > 0 {
		s += fmt.Sprint(" ", x.made)
	}
	if x.lost {
		s += " (died with its node)"
	}
	return s
}

func live(all []crdt.Trace) (dots []crdt.Dot) {
	for _, t := range all {
		if t.Live {
			dots = append(dots, t.Dot)
		}
	}
	return dots
}

// couldSee reports whether the exit x could have seen the entry of that dot,
// which was asked for at that time.
func (x *told) couldSee(d crdt.Dot, asked time.Time) bool {
	switch {
	case !x.out || x.refused():
		return false
	case !x.accepted():
		return true
	case x.end.Before(asked):
		return false
	case x.byGate:
		return true
	}
	return slices.ContainsFunc(slices.Concat(x.before, x.after), func(t crdt.Trace) bool { return t.Dot == d && t.Seen })
}
