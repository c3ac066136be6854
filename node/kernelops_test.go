package node

import (
	"slices"
	"strconv"

	"parking/lot"
	"parking/lot/crdt"
)

// kernelOp is a kind of step.
type kernelOp uint8

const (
	opMake    kernelOp = iota // an entry, an exit, a passage or a setting
	opChain                   // several of one plate, each where the one before was heard
	opDeliver                 // a packet comes
	opEvent                   // a few of one replica's mutations come together
	opLose
	opPull  // a transfer begins
	opChunk // a part of one comes
	opBreak // one breaks off
	opForge // a mutation that its replica never made
	opSettle
	opMove
	opLook
	opCut
	opHeal
	opCrash
	opRaise
	opClock
	kernelOps
)

var kernelNames = [kernelOps]string{
	"make", "chain", "deliver", "event", "lose", "pull", "chunk", "break", "forge", "settle", "move", "look", "cut",
	"heal", "crash", "raise", "clock",
}

func (op kernelOp) String() string { return kernelNames[op] }

var kernelWeights = [kernelOps]uint32{
	opMake: 110, opChain: 5, opDeliver: 1000, opEvent: 25, opLose: 15, opPull: 2, opChunk: 16, opForge: 2,
	opSettle: 6, opMove: 3, opLook: 6, opCut: 1, opHeal: 1, opCrash: 1, opRaise: 3, opClock: 1,
}

// maxSimGates is how many gates a lot of the simulation may have.
const maxSimGates = 6

// step draws what happens next. Of what cannot be, nothing comes.
func (w *kernelWorld) step() {
	x := w.rng.Uint32N(w.life.total)
	op := kernelOp(0)
	for ; x >= w.life.weights[op]; op++ {
		x -= w.life.weights[op]
	}
	w.now += int64(w.rng.Uint32N(16) / 15 * 3)
	r := w.all[w.rng.IntN(len(w.all))]
	if r.down && op != opRaise && op != opCut && op != opHeal && op != opDeliver && op != opChunk && op != opLose {
		return
	}
	switch op {
	case opMake:
		w.mutate(r)
	case opChain:
		w.chain(r)
	case opDeliver:
		w.deliver()
	case opEvent:
		w.event(r)
	case opLose:
		w.lose()
	case opPull:
		w.pull(r, w.all[w.rng.IntN(len(w.all))])
	case opChunk:
		if n := len(w.transfers); n > 0 {
			w.chunk(w.rng.IntN(n), w.chance(w.life.breaks))
		}
	case opForge:
		w.forge(r)
	case opSettle:
		w.settle(r)
	case opMove:
		w.move(r, w.all[w.rng.IntN(len(w.all))])
	case opLook:
		w.look(r)
		w.note(opLook, r, 0)
	case opCut:
		w.cut(r)
	case opHeal:
		w.heal()
		w.note(opHeal, r, 0)
	case opCrash:
		w.crash(r)
	case opRaise:
		if r.down {
			w.raise(r)
			w.look(r)
			w.note(opRaise, r, int32(r.life))
		}
	case opClock:
		r.skew = w.rng.Int64N(1_000_000) - 500_000
		w.note(opClock, r, 0)
	}
}

// mutate makes something happen at a replica.
func (w *kernelWorld) mutate(r *kernelReplica) {
	switch x := w.rng.Uint32N(100); {
	case x < 3:
		w.set(r, keyGates, 1+w.rng.IntN(maxSimGates), x == 0)
	case x < 6:
		w.set(r, keySpaces, 1+w.rng.IntN(100), x == 3)
	case x < 12:
		g := lot.GateID(1 + w.rng.IntN(maxSimGates))
		w.made(r, count(r.n.cfg.Now(), r.doc, g, x < 9), true)
	default:
		w.track(r, w.plate(), w.rng.IntN(100) < w.life.exits)
	}
}

func (w *kernelWorld) plate() lot.Plate { return simPlates[w.rng.IntN(w.life.plates)] }

var simPlates = func() (all []lot.Plate) {
	for n := range 20_000 {
		p := "P" + strconv.Itoa(n)
		if n%5 == 0 {
			p = "ÄÖ ÜÄÖÜÄÖÜ " + strconv.Itoa(n) // of more than 16 bytes
		}
		all = append(all, lot.Plate(p))
	}
	return all
}()

func (w *kernelWorld) track(r *kernelReplica, p lot.Plate, out bool) int32 {
	g := lot.GateID(1 + w.rng.IntN(maxSimGates))
	if out {
		return w.made(r, r.doc.Exit(r.n.cfg.Now(), p, g-1), true)
	}
	return w.made(r, r.doc.Enter(r.n.cfg.Now(), p, g), true)
}

func (w *kernelWorld) set(r *kernelReplica, key string, v int, founding bool) {
	w.made(r, r.n.setSetting(r.doc, key, v, founding), true)
}

// made checks a mutation that a replica has just made, and sends it to the
// others.
func (w *kernelWorld) made(r *kernelReplica, m crdt.Mutation, send bool) int32 {
	k := w.model
	key := k.key(&m)
	w.scratch = k.live(r.seen, key, w.scratch[:0])
	live := w.scratch
	if want := (crdt.Dot{Replica: r.doc.Self(), Seq: uint64(len(k.dots[r.doc.Self()])) + 1}); m.Dot != want {
		w.fail("%v made %v, not %v", r.doc.Self(), m.Dot, want)
	}
	if len(m.Supersedes) != len(live) {
		w.fail("%v of %v supersedes %v, not %d values", m.Dot, k.names[key], m.Supersedes, len(live))
	}
	for _, id := range live {
		was := &k.muts[id]
		if !slices.Contains(m.Supersedes, was.Dot) {
			w.fail("%v of %v supersedes %v, without %v", m.Dot, k.names[key], m.Supersedes, was.Dot)
		}
		if m.Stamp <= was.Stamp {
			w.fail("%v is stamped %d, not after %d of %v, which it supersedes", m.Dot, m.Stamp, was.Stamp, was.Dot)
		}
	}
	if m.Stamp <= r.made {
		w.fail("%v is stamped %d, not after %d", m.Dot, m.Stamp, r.made)
	}
	r.made = m.Stamp
	id := k.add(m, key, live)
	r.seen.add(id)
	w.note(opMake, r, id)
	if !send {
		return id
	}
	for _, to := range w.all {
		if to == r {
			continue
		}
		if !w.chance(w.life.loss) {
			w.packets = append(w.packets, kernelPacket{int32(r.i), int32(to.i), id})
		}
	}
	return id
}

// chain makes mutations of one plate, each at a replica that has heard of the
// one before. The others hear of them in any order, or of none.
func (w *kernelWorld) chain(r *kernelReplica) {
	p := w.plate()
	var ids []int32
	for range 2 + w.rng.IntN(5) {
		id := w.track(r, p, w.chance(300))
		ids = append(ids, id)
		if to := w.all[w.rng.IntN(len(w.all))]; !to.down && w.chance(700) {
			w.hear(to, id, opChain)
			r = to
		}
	}
	if to := w.all[w.rng.IntN(len(w.all))]; !to.down {
		for _, id := range slices.Backward(ids) {
			w.hear(to, id, opChain)
		}
	}
}
