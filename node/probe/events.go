package probe

import (
	"time"

	"parking/lot"
)

// Recorded tells of changes that were made at this node's replica, in one step: by
// its own user, or by a gate that runs here for another's.
type Recorded struct {
	Entries, Exits int
}

// Refused tells of a command that this node was asked for by its user, and that
// was not carried out; of one with code lot.Unknown, not known to be. The code may
// be another node's word.
type Refused struct{ Code lot.Code }

// Called tells of a vehicle that this node's user sent to a gate, wherever that
// runs, and how long it took until the gate's answer was here. The code is empty
// if it went through.
type Called struct {
	Took time.Duration
	Code lot.Code
}

// A Lane is a way for changes to get from one replica to another.
type Lane uint8

// The lanes.
const (
	Gossip Lane = iota // Serf's user events
	Fanout             // straight to each node, as soon as they are made
	Pull               // in answer to a pull, as single changes
	State              // in answer to a pull, as a whole state
	Answer             // in a gate's answer, to the node that asked
	Lanes              // how many there are
)

// String names the lane.
func (l Lane) String() string {
	return [Lanes]string{"gossip", "fanout", "pull", "state", "answer"}[l]
}

// Sent tells of deltas that left this node: handed to Serf, which sends each to some
// nodes, several times, or sent to one node. Changes is 0 in the lane State.
type Sent struct {
	Lane    Lane
	Deltas  int
	Changes int
	Bytes   int // encoded, before encryption
}

// Merged tells of a delta that came from another node and was joined. Of its
// changes so many were new here, known already, or claimed what cannot be. Of a whole
// state, one stands for whatever was new.
type Merged struct {
	Lane               Lane
	Bytes              int
	New, Known, Forged int
}

// Arrived tells of entries and exits that were new here, and were made by other
// nodes at the same moment; it does not tell of those that came in a whole state, nor
// of what was there already when this node came, and brought it up to date.
type Arrived struct {
	Changes int
	// Age is how long before, by the clock of the node that made them. It is as right
	// as the two clocks are synchronous, may be negative, and counts whole
	// milliseconds.
	Age time.Duration
}

// Announced tells that changes were too many to be pushed, so that only the version
// went out, for others to pull.
type Announced struct{}

// An Outcome is what a pull came to.
type Outcome uint8

// The outcomes of pulls.
const (
	Same     Outcome = iota // there was nothing to fetch
	News                    // changes came
	Whole                   // a whole state came
	Deferred                // it would take a whole state, which was not asked for, or comes already
	Failed                  // it broke off, or the peer did not answer
	Outcomes                // how many there are
)

// String names the outcome.
func (o Outcome) String() string {
	return [Outcomes]string{"same", "news", "state", "deferred", "failed"}[o]
}

// Pulled tells of a pull by this node.
type Pulled struct {
	Outcome Outcome
	Took    time.Duration
}

// A Fate is why a message was rejected.
type Fate uint8

// The reasons.
const (
	Malformed Fate = iota // nobody's encoder made it
	Forged                // it claims changes of this very node that it never made
	Newer                 // some of it is of a kind that only a newer program knows
	Stranger              // a connection without the cookie, or of another cluster
	Fates                 // how many there are
)

// String names the reason.
func (f Fate) String() string {
	return [Fates]string{"malformed", "forged", "newer", "stranger"}[f]
}

// Rejected tells of something that came from outside and was turned away, as a whole
// or in part.
type Rejected struct{ Why Fate }

// A Turn is what a member, a gate or a fault came to.
type Turn uint8

// The turns.
const (
	Joined  Turn = iota // of a member: is alive now
	Left                // of a member: is gone in good order
	Lost                // of a member: is taken for dead
	Started             // of a gate: runs here now
	Stopped             // of a gate: and no more
	Crashed             // of a gate that runs here, and was started again
	Imposed             // of a fault: is in force here
	Lifted              // of a fault: and no more
)

// Member tells of another node, as this one sees it.
type Member struct{ Turn Turn }

// Gate tells of a gate on this node.
type Gate struct{ Turn Turn }

// Fault tells of a fault that was injected here.
type Fault struct{ Turn Turn }
