package node

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"parking/lot"
	"parking/lot/crdt"
	"parking/lot/wire"
)

// check compares all that can be read of a replica with the model.
func (w *kernelWorld) check(r *kernelReplica) {
	k, d := w.model, r.doc
	taken, registers := 0, 0
	for key, name := range k.names {
		if name.register {
			if w.checkRegister(r, int32(key), name.name) {
				registers++
			}
			continue
		}
		want, in := k.vehicle(r.seen, int32(key))
		got, is := d.Vehicle(lot.Plate(name.name))
		same := func(a, b lot.Entry) bool { return a.Gate == b.Gate && a.Node == b.Node && a.Since.Equal(b.Since) }
		if in != is || is != d.In(lot.Plate(name.name)) || got.Plate != want.Plate ||
			in && !same(got.Entry, want.Entry) || !slices.EqualFunc(got.Conflicts, want.Conflicts, same) {
			w.fail("%v has %+v, %v, not %+v, %v", d.Self(), got, is, want, in)
		}
		if in {
			taken++
		}
	}
	w.checkSetting(r, keyGates)
	w.checkSetting(r, keySpaces)
	if d.Taken() != taken || len(d.Keys()) != registers {
		w.fail("%v has %d vehicles and %d registers, not %d and %d", d.Self(), d.Taken(), len(d.Keys()), taken, registers)
	}
	for id := range k.muts {
		if dot := k.muts[id].Dot; d.Has(dot) != r.seen.has(int32(id)) {
			w.fail("%v has seen %v: %v", d.Self(), dot, d.Has(dot))
		}
	}
}

// checkRegister reports whether the register has a value.
func (w *kernelWorld) checkRegister(r *kernelReplica, key int32, name string) bool {
	want, got := w.model.ranked(r.seen, key), r.doc.Siblings(name)
	same := func(s crdt.Sibling, id int32) bool {
		m := &w.model.muts[id]
		return s.Dot == m.Dot && s.Stamp == m.Stamp && string(s.Value) == string(m.Value)
	}
	if !slices.EqualFunc(got, want, same) {
		w.fail("%v has %d values of %s, not %d or not in that order", r.doc.Self(), len(got), name, len(want))
	}
	return len(want) > 0
}

// checkAnew checks that the replica is what another becomes by the same
// mutations in any order.
func (w *kernelWorld) checkAnew(r *kernelReplica) {
	d := crdt.New(crdt.NewReplica("x", 1), 1)
	for _, i := range w.rng.Perm(len(w.model.muts)) {
		if r.seen.has(int32(i)) {
			d.Join(w.model.muts[i].Mutation)
		}
	}
	if d.Digest() != r.doc.Digest() {
		w.fail("%v has digest %v, and what it has seen %v in another order", r.doc.Self(), r.doc.Digest(), d.Digest())
	}
}

// checkSetting checks that of the values of a setting the latest rules that was
// set, or else the earliest that a node founded with.
func (w *kernelWorld) checkSetting(r *kernelReplica, key string) {
	want, founding := 0, true
	for _, id := range w.model.ranked(r.seen, w.model.number(modelKey{true, key})) {
		var v wire.Setting
		if err := proto.Unmarshal(w.model.muts[id].Value, &v); err != nil {
			w.fail("a setting: %v", err)
		}
		if founding {
			want, founding = int(v.GetValue()), v.GetFounding()
		}
	}
	if got := setting(r.doc, key); got != want {
		w.fail("%v has %d for %s, not %d", r.doc.Self(), got, key, want)
	}
}
