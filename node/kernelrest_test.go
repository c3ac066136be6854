package node

import "slices"

// rest lets the world come to rest, healed, and checks that all are one then.
func (w *kernelWorld) rest() {
	for _, r := range w.all {
		if !r.down {
			w.check(r)
		}
	}
	w.heal()
	for _, r := range w.all {
		if r.down && w.chance(500) {
			w.raise(r)
		}
	}
	for len(w.packets) > 0 {
		w.deliver()
	}
	for len(w.transfers) > 0 {
		w.chunk(w.rng.IntN(len(w.transfers)), w.chance(w.life.breaks))
	}
	up := slices.DeleteFunc(slices.Clone(w.all), func(r *kernelReplica) bool { return r.down })
	if !slices.ContainsFunc(up, func(r *kernelReplica) bool { return r.met }) {
		w.found(up[0])
	}
	for _, r := range up {
		w.look(r)
	}
	w.converge(up)
	for round := 0; ; round++ {
		changed := false
		for _, r := range up {
			changed = w.settle(r) || changed
		}
		w.packets = w.packets[:0]
		if !changed {
			break
		}
		if round == 6 {
			w.fail("gates still move")
		}
		w.converge(up)
	}
	for _, r := range up {
		w.check(r)
	}
	if w.chance(250) {
		w.checkAnew(up[0])
	}
	w.checkGates(up)
}

// converge lets each pull from each, until all are the same.
func (w *kernelWorld) converge(up []*kernelReplica) {
	for round := 0; ; round++ {
		same := true
		for _, r := range up[1:] {
			same = same && r.doc.Digest() == up[0].doc.Digest()
		}
		if same {
			break
		}
		if round == 100 {
			w.fail("the replicas do not become equal")
		}
		for _, r := range up {
			if hub := up[0]; round == 0 {
				w.fetch(r, up[w.rng.IntN(len(up))])
			} else if round%2 == 1 {
				w.fetch(hub, r)
			} else {
				w.fetch(r, hub)
			}
		}
	}
	for _, r := range up {
		if !r.seen.equal(up[0].seen) {
			w.fail("%v and %v have one digest, and have not seen the same", r.doc.Self(), up[0].doc.Self())
		}
		r.met = true
	}
}
