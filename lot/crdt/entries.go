package crdt

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"parking/lot"
)

// entries are the live entries of a document, by plate and by dot. A million of
// them take some 75 bytes each: the records stand in pages without pointers,
// which the garbage collector skips, and whatever refers to a record does so by
// its number, which stays the record's while it lives.
type entries struct {
	pages []*page       // record n is in page n>>pageBits
	born  []uint64      // the age at which each page was made or copied
	age   atomic.Uint64 // frozen copies that were ever taken
	free  uint32        // the first record that is free, linked by next; 0: none
	used  uint32        // records that were ever used, without record 0

	seed   maphash.Seed
	byHash map[uint32]uint32 // hash of a plate to the first record of a chain
	byDot  dotIndex
	long   map[uint32]lot.Plate // plates that do not fit into their record

	replicas []Replica // by number
	numbers  map[Replica]uint32

	plates int // different ones
	count  int // records that live
	sum    sum // of the live dots
}

const (
	pageBits = 8
	pageSize = 1 << pageBits
)

type page [pageSize]record

// record is one live entry, in 48 bytes.
type record struct {
	plate   [16]byte // zeros behind; all zeros: in long
	stamp   Stamp
	wall    int64
	seqGate uint64 // sequence number << 16 | gate; 0: the record is free
	replica uint32 // by number
	next    uint32 // the next record of the chain; 0: none
}

func newEntries() *entries {
	return &entries{
		seed:    maphash.MakeSeed(),
		byHash:  make(map[uint32]uint32),
		byDot:   dotIndex{pages: make(map[dotPage]*[64]uint32)},
		numbers: make(map[Replica]uint32),
	}
}

func (r *record) seq() uint64      { return r.seqGate >> 16 }
func (r *record) gate() lot.GateID { return lot.GateID(r.seqGate & 0xffff) }

// at returns a record to read.
func (e *entries) at(n uint32) *record { return &e.pages[n>>pageBits][n&(pageSize-1)] }

// edit returns a record to write to.
func (e *entries) edit(n uint32) *record {
	i := n >> pageBits
	if e.born[i] != e.age.Load() {
		own := *e.pages[i]
		e.pages[i], e.born[i] = &own, e.age.Load()
	}
	return e.at(n)
}

// freeze returns the records as they are now, to be read by others at their
// leisure. It has no indexes: of its methods those work that need none. It costs
// a word per page, and a copy of each page that is written to later.
func (e *entries) freeze() *entries {
	e.age.Add(1)
	return &entries{
		pages: slices.Clone(e.pages), used: e.used, long: maps.Clone(e.long),
		replicas: slices.Clip(e.replicas), count: e.count, sum: e.sum,
	}
}

func (e *entries) dot(r *record) Dot { return Dot{e.replicas[r.replica], r.seq()} }

func (e *entries) hash(p lot.Plate) uint32 { return uint32(maphash.String(e.seed, string(p))) }

// rehash returns the hash of the record's plate.
func (e *entries) rehash(n uint32) uint32 {
	r := e.at(n)
	if r.plate[0] == 0 {
		return e.hash(e.long[n])
	}
	return uint32(maphash.Bytes(e.seed, r.text()))
}

// text returns the plate, if it stands in the record.
func (r *record) text() []byte {
	end := len(r.plate)
	for end > 0 && r.plate[end-1] == 0 {
		end--
	}
	return r.plate[:end]
}

// plate returns the record's plate as a string of its own.
func (e *entries) plate(n uint32) lot.Plate {
	if r := e.at(n); r.plate[0] != 0 {
		return lot.Plate(r.text())
	}
	return e.long[n]
}

// compare orders records by plate.
func (e *entries) compare(a, b uint32) int {
	x, y := e.at(a), e.at(b)
	if x.plate[0] != 0 && y.plate[0] != 0 {
		return bytes.Compare(x.plate[:], y.plate[:])
	}
	return cmp.Compare(e.plate(a), e.plate(b))
}

// is reports whether the record's plate is p.
func (e *entries) is(n uint32, p lot.Plate) bool {
	r := e.at(n)
	if len(p) > len(r.plate) {
		return r.plate[0] == 0 && e.long[n] == p
	}
	return string(r.plate[:len(p)]) == string(p) && (len(p) == len(r.plate) || r.plate[len(p)] == 0)
}

func (e *entries) first(p lot.Plate) uint32 {
	n := e.byHash[e.hash(p)]
	if n == 0 || e.is(n, p) {
		return n
	}
	return e.following(n, p)
}

func (e *entries) following(n uint32, p lot.Plate) uint32 {
	for n = e.at(n).next; n != 0 && !e.is(n, p); n = e.at(n).next {
	}
	return n
}

// dots returns the dots of the plate's entries.
func (e *entries) dots(p lot.Plate) (dots []Dot) {
	for n := e.first(p); n != 0; n = e.following(n, p) {
		dots = append(dots, e.dot(e.at(n)))
	}
	return dots
}

// number returns the replica's number, a new one if it has none.
func (e *entries) number(rep Replica) uint32 {
	n, ok := e.numbers[rep]
	if !ok {
		n = uint32(len(e.replicas))
		e.replicas = append(e.replicas, rep)
		e.numbers[rep] = n
	}
	return n
}

// add makes an entry live. Its dot must not be.
func (e *entries) add(dot Dot, stamp Stamp, wall int64, p lot.Plate, gate lot.GateID) {
	n := e.free
	if n != 0 {
		e.free = e.at(n).next
	} else {
		if e.used++; int(e.used>>pageBits) >= len(e.pages) {
			e.pages, e.born = append(e.pages, new(page)), append(e.born, e.age.Load())
		}
		n = e.used
	}
	r := e.edit(n)
	*r = record{stamp: stamp, wall: wall, seqGate: dot.Seq<<16 | uint64(gate), replica: e.number(dot.Replica)}
	if len(p) <= len(r.plate) {
		copy(r.plate[:], p)
	} else {
		if e.long == nil {
			e.long = make(map[uint32]lot.Plate)
		}
		e.long[n] = lot.Plate(strings.Clone(string(p)))
	}
	h := e.hash(p)
	head := e.byHash[h]
	if head == 0 || !e.has(head, p) {
		e.plates++
	}
	r.next = head
	e.byHash[h] = n
	e.byDot.put(dotPage{r.replica, dot.Seq >> 6}, dot.Seq&63, n)
	e.count++
	e.sum.add(fact(tagLive, dot))
}

// has reports whether an entry of the chain that begins at head is of the plate.
func (e *entries) has(head uint32, p lot.Plate) bool {
	return e.is(head, p) || e.following(head, p) != 0
}

// find returns the number of the live entry with that dot, or 0.
func (e *entries) find(dot Dot) uint32 {
	rep, ok := e.numbers[dot.Replica]
	if !ok {
		return 0
	}
	return e.byDot.get(dotPage{rep, dot.Seq >> 6}, dot.Seq&63)
}

// remove ends the life of the entry with that number.
func (e *entries) remove(n uint32) {
	r := e.edit(n)
	dot := e.dot(r)
	h := e.rehash(n)
	others := false // of the plate
	for before, at := uint32(0), e.byHash[h]; at != 0; before, at = at, e.at(at).next {
		switch {
		case at != n:
			others = others || e.compare(at, n) == 0
		case before != 0:
			e.edit(before).next = r.next
		case r.next == 0:
			delete(e.byHash, h)
		default:
			e.byHash[h] = r.next
		}
	}
	if !others {
		e.plates--
	}
	if r.plate[0] == 0 {
		delete(e.long, n)
	}
	e.byDot.remove(dotPage{r.replica, dot.Seq >> 6}, dot.Seq&63)
	*r = record{next: e.free}
	e.free = n
	e.count--
	e.sum.remove(fact(tagLive, dot))
}

// all yields each live entry's number and record, in order of the numbers. The
// one that is yielded may be removed meanwhile.
func (e *entries) all(yield func(uint32, *record) bool) {
	for n := uint32(1); n <= e.used; n++ {
		if r := e.at(n); r.seqGate != 0 && !yield(n, r) {
			return
		}
	}
}

// entry returns the record for people.
func (e *entries) entry(r *record) lot.Entry {
	return lot.Entry{Gate: r.gate(), Node: e.replicas[r.replica].Node(), Since: time.UnixMilli(r.wall)}
}

// vehicle returns the plate's vehicle and whether it is in the lot: the winner
// of its entries, then the others by rank.
func (e *entries) vehicle(p lot.Plate) (v lot.Vehicle, in bool) {
	n := e.first(p)
	if n == 0 {
		return v, false
	}
	next := e.following(n, p)
	if next == 0 {
		return lot.Vehicle{Plate: e.plate(n), Entry: e.entry(e.at(n))}, true
	}
	all := []uint32{n}
	for ; next != 0; next = e.following(next, p) {
		all = append(all, next)
	}
	return e.ranked(all), true
}

// ranked returns the vehicle of which those are the entries.
func (e *entries) ranked(all []uint32) lot.Vehicle {
	if len(all) > 1 {
		slices.SortFunc(all, func(a, b uint32) int {
			x, y := e.at(a), e.at(b)
			return -compareRank(x.stamp, e.dot(x), y.stamp, e.dot(y))
		})
	}
	v := lot.Vehicle{Plate: e.plate(all[0]), Entry: e.entry(e.at(all[0]))}
	for _, n := range all[1:] {
		v.Conflicts = append(v.Conflicts, e.entry(e.at(n)))
	}
	return v
}

// vehicles yields the vehicles whose plates begin with prefix, sorted by plate.
// It works on a frozen copy, too.
func (e *entries) vehicles(prefix string) iter.Seq[lot.Vehicle] {
	return func(yield func(lot.Vehicle) bool) {
		numbers := make([]uint32, 0, e.count)
		for n, r := range e.all {
			if prefix == "" || bytes.HasPrefix(r.plate[:], []byte(prefix)) || strings.HasPrefix(string(e.long[n]), prefix) {
				numbers = append(numbers, n)
			}
		}
		slices.SortFunc(numbers, e.compare)
		for len(numbers) > 0 {
			i := 1
			for i < len(numbers) && e.compare(numbers[0], numbers[i]) == 0 {
				i++
			}
			if !yield(e.ranked(numbers[:i])) {
				return
			}
			numbers = numbers[i:]
		}
	}
}

// each yields every plate, in no order.
func (e *entries) each(yield func(lot.Plate) bool) {
	for n := range e.all {
		if p := e.plate(n); e.first(p) == n && !yield(p) {
			return
		}
	}
}

// dotIndex finds records by dot: in pages of 64 neighbours, since a replica's
// live dots mostly stand close together. It remembers the page it was at last:
// mutations come in the order of their dots, mostly.
type dotIndex struct {
	pages map[dotPage]*[64]uint32
	last  dotPage
	at    *[64]uint32 // the page of last; nil: none
}

type dotPage struct {
	replica uint32
	seq     uint64 // of the first dot, over 64
}

func (x *dotIndex) get(key dotPage, i uint64) uint32 {
	p := x.at
	if p == nil || x.last != key {
		if p = x.pages[key]; p == nil {
			return 0
		}
	}
	return p[i]
}

func (x *dotIndex) put(key dotPage, i uint64, n uint32) {
	if x.at == nil || x.last != key {
		p := x.pages[key]
		if p == nil {
			p = new([64]uint32)
			x.pages[key] = p
		}
		x.last, x.at = key, p
	}
	x.at[i] = n
}

func (x *dotIndex) remove(key dotPage, i uint64) {
	p := x.pages[key]
	p[i] = 0
	if *p == ([64]uint32{}) {
		delete(x.pages, key)
		if x.last == key {
			x.at = nil
		}
	}
}

// indexed reports whether e has its indexes, which a frozen copy lacks.
func (e *entries) indexed() bool { return e.byHash != nil }
