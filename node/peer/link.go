package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
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

// dialTimeout bounds how long a connection may take to be made.
const dialTimeout = 2 * time.Second

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
	http   *http.Transport

	mu   sync.Mutex
	conn *tls.Conn // the latest one
	peer cookie.Identity
}

// NewLink returns a link to the node at addr, which must be the one called
// name unless name is empty. It does not connect yet.
func NewLink(d Dialer, cert *cookie.Certificate, name, addr string) *Link {
	l := &Link{dialer: d, addr: addr, name: name, tls: cert.Client(name, protocol)}
	var h2 http.Protocols
	h2.SetHTTP2(true)
	l.http = &http.Transport{
		Protocols:          &h2,
		DialTLSContext:     l.dial,
		DisableCompression: true,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: 2 * time.Second, // a silent link is looked at,
			PingTimeout:     2 * time.Second, // and given up
		},
	}
	l.PeerClient = wireconnect.NewPeerClient(&http.Client{Transport: l.http}, "https://"+addr,
		connect.WithReadMaxBytes(maxMessage))
	return l
}

func (l *Link) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	raw, err := l.dialer.Dial(l.addr, l.name, dialTimeout)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDial, err)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c := tls.Client(raw, l.tls)
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
	l.conn, l.peer = c, id
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

// Close breaks the connection; calls on it fail.
func (l *Link) Close() {
	l.http.CloseIdleConnections()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		_ = l.conn.NetConn().Close()
	}
}
