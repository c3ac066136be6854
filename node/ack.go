package node

import (
	"context"
	"time"

	"parking/lot"
	"parking/lot/crdt"
)

// ackTimeout is how long a write waits for other nodes to say that they have it.
const ackTimeout = 2 * time.Second

// MaxAck is how many other nodes a write can be told to wait for.
const MaxAck = 31

// CheckAck refuses what is no number of nodes to wait for.
func CheckAck(n int) error {
	if n < 0 || n > MaxAck {
		return lot.Refuse(lot.Range, "ack %d: a write waits for 0 to %d other nodes", n, MaxAck)
	}
	return nil
}

type ackKey struct{}

// WithAck returns a context whose writes wait until that many other nodes have
// them, whatever the node's configuration says.
func WithAck(ctx context.Context, others int) context.Context {
	return context.WithValue(ctx, ackKey{}, others)
}

// acks returns how many other nodes a write is to wait for.
func (n *Node) acks(ctx context.Context) int {
	if want, given := ctx.Value(ackKey{}).(int); given {
		return want
	}
	return n.cfg.Ack
}

// confirm blocks until as many other nodes have what was written as ctx or the
// configuration asks for. It is an error of unknown outcome if they do not say
// so in time: the write stands here, and they may have it nevertheless.
func (n *Node) confirm(ctx context.Context, ms []crdt.Mutation) error {
	want := n.acks(ctx)
	if want == 0 || len(ms) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	if have := n.repl.Confirm(ctx, ms, want); have < want {
		return lot.Refuse(lot.Unknown, "unknown: it is recorded on %s, and %d of the %d other nodes that ack %d asks for said that they have it; read tells what there is",
			n.self.Node, have, want, want)
	}
	return nil
}
