package crdt

import "fmt"

// broken tells which of the document's own invariants does not hold, or "".
// It says nothing of what the content should be.
func broken(d *Document) string {
	var live sum
	dots := make(map[Dot]struct{})
	value := func(dot Dot) string {
		if _, twice := dots[dot]; twice {
			return fmt.Sprintf("%v is live twice", dot)
		}
		if !d.seen.Contains(dot) {
			return fmt.Sprintf("%v is live and was never seen", dot)
		}
		dots[dot] = struct{}{}
		live.add(fact(tagLive, dot))
		return ""
	}
	for _, s := range d.vehicles {
		for r := range s.all {
			if why := value(r.dot); why != "" {
				return why
			}
		}
	}
	for key, all := range d.registers {
		if len(all) == 0 {
			return "register " + key + " has no value"
		}
		for _, s := range all {
			if why := value(s.Dot); why != "" {
				return why
			}
		}
	}
	for dot := range d.early {
		if d.seen.Contains(dot) {
			return fmt.Sprintf("%v was seen and is still an early removal", dot)
		}
		live.add(fact(tagEarly, dot))
	}
	var seen sum
	for rep, r := range d.seen.rows {
		if r.max > 0 {
			seen.add(fact(tagVector, Dot{rep, r.max}))
		}
		for seq := range r.cloud {
			if seq <= r.max+1 {
				return fmt.Sprintf("the cloud of %v has %d beside its maximum %d", rep, seq, r.max)
			}
			seen.add(fact(tagCloud, Dot{rep, seq}))
		}
		if r.cloud != nil && len(r.cloud) == 0 {
			return fmt.Sprintf("the cloud of %v is empty and kept", rep)
		}
	}
	if d.live != live || d.seenHash != seen {
		return "the digest kept is not the digest from scratch"
	}
	return brokenLog(d)
}

// brokenLog does so for the log.
func brokenLog(d *Document) string {
	size := 0
	for rep, r := range d.log.runs {
		if end := r.first + uint64(len(r.muts)) - 1; end != d.seen.Max(rep) {
			return fmt.Sprintf("the run of %v ends at %d, not at %d", rep, end, d.seen.Max(rep))
		}
		for i, m := range r.muts {
			if m.Dot != (Dot{rep, r.first + uint64(i)}) {
				return fmt.Sprintf("the run of %v has %v at %d", rep, m.Dot, r.first+uint64(i))
			}
		}
		for seq, m := range r.cloud {
			if m.Dot != (Dot{rep, seq}) || seq <= d.seen.Max(rep) || !d.seen.Contains(m.Dot) {
				return fmt.Sprintf("the log's cloud of %v has %v at %d", rep, m.Dot, seq)
			}
		}
		size += len(r.muts) + len(r.cloud)
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
