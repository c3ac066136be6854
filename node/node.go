package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"parking/gates"
	"parking/lot/crdt"
	"parking/lot/wire/wireconnect"
	"parking/node/cookie"
	"parking/node/fault"
	"parking/node/history"
	"parking/node/member"
	"parking/node/peer"
	"parking/node/probe"
	"parking/node/replicate"
)

// A Node is one member of a cluster. Its methods are safe for concurrent use;
// those that act or ask block until Ready first.
type Node struct {
	cfg      Config
	self     gates.Host
	replica  crdt.Replica
	log      *slog.Logger
	bus      *bus
	probe    *probe.Bus
	changes  changes
	store    *replicate.Store
	keeper   *gates.Keeper[[]byte]
	stew     *steward
	ready    chan struct{}
	started  time.Time
	readied  time.Time // set before ready is closed, as is:
	welcomed time.Time // when the first other node answered the hello

	// Set by Run before anything that reads them starts.
	mux   *member.Mux
	agent *member.Agent
	view  *view
	links *links
	repl  *replicate.Replicator

	ring   *cookie.Ring
	cooks  *cookies
	hist   *history.Log
	stamp  atomic.Uint64 // the highest of the hybrid clock that was seen
	faults *fault.Table
	mended chan struct{} // ticks when links were healed
	paused pauses
	clock  clock
	ended  chan struct{} // closed when Run returns
	lives  chan struct{} // ticks when the members have changed

	wrapGossip func(replicate.Gossip) replicate.Gossip               // between repl and agent; nil: nothing
	wrapCalls  func(wireconnect.PeerHandler) wireconnect.PeerHandler // around what answers other nodes

	total    int                            // spaces, as of the last look; under the store's lock
	over     int                            // vehicles above the spaces at the last look; under the store's lock
	ways     ways                           // how the latest changes came; under the store's lock
	met      atomic.Bool                    // whether it has been with a node that was ready: else it gives way
	outdated atomic.Bool                    // whether it was told that its cookie was rotated away
	alone    atomic.Bool                    // whether it has founded a cluster though it knew of others that did not answer
	taken    atomic.Pointer[netip.AddrPort] // where another node is that those who were with this one have in its place; nil: there is none
	told     told                           // at which addresses are nodes that are left alone
	given    given

	brought atomic.Bool // whether another node's state came before this one was ready
	lacking []lack      // what it could not bring by then; Run's
	stage   stage       // what it is busy with before it is ready, and when it leaves
	pulse   pulse

	heirs   chan func(context.Context) // to be attended
	probes  probes
	ousted  chan error     // another node has this one's name
	running sync.WaitGroup // awaitHeirs'

	callers  callers
	mustered mustered
	asked    asked
}

// New returns a node that does nothing yet.
func New(cfg Config) (*Node, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n := &Node{
		cfg:   cfg,
		self:  gates.Host{Node: cfg.Name, Incarnation: cfg.Rand.Uint64()},
		log:   cfg.Log,
		bus:   newBus(),
		probe: new(probe.Bus),
		ready: make(chan struct{}),

		faults: fault.NewTable(),
		mended: make(chan struct{}, 1),
		ended:  make(chan struct{}),
		lives:  make(chan struct{}, 1),

		heirs:  make(chan func(context.Context), maxHeirs),
		probes: probes{about: make(map[gates.Host]*question)},
		ousted: make(chan error, 1),

		wrapCalls: func(h wireconnect.PeerHandler) wireconnect.PeerHandler { return h },
		given:     given{told: make(map[string]bool)},
	}
	n.cfg.Now = func() time.Time { return cfg.Now().Add(n.clockOff()) }
	n.replica = crdt.NewReplica(n.self.Node, n.self.Incarnation)
	n.keeper = gates.NewKeeper(n.book, n.crashed, n.ran)
	n.stew = newSteward(n)
	n.store = replicate.NewStore(crdt.New(n.replica, crdt.DefaultLog), n.observe, n.probe)
	return n, nil
}

// Run makes the node a member of its cluster and keeps it one until ctx ends;
// then it hands its gates over and leaves, for a few seconds at most. It
// returns when all it started has stopped. An error before Ready says why the
// node could not start: one line that says what to do.
func (n *Node) Run(ctx context.Context) (err error) {
	defer n.bus.close()
	defer close(n.ended)
	n.started = time.Now()
	n.begin()
	defer n.hist.Close()
	if n.ring, err = cookie.NewRing(n.cfg.Keys, n.identity(), rand.Reader); err != nil {
		_ = n.cfg.Network.Shutdown()
		return err
	}
	n.cooks = newCookies(n, n.ring)
	draws := mathrand.New(mathrand.NewPCG(n.cfg.Rand.Uint64(), 0))
	network := fault.Wrap(n.cfg.Network, n.self.Node, n.faults, n.nameAt, draws)
	if n.mux, err = member.NewMux(network); err != nil {
		_ = network.Shutdown()
		return err
	}
	key := n.cfg.Keys.Gossip()
	n.agent, err = member.New(member.Config{
		Name: n.self.Node, Incarnation: n.self.Incarnation, Cluster: n.cfg.Cluster,
		Key: key[:], Profile: n.cfg.Profile, Gossip: n.cfg.Gossip, Transport: n.mux, Log: n.log,
	})
	if err != nil {
		_ = n.mux.Shutdown()
		return err
	}
	n.view = newView(n.self, n.agent, n.bus, n.probe, n.hist)
	if n.cfg.Profile == LAN {
		n.view.outweighs = overlayLAN
	}
	n.links = newLinks(n.mux, n.ring, n.view, n.outdone, n.log)
	var gossip replicate.Gossip = n.agent
	if n.wrapGossip != nil {
		gossip = n.wrapGossip(gossip)
	}
	n.repl = replicate.New(replicate.Config{
		Self: n.self.Node, MaxEvent: member.MaxEvent, Direct: n.cfg.Push == Fanout, Interval: n.cfg.Pull, Saw: n.muster,
		Rand: mathrand.New(mathrand.NewPCG(n.cfg.Rand.Uint64(), 0)), Log: n.log,
	}, n.store, gossip, n.links)

	looks := mathrand.New(mathrand.NewPCG(n.cfg.Rand.Uint64(), 0))

	seek := newSeeker(n, mathrand.New(mathrand.NewPCG(n.cfg.Rand.Uint64(), 0)))

	// Everything stops with work, after the leave.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() {
		handlers := peer.Handlers{Calls: n.wrapCalls((*calls)(n)), Push: (*calls)(n).push, Refuse: n.repl.Refuse, Why: n.ring.Why}
		if err := peer.Serve(work, n.ring.Listen(n.mux), n.ring, handlers, n.log); err != nil {
			n.log.Error("peer streams ended", "err", err)
		}
	})
	wg.Go(func() {
		n.view.run(work, func() { n.changed(work) })
	})
	wg.Go(func() { n.repl.Run(work) })
	wg.Go(func() { n.beat(work) })
	wg.Go(func() { n.cooks.run(work) })
	wg.Go(func() { n.cooks.recalls(work) })
	wg.Go(func() { n.awaitHeirs(work) })
	defer func() {
		stop()
		n.links.close()
		n.keeper.Close()
		err = errors.Join(err, n.agent.Close())
		wg.Wait()
		seek.close()
	}()
	ctx, endJoin := context.WithCancel(ctx)
	defer endJoin()

	n.stage.is("joining")
	if err := n.join(ctx, seek); err != nil {
		if ctx.Err() != nil {
			n.leave()
			return nil
		}
		if len(n.view.others()) > 0 { // they are not to find it dead
			_ = n.agent.Leave()
		}
		return err
	}
	n.repl.Open()
	n.found()
	n.stage.is("")
	if len(n.lacking) > 0 {
		n.stew.hold()
		n.stage.is(catchingUpFrom(n.lacking))
		wg.Go(func() { n.catchUpLater(work, n.lacking) })
	}
	before := n.stew.holding()
	n.stew.settle()
	n.view.speak()
	n.follow(true)
	n.readied = time.Now()
	close(n.ready)
	wg.Go(func() { n.stew.run(work) })
	wg.Go(func() { n.stew.tell(work, before) })
	wg.Go(func() { seek.run(work) })
	wg.Go(func() { n.reconnect(work, looks) })
	wg.Go(func() { n.outlive(work) })

	select {
	case <-ctx.Done():
		n.leave()
		return nil
	case err := <-n.ousted: // without a farewell: it would be the other's
		return err
	case <-n.agent.Done():
		return errors.New("node: the membership agent ended")
	}
}

// identity is what this node's certificate says.
func (n *Node) identity() cookie.Identity {
	return cookie.Identity{Cluster: n.cfg.Cluster, Name: n.self.Node, Incarnation: n.self.Incarnation}
}

// changed acts on a new view of the members.
func (n *Node) changed(ctx context.Context) {
	n.changes.signal()
	n.links.sync(ctx)
	n.stew.wake()
	select {
	case n.lives <- struct{}{}:
	default:
	}
	for _, name := range n.view.others() {
		n.repl.Kick(name) // who joined, or came back, may have news
	}
}

// leave hands the gates over and tells the others.
func (n *Node) leave() {
	n.stage.is(leaving)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	n.resume(func(*pause) bool { return true }, n.self.Node)
	n.stew.retire(ctx)
	if len(n.view.others()) > 0 {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if !n.repl.HandOn(ctx) {
			n.log.Warn("left before another node had everything that was recorded here")
		}
	}
	if err := n.agent.Leave(); err != nil {
		n.log.Info("left without telling everyone", "err", err)
	}
	n.hist.Add(history.Record{Kind: history.Ended, Text: "left"})
}

// Ready is closed once the node has joined whom it found and holds their
// state, or has found nobody.
func (n *Node) Ready() <-chan struct{} { return n.ready }

// await blocks until the node is ready.
func (n *Node) await(ctx context.Context) error {
	if n.isReady() {
		return nil // whatever ctx says
	}
	select {
	case <-n.ready:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("node: not ready: %w", ctx.Err())
	}
}

// Subscribe returns the events from now on. It may be called before Run.
func (n *Node) Subscribe() *Subscription { return n.bus.subscribe() }

// Probe returns the bus that tells instruments what the node does. They attach
// before Run, or miss what was before.
func (n *Node) Probe() *probe.Bus { return n.probe }

// Name returns the node's name.
func (n *Node) Name() string { return n.self.Node }

// Cluster returns the cluster's name.
func (n *Node) Cluster() string { return n.cfg.Cluster }

// Addr returns HOST:PORT as others join it, or nothing before Ready.
func (n *Node) Addr() string {
	if !n.isReady() {
		return ""
	}
	return n.addr()
}

func (n *Node) addr() string { return n.mux.Addr().String() }
