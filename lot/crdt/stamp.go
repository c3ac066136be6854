package crdt

import (
	"math"
	"time"
)

// A Stamp is a reading of a hybrid logical clock: milliseconds since 1970 in
// the upper 48 bits, a counter in the lower 16. Stamps rank concurrent values
// and nothing else.
type Stamp uint64

// Time returns the stamp's wall time, and Counter what tells it from others of
// the same millisecond.
func (s Stamp) Time() time.Time { return time.UnixMilli(int64(s >> 16)) }

// Counter is described at Time.
func (s Stamp) Counter() int { return int(s & 0xffff) }

// Bounds of stamps and wall times. They end in the year 6429.
const (
	maxStamp  Stamp = math.MaxInt64
	maxMillis       = int64(maxStamp >> 16)
)

// millis returns t in milliseconds since 1970, the nearest that a stamp can
// hold: a clock that is wrong by any amount must not make mutations that
// others refuse.
func millis(t time.Time) int64 { return min(max(t.UnixMilli(), 0), maxMillis) }

// clock is a hybrid logical clock (Kulkarni et al. 2014). It never runs
// backwards, and never behind a stamp it has seen.
type clock struct{ last Stamp }

// tick returns a stamp higher than all before it, at now (in milliseconds) or
// later. At the end of time it stands still: of one replica's values the later
// still wins, by its sequence number.
func (c *clock) tick(now int64) Stamp {
	c.last = min(max(c.last+1, Stamp(now)<<16), maxStamp)
	return c.last
}

// see keeps the clock from falling behind s.
func (c *clock) see(s Stamp) { c.last = max(c.last, s) }
