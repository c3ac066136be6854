package replicate

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"parking/lot/crdt"
	"parking/lot/wire"
	"parking/lot/wire/wireconnect"
	"parking/node/probe"
)

// Gossip carries small events to all nodes, best effort: a member.Agent.
type Gossip interface {
	Broadcast(payload []byte) error // does not block on the network
	Events() <-chan []byte          // what others, and this node, broadcast
	QueueDepth() int                // events that wait
}

// Peers are the other nodes that can be pulled from.
type Peers interface {
	Names() []string                                   // those alive now
	Client(name string) (wireconnect.PeerClient, bool) // does not connect yet
	Lane(ctx context.Context, name string) (Lane, error)
}

// A Lane carries messages to one node, each answered before the next leaves: a
// peer.Lane. It ends with the context that it was opened with.
type Lane interface {
	// Carry blocks until the node has dealt with the message, or the timeout
	// has passed. After an error the lane is of no more use.
	Carry(m *wire.PushRequest, timeout time.Duration) error
	Close()
}

// Config says how to replicate.
type Config struct {
	Self     string // this node's name
	MaxEvent int    // the largest payload that gossip delivers, in bytes
	Direct   bool   // push by couriers while the cluster is small, not by gossip
	Interval time.Duration
	Rand     *rand.Rand // owned by the replicator
	// Saw is told at each look at a random peer whom that one sees, and for how
	// long it has; it may block.
	Saw func(peer string, members uint64, settled time.Duration)
	Log *slog.Logger
}

// A Replicator brings a store together with those of the other nodes.
type Replicator struct {
	store    *Store
	gossip   Gossip
	peers    Peers
	self     string
	maxEvent int
	interval time.Duration
	log      *slog.Logger
	saw      func(peer string, members uint64, settled time.Duration)
	kicks    chan kick
	stir     chan struct{} // ticks when something was pushed or received
	gapCheck atomic.Bool   // a look at a gap is due
	opened   atomic.Bool   // see Open
	retired  atomic.Bool   // this node is leaving
	direct   bool
	couriers *couriers
	pace     pacer
	staging  chan struct{} // held by the one pull that is sent a whole state
	rand     *rand.Rand    // the pull loop's

	refused atomic.Uint64
	warned  atomic.Int64 // when one was last logged, in nanoseconds
}

// New returns a replicator that does nothing before Run.
func New(cfg Config, s *Store, g Gossip, p Peers) *Replicator {
	r := &Replicator{
		store: s, gossip: g, peers: p,
		self: cfg.Self, maxEvent: cfg.MaxEvent, interval: cfg.Interval,
		log: cfg.Log, rand: cfg.Rand, saw: cfg.Saw,
		kicks: make(chan kick, 64),
		stir:  make(chan struct{}, 1),

		direct: cfg.Direct, pace: pacer{at: make(map[string]position)},
		staging: make(chan struct{}, 1),
	}
	r.couriers = &couriers{r: r, all: make(map[string]*courier)}
	s.push = r.push
	return r
}

// push sends mutations that were just made here on their way. It does not block.
func (r *Replicator) push(ms []crdt.Mutation) {
	names := r.peers.Names()
	if r.direct && len(names) <= maxDirect {
		r.couriers.hand(names, ms)
		return
	}
	r.store.keep(ms)
}

// Confirm blocks until n other nodes have said that they have the mutations,
// which were made or joined here, or ctx ends; it returns how many have.
func (r *Replicator) Confirm(ctx context.Context, ms []crdt.Mutation, n int) (have int) {
	names := r.peers.Names()
	if len(names) > maxDirect {
		names = names[:max(maxDirect, min(n, len(names)))]
	}
	r.couriers.hand(names, ms)
	flights := r.couriers.latest(names)
	landed := make(chan bool, len(flights))
	for _, f := range flights {
		go func() {
			select {
			case <-f.done:
				landed <- f.err == nil
			case <-ctx.Done():
				landed <- false
			}
		}()
	}
	for range flights {
		if <-landed {
			have++
		}
		if have >= n {
			break
		}
	}
	return have
}

// Open makes the replicator act on what others gossip, and pull by itself. Until
// then it only brings what PullBy, PullFrom and CatchUp are called for: a node
// without a state can make nothing of news, and everyone who sends it some would be
// asked for a state. Instruments are not told how old that state's changes are. It may
// be called again.
func (r *Replicator) Open() {
	r.opened.Store(true)
	r.store.current.Store(true)
}

// Run pushes, receives and pulls until ctx ends, and returns when all of that
// has stopped.
func (r *Replicator) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, f := range []func(context.Context){r.gossips, r.receive, r.pull, r.couriers.run} {
		wg.Go(func() { f(ctx) })
	}
	wg.Wait()
}

// Refused returns how many messages of others were refused: malformed ones, and
// those that claim what cannot be.
func (r *Replicator) Refused() uint64 { return r.refused.Load() }

// Refuse counts something that another node sent, and that was turned away, and
// logs it, one a second at most.
func (r *Replicator) Refuse(what, from string, err error) { _ = r.refuse(what, from, err) }

func (r *Replicator) refuse(what, from string, err error) error {
	total := r.refused.Add(1)
	r.store.probe.Rejected.Emit(probe.Rejected{Why: why(what, err)})
	now, last := time.Now().UnixNano(), r.warned.Load()
	if now-last >= int64(time.Second) && r.warned.CompareAndSwap(last, now) {
		r.log.Warn("refused", "what", what, "from", from, "err", err, "refused", total)
	}
	return err
}

// why is the reason for which that was refused.
func why(what string, err error) probe.Fate {
	switch {
	case what == "connection":
		return probe.Stranger
	case errors.Is(err, crdt.ErrForged):
		return probe.Forged
	case errors.Is(err, crdt.ErrNewer):
		return probe.Newer
	}
	return probe.Malformed
}

// jitter returns d give or take a third, so that nodes do not act in step.
func (r *Replicator) jitter(d time.Duration) time.Duration {
	return d*2/3 + time.Duration(r.rand.Int64N(int64(d)*2/3+1))
}
