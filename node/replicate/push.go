package replicate

import (
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/protobuf/proto"

	"parking/lot/crdt"
	"parking/lot/wire"
	"parking/node/probe"
)

const (
	// gather is how long mutations are gathered once some have just left;
	// after a pause they leave at once.
	gather = 2 * time.Millisecond
	// deepQueue is how many events may wait in the gossip before mutations are
	// held back and only the version goes out.
	deepQueue = 256
	// Beyond eventRate bytes a second, and eventBurst at once, that is done, too:
	// every node sends every event on several times, while a pull takes each
	// change where it lacks, once. eventCost is what an event takes beside its
	// content.
	eventRate  = 256 << 10
	eventBurst = 64 << 10
	eventCost  = 200
	// announcePause is how long mutations are gathered that are to be pulled.
	announcePause = 5 * time.Millisecond
	// settle is how long a gap may stay before it is pulled: gossip reorders.
	settle = 30 * time.Millisecond
)

// gossips sends what the store's outbox holds until ctx ends.
func (r *Replicator) gossips(ctx context.Context) {
	budget := rate.NewLimiter(eventRate, eventBurst)
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.store.ready:
		}
		r.stirred()
		ms, lapsed := r.store.take()
		events, size := crdt.Pack(r.maxEvent, ms...), 0
		for _, e := range events {
			size += len(e) + eventCost
		}
		if lapsed || !budget.AllowN(time.Now(), size) || r.gossip.QueueDepth() > deepQueue {
			r.announce(ctx)
			continue
		}
		sent := probe.Sent{Lane: probe.Gossip, Deltas: len(events)}
		for _, e := range events {
			r.broadcast(e)
			sent.Bytes += len(e)
		}
		for _, m := range ms {
			sent.Changes += len(m)
		}
		r.store.probe.Sent.Emit(sent)
		if !pause(ctx, gather) {
			return
		}
	}
}

// announce waits for the gossip to drain, for a moment at most, and tells the
// others what they can pull.
func (r *Replicator) announce(ctx context.Context) {
	for range 20 {
		if !pause(ctx, announcePause) {
			return
		}
		if r.gossip.QueueDepth() < deepQueue/2 {
			break
		}
	}
	_, _ = r.store.take() // the version covers these too
	e := &wire.Announcement{Node: r.self, Version: crdt.EncodeVersion(r.store.Version())}
	if proto.Size(e) >= r.maxEvent {
		e.Version = nil
	}
	if b, err := proto.Marshal(e); err == nil {
		r.store.probe.Announced.Emit(probe.Announced{})
		r.broadcast(append([]byte{eventVersion}, b...))
	}
}

// The kinds of events, told by the two low bits of the first byte. Others are
// passed over: a newer program may send them.
const (
	eventDelta   = 1 // a delta, which so begins: mutations of the sender's own
	eventVersion = 2 // an Announcement, behind that byte
)

func (r *Replicator) broadcast(event []byte) {
	if err := r.gossip.Broadcast(event); err != nil {
		r.log.Debug("event not sent, the pull will do", "err", err)
	}
}

// receive joins what others push until ctx ends.
func (r *Replicator) receive(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case b := <-r.gossip.Events():
			if !r.opened.Load() {
				continue
			}
			if from, err := r.hear(b); err != nil {
				_ = r.refuse("event", from, err)
			}
		}
	}
}

// hear joins one event and returns who sent it.
func (r *Replicator) hear(b []byte) (from string, err error) {
	if len(b) == 0 {
		return "", crdt.ErrMalformed
	}
	switch b[0] & 3 {
	case eventDelta:
		ms, err := crdt.Decode(b)
		if err != nil && !errors.Is(err, crdt.ErrNewer) || len(ms) == 0 {
			return "", err
		}
		newer := err
		if from = ms[0].Dot.Replica.Node(); from == r.self {
			return from, nil
		}
		if err := r.store.Join(ms, probe.Gossip, len(b)); err != nil {
			return from, err
		}
		r.stirred()
		r.closeGap(from, ms)
		return from, newer
	case eventVersion:
		var a wire.Announcement
		if err := proto.Unmarshal(b[1:], &a); err != nil {
			return "", err
		}
		if from = a.GetNode(); from == r.self {
			return from, nil
		}
		theirs, err := crdt.DecodeVersion(a.GetVersion())
		if err != nil {
			return from, err
		}
		if a.GetVersion() == nil || !r.store.Covers(theirs.Of(from)) {
			r.kick(from, pullOwn)
		}
	}
	return from, nil
}

// closeGap pulls from the node if something it sent came before its
// predecessor, and that does not come soon. Older gaps, which nobody may be
// able to close any more, are the interval's business.
func (r *Replicator) closeGap(node string, sent []crdt.Mutation) {
	if !r.gapped(sent) || !r.gapCheck.CompareAndSwap(false, true) {
		return
	}
	time.AfterFunc(settle, func() {
		r.gapCheck.Store(false)
		if r.gapped(sent) {
			r.kick(node, pullOwn)
		}
	})
}

// gapped reports whether the predecessor of one of those mutations is missing.
func (r *Replicator) gapped(ms []crdt.Mutation) (missing bool) {
	r.store.View(func(d *crdt.Document) {
		for _, m := range ms {
			before := crdt.Dot{Replica: m.Dot.Replica, Seq: m.Dot.Seq - 1}
			missing = missing || before.Seq > 0 && !d.Has(before)
		}
	})
	return missing
}

// pause waits for d and reports whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
