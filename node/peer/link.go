package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"connectrpc.com/connect"

	"parking/lot/wire/wireconnect"
	"parking/node/cookie"
)

// protocol is what is negotiated by ALPN; other uses of the port get names of
// their own.
const protocol = "h2"

// maxMessage bounds one message on a stream, in bytes.
const maxMessage = 4 << 20

// dialTimeout bounds how long a connection may take to be made, handshake and
// all: less than a call may take, so that a call that was never sent is known
// to be one.
const dialTimeout = 1500 * time.Millisecond

// ErrDial wraps the error of every call that did not reach the other node:
// nothing was sent, so nothing has happened there.
var ErrDial = errors.New("peer: cannot reach the node")

// A Dialer opens raw streams: the node's member.Mux.
type Dialer interface {
	// Dial connects to the node at addr, which may be a hint for its name
	// only. It blocks for timeout at most.
	Dial(addr, name string, timeout time.Duration) (net.Conn, error)
}

// A Link is the way to one other node: its calls, on one connection that is
// made when it is first needed and again when it broke. A Link is safe for
// concurrent use.
type Link struct {
	wireconnect.PeerClient
	dialer Dialer
	addr   string
	name   string
	creds  Credentials
	http   atomic.Pointer[http.Transport] // for calls from now on

	mu     sync.Mutex
	conns  map[*conn]struct{} // open ones
	round  int                // how often the link was renewed
	peer   cookie.Identity    // at the end of the latest
	closed bool
}

// Credentials are what a node proves itself by, and judges others: a
// [cookie.Ring], or a single [cookie.Certificate].
type Credentials interface {
	// Client returns a configuration for one connection to the node of that name.
	Client(peer string, protocols ...string) *tls.Config
	// Server returns a configuration for accepting any number.
	Server(protocols ...string) *tls.Config
}

// conn is an open connection of a link.
type conn struct {
	net.Conn
	link  *Link
	round int // in which it was made
	lane  bool
}

func (c *conn) Close() error {
	c.link.mu.Lock()
	delete(c.link.conns, c)
	c.link.mu.Unlock()
	return c.Conn.Close()
}

// NewLink returns a link to the node at addr, which must be the one called
// name unless name is empty. It does not connect yet.
func NewLink(d Dialer, creds Credentials, name, addr string) *Link {
	l := &Link{dialer: d, addr: addr, name: name, creds: creds, conns: make(map[*conn]struct{})}
	l.http.Store(l.transport())
	l.PeerClient = wireconnect.NewPeerClient(&http.Client{Transport: latest{l}}, "https://"+addr,
		connect.WithReadMaxBytes(maxMessage), connect.WithAcceptCompression("gzip", nil, nil)) // it is packed already
	return l
}

// transport returns a way for calls that has no connection yet.
func (l *Link) transport() *http.Transport {
	var h2 http.Protocols
	h2.SetHTTP2(true)
	return &http.Transport{
		Protocols: &h2,
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return l.dialTLS(ctx, protocol)
		},
		DisableCompression: true,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: 5 * time.Second, // a silent link is looked at,
			PingTimeout:     2 * time.Second, // and given up
		},
	}
}

// latest sends each call by the way that is the link's at that moment.
type latest struct{ link *Link }

func (t latest) RoundTrip(r *http.Request) (*http.Response, error) {
	return t.link.http.Load().RoundTrip(r)
}

// renewLook is how often a link that is renewed looks whether the calls that
// were under way have ended.
const renewLook = 20 * time.Millisecond

// Renew has all calls from now on go by a new connection, made with what the
// link's credentials are by now. Those that are under way end on theirs. Lanes
// are closed at once: what was on one is carried again. It does not block; drain
// does until the old connections are closed, which it sees to when the calls on
// them have ended, or ctx has.
func (l *Link) Renew() (drain func(ctx context.Context)) {
	l.mu.Lock()
	l.round++
	before := l.round
	l.mu.Unlock()
	old := l.http.Swap(l.transport())
	for _, c := range l.madeBefore(before, true) {
		_ = c.Close()
	}
	return func(ctx context.Context) {
		for open := true; open; {
			old.CloseIdleConnections()
			rest := time.NewTimer(renewLook)
			select {
			case <-rest.C:
				open = len(l.madeBefore(before, false)) > 0
			case <-ctx.Done():
				open = false
			}
			rest.Stop()
		}
		for _, c := range l.madeBefore(before, false) {
			_ = c.Close()
		}
	}
}

// madeBefore returns the open connections, or only the lanes', of earlier rounds.
func (l *Link) madeBefore(round int, lanes bool) (old []*conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		if c.round < round && (c.lane || !lanes) {
			old = append(old, c)
		}
	}
	return old
}

// dialTLS makes a connection for that protocol, which ends with the link.
func (l *Link) dialTLS(ctx context.Context, protocol string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	l.mu.Lock()
	round := l.round // what is made now may have older credentials, if it is renewed meanwhile
	l.mu.Unlock()
	dialled, err := l.dialer.Dial(l.addr, l.name, dialTimeout)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDial, err)
	}
	raw := &conn{Conn: dialled, link: l, round: round, lane: protocol == laneProtocol}
	l.mu.Lock()
	closed := l.closed
	l.conns[raw] = struct{}{}
	l.mu.Unlock()
	if closed { // after that nobody would close raw
		raw.Close()
		return nil, fmt.Errorf("%w: %w", ErrDial, net.ErrClosed)
	}
	c := tls.Client(raw, l.creds.Client(l.name, protocol))
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("%w: %w", ErrDial, cookie.Classify(err))
	}
	if c.ConnectionState().NegotiatedProtocol == cookie.Retired {
		defer raw.Close()
		_ = raw.SetDeadline(time.Now().Add(dialTimeout))
		why, err := cookie.ReadRetirement(c)
		if err == nil {
			err = why
		}
		return nil, fmt.Errorf("%w: %w", ErrDial, err)
	}
	id, err := cookie.Peer(c.ConnectionState())
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("%w: %w", ErrDial, err)
	}
	l.mu.Lock()
	l.peer = id
	l.mu.Unlock()
	return c, nil
}

// Peer returns who answered when the latest connection was made; its name is
// empty if none ever was.
func (l *Link) Peer() cookie.Identity {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peer
}

// Addr returns where the link leads.
func (l *Link) Addr() string { return l.addr }

// Refuses reports whether nobody listens at the other end any more. It blocks
// for a connection's time at most; an end that does not answer at all is not
// known to be dead.
func (l *Link) Refuses() bool {
	c, err := l.dialer.Dial(l.addr, l.name, dialTimeout)
	if err == nil {
		c.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// Close breaks the link for good; calls on it fail.
func (l *Link) Close() {
	l.mu.Lock()
	l.closed = true
	open := slices.Collect(maps.Keys(l.conns))
	l.mu.Unlock()
	for _, c := range open {
		_ = c.Close()
	}
	l.http.Load().CloseIdleConnections()
}
