package node

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"connectrpc.com/connect"

	"parking/gates"
	"parking/lot/wire"
	"parking/lot/wire/wireconnect"
	"parking/node/member"
	"parking/node/peer"
	"parking/node/replicate"
)

// maxHeld is the largest cluster in which every node holds a stream to every
// other.
const maxHeld = 32

// links are this node's streams to the others: one link for each life of each
// node in view, held open while it lives.
type links struct {
	dialer peer.Dialer
	creds  peer.Credentials
	view   *view
	ousted func(by string, err *connect.Error) // one that a stream is held to has another in this node's place
	log    *slog.Logger

	mu     sync.Mutex
	byName map[string]*link
	wg     sync.WaitGroup
}

type link struct {
	*peer.Link
	host   gates.Host
	ctx    context.Context // ends with the link
	cancel context.CancelFunc
	held   bool
	anew   context.CancelFunc // ends the stream that is held; another takes its place
}

func newLinks(d peer.Dialer, creds peer.Credentials, v *view, ousted func(string, *connect.Error), log *slog.Logger) *links {
	return &links{dialer: d, creds: creds, view: v, ousted: ousted, log: log, byName: make(map[string]*link)}
}

// sync opens links to who is alive and closes those to who is not.
func (l *links) sync(ctx context.Context) {
	members := l.view.all()
	l.mu.Lock()
	defer l.mu.Unlock()
	want := make(map[string]Member, len(members))
	for _, m := range members {
		if !m.Self && m.Status == member.Alive {
			want[m.Name] = m
		}
	}
	for name, k := range l.byName {
		if m, ok := want[name]; !ok || m.host() != k.host || m.Addr != k.Addr() {
			k.cancel()
			k.Close()
			delete(l.byName, name)
		}
	}
	for name, m := range want {
		if ctx.Err() != nil {
			return
		}
		k := l.byName[name]
		if k == nil {
			k = &link{Link: peer.NewLink(l.dialer, l.creds, name, m.Addr), host: m.host()}
			k.ctx, k.cancel = context.WithCancel(ctx)
			l.byName[name] = k
		}
		if !k.held && len(want) < maxHeld {
			k.held = true
			l.wg.Go(func() { l.hold(k.ctx, k) })
		}
	}
}

// hold keeps a stream open while that life of the node lasts. When it breaks
// and nobody listens there any more, or somebody else does, that life is over,
// whatever SWIM still thinks.
//
// The kernel closes a dead process's streams a few milliseconds before its
// listener, so the first looks follow each other fast.
func (l *links) hold(ctx context.Context, k *link) {
	const first, most = 2 * time.Millisecond, 200 * time.Millisecond
	pause := first
	for ctx.Err() == nil {
		holding, anew := context.WithCancel(ctx)
		l.mu.Lock()
		k.anew = anew
		l.mu.Unlock()
		stream, err := k.Hold(holding, connect.NewRequest(&wire.HoldRequest{}))
		if err == nil {
			for stream.Receive() {
				if k.Peer().Incarnation != k.host.Incarnation {
					l.view.died(k.host, "restarted")
					stream.Close()
					anew()
					return
				}
				pause = first
			}
			err = stream.Err()
			stream.Close()
		}
		renewed := holding.Err() != nil
		anew()
		if ctx.Err() != nil {
			return
		}
		if renewed {
			pause = first
			continue
		}
		l.log.Debug("held stream ended", "peer", k.host.Node, "err", err)
		if refusal := new(connect.Error); errors.As(err, &refusal) && refusal.Code() == connect.CodeAlreadyExists {
			l.ousted(k.host.Node, refusal)
		}
		if k.Refuses() && ctx.Err() == nil {
			l.view.died(k.host, "connection refused")
		}
		sleep(ctx, pause)
		pause = min(2*pause, most)
	}
}

// renew has all links go by new connections, made with what the credentials are
// by now. It does not wait for the old ones, on which calls may be under way.
func (l *links) renew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.byName {
		drain := k.Renew()
		if k.anew != nil {
			k.anew()
		}
		l.wg.Go(func() {
			ctx, cancel := context.WithTimeout(k.ctx, severAfter)
			defer cancel()
			drain(ctx)
		})
	}
}

// close ends all links and waits for their goroutines.
func (l *links) close() {
	l.mu.Lock()
	for name, k := range l.byName {
		k.cancel()
		k.Close()
		delete(l.byName, name)
	}
	l.mu.Unlock()
	l.wg.Wait()
}

// Names returns the living nodes; Client may not know one yet.
func (l *links) Names() []string { return l.view.others() }

// Client returns the calls to the node of that name.
func (l *links) Client(name string) (wireconnect.PeerClient, bool) {
	k, ok := l.to(name)
	if !ok {
		return nil, false
	}
	return k.Link, true
}

// Lane opens a lane to the node of that name.
func (l *links) Lane(ctx context.Context, name string) (replicate.Lane, error) {
	k, ok := l.to(name)
	if !ok {
		return nil, replicate.NotThere(name)
	}
	return k.Lane(ctx)
}

func (l *links) to(name string) (*link, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k, ok := l.byName[name]
	return k, ok
}
