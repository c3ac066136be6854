package replicate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	"parking/lot/crdt"
	"parking/lot/wire"
	"parking/lot/wire/wireconnect"
	"parking/node/probe"
)

const (
	// maxPulls is how many peers are pulled from at once.
	maxPulls = 4
	// soon is the interval once something changed: gossip misses a node now and
	// then, and nobody knows whom. It doubles until it is the configured one.
	soon = 200 * time.Millisecond
	// answerTimeout is how long a peer may take to begin its answer, and to go
	// on with it.
	answerTimeout = 2 * time.Second
	// pullTimeout is how long a pull may take in all.
	pullTimeout = time.Minute
	// bulk is how many changes of a node's own make it be pulled from again at
	// once: it writes faster than it could tell.
	bulk = 256
	// pullChunk is the size of one delta in an answer, in bytes.
	pullChunk = 256 << 10
)

// scope is how much a pull asks for.
type scope int

const (
	pullCalm scope = iota // whether there is anything; and then everything
	pullOwn               // what the peer itself has written
	pullNews              // everything, unless that takes a whole state
	pullAll               // everything
)

// kick is a peer to be pulled from soon.
type kick struct {
	name string
	what scope
}

// pull asks a random peer at every interval, and those it was kicked for at
// once, until ctx ends; then it waits for what is under way.
func (r *Replicator) pull(ctx context.Context) {
	done := make(chan string, maxPulls)
	busy := make(map[string]bool)
	again := make(map[string]scope) // kicked while busy
	start := func(k kick) {
		if _, ok := r.peers.Client(k.name); !ok {
			delete(again, k.name)
			return
		}
		if busy[k.name] || len(busy) >= maxPulls {
			again[k.name] = max(again[k.name], k.what)
			return
		}
		delete(again, k.name)
		busy[k.name] = true
		go func() {
			if err := r.pullFrom(ctx, k); err != nil && ctx.Err() == nil {
				r.log.Debug("pull failed", "peer", k.name, "err", err)
			}
			done <- k.name
		}()
	}
	pace := r.interval
	tick := time.NewTimer(r.jitter(pace))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			for range busy {
				<-done
			}
			return
		case name := <-done:
			delete(busy, name)
			for name, what := range again {
				if len(busy) == maxPulls {
					break
				}
				start(kick{name, what})
			}
		case <-tick.C:
			names := r.peers.Names()
			r.couriers.forget(names)
			r.pace.forget(names)
			if len(names) > 0 && r.opened.Load() {
				start(kick{names[r.rand.IntN(len(names))], pullCalm})
			}
			pace = min(2*pace, r.interval)
			tick.Reset(r.jitter(pace))
		case <-r.stir:
			if pace > soon {
				pace = soon
				tick.Reset(r.jitter(pace))
			}
		case k := <-r.kicks:
			start(k)
		}
	}
}

// stirred makes the pulls quicker for a while. It never blocks.
func (r *Replicator) stirred() {
	select {
	case r.stir <- struct{}{}:
	default:
	}
}

// Kick asks for a pull from that peer soon. It never blocks.
func (r *Replicator) Kick(name string) { r.kick(name, pullAll) }

func (r *Replicator) kick(name string, what scope) {
	if !r.opened.Load() {
		return
	}
	select {
	case r.kicks <- kick{name, what}:
	default: // others are waiting already, and the interval comes
	}
}

// PullFrom brings here what that peer has and this replica lacks. It blocks
// until all of it is joined.
func (r *Replicator) PullFrom(ctx context.Context, name string) (Source, error) {
	client, ok := r.peers.Client(name)
	if !ok {
		return Source{}, NotThere(name)
	}
	return r.PullBy(ctx, client, name)
}

func (r *Replicator) pullFrom(ctx context.Context, k kick) error {
	client, ok := r.peers.Client(k.name)
	if !ok {
		return NotThere(k.name)
	}
	switch k.what {
	case pullCalm:
		begin := time.Now()
		look, cancel := context.WithTimeout(ctx, answerTimeout)
		defer cancel()
		digest := r.store.Digest()
		reply, err := client.Digest(look, connect.NewRequest(&wire.DigestRequest{}))
		if err != nil {
			r.pulled(begin, probe.Failed)
			return err
		}
		if r.saw != nil {
			r.saw(k.name, reply.Msg.GetMembers(), time.Duration(reply.Msg.GetSettledMs())*time.Millisecond)
		}
		if string(digest[:]) == string(reply.Msg.GetDigest()) {
			r.pulled(begin, probe.Same)
			return nil
		}
	case pullOwn:
		for {
			from, err := r.pullOnce(ctx, client, k.name, pullOwn)
			if err != nil || !from.Behind && from.changes < bulk {
				return err
			}
			if from.Behind {
				break
			}
		}
	}
	_, err := r.PullBy(ctx, client, k.name)
	return err
}

// CatchUp does what PullFrom does unless that takes a whole state, and says in the
// source whether it would: while others write at full speed there may always be one
// more to fetch.
func (r *Replicator) CatchUp(ctx context.Context, name string) (Source, error) {
	client, ok := r.peers.Client(name)
	if !ok {
		return Source{}, NotThere(name)
	}
	return r.pullOnce(ctx, client, name, pullNews)
}

// NotThere is the error where the node of that name is not there.
func NotThere(name string) error {
	return fmt.Errorf("replicate: %s is not there to be spoken to", name)
}

// A Source is a node as it was when it was pulled from.
type Source struct {
	Version crdt.Version // what it had, if Told: else an error came before
	Told    bool
	Leaving bool
	Behind  bool // there is more than it told: that takes a whole state
	changes int  // that it sent, but for a whole state
}

// PullBy does what PullFrom does, by the client of a node that need not be a
// peer yet.
func (r *Replicator) PullBy(ctx context.Context, client wireconnect.PeerClient, name string) (from Source, err error) {
	for {
		select { // while a state is on its way, no peer makes up another
		case r.staging <- struct{}{}:
			<-r.staging
		case <-ctx.Done():
			return from, ctx.Err()
		}
		if from, err = r.pullOnce(ctx, client, name, pullAll); !errors.Is(err, errStaging) {
			return from, err
		}
	}
}

// errStaging is the error of a pull that was to be sent a whole state while
// another is: when that is here, there is little left to pull.
var errStaging = errors.New("replicate: another state is on its way")

// pulled tells instruments how a pull went.
func (r *Replicator) pulled(begin time.Time, how probe.Outcome) {
	r.store.probe.Pulled.Emit(probe.Pulled{Outcome: how, Took: time.Since(begin)})
}

func (r *Replicator) pullOnce(ctx context.Context, client wireconnect.PeerClient, name string, what scope) (from Source, err error) {
	begin, whole := time.Now(), false
	defer func() {
		how := probe.Same
		switch {
		case errors.Is(err, errStaging) || err == nil && from.Behind:
			how = probe.Deferred
		case err != nil:
			how = probe.Failed
		case whole:
			how = probe.Whole
		case from.changes > 0:
			how = probe.News
		}
		r.pulled(begin, how)
	}()
	ctx, done := context.WithTimeout(ctx, pullTimeout)
	defer done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	alarm := time.AfterFunc(answerTimeout, func() { cancel(fmt.Errorf("replicate: %s does not answer", name)) })
	defer alarm.Stop()

	digest, ours := r.store.Mark()
	req := &wire.PullRequest{Schema: wire.Schema, Own: what == pullOwn, News: what == pullNews}
	if req.Own {
		req.Version = crdt.EncodeVersion(ours.Of(name))
	} else {
		req.Digest, req.Version = digest[:], crdt.EncodeVersion(ours)
	}
	stream, err := client.Pull(ctx, connect.NewRequest(req))
	if err != nil {
		return from, cause(ctx, err)
	}
	defer stream.Close()
	defer cancel(nil) // before Close, which would read what is still to come
	var staged crdt.Stager
	size := 0 // of what is staged
	for stream.Receive() {
		alarm.Reset(answerTimeout)
		c := stream.Msg()
		from.Leaving = from.Leaving || c.GetLeaving()
		from.Behind = from.Behind || c.GetBehind()
		if c.GetVersion() != nil {
			if from.Version, err = crdt.DecodeVersion(c.GetVersion()); err != nil {
				return from, r.refuse("pull", name, err)
			}
			from.Told = true
		}
		if c.GetDelta() != nil {
			ms, err := crdt.Decode(c.GetDelta())
			if err != nil {
				if err = r.refuse("pull", name, err); !errors.Is(err, crdt.ErrNewer) {
					return from, err
				}
			}
			from.changes += len(ms)
			if err := r.store.Join(ms, probe.Pull, len(c.GetDelta())); err != nil {
				_ = r.refuse("pull", name, err)
			}
		}
		if c.GetState() != nil {
			if !staged.Started() {
				select {
				case r.staging <- struct{}{}:
					defer func() { <-r.staging }()
				default:
					return from, errStaging
				}
			}
			size += stateSize(c.GetState())
			if err := staged.Add(c.GetState()); err != nil {
				return from, r.refuse("pull", name, err)
			}
		}
	}
	if err := stream.Err(); err != nil {
		return from, cause(ctx, err)
	}
	if staged.Started() {
		whole = true
		if err := r.store.JoinState(staged.State(), size); err != nil {
			_ = r.refuse("pull", name, err)
		}
	}
	if !from.Told { // it is the same
		from.Version, from.Told = ours, true
	}
	return from, nil
}

// HandOn makes others pull what this replica has now, and reports whether one
// of them that stays has all of it before ctx ends. From then on this replica's
// answers say that it does not stay itself.
func (r *Replicator) HandOn(ctx context.Context) bool {
	r.retired.Store(true)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ours := r.store.Version()
	has := make(chan bool)
	names := r.peers.Names()
	for _, name := range names {
		go func() {
			for ok := true; ok; ok = pause(ctx, 10*time.Millisecond) {
				client, known := r.peers.Client(name)
				if !known {
					break
				}
				from, err := r.PullBy(ctx, client, name) // which makes it pull back
				if err == nil && (from.Leaving || from.Version.Covers(ours)) {
					has <- !from.Leaving
					return
				}
			}
			has <- false
		}()
	}
	one := false
	for range names {
		if <-has {
			one = true
			cancel()
		}
	}
	return one
}

// cause prefers the reason for which ctx was cancelled.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil && !errors.Is(c, context.Canceled) {
		return c
	}
	return err
}

// Answer serves a peer's pull: send is called with each part. If the peer has
// what this replica lacks, it is pulled from in turn.
func (r *Replicator) Answer(peer string, req *wire.PullRequest, send func(*wire.PullChunk) error) error {
	theirs, err := crdt.DecodeVersion(req.GetVersion())
	if err != nil {
		return r.refuse("pull request", peer, err)
	}
	var (
		ours    crdt.Version
		covered bool // nothing that they have is missing here
		digest  crdt.Digest
		delta   []crdt.Mutation
		state   *crdt.State
	)
	r.pace.heard(peer, theirs.Max(r.store.Self()))
	if req.GetOwn() {
		return r.answerOwn(theirs, send)
	}
	r.store.View(func(d *crdt.Document) {
		digest = d.Digest()
		if string(digest[:]) == string(req.GetDigest()) {
			return
		}
		ours, covered = d.Version(), d.Covers(theirs)
		delta, state = d.Since(theirs)
		if len(delta) == 0 && state == nil && covered {
			// Both have seen the same and hold different values, which takes a
			// forged mutation: the join of the states is the same on both.
			state = d.State().For(theirs)
		}
	})
	if string(digest[:]) == string(req.GetDigest()) {
		return send(&wire.PullChunk{Leaving: r.retired.Load()})
	}
	if !covered {
		r.Kick(peer)
	}
	behind := state != nil && req.GetNews()
	err = send(&wire.PullChunk{Version: crdt.EncodeVersion(ours), Leaving: r.retired.Load(), Behind: behind})
	if err != nil || behind {
		return err
	}
	if state != nil {
		size := 0
		for c := range state.Chunks {
			if err := send(&wire.PullChunk{State: c}); err != nil {
				return err
			}
			size += stateSize(c)
		}
		r.store.probe.Sent.Emit(probe.Sent{Lane: probe.State, Deltas: 1, Bytes: size})
	}
	return r.sendDelta(delta, send)
}

// sendDelta answers a pull with those changes.
func (r *Replicator) sendDelta(delta []crdt.Mutation, send func(*wire.PullChunk) error) error {
	sent := probe.Sent{Lane: probe.Pull, Changes: len(delta)}
	for _, d := range crdt.Pack(pullChunk, delta) {
		if err := send(&wire.PullChunk{Delta: d}); err != nil {
			return err
		}
		sent.Deltas++
		sent.Bytes += len(d)
	}
	if sent.Deltas > 0 {
		r.store.probe.Sent.Emit(sent)
	}
	return nil
}

// stateSize is how many bytes a part of a state takes, but for its version.
func stateSize(c *wire.StateChunk) int {
	return len(c.GetLive()) + len(c.GetHeld()) + len(c.GetEarly())
}

// answerOwn serves a pull that asks for what was written here.
func (r *Replicator) answerOwn(theirs crdt.Version, send func(*wire.PullChunk) error) error {
	var delta []crdt.Mutation
	var reaches bool
	r.store.View(func(d *crdt.Document) { delta, reaches = d.Own(theirs) })
	if !reaches {
		return send(&wire.PullChunk{Behind: true})
	}
	return r.sendDelta(delta, send)
}
