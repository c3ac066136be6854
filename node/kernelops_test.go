package node

import (
	"slices"
	"strconv"

	"parking/gates"
	"parking/lot"
	"parking/lot/crdt"
	"parking/node/member"
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
	opMake: 110, opChain: 5, opDeliver: 1000, opEvent: 25, opLose: 15, opPull: 3, opChunk: 20, opForge: 2,
	opSettle: 6, opMove: 6, opLook: 6, opCut: 1, opHeal: 1, opCrash: 1, opRaise: 3, opClock: 1,
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
		w.fail("%v of %s supersedes %v, not %d values", m.Dot, k.names[key], m.Supersedes, len(live))
	}
	for _, id := range live {
		was := &k.muts[id]
		if !slices.Contains(m.Supersedes, was.Dot) {
			w.fail("%v of %s supersedes %v, without %v", m.Dot, k.names[key], m.Supersedes, was.Dot)
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

// hear joins a mutation, and checks what that did.
func (w *kernelWorld) hear(r *kernelReplica, id int32, op kernelOp) {
	w.join(r, id, w.model.muts[id].Mutation, op)
}

func (w *kernelWorld) join(r *kernelReplica, id int32, m crdt.Mutation, op kernelOp) {
	want := crdt.Joined
	switch {
	case r.seen.has(id):
		want = crdt.Known
	case w.model.superseded(r.seen, id):
		want = crdt.Overtaken
	}
	if err := r.doc.Believe(&m); err != nil {
		w.fail("%v does not believe %v: %v", r.doc.Self(), m.Dot, err)
	}
	if got := r.doc.Join(m); got != want {
		w.fail("%v joined %v with outcome %d, not %d", r.doc.Self(), m.Dot, got, want)
	}
	r.seen.add(id)
	w.note(op, r, id)
}

// deliver lets a packet come, or wait, or come twice.
func (w *kernelWorld) deliver() {
	i, ok := w.packet()
	if !ok {
		return
	}
	p := w.packets[i]
	to := w.all[p.to]
	if w.apart[p.from][p.to] || to.down {
		if w.chance(500) { // else it is late
			w.forget(i)
		}
		return
	}
	if !w.chance(w.life.dup) {
		w.forget(i)
	}
	w.hear(to, p.id, opDeliver)
}

func (w *kernelWorld) lose() {
	if i, ok := w.packet(); ok {
		to := w.all[w.packets[i].to]
		w.forget(i)
		w.note(opLose, to, 0)
	}
}

// packet draws one of the packets that are under way.
func (w *kernelWorld) packet() (i int, ok bool) {
	n := len(w.packets)
	switch {
	case n == 0:
		return 0, false
	case w.life.pick == 0 || n > 2000:
		return w.rng.IntN(n), true
	case w.life.pick == 1:
		return n - 1, true
	}
	return n - 1 - w.rng.IntN(min(n, 8)), true
}

func (w *kernelWorld) forget(i int) {
	last := len(w.packets) - 1
	w.packets[i] = w.packets[last]
	w.packets = w.packets[:last]
}

// event brings a few of a replica's latest mutations to another, packed.
func (w *kernelWorld) event(r *kernelReplica) {
	to := w.all[w.rng.IntN(len(w.all))]
	own := w.model.dots[r.doc.Self()]
	if to.down || to == r || w.apart[r.i][to.i] || len(own) == 0 {
		return
	}
	from := w.rng.IntN(len(own))
	own = own[from:min(len(own), from+1+w.rng.IntN(8))]
	ms := make([]crdt.Mutation, 0, len(own))
	for _, id := range own {
		ms = append(ms, w.model.muts[id].Mutation)
	}
	got, err := crdt.Decode(crdt.Encode(ms))
	if err != nil || len(got) != len(ms) {
		w.fail("of %d mutations %d came: %v", len(ms), len(got), err)
	}
	for i, m := range got {
		w.same(&m, own[i])
		w.join(to, own[i], m, opEvent)
	}
}

// same checks a mutation that was packed.
func (w *kernelWorld) same(m *crdt.Mutation, id int32) {
	was := &w.model.muts[id]
	if m.Dot != was.Dot || m.Kind != was.Kind || m.Stamp != was.Stamp || m.Gate != was.Gate || m.Wall != was.Wall ||
		m.Key != was.Key || string(m.Value) != string(was.Value) || !slices.Equal(m.Supersedes, was.Supersedes) ||
		m.Plate != was.Plate && (m.Kind != crdt.Exit || len(m.Supersedes) == 0) {
		w.fail("%+v came as %+v", was.Mutation, *m)
	}
}

// forge sends a replica what it is said to have made itself, and did not.
func (w *kernelWorld) forge(r *kernelReplica) {
	made := uint64(len(w.model.dots[r.doc.Self()]))
	m := crdt.Mutation{
		Dot: crdt.Dot{Replica: r.doc.Self(), Seq: made + 1 + w.rng.Uint64N(3)}, Kind: crdt.Entry, Plate: w.plate(), Gate: 1,
	}
	if r.doc.Believe(&m) == nil {
		w.fail("%v believes that it made %v, after %d", r.doc.Self(), m.Dot, made)
	}
	w.note(opForge, r, 0)
}

// look makes a replica see who is there. Its node's order is its own.
func (w *kernelWorld) look(r *kernelReplica) {
	r.view = r.view[:0:0]
	for _, o := range w.all {
		status := member.Alive
		if o.down || w.apart[r.i][o.i] || w.apart[o.i][r.i] {
			status = member.Failed
		}
		r.view = append(r.view, o.member(status, o == r))
	}
	w.rng.Shuffle(len(r.view), func(i, j int) { r.view[i], r.view[j] = r.view[j], r.view[i] })
}

// cut takes replicas apart, in groups, one way or both.
func (w *kernelWorld) cut(r *kernelReplica) {
	groups := 2 + w.rng.IntN(2)
	of := make([]int, len(w.all))
	for i := range of {
		of[i] = w.rng.IntN(groups)
	}
	oneWay := w.chance(250)
	for i := range w.all {
		for j := range w.all {
			w.apart[i][j] = of[i] != of[j] && (!oneWay || of[i] < of[j])
		}
	}
	w.note(opCut, r, 0)
}

func (w *kernelWorld) heal() {
	for _, row := range w.apart {
		clear(row)
	}
}

// crash ends a replica's life: what nobody else has is lost.
func (w *kernelWorld) crash(r *kernelReplica) {
	up := 0
	for _, o := range w.all {
		if !o.down && o.met {
			up++
		}
	}
	if up < 2 && r.met {
		return
	}
	r.down = true
	clear(r.runs)
	w.note(opCrash, r, 0)
}

// found makes a replica go on with what it has, as a node that finds nobody.
func (w *kernelWorld) found(r *kernelReplica) {
	if setting(r.doc, keyGates) == 0 {
		w.set(r, keyGates, 4, true)
		w.set(r, keySpaces, 20, true)
	}
	r.met = true
}

// settle makes a replica claim, start and stop gates.
func (w *kernelWorld) settle(r *kernelReplica) (changed bool) {
	if !r.met {
		if !w.chance(100) {
			return false
		}
		w.found(r)
	}
	w.samePlace(r)
	ms, should, _ := r.n.decide(r.doc, r.view, func(g lot.GateID) bool { return r.runs[g] }, nil)
	for _, m := range ms {
		w.claimed(r, m)
	}
	for g := range r.runs {
		if r.runs[g] != should[lot.GateID(g)] {
			r.runs[g], changed = !r.runs[g], true
		}
	}
	w.note(opSettle, r, int32(len(ms)))
	return changed || len(ms) > 0
}

// move hands a gate over: whoever takes it has seen what was written there.
func (w *kernelWorld) move(r, to *kernelReplica) {
	if to == r || to.down || !r.met || !to.met || w.apart[r.i][to.i] || w.apart[to.i][r.i] {
		return
	}
	g := lot.GateID(1 + w.rng.IntN(maxSimGates))
	if !r.runs[g] || int(g) > gatesIn(to.doc) {
		return
	}
	r.runs[g] = false
	if w.fetch(to, r) {
		if !to.doc.Covers(r.doc.Version()) {
			w.fail("%v pulled from %v and has not got all of it", to.doc.Self(), r.doc.Self())
		}
		m := to.n.claim(to.doc, g, "moved")
		to.runs[g] = true
		id := w.claimed(to, m)
		if w.chance(800) { // else the answer is lost
			w.hear(r, id, opMove)
		}
	}
	w.note(opMove, r, int32(g))
	w.settle(r)
}

// claimed takes in a claim, which is to be higher than all that its maker knew.
func (w *kernelWorld) claimed(r *kernelReplica, m crdt.Mutation) int32 {
	g, err := strconv.Atoi(m.Key[len(claimPrefix):])
	if err != nil {
		w.fail("a claim of %q", m.Key)
	}
	var highest uint64
	for _, c := range w.claims(r, lot.GateID(g)) {
		highest = max(highest, c.Epoch)
	}
	c := w.decodeClaim(&m)
	if c.Epoch != highest+1 || c.Host != r.n.self {
		w.fail("%v claimed gate %d with %+v, after epoch %d", r.n.self, g, c, highest)
	}
	return w.made(r, m, true)
}

// samePlace checks that placement is a function of who is alive, in any order.
func (w *kernelWorld) samePlace(r *kernelReplica) {
	total, alive := gatesIn(r.doc), hosts(r.view)
	held := holders(r.doc, total, alive)
	place := gates.Place(total, alive, held)
	slices.Reverse(alive)
	again := gates.Place(total, alive, held)
	for g := lot.GateID(1); int(g) <= total; g++ {
		if place[g] != again[g] {
			w.fail("gate %d goes to %v or %v", g, place[g], again[g])
		}
	}
}
