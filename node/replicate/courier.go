package replicate

import (
	"context"
	"sync"
	"time"

	"connectrpc.com/connect"

	"parking/lot/crdt"
	"parking/lot/wire"
)

const (
	// maxDirect is the largest cluster, but for this node, whose nodes each get
	// what is written here straight from here.
	maxDirect = 32
	// courierCap is how many mutations wait for one courier. Who is slower than
	// that is told to pull.
	courierCap = 8192
	// courierPause is how long a courier waits after a failure.
	courierPause = 100 * time.Millisecond
)

// couriers bring mutations straight to other nodes, over the streams that are
// held to them: each node is sent what gathered while it was answering, so that
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
	next   *flight // waits to be flown; nil: nothing does
	last   *flight // the latest
	flying bool    // a goroutine is at it
	lost   bool    // a flight failed: the next one makes the node pull
}

// flight is one message, and its answer: the node has joined it, and all that
// came before.
type flight struct {
	ms   []crdt.Mutation
	pull bool // instead of ms: they are too many
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
			c.all[name] = k
		}
		if k.next == nil {
			k.next = &flight{pull: k.lost, done: make(chan struct{})}
			k.last, k.lost = k.next, false
		}
		switch f := k.next; {
		case f.pull:
		case len(f.ms)+len(ms) > courierCap:
			f.ms, f.pull = nil, true
		default:
			f.ms = append(f.ms, ms...)
		}
		if !k.flying {
			k.flying = true
			ctx := c.ctx
			c.wg.Go(func() { c.fly(ctx, name, k) })
		}
	}
}

// fly makes flights until nothing waits.
func (c *couriers) fly(ctx context.Context, name string, k *courier) {
	for {
		c.mu.Lock()
		f := k.next
		k.next = nil
		if f == nil {
			k.flying = false
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		f.err = c.r.deliver(ctx, name, f)
		f.ms = nil
		close(f.done)
		if f.err == nil {
			continue
		}
		c.r.log.Debug("not delivered, the pull will do", "peer", name, "err", f.err)
		c.mu.Lock()
		if k.next != nil {
			k.next.ms, k.next.pull = nil, true
		} else {
			k.lost = true
		}
		c.mu.Unlock()
		pause(ctx, courierPause)
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
	c.all = keep
}

// deliver sends one flight and waits for the answer.
func (r *Replicator) deliver(ctx context.Context, name string, f *flight) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	client, ok := r.peers.Client(name)
	if !ok {
		return notThere(name)
	}
	req := &wire.PushRequest{}
	position := r.store.Made()
	if f.pull {
		req.Version = crdt.EncodeVersion(r.store.Version())
	} else {
		req.Delta = crdt.Encode(f.ms)
	}
	if _, err := client.Push(ctx, connect.NewRequest(req)); err != nil {
		return err
	}
	if r.direct {
		r.pace.heard(name, position)
	}
	return nil
}

// Receive joins what another node's courier brings, and returns once it is all
// here.
func (r *Replicator) Receive(ctx context.Context, from string, req *wire.PushRequest) error {
	ms, err := crdt.Decode(req.GetDelta())
	if err != nil {
		return r.refuse("push", from, err)
	}
	if err := r.store.Join(ms, Event); err != nil {
		return r.refuse("push", from, err)
	}
	r.stirred()
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
	return r.PullFrom(ctx, from)
}
