package replicate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	"parking/lot"
	"parking/lot/crdt"
	"parking/lot/wire"
	"parking/lot/wire/wireconnect"
)

const (
	// lookTimeout is how long a look may take in all.
	lookTimeout = 10 * time.Second
	// maxLook is how many mutations, or chunks of a state, are looked at: more than
	// a log holds, and a lot of some millions.
	maxLook       = 2 * crdt.DefaultLog
	maxLookChunks = 1 << 10
)

// A Look is a peer's replica as it was when it was looked at.
type Look struct {
	Digest  crdt.Digest
	Same    bool         // it was this replica's
	Version crdt.Version // what the peer had seen
	State   *crdt.State  // where it did not send mutations
}

// Look asks a peer, by its client, for what this replica lacks, and calls each with
// it. Nothing is joined, here or there.
func (r *Replicator) Look(ctx context.Context, client wireconnect.PeerClient, name string, each func([]crdt.Mutation)) (l Look, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lookTimeout, tooSlow(name))
	defer cancel()
	if err := l.ask(ctx, r, client, name); err != nil || l.Same {
		return l, err
	}
	// Who is asked pulls what it lacks in turn. So it is told of no more than it has
	// seen: it then sends the same, and lacks nothing.
	both := r.store.Version().Meet(l.Version)
	var staged crdt.Stager
	mutations, chunks, release := 0, 0, func() {}
	defer func() { release() }()
	err = receive(ctx, client, name, &wire.PullRequest{Schema: wire.Schema, Version: crdt.EncodeVersion(both)}, func(c *wire.PullChunk) (bool, error) {
		if c.GetVersion() != nil {
			if l.Version, err = crdt.DecodeVersion(c.GetVersion()); err != nil {
				return false, r.refuse("look", name, err)
			}
		}
		ms, err := crdt.Decode(c.GetDelta())
		if err != nil && !errors.Is(err, crdt.ErrNewer) {
			return false, r.refuse("look", name, err)
		}
		if len(ms) > 0 {
			each(ms)
		}
		if c.GetState() != nil {
			if chunks++; !staged.Started() {
				select {
				case r.staging <- struct{}{}:
					release = func() { <-r.staging }
				default:
					return false, lot.Refuse(lot.Unreachable, "another node's whole state is on its way here; try again in a moment")
				}
			}
			if err := staged.Add(c.GetState()); err != nil {
				return false, r.refuse("look", name, err)
			}
		}
		if mutations += len(ms); mutations > maxLook || chunks > maxLookChunks {
			return false, lot.Refuse(lot.Refused, "%s has too much that is not here to be compared; await converged", name)
		}
		return true, nil
	})
	if staged.Started() {
		l.State = staged.State()
	}
	return l, err
}

// ask learns what the peer has seen.
func (l *Look) ask(ctx context.Context, r *Replicator, client wireconnect.PeerClient, name string) error {
	short, cancel := context.WithTimeoutCause(ctx, answerTimeout, silent(name))
	defer cancel()
	reply, err := client.Digest(short, connect.NewRequest(&wire.DigestRequest{}))
	if err != nil {
		return cause(short, err)
	}
	if len(reply.Msg.GetDigest()) != len(l.Digest) {
		return r.refuse("look", name, crdt.ErrMalformed)
	}
	l.Digest = crdt.Digest(reply.Msg.GetDigest())
	if l.Same = l.Digest == r.store.Digest(); l.Same {
		return nil
	}
	// To one who has seen nothing, news mostly take a state, of which it tells only
	// that; and else this takes the first part.
	return receive(ctx, client, name, &wire.PullRequest{Schema: wire.Schema, Version: &wire.Version{}, News: true}, func(c *wire.PullChunk) (bool, error) {
		l.Version, err = crdt.DecodeVersion(c.GetVersion())
		if err != nil {
			return false, r.refuse("look", name, err)
		}
		return false, nil
	})
}

// receive calls each with the parts of an answer while it returns true, and gives
// up on a peer that is silent for long.
func receive(ctx context.Context, client wireconnect.PeerClient, name string, req *wire.PullRequest, each func(*wire.PullChunk) (bool, error)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	alarm := time.AfterFunc(answerTimeout, func() { cancel(silent(name)) })
	defer alarm.Stop()
	stream, err := client.Pull(ctx, connect.NewRequest(req))
	if err != nil {
		return cause(ctx, err)
	}
	defer stream.Close()
	defer cancel(nil) // before Close, which would read what is still to come
	for stream.Receive() {
		alarm.Reset(answerTimeout)
		if more, err := each(stream.Msg()); err != nil || !more {
			return err
		}
	}
	if err := stream.Err(); err != nil {
		return cause(ctx, err)
	}
	return nil
}

func silent(name string) error  { return fmt.Errorf("replicate: %s does not answer", name) }
func tooSlow(name string) error { return fmt.Errorf("replicate: %s takes too long to answer", name) }
