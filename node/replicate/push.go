package replicate

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"parking/lot/crdt"
	"parking/lot/wire"
)

const (
	// gather is how long mutations are gathered once some have just left;
	// after a pause they leave at once.
	gather = 2 * time.Millisecond
	// deepQueue is how many events may wait in the gossip before mutations are
	// held back and only the version goes out.
	deepQueue = 64
	// settle is how long a gap may stay before it is pulled: gossip reorders.
	settle = 30 * time.Millisecond
	// eventOverhead is what an event's other fields take beside its delta.
	eventOverhead = 48
)

// push sends what the store's outbox holds until ctx ends.
func (r *Replicator) push(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.store.ready:
		}
		r.stirred()
		ms, lapsed := r.store.take()
		if lapsed || r.gossip.QueueDepth() > deepQueue {
			r.announce(ctx)
			continue
		}
		for _, d := range crdt.Pack(ms, r.maxEvent-eventOverhead) {
			r.broadcast(&wire.Event{Schema: wire.Schema, Node: r.self, Delta: d})
		}
		if !pause(ctx, gather) {
			return
		}
	}
}

// announce waits for the gossip to drain, for a moment at most, and tells the
// others what they can pull.
func (r *Replicator) announce(ctx context.Context) {
	for range 20 {
		if !pause(ctx, 5*time.Millisecond) {
			return
		}
		if r.gossip.QueueDepth() < deepQueue/2 {
			break
		}
	}
	_, _ = r.store.take() // the version covers these too
	e := &wire.Event{Schema: wire.Schema, Node: r.self, Version: crdt.EncodeVersion(r.store.Version())}
	if proto.Size(e) > r.maxEvent {
		e.Version = &wire.Version{}
	}
	r.broadcast(e)
}

func (r *Replicator) broadcast(e *wire.Event) {
	b, err := proto.Marshal(e)
	if err == nil {
		err = r.gossip.Broadcast(b)
	}
	if err != nil {
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
			if from, err := r.hear(b); err != nil {
				_ = r.refuse("event", from, err)
			}
		}
	}
}

// hear joins one event and returns who says that he sent it.
func (r *Replicator) hear(b []byte) (from string, err error) {
	var e wire.Event
	if err := proto.Unmarshal(b, &e); err != nil {
		return "", err
	}
	from = e.GetNode()
	if from == r.self {
		return from, nil
	}
	if e.GetDelta() != nil {
		ms, err := crdt.Decode(e.GetDelta())
		if err == nil {
			err = r.store.Join(ms, Event)
		}
		if err != nil {
			return from, err
		}
		r.stirred()
		r.closeGap(from, ms)
	}
	if e.GetVersion() != nil {
		theirs, err := crdt.DecodeVersion(e.GetVersion())
		if err != nil {
			return from, err
		}
		if len(e.GetVersion().GetRows()) == 0 || !r.store.Covers(theirs) {
			r.Kick(from)
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
			r.Kick(node)
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
