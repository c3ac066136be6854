package crdt

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"time"

	"parking/lot"
)

// DefaultLog is how many recent mutations a document keeps for peers that are
// a little behind.
const DefaultLog = 1 << 17

// A Document is one replica's copy of the lot: vehicles, registers, and what
// has been seen of every replica. It is not safe for concurrent use, but methods
// that only read may run at once.
type Document struct {
	self     Replica
	clock    clock
	seen     Version
	seenHash sum

	entries   *entries
	registers map[string][]Sibling
	keys      map[Dot]string   // of the live register values
	early     map[Dot]struct{} // superseded before they were seen
	live      sum              // of the register values and the early removals
	log       log
}

// A Sibling is one live value of a register.
type Sibling struct {
	Dot   Dot
	Stamp Stamp
	Value []byte // shared: not to be written to
}

// New returns an empty document of that replica, which keeps at most logSize
// recent mutations for Since.
func New(self Replica, logSize int) *Document {
	return &Document{
		self:      self,
		entries:   newEntries(),
		registers: make(map[string][]Sibling),
		keys:      make(map[Dot]string),
		early:     make(map[Dot]struct{}),
		log:       newLog(logSize),
	}
}

// Self returns the replica that makes this document's own mutations.
func (d *Document) Self() Replica { return d.self }

// Enter records that the plate came in by gate g at the wall time now. The
// entry supersedes those of the plate seen here.
func (d *Document) Enter(now time.Time, p lot.Plate, g lot.GateID) Mutation {
	return d.make(now, Mutation{Kind: Entry, Plate: p, Gate: g, Supersedes: d.entries.dots(p)})
}

// Exit records that the plate left at the wall time now, by gate g or, if 0,
// by none that was named. It supersedes the plate's entries seen here: one
// that is concurrent stays.
func (d *Document) Exit(now time.Time, p lot.Plate, g lot.GateID) Mutation {
	return d.make(now, Mutation{Kind: Exit, Plate: p, Gate: g, Supersedes: d.entries.dots(p)})
}

// Set writes a register. The write supersedes the values seen here. The
// document keeps value. Beyond MaxKey and MaxValue peers refuse the mutation,
// and all that comes with it.
func (d *Document) Set(now time.Time, key string, value []byte) Mutation {
	var dots []Dot
	for _, s := range d.registers[key] {
		dots = append(dots, s.Dot)
	}
	return d.make(now, Mutation{Kind: Register, Key: key, Value: value, Supersedes: dots})
}

// make gives m its dot and stamp and applies it here.
func (d *Document) make(now time.Time, m Mutation) Mutation {
	m.Dot = Dot{d.self, d.seen.Max(d.self) + 1}
	wall := millis(now)
	m.Stamp = d.clock.tick(wall)
	if m.Kind != Register {
		m.Wall = wall
	}
	d.Join(m)
	return m
}

// Join merges one mutation: commutative, associative, idempotent. It keeps m
// and its slices.
func (d *Document) Join(m Mutation) Outcome {
	top, news := d.seen.add(m.Dot, &d.seenHash)
	if !news {
		return Known
	}
	d.clock.see(m.Stamp)
	d.log.add(m, top)
	for _, s := range m.Supersedes {
		if d.seen.Contains(s) {
			d.drop(s)
		} else if _, ok := d.early[s]; !ok {
			d.early[s] = struct{}{}
			d.live.add(fact(tagEarly, s))
		}
	}
	if _, gone := d.early[m.Dot]; gone {
		delete(d.early, m.Dot)
		d.live.remove(fact(tagEarly, m.Dot))
		return Overtaken
	}
	d.put(&m)
	return Joined
}

// put makes m's value live.
func (d *Document) put(m *Mutation) {
	switch m.Kind {
	case Entry:
		d.entries.add(m.Dot, m.Stamp, m.Wall, m.Plate, m.Gate)
	case Register:
		d.registers[m.Key] = append(d.registers[m.Key], Sibling{m.Dot, m.Stamp, m.Value})
		d.keys[m.Dot] = m.Key
		d.live.add(fact(tagLive, m.Dot))
	}
}

// drop takes the value of that dot out, if it is live.
func (d *Document) drop(dot Dot) {
	if n := d.entries.find(dot); n != 0 {
		d.entries.remove(n)
	} else if key, ok := d.keys[dot]; ok {
		d.dropSibling(key, dot)
	}
}

func (d *Document) dropSibling(key string, dot Dot) {
	all := d.registers[key]
	if len(all) == 1 {
		delete(d.registers, key)
	} else {
		i := slices.IndexFunc(all, func(s Sibling) bool { return s.Dot == dot })
		d.registers[key] = slices.Delete(slices.Clone(all), i, i+1)
	}
	delete(d.keys, dot)
	d.live.remove(fact(tagLive, dot))
}

// Digest returns the hash of what was seen and what is live.
func (d *Document) Digest() Digest {
	s := d.live
	s.add(d.entries.sum)
	s.add(d.seenHash)
	return s.digest()
}

// Version returns a copy of what was seen.
func (d *Document) Version() Version { return d.seen.clone() }

// Covers reports whether every dot was seen that another replica claims to
// have seen, apart from what this very replica never issued.
func (d *Document) Covers(theirs Version) bool { return d.seen.Covers(d.issuedOf(theirs)) }

// Has reports whether that dot was seen.
func (d *Document) Has(dot Dot) bool { return d.seen.Contains(dot) }

// Taken returns the number of plates in the lot.
func (d *Document) Taken() int { return d.entries.plates }

// In reports whether the plate is in the lot.
func (d *Document) In(p lot.Plate) bool { return d.entries.first(p) != 0 }

// Vehicle returns the plate's vehicle and whether it is in the lot.
func (d *Document) Vehicle(p lot.Plate) (lot.Vehicle, bool) { return d.entries.vehicle(p) }

// Snapshot returns the vehicles as they are now. It takes no longer than a copy
// of some thousand words, and may be read while the document changes.
func (d *Document) Snapshot() Snapshot { return Snapshot{d.entries.freeze()} }

// A Snapshot is the lot's vehicles at one moment. It is safe for concurrent use.
type Snapshot struct{ entries *entries }

// Vehicles yields the vehicles whose plates begin with prefix, sorted by plate.
func (s Snapshot) Vehicles(prefix string) iter.Seq[lot.Vehicle] { return s.entries.vehicles(prefix) }

// Dots yields each entry's dot and plate, in no order.
func (s Snapshot) Dots(yield func(Dot, lot.Plate) bool) {
	for n, r := range s.entries.all {
		if !yield(s.entries.dot(r), s.entries.plate(n)) {
			return
		}
	}
}

// Plates yields the plates in the lot, in no order.
func (d *Document) Plates() iter.Seq[lot.Plate] { return d.entries.each }

// Siblings returns a register's live values, the latest stamp first (then the
// higher replica): one, unless writes were concurrent. The slice is shared.
func (d *Document) Siblings(key string) []Sibling {
	all := d.registers[key]
	if len(all) > 1 {
		all = slices.SortedFunc(slices.Values(all), func(a, b Sibling) int {
			return -compareRank(a.Stamp, a.Dot, b.Stamp, b.Dot)
		})
	}
	return all
}

// Keys returns the names of the registers that have a value, sorted.
func (d *Document) Keys() []string { return slices.Sorted(maps.Keys(d.registers)) }

// compareRank orders concurrent values: by stamp, then by replica. The sequence
// number makes the order total; it decides where a replica's clock had come to
// the end of time.
func compareRank(a Stamp, ad Dot, b Stamp, bd Dot) int {
	return cmp.Or(cmp.Compare(a, b), ad.Replica.Compare(bd.Replica), cmp.Compare(ad.Seq, bd.Seq))
}
