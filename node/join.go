package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"connectrpc.com/connect"

	"parking/gates"
	"parking/lot/wire"
	"parking/node/cookie"
	"parking/node/member"
	"parking/node/peer"
)

const (
	// helloTimeout bounds the first exchange with a node.
	helloTimeout = 3 * time.Second
	// joinTries is how often a neighbour is tried that does not answer: it may
	// be starting, or stopping.
	joinTries = 3
	// joinPatience is for how long one is that takes calls and does not answer: it
	// stands still, and may do so for long.
	joinPatience = time.Second
	// acquaint is to how many nodes a joiner shows itself, beside those that it
	// was told to join: of a small cluster to all, and none takes a node for gone
	// that is back. The others hear of it by gossip.
	acquaint = 6
)

// errRefused is the error of a node that was reached and will not have this
// one: there is no use in trying again. errStranger is the same where this node
// will not have the other one: it has another cookie or cluster, or the name of
// a third.
var (
	errRefused  = errors.New("node: refused")
	errStranger = fmt.Errorf("%w", errRefused)
)

// join publishes this node, then joins those it finds and pulls their state.
func (n *Node) join(ctx context.Context, s *seeker) error {
	var found []Neighbour
	if n.cfg.Directory != nil {
		if err := n.cfg.Directory.Publish(n.addr(), n.self.Incarnation); err != nil {
			return err
		}
		if !n.cfg.Apart {
			var err error
			if found, err = n.cfg.Directory.Neighbours(); err != nil {
				return err
			}
		}
	}
	for _, join := range []func(context.Context) error{
		s.joinNamed,
		func(ctx context.Context) error { return s.joinNeighbours(ctx, found) },
		s.start,
	} {
		if err := join(ctx); err != nil {
			return err
		}
	}
	them, err := n.catchUp(ctx)
	if them.ready {
		n.met.Store(true)
	}
	n.lacking = them.lacking
	return errors.Join(err, ctx.Err())
}

// joinNamed joins whom this node was told to join. All are greeted before any is
// joined: where one refuses, the others are not to see a node come and fail.
func (s *seeker) joinNamed(ctx context.Context) error {
	n := s.n
	var willing []*greeted
	defer func() {
		for _, h := range willing {
			h.Close()
		}
	}()
	for _, addr := range n.cfg.Join {
		h, err := n.greet(ctx, addr)
		if err != nil {
			if err := n.notJoined(ctx, err); err != nil {
				return err
			}
			n.alone.Store(true)
			continue
		}
		willing = append(willing, h)
		s.place(addr).name = h.name
	}
	for _, h := range willing {
		if err := n.enter(ctx, h); err != nil {
			if err := n.notJoined(ctx, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// joinNeighbours joins the nodes of this host, each unless it came with another.
func (s *seeker) joinNeighbours(ctx context.Context, found []Neighbour) error {
	n := s.n
	for _, nb := range found {
		begin := time.Now()
		for try := 1; ctx.Err() == nil; try++ {
			if n.knows(nb) {
				break // came with another one
			}
			err := n.joinOne(ctx, nb.Addr)
			if err == nil {
				break
			}
			switch {
			case errors.Is(err, errStranger): // it may have the port of one that ended
				n.leftAlone(nb.Addr, err)
			case errors.Is(err, errRefused):
				return err
			default:
				n.log.Info("neighbour not joined", "peer", nb.Name, "addr", nb.Addr, "err", err)
			}
			if try == joinTries || time.Since(begin) > joinPatience || errors.Is(err, errStranger) {
				break
			}
			sleep(ctx, 100*time.Millisecond)
		}
	}
	return nil
}

// knows reports whether a neighbour is in view as what it is: alive, or that life of
// it failed, which is looked for later.
func (n *Node) knows(nb Neighbour) bool {
	m, ok := n.view.find(nb.Name)
	return ok && m.Addr == nb.Addr && (m.Status == member.Alive || m.Status == member.Failed && m.Incarnation == nb.Incarnation)
}

// catchUpLater pulls from those that had too much news when this node became
// ready. Until then it holds its gates, and claims none.
func (n *Node) catchUpLater(ctx context.Context) {
	defer n.stew.release()
	for _, name := range n.lacking {
		if err := n.repl.PullFrom(ctx, name); err != nil && ctx.Err() == nil {
			n.log.Info("not caught up, the interval will do", "peer", name, "err", err)
		}
	}
	n.stage.was("catching up")
}

// notJoined decides what it means that a node which was named could not be
// joined: the end of the start, or another try later.
func (n *Node) notJoined(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	if errors.Is(err, errRefused) || n.cfg.MustJoin {
		return err
	}
	n.notice("%v; trying again", err)
	return nil
}

// A greeted node welcomes this one.
type greeted struct {
	*peer.Link
	name  string
	life  uint64 // its incarnation
	self  bool   // it is this very node
	ready bool   // it is not still looking for its own cluster
}

// greet asks the node at addr whether this one may join. The caller closes the
// link.
func (n *Node) greet(ctx context.Context, addr string) (h *greeted, err error) {
	link := peer.NewLink(n.mux, n.ring, "", addr)
	defer func() {
		if err != nil {
			link.Close()
		}
	}()
	reply, err := n.hello(ctx, link, helloTimeout)
	why, retired := errors.AsType[*cookie.Retirement](err)
	switch {
	case retired:
		return nil, fmt.Errorf("%w: the node at %s does not know this one's cookie any more: %w", errStranger, addr, why)
	case errors.Is(err, cookie.ErrCluster):
		return nil, fmt.Errorf("%w: the node at %s is in another cluster; give --cluster as it has it", errStranger, addr)
	case errors.Is(err, cookie.ErrCookie), errors.Is(err, cookie.ErrRejected):
		return nil, fmt.Errorf("%w: the node at %s has another cookie; give --cookie as it has it", errStranger, addr)
	case errors.Is(err, errRefused):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("node: cannot reach a node at %s: %w", addr, plain(err))
	}
	h = &greeted{Link: link, name: reply.GetNode(), life: reply.GetIncarnation(), ready: reply.GetReadyMs() > 0}
	if h.name == n.self.Node && h.life == n.self.Incarnation {
		h.self = true
		return h, nil
	}
	// Who is asked looks whether it knows this node's name; this one has to look
	// for the other's, or two clusters with a name in common became one.
	if m, taken := n.nameTaken(ctx, gates.Host{Node: h.name, Incarnation: h.life}, addr); taken {
		return nil, fmt.Errorf("%w: the node at %s is called %s, as is the one at %s; end one of them", errStranger, addr, h.name, m.Addr)
	}
	return h, nil
}

// hello makes this node known at the other end of a link. A refusal in words
// comes back as errRefused.
func (n *Node) hello(ctx context.Context, to *peer.Link, within time.Duration) (*wire.HelloReply, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	reply, err := to.Hello(ctx, connect.NewRequest(&wire.HelloRequest{
		Schema: wire.Schema, Ledger: Ledger, Addr: n.addr(),
	}))
	if err != nil {
		return nil, err
	}
	if why := reply.Msg.GetRefusal(); why != "" {
		return nil, fmt.Errorf("%w: %s", errRefused, why)
	}
	return reply.Msg, nil
}

// joinOne joins the node at addr, if it welcomes this one.
func (n *Node) joinOne(ctx context.Context, addr string) error {
	h, err := n.greet(ctx, addr)
	if err != nil {
		return err
	}
	defer h.Close()
	return n.enter(ctx, h)
}

// enter joins a node that was greeted, and brings its state here.
func (n *Node) enter(ctx context.Context, h *greeted) error {
	if h.self {
		return nil
	}
	if !n.isReady() && n.welcomed.IsZero() {
		n.welcomed = time.Now()
	}
	if !n.met.Load() {
		n.stew.hold() // until the others are in view, not only their claims
		defer n.stew.release()
		if _, err := n.repl.PullBy(ctx, h, h.name); err != nil {
			return fmt.Errorf("node: no state from the node at %s: %w", h.Addr(), plain(err))
		}
		n.brought.Store(true)
		n.repl.Open()
		n.giveWay()
	}
	met := h.ready && n.met.CompareAndSwap(false, true) // before it comes into view
	if err := n.agent.Join(h.Addr()); err != nil {
		if met {
			n.met.Store(false)
		}
		return err
	}
	n.view.wake()
	if _, err := n.reach(ctx, h.name); err != nil {
		return err
	}
	if _, err := n.bring(ctx, h.name); err != nil {
		return err
	}
	if n.isReady() {
		n.follow(true)
	}
	return nil
}

// bring pulls from a node in view. A node that starts, and has been brought a
// state, does not fetch another: it says that it lacks one.
func (n *Node) bring(ctx context.Context, name string) (lacking bool, err error) {
	if n.isReady() || !n.brought.Load() {
		return false, n.repl.PullFrom(ctx, name)
	}
	return n.repl.CatchUp(ctx, name)
}

// reach returns the link to the node of that name, once it is in view.
func (n *Node) reach(ctx context.Context, name string) (*link, error) {
	inView, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	for {
		if k, ok := n.links.to(name); ok {
			return k, nil
		}
		if !sleep(inView, 5*time.Millisecond) {
			return nil, fmt.Errorf("node: %s was joined and did not come into view", name)
		}
	}
}

// unmet reports whether others are in view and this node, which was alone, has
// not met a cluster yet: those joined it, or gossip for its last life reached
// this one, or all were starting when they met. Until then it leaves the gates
// alone.
func (n *Node) unmet() bool {
	return n.isReady() && !n.met.Load() && len(n.view.others()) > 0
}

// meetOthers does for such a node what enter does for one that joins, but that of two
// which were alone the older one need not give way. It reports whether that is
// done: whether one of the others is ready too.
func (n *Node) meetOthers(ctx context.Context) bool {
	them, _ := n.catchUp(ctx)
	if them.elder && n.giveWay() {
		n.follow(true)
	}
	if them.ready {
		n.met.Store(true)
	}
	return them.ready
}

// company is what one has learnt of the others in view.
type company struct {
	ready bool // one of them is not still looking for its cluster
	elder bool // one of them is in a cluster that was there before this node

	lacking []string // those whose news would take a whole state
}

// catchUp pulls from everyone in view, so that no claim is made in ignorance
// of others'. Those that do not answer are left to the replicator. It says hello
// to each too: the gossip of a join misses a node now and then, and that one
// would not see the joiner for a minute. The error is a refusal, by one
// that has met another node of this name meanwhile.
func (n *Node) catchUp(ctx context.Context) (them company, refusal error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i, name := range n.view.others() {
		wg.Go(func() {
			var reply *wire.HelloReply
			k, err := n.reach(ctx, name)
			if err == nil { // before the pull: what it has when it is ready comes with that
				reply, err = n.hello(ctx, k.Link, askTimeout)
			}
			if err == nil && i < acquaint { // it answers: joins wait for each other
				if err := n.agent.Join(k.Addr()); err != nil {
					n.log.Info("not acquainted, gossip will do", "peer", name, "err", err)
				}
			}
			lacking := false
			if err == nil {
				lacking, err = n.bring(ctx, name)
			}
			age := reply.GetReadyMs()
			mu.Lock()
			defer mu.Unlock()
			if lacking {
				them.lacking = append(them.lacking, name)
			}
			switch {
			case err == nil:
				them.ready = them.ready || age > 0
				them.elder = them.elder || age > 0 && (reply.GetMet() || age > n.age())
			case errors.Is(err, errRefused):
				refusal = err
			default:
				level := slog.LevelInfo
				if n.isReady() { // it is tried again and again, until they have met
					level = slog.LevelDebug
				}
				n.log.Log(ctx, level, "first pull failed", "peer", name, "err", err)
			}
		})
	}
	wg.Wait()
	return them, refusal
}

// notice tells what somebody should know. It is an event and no line of the log,
// for whoever runs the node tells events where people look.
func (n *Node) notice(format string, args ...any) {
	n.bus.emit(Event{Kind: Notice, Reason: fmt.Sprintf(format, args...)})
}

// plain returns what is at the bottom of a call's error.
func plain(err error) error {
	for _, known := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, known) {
			return errors.New("no answer")
		}
	}
	for {
		next := errors.Unwrap(err)
		if several, ok := err.(interface{ Unwrap() []error }); ok {
			all := several.Unwrap()
			next = all[len(all)-1]
		}
		if next == nil {
			return err
		}
		err = next
	}
}

// sleep waits for d and reports whether ctx still lives.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
