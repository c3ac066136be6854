package crdt

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"parking/lot"
)

// model is what a document should be, in the dumbest way: the set of all
// mutations seen. Everything else is recomputed from it at every question.
type model map[Dot]Mutation

func (m model) copy() model    { return maps.Clone(m) }
func (m model) add(o model)    { maps.Copy(m, o) }
func (m model) has(d Dot) bool { _, ok := m[d]; return ok }

// live returns the values that no seen mutation supersedes, best rank first.
func (m model) live() []Mutation {
	superseded := m.superseded()
	var live []Mutation
	for dot, mu := range m {
		if _, gone := superseded[dot]; !gone && mu.Kind != Exit {
			live = append(live, mu)
		}
	}
	slices.SortFunc(live, func(a, b Mutation) int {
		return cmp.Or(-cmp.Compare(a.Stamp, b.Stamp), -a.Dot.Replica.Compare(b.Dot.Replica), -cmp.Compare(a.Dot.Seq, b.Dot.Seq))
	})
	return live
}

func (m model) superseded() map[Dot]struct{} {
	all := make(map[Dot]struct{})
	for _, mu := range m {
		for _, s := range mu.Supersedes {
			all[s] = struct{}{}
		}
	}
	return all
}

// vehicles returns the lot as users see it.
func (m model) vehicles() map[lot.Plate]lot.Vehicle {
	all := make(map[lot.Plate]lot.Vehicle)
	for _, mu := range m.live() {
		if mu.Kind != Entry {
			continue
		}
		e := lot.Entry{Gate: mu.Gate, Node: mu.Dot.Replica.Node(), Since: mu.Since()}
		v, ok := all[mu.Plate]
		if !ok {
			v = lot.Vehicle{Plate: mu.Plate, Entry: e}
		} else {
			v.Conflicts = append(v.Conflicts, e)
		}
		all[mu.Plate] = v
	}
	return all
}

// registers returns each register's values, the winner first.
func (m model) registers() map[string][]string {
	all := make(map[string][]string)
	for _, mu := range m.live() {
		if mu.Kind == Register {
			all[mu.Key] = append(all[mu.Key], string(mu.Value))
		}
	}
	return all
}

// version returns the gapless maximum and the cloud of each replica.
func (m model) version() map[Replica]modelRow {
	all := make(map[Replica]modelRow)
	for dot := range m {
		all[dot.Replica] = modelRow{}
	}
	for rep := range all {
		var r modelRow
		for m.has(Dot{rep, r.max + 1}) {
			r.max++
		}
		for dot := range m {
			if dot.Replica == rep && dot.Seq > r.max {
				r.cloud = append(r.cloud, dot.Seq)
			}
		}
		slices.Sort(r.cloud)
		all[rep] = r
	}
	return all
}

type modelRow struct {
	max   uint64
	cloud []uint64
}

// without returns the dots of m that are not in o.
func (m model) without(o model) map[Dot]struct{} {
	lack := make(map[Dot]struct{})
	for dot := range m {
		if !o.has(dot) {
			lack[dot] = struct{}{}
		}
	}
	return lack
}

// sameVersion tells how v differs from what the model has seen, or "".
func sameVersion(v Version, m model) string {
	want := m.version()
	if len(v.rows) != len(want) {
		return fmt.Sprintf("the version knows %d replicas, not %d", len(v.rows), len(want))
	}
	for rep, w := range want {
		if got := v.rows[rep]; got.max != w.max || !slices.Equal(got.sortedCloud(), w.cloud) {
			return fmt.Sprintf("the version of %v is %d%v, not %d%v", rep, got.max, got.sortedCloud(), w.max, w.cloud)
		}
		if v.Max(rep) != w.max {
			return fmt.Sprintf("Max(%v) = %d, not %d", rep, v.Max(rep), w.max)
		}
	}
	return ""
}

// differs tells how the document differs from the model in what a user of it
// can see, or "".
func differs(d *Document, m model) string {
	want := m.vehicles()
	if d.Taken() != len(want) {
		return fmt.Sprintf("Taken = %d, not %d", d.Taken(), len(want))
	}
	got := d.Vehicles()
	if len(got) != len(want) {
		return fmt.Sprintf("%d vehicles, not %d", len(got), len(want))
	}
	for _, v := range got {
		w, ok := want[v.Plate]
		if !ok {
			return fmt.Sprintf("%s is in the lot and should not be", v.Plate)
		}
		if !sameVehicle(v, w) {
			return fmt.Sprintf("vehicle\n%+v, not\n%+v", v, w)
		}
		if one, ok := d.Vehicle(v.Plate); !ok || !sameVehicle(one, w) {
			return fmt.Sprintf("Vehicle(%s) = %+v, %v, not %+v", v.Plate, one, ok, w)
		}
	}
	registers := m.registers()
	if keys := slices.Sorted(maps.Keys(registers)); !slices.Equal(d.Keys(), keys) {
		return fmt.Sprintf("keys %q, not %q", d.Keys(), keys)
	}
	for key, want := range registers {
		var got []string
		for _, s := range d.Siblings(key) {
			got = append(got, string(s.Value))
		}
		if !slices.Equal(got, want) {
			return fmt.Sprintf("register %s is %q, not %q", key, got, want)
		}
	}
	return sameVersion(d.Version(), m)
}

func sameVehicle(a, b lot.Vehicle) bool {
	same := func(a, b lot.Entry) bool { return a.Gate == b.Gate && a.Node == b.Node && a.Since.Equal(b.Since) }
	return a.Plate == b.Plate && same(a.Entry, b.Entry) && slices.EqualFunc(a.Conflicts, b.Conflicts, same)
}

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

func sameMutation(a, b Mutation) bool {
	return a.Dot == b.Dot && slices.Equal(a.Supersedes, b.Supersedes) && a.Stamp == b.Stamp && a.Kind == b.Kind &&
		a.Plate == b.Plate && a.Gate == b.Gate && a.Wall == b.Wall && a.Key == b.Key && bytes.Equal(a.Value, b.Value)
}

// The helpers below make documents for tests that tell a story.

var (
	t0    = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	curly = NewReplica("curly", 1)
	larry = NewReplica("larry", 2)
	moe   = NewReplica("moe", 3)
)

func doc(r Replica) *Document { return New(r, DefaultLog) }

// joined returns a document of that replica which joined ms in that order.
func joined(r Replica, ms ...Mutation) *Document {
	d := doc(r)
	for _, m := range ms {
		d.Join(m)
	}
	return d
}

// modelOf returns the model that has seen ms.
func modelOf(ms ...Mutation) model {
	m := make(model)
	for _, mu := range ms {
		m[mu.Dot] = mu
	}
	return m
}

// permutations calls f with each order of ms.
func permutations(ms []Mutation, f func([]Mutation)) {
	var rec func(k int)
	rec = func(k int) {
		if k == len(ms) {
			f(ms)
			return
		}
		for i := k; i < len(ms); i++ {
			ms[k], ms[i] = ms[i], ms[k]
			rec(k + 1)
			ms[k], ms[i] = ms[i], ms[k]
		}
	}
	ms = slices.Clone(ms)
	rec(0)
}

func inLot(t *testing.T, d *Document, p lot.Plate) lot.Vehicle {
	t.Helper()
	v, ok := d.Vehicle(p)
	if !ok {
		t.Fatalf("%s is not in the lot of %v", p, d.Self())
	}
	return v
}

func notInLot(t *testing.T, d *Document, p lot.Plate) {
	t.Helper()
	if v, ok := d.Vehicle(p); ok {
		t.Fatalf("%s is in the lot of %v: %+v", p, d.Self(), v)
	}
}

func sameDigest(t failer, a, b *Document) {
	t.Helper()
	if a.Digest() != b.Digest() {
		t.Fatalf("digests differ: %v %v, %v %v", a.Self(), a.Digest(), b.Self(), b.Digest())
	}
}
