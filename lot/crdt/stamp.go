package crdt

import "time"

// A Stamp is a reading of a hybrid logical clock: milliseconds since 1970 in
// the upper 48 bits, a counter in the lower 16. Stamps rank concurrent values
// and nothing else.
type Stamp uint64

// Time returns the stamp's physical part.
func (s Stamp) Time() time.Time { return time.UnixMilli(int64(s >> 16)) }

// clock is a hybrid logical clock (Kulkarni et al. 2014). It never runs
// backwards, and never behind a stamp it has seen.
type clock struct{ last Stamp }

// tick returns a stamp higher than all before it, at now or later.
func (c *clock) tick(now time.Time) Stamp {
	c.last = max(c.last+1, Stamp(now.UnixMilli())<<16)
	return c.last
}

// see keeps the clock from falling behind s.
func (c *clock) see(s Stamp) { c.last = max(c.last, s) }
