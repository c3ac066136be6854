package verdict

import (
	"slices"
	"time"

	"parking/lot"
	"parking/lot/spans"
	"parking/node/history"
)

// Evidence is what is judged. The states were taken before the histories, so
// each change in a state was made before its node's history was read.
type Evidence struct {
	Ledger    string
	Now       time.Time
	Asked     time.Time // when the states were asked for: what nodes had seen before, they hold
	States    []State   // of the nodes that were reached
	Histories []history.History
	Unreached []history.Life // that run, and do not answer
	Waited    bool           // without faults, long enough for all to agree, in vain
	Writing   bool           // changes were made meanwhile
}

// A State is what one node holds.
type State struct {
	Life          history.Life
	Digest        string
	Seen          map[history.Life]spans.Set
	Live          []Live
	Spaces, Gates int
	Running       []lot.GateID
	Faults        []string // in force there
}

// A Live is one entry in a node's lot.
type Live struct {
	Life  history.Life
	Seq   uint64
	Plate lot.Plate
}

// An Outcome is what is said of a session.
type Outcome string

// The outcomes.
const (
	Kept         Outcome = "kept"
	Broken       Outcome = "broken"
	Inconclusive Outcome = "inconclusive"
)

// A Report is the verdict.
type Report struct {
	Ledger    string
	Outcome   Outcome
	Reached   []string
	Dead      []string // whose history was found
	Unreached []string
	Checks    []Check
}

// A Check is one promise, and what was found.
type Check struct {
	Name     string // converged, lost, resurrected, capacity, gates, refusals
	Word     string // the finding in a word
	Text     string // and in a line
	Findings []Finding
}

// A Finding is one thing that happened against a promise, or against what one
// would wish for.
type Finding struct {
	Level  Level
	Text   string
	Events []Event // behind it, a few at most
}

// A Level says what a finding means under the ledger.
type Level string

// The levels.
const (
	Breach  Level = "broken"
	Allowed Level = "allowed" // by the ledger
	Open    Level = "inconclusive"
)

// An Event is something that a history tells.
type Event struct {
	At   time.Time
	Node string
	Text string
}

const (
	// maxFindings bounds the findings of one check that are told, maxEvents the
	// events behind one.
	maxFindings = 20
	maxEvents   = 6
)

// add keeps a finding, if there is room, or if one that is there is not as grave.
func (c *Check) add(f Finding) {
	f.Events = f.Events[:min(len(f.Events), maxEvents)]
	if len(c.Findings) < maxFindings {
		c.Findings = append(c.Findings, f)
		return
	}
	for i := maxFindings - 1; i >= 0; i-- {
		if gravity(c.Findings[i].Level) < gravity(f.Level) {
			c.Findings = append(slices.Delete(c.Findings, i, i+1), f)
			return
		}
	}
}

func gravity(l Level) int { return slices.Index([]Level{Allowed, Open, Breach}, l) }

// outcome is what the checks come to.
func outcome(checks []Check) Outcome {
	out := Kept
	for _, c := range checks {
		for _, f := range c.Findings {
			switch f.Level {
			case Breach:
				return Broken
			case Open:
				out = Inconclusive
			}
		}
	}
	return out
}
