package history

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"time"

	"parking/lot/spans"
)

// A Log is the history of a living node. Its methods are safe for concurrent
// use and neither block nor fail: where there is no room, records are missing,
// and the log says so. A nil Log keeps nothing.
type Log struct {
	archive Archive
	life    Life
	ledger  string

	mu      sync.Mutex
	now     func() time.Time
	segs    []Segment // the two latest
	number  uint64    // of the next
	enc     encoder
	at      int    // where the latest segment's next record goes
	count   uint64 // records in the latest
	before  uint64 // records in all segments before the latest
	lost    uint64 // records that found no room
	saw     Record // seen and not yet written
	seen    map[Life]*spans.Set
	scratch []byte
	broken  bool      // no room any more
	last    time.Time // the last sign of life
}

// NewLog begins the log of a life.
func NewLog(a Archive, life Life, ledger string) (*Log, error) {
	l := &Log{archive: a, life: life, ledger: ledger, now: time.Now, seen: make(map[Life]*spans.Set)}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l, l.rotate()
}

// Add writes a record. Where its time is zero, it is now.
func (l *Log) Add(r Record) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Real.IsZero() {
		r.Real = l.now()
	}
	l.flush()
	switch r.Kind {
	case Entered, Exited, Set, Wrote:
		l.cover(l.life, spans.Span{First: r.First, Last: r.First})
	}
	l.write(&r)
}

// Saw notes that a change of another replica came.
func (l *Log) Saw(life Life, seq uint64) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sawSpan(life, spans.Span{First: seq, Last: seq})
}

// SawAll notes that those changes came, as far as they were not there.
func (l *Log) SawAll(life Life, s spans.Span) {
	if l == nil || s.First > s.Last {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sawSpan(life, s)
}

func (l *Log) sawSpan(life Life, s spans.Span) {
	if l.saw.Kind == Saw && l.saw.Last+1 == s.First && l.saw.Life == life {
		l.saw.Last = s.Last
		return
	}
	l.flush()
	l.saw = Record{Kind: Saw, Real: l.now(), Life: life, First: s.First, Last: s.Last}
}

// flush writes what was seen.
func (l *Log) flush() {
	if l.saw.Kind == 0 {
		return
	}
	r := l.saw
	l.saw = Record{}
	for _, s := range l.cover(r.Life, spans.Span{First: r.First, Last: r.Last}) {
		r.First, r.Last = s.First, s.Last
		l.write(&r)
	}
}

// cover keeps what the next segment has to begin with.
func (l *Log) cover(life Life, s spans.Span) (fresh []spans.Span) {
	set := l.seen[life]
	if set == nil {
		set = new(spans.Set)
		l.seen[life] = set
	}
	return set.Add(s)
}

// write appends a record to the latest segment, or to a new one.
func (l *Log) write(r *Record) {
	if l.broken {
		l.lose()
		return
	}
	l.scratch = l.enc.append(l.scratch[:0], r)
	if l.at+len(l.scratch) > SegmentSize {
		if l.rotate() != nil {
			l.lose()
			return
		}
		l.scratch = l.enc.append(l.scratch[:0], r)
	}
	l.put()
}

// put copies the scratch into the latest segment.
func (l *Log) put() {
	s := l.segs[len(l.segs)-1]
	end := l.at + len(l.scratch)
	if end > SegmentSize || s.Room(end) != nil {
		l.broken = true
		l.lose()
		return
	}
	b := s.Bytes()
	copy(b[l.at:], l.scratch)
	l.at = end
	binary.LittleEndian.PutUint64(b[8:], uint64(end)) // a record counts once it is whole
	l.count++
}

// lose counts a record for which there is no room.
func (l *Log) lose() {
	l.lost++
	if n := len(l.segs); n > 0 {
		binary.LittleEndian.PutUint64(l.segs[n-1].Bytes()[24:], l.lost)
	}
}

// rotate begins a segment: with what was seen before it.
func (l *Log) rotate() error {
	if len(l.segs) == 2 {
		_ = l.segs[0].Close()
		l.segs = l.segs[1:]
	}
	l.before += l.count
	s, err := l.archive.Begin(l.life, l.number)
	if err == nil {
		if err = s.Room(headSize); err != nil {
			_ = s.Close()
		}
	}
	if err != nil {
		l.broken = true
		return err
	}
	copy(s.Bytes(), magic[:])
	l.segs, l.count, l.number, l.at, l.enc = append(l.segs, s), 0, l.number+1, headSize, newEncoder()
	now := l.now()
	l.beat(now)
	first := Record{Kind: Began, Real: now, Life: l.life, Count: int(l.before), Text: l.ledger}
	l.scratch = l.enc.append(l.scratch[:0], &first)
	l.put()
	for life, set := range l.seen {
		for _, span := range *set {
			r := Record{Kind: Saw, Real: now, Life: life, First: span.First, Last: span.Last}
			l.scratch = l.enc.append(l.scratch[:0], &r)
			l.put()
		}
	}
	return nil
}

// Beat notes that the node is alive.
func (l *Log) Beat() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
	now := l.now()
	// A process that was stopped: what ran here by this log did not, and the others
	// had to think so.
	if gap := now.Sub(l.last); gap > stopped && !l.last.IsZero() {
		id := rand.Uint64()
		l.write(&Record{Kind: Faulted, Real: l.last, First: id, Text: l.life.Node + StoodStill})
		l.write(&Record{Kind: Mended, Real: now, First: id})
	}
	l.beat(now)
}

// StoodStill ends the text of a fault that nobody ordered: a process was stopped.
const StoodStill = " stood still"

// stopped is how long no sign of life may be given before the life counts as
// stopped: the signs are much closer than that.
const stopped = time.Second

func (l *Log) beat(now time.Time) {
	l.last = now
	if n := len(l.segs); n > 0 {
		binary.LittleEndian.PutUint64(l.segs[n-1].Bytes()[16:], uint64(now.UnixMicro()))
	}
}

// Segments returns a copy of what was written.
func (l *Log) Segments() (out [][]byte) {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
	l.beat(l.now())
	for _, s := range l.segs {
		b := s.Bytes()
		out = append(out, append([]byte(nil), b[:used(b)]...))
	}
	return out
}

// Close ends the log; what was written stays in the archive.
func (l *Log) Close() (err error) {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
	if len(l.segs) > 0 {
		l.beat(l.now())
	}
	for _, s := range l.segs {
		if e := s.Close(); e != nil {
			err = e
		}
	}
	l.segs, l.broken = nil, true
	return err
}
