package node

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"

	"parking/gates"
	"parking/lot/wire"
	"parking/node/replicate"
)

const (
	// lackPause is how long is waited before those that this node lacks something
	// of are pulled from again; it doubles until it is maxLackPause.
	lackPause    = 100 * time.Millisecond
	maxLackPause = 2 * time.Second
	// lackHolds is for how long at most no gates are claimed for that: one whose
	// state cannot be had is not to keep gates from running.
	lackHolds = time.Minute
)

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

	lacking []lack
}

// A lack is what another node, which answers, has and this one may not have.
type lack struct {
	of  gates.Host
	had replicate.Source // what it had
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
			var from replicate.Source
			if err == nil {
				from, err = n.bring(ctx, name)
			}
			age := reply.GetReadyMs()
			mu.Lock()
			defer mu.Unlock()
			if from.Behind || err != nil && reply != nil {
				them.lacking = append(them.lacking, lack{k.host, from})
			}
			switch {
			case err == nil:
				them.ready = them.ready || age > 0
				them.elder = them.elder || age > 0 && (reply.GetMet() || age > n.age())
			case errors.Is(err, errRefused) && !errors.Is(err, errPassing):
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

// catchUpLater brings what this node lacked when it became ready. It goes on until
// that is here, from its owner or by way of others, or its owner has gone. Until
// then this node is not to be sent work; it holds its gates, and claims none, for
// lackHolds at most. It blocks until ctx ends.
func (n *Node) catchUpLater(ctx context.Context, lacking []lack) {
	release := sync.OnceFunc(n.stew.release)
	defer release()
	defer time.AfterFunc(lackHolds, release).Stop()
	for pause := lackPause; ; pause = min(2*pause, maxLackPause) {
		var still []lack
		for _, l := range lacking {
			if !n.brings(ctx, &l) {
				still = append(still, l)
			}
		}
		if lacking = still; len(lacking) == 0 {
			n.stage.was(catchingUp)
			return
		}
		n.stage.is(catchingUpFrom(lacking))
		if !sleep(ctx, pause) {
			return
		}
	}
}

// brings tries to bring what another node has, and reports whether that need not be
// tried again.
func (n *Node) brings(ctx context.Context, l *lack) bool {
	if !slices.Contains(n.view.alive(), l.of) {
		return true
	}
	from, err := n.repl.PullFrom(ctx, l.of.Node)
	if err == nil {
		return true
	}
	n.log.Info("not caught up yet", "peer", l.of.Node, "err", err)
	if !l.had.Told {
		l.had = from
	}
	return l.had.Told && n.store.Covers(l.had.Version) || n.equals(ctx, l.of.Node)
}

// equals asks a node in view whether its replica is as this one.
func (n *Node) equals(ctx context.Context, name string) bool {
	k, ok := n.links.to(name)
	if !ok {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	ours := n.store.Digest()
	reply, err := k.Digest(ctx, connect.NewRequest(&wire.DigestRequest{}))
	return err == nil && bytes.Equal(reply.Msg.GetDigest(), ours[:])
}

// catchingUp is how the stage begins in which a node brings what it lacks.
const catchingUp = "catching up"

func catchingUpFrom(lacking []lack) string {
	what := catchingUp + " from"
	for _, l := range lacking {
		what += " " + l.of.Node
	}
	return what
}
