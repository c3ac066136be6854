package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"parking/gates"
	"parking/lot/crdt"
	"parking/node/member"
)

// The kernel and placement alone, on one goroutine, in a world that is drawn
// from one seed: a few replicas, whose logs are short; a network that loses,
// doubles and reorders; transfers that break off; crashes, cuts, wrong clocks.
// The world is made anew every few thousand steps, after it has come to rest.
// All that happens goes into a hash: the same seed, the same hash, bit for bit.
type kernelWorld struct {
	rng     *rand.Rand
	steps   uint64
	hash    uint64
	trace   [64]kernelEvent // the latest, in a ring
	episode int

	life      kernelLife
	now       int64 // milliseconds since 1970
	model     *kernelModel
	all       []*kernelReplica
	apart     [][]bool // what is from one is not heard by the other
	packets   []kernelPacket
	transfers []*kernelTransfer
	scratch   []int32

	did [kernelOps]uint64
}

// kernelLife is what one world is like.
type kernelLife struct {
	replicas, log, plates, steps int
	exits                        int    // of 100 tracked
	loss, dup, breaks            uint32 // of 1000
	pick                         int    // which packet is next: any, the last, one of the last few
	weights                      [kernelOps]uint32
	total                        uint32
}

// kernelReplica is one node's replica, and the model's set of what it has seen.
type kernelReplica struct {
	i    int
	n    *Node // only itself and its clock
	doc  *crdt.Document
	seen seenSet
	life int
	made crdt.Stamp // of its latest mutation
	skew int64
	down bool
	met  bool // it has been with one that had a state, or is on its own
	view []Member
	runs []bool // by gate
}

// kernelPacket is a mutation on its way.
type kernelPacket struct {
	from, to int32
	id       int32
}

// kernelEvent is a step, for those who look for what went wrong.
type kernelEvent struct {
	op   kernelOp
	at   int32
	what int32
	step uint64
}

// errKernel is what a broken promise is told with.
var errKernel = errors.New("kernel simulation")

func (w *kernelWorld) fail(format string, args ...any) {
	panic(fmt.Errorf("%w: %s", errKernel, fmt.Sprintf(format, args...)))
}

func newKernelWorld(seed uint64) *kernelWorld {
	return &kernelWorld{model: &kernelModel{}, rng: rand.New(rand.NewPCG(seed, 0x6b65726e656c))}
}

// run lets that many steps happen, or some more: the last world comes to rest.
func (w *kernelWorld) run(steps uint64) (err error) {
	defer func() {
		switch p := recover(); e := p.(type) {
		case nil:
		case error:
			if !errors.Is(e, errKernel) {
				e = fmt.Errorf("%w\n%s", e, debug.Stack())
			}
			err = fmt.Errorf("world %d, step %d: %w\nthe steps before:\n%s", w.episode, w.steps, e, w.latest())
		default:
			panic(p)
		}
	}()
	for w.steps < steps {
		w.begin()
		for end := min(steps, w.steps+uint64(w.life.steps)); w.steps < end; {
			w.step()
		}
		w.rest()
		w.episode++
	}
	return nil
}

// note counts a step.
func (w *kernelWorld) note(op kernelOp, r *kernelReplica, what int32) {
	w.trace[w.steps%uint64(len(w.trace))] = kernelEvent{op, int32(r.i), what, w.steps}
	w.steps++
	w.did[op]++
	d := r.doc.Digest()
	h := w.hash ^ uint64(op)<<56 ^ uint64(r.i)<<48 ^ uint64(uint32(what))
	for _, half := range [][]byte{d[:8], d[8:]} {
		h = (h ^ binary.BigEndian.Uint64(half)) * 0x9e3779b97f4a7c15
		h ^= h >> 32
	}
	w.hash = h
}

// latest tells the latest steps.
func (w *kernelWorld) latest() string {
	var b strings.Builder
	for i := range uint64(len(w.trace)) {
		if e := w.trace[(w.steps+i)%uint64(len(w.trace))]; e.step+uint64(len(w.trace)) >= w.steps && w.steps > 0 {
			fmt.Fprintf(&b, "%d %v at %d: %d\n", e.step, e.op, e.at, e.what)
		}
	}
	return b.String()
}

// chance reports true that many times of 1000.
func (w *kernelWorld) chance(of1000 uint32) bool { return w.rng.Uint32N(1000) < of1000 }

func oneOf[T any](w *kernelWorld, all ...T) T { return all[w.rng.IntN(len(all))] }

// begin makes the world anew.
func (w *kernelWorld) begin() {
	l := kernelLife{
		replicas: 3 + w.rng.IntN(5),
		log:      oneOf(w, 4, 16, 64, 256, 1024),
		plates:   oneOf(w, 2, 20, 100, 500),
		steps:    10000 + w.rng.IntN(50000),
		exits:    oneOf(w, 20, 45, 60),
		loss:     oneOf[uint32](w, 0, 20, 150),
		dup:      oneOf[uint32](w, 300, 600, 850),
		breaks:   oneOf[uint32](w, 0, 100, 400),
		pick:     w.rng.IntN(3),
		weights:  kernelWeights,
	}
	if l.plates == 2 { // one long chain
		l.steps /= 8
	}
	if w.chance(12) { // a full lot, of which a state takes many chunks
		l.plates, l.steps, l.exits, l.log = len(simPlates), 25000, 5, 8
		l.weights[opMake] *= 4
	}
	for op := range l.weights { // some worlds know little of one thing and much of another
		l.weights[op] *= oneOf[uint32](w, 1, 2, 2, 2, 6)
		l.total += l.weights[op]
	}
	w.life = l
	w.now = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	w.model = newKernelModel(w.model)
	w.packets, w.transfers, w.all = w.packets[:0], nil, nil
	w.apart = make([][]bool, l.replicas)
	for i := range l.replicas {
		w.apart[i] = make([]bool, l.replicas)
		w.all = append(w.all, &kernelReplica{i: i, life: -1})
		w.raise(w.all[i])
	}
	for _, r := range w.all {
		w.look(r)
	}
	w.found(w.all[0])
}

// raise starts a replica, with nothing: another life of its node.
func (w *kernelWorld) raise(r *kernelReplica) {
	name := string(rune('a'+r.i)) + "arry"
	incarnation := w.rng.Uint64()
	*r = kernelReplica{i: r.i, life: r.life + 1, skew: r.skew, runs: make([]bool, maxSimGates+1)}
	r.n = &Node{self: gates.Host{Node: name, Incarnation: incarnation}}
	r.n.cfg.Now = func() time.Time { return time.UnixMilli(w.now + r.skew) }
	r.doc = crdt.New(crdt.NewReplica(name, incarnation), w.life.log)
}

// member is the replica as it is seen by others.
func (r *kernelReplica) member(status member.Status, self bool) Member {
	return Member{Member: member.Member{Name: r.n.self.Node, Incarnation: r.n.self.Incarnation, Status: status}, Self: self}
}

func TestKernelSimulation(t *testing.T) {
	seeds, steps := []uint64{1, 2, 3, rand.Uint64()}, uint64(1_000_000)
	if *simSeed != 0 {
		seeds = []uint64{*simSeed}
	}
	switch {
	case *simSteps != 0:
		steps = *simSteps
	case testing.Short() || raceEnabled:
		steps /= 10
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { simulateKernel(t, seed, steps) })
	}
}

func simulateKernel(t *testing.T, seed, steps uint64) (hash uint64) {
	t.Helper()
	w := newKernelWorld(seed)
	defer debug.SetGCPercent(debug.SetGCPercent(3000)) // documents are small, and made anew all the time
	began := time.Now()
	err := w.run(steps)
	took := time.Since(began)
	t.Logf("seed %d: %d steps in %d worlds, hash %016x, %.2f million steps/s", seed, w.steps, w.episode, w.hash, float64(w.steps)/took.Seconds()/1e6)
	var did strings.Builder
	for op, n := range w.did {
		fmt.Fprintf(&did, "%d %v, ", n, kernelOp(op))
	}
	t.Log(did.String())
	if err != nil {
		t.Fatalf("%v\nplay it again: go test ./node -run KernelSimulation -sim.seed=%d -sim.steps=%d", err, seed, steps)
	}
	return w.hash
}

// One seed, one history: whatever the order of maps and the seeds of hashes.
func TestKernelSimulationReplays(t *testing.T) {
	seed := *simSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	const steps = 50_000
	if a, b := simulateKernel(t, seed, steps), simulateKernel(t, seed, steps); a != b {
		t.Errorf("seed %d came to %016x and to %016x", seed, a, b)
	}
}
