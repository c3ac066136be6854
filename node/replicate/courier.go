package replicate

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"parking/lot/crdt"
	"parking/lot/wire"
	"parking/node/probe"
)

const (
	// maxDirect is the largest cluster, but for this node, whose nodes each get
	// what is written here straight from here.
	maxDirect = 32
	// flightCap is how many mutations one message carries, flightsCap how many
	// messages wait for one courier. Who is slower than that is told to pull.
	flightCap  = 8192
	flightsCap = 4
	// courierPause is how long a courier waits after a failure.
	courierPause = 100 * time.Millisecond
)

// couriers bring mutations straight to other nodes, by lanes that stay open:
// each node is sent what gathered while it was answering, so that
// a busy writer's mutations travel in large groups and a quiet one's at once.
// What a node got to see of one courier has no gaps: where something was lost,
// what comes next makes the node pull.
type couriers struct {
	r   *Replicator
	mu  sync.Mutex
	ctx context.Context // of the flights; nil before Run and after it
	all map[string]*courier
	wg  sync.WaitGroup
}

// courier is the way to one node.
type courier struct {
	waits  []*flight
	last   *flight // the latest that waits, or the one before
	flying bool    // a goroutine is at it
	lost   bool    // a flight failed: the next one makes the node pull

	ctx    context.Context // of all it does
	forget func()          // ends that
	lane   Lane            // nil: none is open; the flying goroutine's
}

// flight is one message, and its answer: the node has joined it, and all that
// came before.
type flight struct {
	ms   [][]crdt.Mutation // as they were handed over
	n    int               // how many they are
	pull bool              // instead of ms: they are too many
	done chan struct{}
	err  error // set before done is closed
}

// run lets couriers fly until ctx ends, and waits for those in the air.
func (c *couriers) run(ctx context.Context) {
	c.mu.Lock()
	c.ctx = ctx
	c.mu.Unlock()
	<-ctx.Done()
	c.mu.Lock()
	c.ctx = nil
	c.mu.Unlock()
	c.wg.Wait()
}

// hand gives the mutations to the courier of each of those nodes. It does not
// block.
func (c *couriers) hand(names []string, ms []crdt.Mutation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil {
		return
	}
	for _, name := range names {
		k := c.all[name]
		if k == nil {
			k = &courier{}
			k.ctx, k.forget = context.WithCancel(c.ctx)
			c.all[name] = k
		}
		k.load(ms)
		if !k.flying {
			k.flying = true
			c.wg.Go(func() { c.fly(name, k) })
		}
	}
}

// load puts mutations on the last flight that waits, or on a new one.
func (k *courier) load(ms []crdt.Mutation) {
	n := len(k.waits)
	if n == 0 || k.last.n+len(ms) > flightCap && !k.last.pull {
		k.last = &flight{pull: k.lost || n == flightsCap || len(ms) > flightCap, done: make(chan struct{})}
		k.waits, k.lost = append(k.waits, k.last), false
	}
	if !k.last.pull {
		k.last.ms, k.last.n = append(k.last.ms, ms), k.last.n+len(ms)
	}
}

// fly makes flights until nothing waits.
func (c *couriers) fly(name string, k *courier) {
	for {
		c.mu.Lock()
		if len(k.waits) == 0 {
			k.flying = false
			c.mu.Unlock()
			return
		}
		f := k.waits[0]
		k.waits = slices.Delete(k.waits, 0, 1)
		c.mu.Unlock()
		f.err = c.r.deliver(name, k, f)
		f.ms = nil
		close(f.done)
		if f.err == nil {
			continue
		}
		c.r.log.Debug("not delivered, the pull will do", "peer", name, "err", f.err)
		c.mu.Lock()
		if len(k.waits) > 0 {
			k.waits[0].ms, k.waits[0].pull = nil, true
		} else {
			k.lost = true
		}
		c.mu.Unlock()
		pause(k.ctx, courierPause)
	}
}

// latest returns the latest flight to each of the nodes.
func (c *couriers) latest(names []string) (all []*flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range names {
		if k := c.all[name]; k != nil && k.last != nil {
			all = append(all, k.last)
		}
	}
	return all
}

// forget drops the couriers of nodes that are not among those names.
func (c *couriers) forget(names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	keep := make(map[string]*courier, len(names))
	for _, name := range names {
		if k := c.all[name]; k != nil {
			keep[name] = k
		}
	}
	for name, k := range c.all {
		if keep[name] == nil {
			k.forget()
		}
	}
	c.all = keep
}

// deliver sends one flight and waits for the answer. A lane that was left open
// may have ended meanwhile, so that a fresh one is tried then.
func (r *Replicator) deliver(name string, k *courier, f *flight) error {
	req := &wire.PushRequest{}
	position := r.lastOwn(f)
	if f.pull {
		position = r.store.Made()
		req.Version = crdt.EncodeVersion(r.store.Version())
	} else {
		req.Delta = crdt.Encode(f.ms...)
	}
	for {
		fresh := k.lane == nil
		if fresh {
			lane, err := r.peers.Lane(k.ctx, name)
			if err != nil {
				return err
			}
			k.lane = lane
		}
		err := k.lane.Carry(req, answerTimeout)
		if err == nil {
			break
		}
		k.lane.Close()
		k.lane = nil
		if fresh || k.ctx.Err() != nil {
			return err
		}
	}
	r.pace.heard(name, position)
	if f.n > 0 && !f.pull {
		r.store.probe.Sent.Emit(probe.Sent{Lane: probe.Fanout, Deltas: 1, Changes: f.n, Bytes: len(req.GetDelta())})
	}
	return nil
}

// lastOwn returns the sequence number of the latest mutation of a flight that
// this replica made, or 0.
func (r *Replicator) lastOwn(f *flight) uint64 {
	self := r.store.Self()
	for _, ms := range slices.Backward(f.ms) {
		for _, m := range slices.Backward(ms) {
			if m.Dot.Replica == self {
				return m.Dot.Seq
			}
		}
	}
	return 0
}

// Receive joins what another node's courier brings, and returns once it is all
// here.
func (r *Replicator) Receive(ctx context.Context, from string, req *wire.PushRequest) error {
	ms, err := crdt.Decode(req.GetDelta())
	if err != nil && !errors.Is(err, crdt.ErrNewer) {
		return r.refuse("push", from, err)
	}
	newer := err
	if err := r.store.Join(ms, probe.Fanout, len(req.GetDelta())); err != nil {
		return r.refuse("push", from, err)
	}
	if newer != nil { // an answer would say that all of it is here
		return r.refuse("push", from, newer)
	}
	if req.GetVersion() == nil {
		return nil
	}
	theirs, err := crdt.DecodeVersion(req.GetVersion())
	if err != nil {
		return r.refuse("push", from, err)
	}
	if r.store.Covers(theirs) {
		return nil
	}
	return r.pullFrom(ctx, kick{from, pullAll})
}
