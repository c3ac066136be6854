package history

import (
	"encoding/binary"
	"math"
	"time"
)

// A History is a log that was read.
type History struct {
	Life    Life
	Ledger  string
	Records []Record // without those of the kind Began
	Cut     int      // records that are missing before the first, or for want of room
	From    time.Time
	Beat    time.Time // the last sign of life
	Full    bool      // what came last is missing: there was no room for it
	Damaged bool      // not all of it could be read
}

// Read reads the segments of a log, in order. They are not trusted: what cannot
// be read is left out, and makes the history a damaged one. It reports false if
// nothing can be.
func Read(segments [][]byte) (h History, ok bool) {
	for _, b := range segments {
		n := used(b)
		if n == 0 {
			h.Damaged = true
			continue
		}
		d := decoder{b: b[headSize:n]}
		beat := time.UnixMicro(int64(binary.LittleEndian.Uint64(b[16:])))
		first := true
		for len(d.b) > 0 {
			var r Record
			if d.next(&r) != nil || first != (r.Kind == Began) {
				h.Damaged = true
				break
			}
			if first {
				first = false
				if ok && (r.Life != h.Life) {
					h.Damaged = true
					break
				}
				if !ok {
					h.Life, h.Ledger, h.Cut, h.From, ok = r.Life, r.Text, r.Count, r.Real, true
				}
				continue
			}
			h.Records = append(h.Records, r)
			if r.Real.After(h.Beat) {
				h.Beat = r.Real
			}
		}
		if !first && beat.After(h.Beat) {
			h.Beat = beat
		}
		if lost := binary.LittleEndian.Uint64(b[24:]); lost > 0 {
			h.Full = true
			h.Cut += int(min(lost, math.MaxInt32))
		}
	}
	return h, ok
}
