package crdt

import (
	"time"

	"parking/lot"
)

// A Kind tells what a mutation's value is.
type Kind uint8

// The kinds of mutations.
const (
	Entry    Kind = iota + 1 // adds a plate
	Exit                     // only supersedes
	Register                 // writes a register
)

// A Mutation is one change: its own dot, the dots that it supersedes, and a
// value. Mutations are immutable, and the slices in them shared: nobody
// writes to them.
type Mutation struct {
	Dot        Dot
	Supersedes []Dot
	Stamp      Stamp
	Kind       Kind

	// For entries and exits. The gate of an exit is 0 where none was named.
	Plate lot.Plate
	Gate  lot.GateID
	Wall  int64 // the origin's wall time in milliseconds since 1970

	// For registers.
	Key   string
	Value []byte
}

// Since returns the origin's wall time when it made an entry or an exit.
func (m *Mutation) Since() time.Time { return time.UnixMilli(m.Wall) }

// An Outcome tells what joining a mutation did.
type Outcome uint8

// The outcomes of a join.
const (
	Known     Outcome = iota // its dot had been seen: nothing changed
	Joined                   // its value is live now (an exit's effect is done)
	Overtaken                // new, but what supersedes it had come before
)
