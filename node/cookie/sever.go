package cookie

import (
	"net"
	"slices"
)

// tracked is an accepted connection that can be told by its cookie.
type tracked struct {
	net.Conn
	ring   *Ring
	closed bool // under ring.mu
}

func (c *tracked) Close() error {
	c.ring.mu.Lock()
	c.closed = true
	delete(c.ring.accepted, c)
	c.ring.mu.Unlock()
	return c.Conn.Close()
}

type listener struct {
	net.Listener
	ring *Ring
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tracked{Conn: c, ring: l.ring}, nil
}

// Listen returns l with connections that [Ring.Sever] ends.
func (r *Ring) Listen(l net.Listener) net.Listener { return listener{l, r} }

// track remembers by which cookie a connection was made.
func (r *Ring) track(conn net.Conn, h *held) {
	c, ok := conn.(*tracked)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !c.closed {
		r.accepted[c] = h.fingerprint()
	}
}

// Sever ends the connections that were accepted by a cookie which is so no more,
// and returns how many there were.
func (r *Ring) Sever() int {
	r.mu.Lock()
	var old []*tracked
	good := r.fingerprints()
	for c, fingerprint := range r.accepted {
		if !slices.Contains(good, fingerprint) {
			old = append(old, c)
		}
	}
	r.mu.Unlock()
	for _, c := range old {
		_ = c.Close()
	}
	return len(old)
}
