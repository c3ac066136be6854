package crdt

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

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
		got := v.rows[rep]
		if cloud := slices.Collect(got.Cloud().Each); got.Max() != w.max || !slices.Equal(cloud, w.cloud) {
			return fmt.Sprintf("the version of %v is %d%v, not %d%v", rep, got.Max(), cloud, w.max, w.cloud)
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
	got := slices.Collect(d.Snapshot().Vehicles(""))
	if len(got) != len(want) {
		return fmt.Sprintf("%d vehicles, not %d", len(got), len(want))
	}
	if !slices.IsSortedFunc(got, func(a, b lot.Vehicle) int { return cmp.Compare(a.Plate, b.Plate) }) {
		return fmt.Sprintf("not sorted: %+v", got)
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

// sent returns the mutation as it arrives: of an exit that supersedes something
// the plate stays behind.
func sent(m Mutation) Mutation {
	if m.Kind == Exit && len(m.Supersedes) > 0 {
		m.Plate = ""
	}
	return m
}

func sameMutation(a, b Mutation) bool {
	return a.Dot == b.Dot && slices.Equal(a.Supersedes, b.Supersedes) && a.Stamp == b.Stamp && a.Kind == b.Kind &&
		a.Plate == b.Plate && a.Gate == b.Gate && a.Wall == b.Wall && a.Key == b.Key && bytes.Equal(a.Value, b.Value)
}
