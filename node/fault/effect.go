package fault

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"parking/lot"
)

// A Link is one direction between two nodes, by their names.
type Link struct{ From, To string }

// back is the other direction.
func (l Link) back() Link { return Link{l.To, l.From} }

// Compare orders links by where they begin, then by where they end.
func (l Link) Compare(o Link) int {
	return cmp.Or(strings.Compare(l.From, o.From), strings.Compare(l.To, o.To))
}

// String reads "larry>gary".
func (l Link) String() string { return l.From + ">" + l.To }

// An Effect is what a link does to what travels on it. The zero Effect is a
// good link's.
type Effect struct {
	Cut    bool
	Drop   float64       // share of the packets that vanish; on streams each costs a retransmission
	Dup    float64       // share of the packets that come twice; nothing on streams
	Delay  time.Duration // of all
	Jitter time.Duration // the delay is that much more or less, evenly
}

// MaxDelay bounds delays: what is on its way is kept in memory.
const MaxDelay = time.Minute

// Check refuses an effect that no link can have.
func (e Effect) Check() error {
	for _, share := range []struct {
		of   float64
		name string
	}{{e.Drop, "drop"}, {e.Dup, "dup"}} {
		if !(share.of >= 0 && share.of <= 1) { // NaN is none, either
			return lot.Refuse(lot.Range, "%s %g%%: a share is 0%% to 100%%", share.name, share.of*100)
		}
	}
	switch {
	case e.Delay < 0 || e.Delay > MaxDelay:
		return lot.Refuse(lot.Range, "delay %v: a delay is 0s to %v", e.Delay, MaxDelay)
	case e.Jitter < 0 || e.Jitter > e.Delay:
		return lot.Refuse(lot.Range, "jitter %v: it is 0s to the delay, which is %v", e.Jitter, e.Delay)
	case e.Delay%time.Microsecond != 0 || e.Jitter%time.Microsecond != 0: // they are told to other nodes so
		return lot.Refuse(lot.Range, "delay %v jitter %v: give whole microseconds", e.Delay, e.Jitter)
	}
	return nil
}

// with returns what comes of both at once.
func (e Effect) with(o Effect) Effect {
	return Effect{
		Cut:    e.Cut || o.Cut,
		Drop:   1 - (1-e.Drop)*(1-o.Drop),
		Dup:    1 - (1-e.Dup)*(1-o.Dup),
		Delay:  e.Delay + o.Delay,
		Jitter: e.Jitter + o.Jitter,
	}
}

// Stops reports whether nothing gets through.
func (e Effect) Stops() bool { return e.Cut || e.Drop >= 1 }

// slows reports whether what is written to a stream is late.
func (e Effect) slows() bool { return e.Drop > 0 || e.Delay > 0 }

// String reads "drop 30% delay 200ms jitter 50ms", or "cut".
func (e Effect) String() string {
	if e.Cut {
		return "cut"
	}
	var parts []string
	if e.Drop > 0 {
		parts = append(parts, fmt.Sprintf("drop %.4g%%", e.Drop*100))
	}
	if e.Delay > 0 {
		parts = append(parts, "delay "+e.Delay.String())
	}
	if e.Jitter > 0 {
		parts = append(parts, "jitter "+e.Jitter.String())
	}
	if e.Dup > 0 {
		parts = append(parts, fmt.Sprintf("dup %.4g%%", e.Dup*100))
	}
	return strings.Join(parts, " ")
}
