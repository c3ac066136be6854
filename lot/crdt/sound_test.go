package crdt

import (
	"fmt"

	"parking/lot"
)

// broken tells which of the document's own invariants does not hold, or "".
// It says nothing of what the content should be.
func broken(d *Document) string {
	var live, all sum
	dots := make(map[Dot]struct{})
	value := func(dot Dot) string {
		if _, twice := dots[dot]; twice {
			return fmt.Sprintf("%v is live twice", dot)
		}
		if !d.seen.Contains(dot) {
			return fmt.Sprintf("%v is live and was never seen", dot)
		}
		dots[dot] = struct{}{}
		all.add(fact(tagLive, dot))
		return ""
	}
	for _, r := range d.entries.all {
		if why := value(d.entries.dot(r)); why != "" {
			return why
		}
	}
	if why := brokenEntries(d.entries); why != "" {
		return why
	}
	keys := 0
	for key, siblings := range d.registers {
		if len(siblings) == 0 {
			return "register " + key + " has no value"
		}
		for _, s := range siblings {
			if why := value(s.Dot); why != "" {
				return why
			}
			if d.keys[s.Dot] != key {
				return fmt.Sprintf("%v is of %s, not of %q", s.Dot, key, d.keys[s.Dot])
			}
			live.add(fact(tagLive, s.Dot))
			keys++
		}
	}
	if keys != len(d.keys) {
		return fmt.Sprintf("%d register values have a key, %d live", len(d.keys), keys)
	}
	for dot := range d.early {
		if d.seen.Contains(dot) {
			return fmt.Sprintf("%v was seen and is still an early removal", dot)
		}
		live.add(fact(tagEarly, dot))
		all.add(fact(tagEarly, dot))
	}
	var seen sum
	for rep, s := range d.seen.rows {
		if len(s) == 0 {
			return fmt.Sprintf("%v is known, and nothing of it was seen", rep)
		}
		last := uint64(0)
		for i, x := range s {
			switch {
			case x.First > x.Last || x.First <= last+min(last, 1):
				return fmt.Sprintf("the spans of %v are %v", rep, s)
			case i == 0 && x.First == 1:
				seen.add(fact(tagVector, Dot{rep, x.Last}))
			default:
				for seq := x.First; seq <= x.Last; seq++ {
					seen.add(fact(tagCloud, Dot{rep, seq}))
				}
			}
			last = x.Last
		}
	}
	if d.live != live || d.seenHash != seen {
		return "a sum is not the sum from scratch"
	}
	all.add(seen)
	if d.Digest() != all.digest() {
		return "the digest is not the digest from scratch"
	}
	return brokenLog(d)
}

// brokenEntries does so for the entries and their indexes.
func brokenEntries(e *entries) string {
	plates := make(map[lot.Plate]bool)
	var live sum
	count, long := 0, 0
	for n, r := range e.all {
		p, dot := e.plate(n), e.dot(r)
		if e.find(dot) != n {
			return fmt.Sprintf("%v is not found by its dot", dot)
		}
		chained := false
		for at := e.byHash[e.hash(p)]; at != 0; at = e.at(at).next {
			chained = chained || at == n
		}
		if !chained || e.hash(p) != e.rehash(n) || !e.is(n, p) {
			return fmt.Sprintf("%v of %q is not found by its plate", dot, p)
		}
		if len(p) > len(r.plate) {
			long++
		}
		plates[p] = true
		live.add(fact(tagLive, dot))
		count++
	}
	free := 0
	for n := e.free; n != 0; n = e.at(n).next {
		if free++; e.at(n).seqGate != 0 {
			return fmt.Sprintf("record %d lives and is free", n)
		}
	}
	if count != e.count || count+free != int(e.used) {
		return fmt.Sprintf("%d records live and %d are free, of %d; counted are %d", count, free, e.used, e.count)
	}
	if len(plates) != e.plates || long != len(e.long) || live != e.sum {
		return fmt.Sprintf("%d plates, not %d; %d of them long, not %d; or the sum is wrong", e.plates, len(plates), len(e.long), long)
	}
	for hash, n := range e.byHash {
		if n == 0 || e.at(n).seqGate == 0 || e.rehash(n) != hash {
			return fmt.Sprintf("hash %x leads to record %d", hash, n)
		}
	}
	for _, page := range e.byDot.pages {
		for _, n := range page {
			if n != 0 {
				count--
			}
		}
	}
	if count != 0 {
		return fmt.Sprintf("%d records more than dots", count)
	}
	return ""
}

// brokenLog does so for the log.
func brokenLog(d *Document) string {
	size := 0
	for rep, r := range d.log.runs {
		if blocks := len(r.muts.blocks); blocks != (r.muts.off+r.muts.n+blockSize-1)/blockSize || r.muts.n == 0 && blocks > 0 {
			return fmt.Sprintf("%d mutations of %v, %d into the first of %d blocks", r.muts.n, rep, r.muts.off, blocks)
		}
		if end := r.first + uint64(r.muts.n) - 1; end != d.seen.Max(rep) {
			return fmt.Sprintf("the run of %v ends at %d, not at %d", rep, end, d.seen.Max(rep))
		}
		for i := range r.muts.n {
			if m := r.muts.at(i); m.Dot != (Dot{rep, r.first + uint64(i)}) {
				return fmt.Sprintf("the run of %v has %v at %d", rep, m.Dot, r.first+uint64(i))
			}
		}
		for seq, m := range r.cloud {
			if m.Dot != (Dot{rep, seq}) || seq <= d.seen.Max(rep) || !d.seen.Contains(m.Dot) {
				return fmt.Sprintf("the log's cloud of %v has %v at %d", rep, m.Dot, seq)
			}
		}
		size += r.muts.n + len(r.cloud)
	}
	if d.log.size != size || size > d.log.cap {
		return fmt.Sprintf("the log counts %d, has %d, may have %d", d.log.size, size, d.log.cap)
	}
	return ""
}

// verify fails the test unless the document is sound and equals the model.
func verify(t failer, d *Document, m model) {
	t.Helper()
	if why := broken(d); why != "" {
		t.Fatalf("%v is broken: %s", d.Self(), why)
	}
	if why := differs(d, m); why != "" {
		t.Fatalf("%v differs from the model: %s", d.Self(), why)
	}
	superseded := m.superseded()
	early := 0
	for dot := range superseded {
		if !m.has(dot) {
			early++
			if _, ok := d.early[dot]; !ok {
				t.Fatalf("%v forgot the early removal of %v", d.Self(), dot)
			}
		}
	}
	if len(d.early) != early {
		t.Fatalf("%v keeps %d early removals, not %d", d.Self(), len(d.early), early)
	}
}

// sound fails the test unless the document's invariants hold.
func sound(t failer, d *Document) {
	t.Helper()
	if why := broken(d); why != "" {
		t.Fatalf("%v is broken: %s", d.Self(), why)
	}
}

// failer is what testing.T and rapid.T share.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}
