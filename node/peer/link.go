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
	tls    *tls.Config
	lane   *tls.Config
	http   *http.Transport

	mu     sync.Mutex
	conns  map[*conn]struct{} // open ones
	peer   cookie.Identity    // at the end of the latest
	closed bool
}

// conn is an open connection of a link.
type conn struct {
	net.Conn
	link *Link
}

func (c *conn) Close() error {
	c.link.mu.Lock()
	delete(c.link.conns, c)
	c.link.mu.Unlock()
	return c.Conn.Close()
}

// NewLink returns a link to the node at addr, which must be the one called
// name unless name is empty. It does not connect yet.
func NewLink(d Dialer, cert *cookie.Certificate, name, addr string) *Link {
	l := &Link{dialer: d, addr: addr, name: name, tls: cert.Client(name, protocol), lane: cert.Client(name, laneProtocol), conns: make(map[*conn]struct{})}
	var h2 http.Protocols
	h2.SetHTTP2(true)
	l.http = &http.Transport{
		Protocols:          &h2,
		DialTLSContext:     l.dial,
		DisableCompression: true,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: 5 * time.Second, // a silent link is looked at,
			PingTimeout:     2 * time.Second, // and given up
		},
	}
	l.PeerClient = wireconnect.NewPeerClient(&http.Client{Transport: l.http}, "https://"+addr,
		connect.WithReadMaxBytes(maxMessage), connect.WithAcceptCompression("gzip", nil, nil)) // it is packed already
	return l
}

func (l *Link) dial(ctx context.Context, _, _ string) (net.Conn, error) { return l.dialTLS(ctx, l.tls) }

// dialTLS makes a connection, which ends with the link.
func (l *Link) dialTLS(ctx context.Context, config *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	dialled, err := l.dialer.Dial(l.addr, l.name, dialTimeout)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDial, err)
	}
	raw := &conn{dialled, l}
	l.mu.Lock()
	closed := l.closed
	l.conns[raw] = struct{}{}
	l.mu.Unlock()
	if closed { // after that nobody would close raw
		raw.Close()
		return nil, fmt.Errorf("%w: %w", ErrDial, net.ErrClosed)
	}
	c := tls.Client(raw, config)
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("%w: %w", ErrDial, cookie.Classify(err))
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
	l.http.CloseIdleConnections()
}
