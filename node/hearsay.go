package node

import (
	"time"

	"parking/gates"
	"parking/lot"
	"parking/node/member"
)

// hearsayFor is how long a claim that came after its claimant had failed keeps
// its gate from counting as an orphan. After a heal news travel before Serf has
// taken back whom it had ruled dead, for that one must object first.
const hearsayFor = 250 * time.Millisecond

// hearsay remembers the highest claim of each gate, and whether it came when its
// claimant had failed, by silence and no better evidence: it must have been alive
// to make the claim, and may be alive now.
type hearsay struct {
	of map[lot.GateID]heard
}

type heard struct {
	claim gates.Claim
	until time.Time // when to believe that the claimant is dead; zero: at once
}

// note takes notice of a gate's claims, and returns for how long nobody is to
// take it for an orphan. What is there at a node's start says nothing.
func (h *hearsay) note(g lot.GateID, all []gates.Claim, members []Member) time.Duration {
	if len(all) == 0 {
		return 0
	}
	best := all[0]
	for _, c := range all {
		if c.Compare(best) > 0 {
			best = c
		}
	}
	failed := false
	for _, m := range members {
		failed = failed || m.host() == best.Host && m.Status == member.Failed && m.Reason == ""
	}
	now := time.Now()
	was, known := h.of[g]
	if !known || was.claim != best {
		e := heard{claim: best}
		if known && failed {
			e.until = now.Add(hearsayFor)
		}
		if h.of == nil {
			h.of = make(map[lot.GateID]heard)
		}
		h.of[g] = e
	}
	if !failed {
		return 0
	}
	return h.of[g].until.Sub(now)
}
