package fault

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"parking/node/member"
)

// maxHeld bounds the bytes that wait in one direction of a slow stream; then
// writers wait, as they do when a socket's buffer is full.
const maxHeld = 4 << 20

// conn is a stream that this node has dialled. What a link does to its packets
// it does to the stream's writes, but that nothing vanishes or comes twice: what
// is lost is late. While either direction is cut nothing arrives. A stream on
// which something was written then breaks after the cut, for the bytes are gone;
// others go on.
//
// On a good link it reads and writes straight through.
type conn struct {
	net.Conn
	t  *Transport
	to member.Address

	mu     sync.Mutex
	gone   bool             // written bytes were swallowed
	closed bool             // by its user; what is queued is still sent
	err    error            // why the stream is over
	over   chan struct{}    // closed then
	out    queue            // written, and not sent yet
	in     queue            // received, and not read yet
	pumped bool             // a goroutine receives
	limits [sides]time.Time // until when reads and writes wait
	wake   chan struct{}    // closed when a limit was set anew, or a queue has changed; nil while nobody waits
}

// queue is what is on its way in one direction.
type queue struct {
	parts []part
	held  int
	last  time.Time // when the latest part is due: they stay in order
}

type part struct {
	data []byte
	err  error // instead of data: the end
	due  time.Time
}

func (q *queue) add(p part) {
	if p.due.Before(q.last) {
		p.due = q.last
	}
	q.last = p.due
	q.parts = append(q.parts, p)
	q.held += len(p.data)
}

func (q *queue) drop() {
	q.held -= len(q.parts[0].data)
	q.parts = q.parts[1:]
}

// The sides of a stream that wait.
const (
	reads = iota
	writes
	pumps // without a limit
	sides
)

// dialled wraps a stream to that node.
func (t *Transport) dialled(inner net.Conn, a member.Address) net.Conn {
	c := &conn{Conn: inner, t: t, to: a, over: make(chan struct{})}
	t.mu.Lock()
	ended := t.ended()
	t.conns[c] = struct{}{}
	t.mu.Unlock()
	if ended {
		c.end(net.ErrClosed)
	}
	return c
}

// signal wakes all who wait; c.mu is held.
func (c *conn) signal() {
	if c.wake != nil {
		close(c.wake)
		c.wake = nil
	}
}

// end makes the stream over, for that reason.
func (c *conn) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endLocked(err)
}

func (c *conn) endLocked(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	close(c.over)
	_ = c.Conn.Close()
	c.t.mu.Lock()
	delete(c.t.conns, c)
	c.t.mu.Unlock()
}

// look returns what the links do now. After a cut that has swallowed something
// the stream is over. c.mu is held.
func (c *conn) look() (out, in Effect, s *state, err error) {
	s = c.t.table.now.Load()
	out, in = c.t.to(s, c.to)
	if out.Stops() || in.Stops() {
		out.Cut = true
	} else if c.gone {
		c.endLocked(syscall.ECONNRESET)
	}
	return out, in, s, c.err
}

// swallowed notes that written bytes are gone. The stream ends with the cut then,
// though its reader may wait for what was sent before: who uses it next is not to
// find that out first. c.mu is held.
func (c *conn) swallowed() {
	if c.gone {
		return
	}
	c.gone = true
	c.t.wg.Go(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for {
			_, _, s, err := c.look()
			if err != nil {
				return
			}
			c.pause(pumps, s, time.Time{})
		}
	})
}

// pause waits, without c.mu, until something may be different: a fault, a limit,
// a queue, the time until, if it is not zero, or the end. It reports whether
// that limit has passed.
func (c *conn) pause(which int, s *state, until time.Time) (passed bool) {
	limit := c.limits[which]
	if c.wake == nil {
		c.wake = make(chan struct{})
	}
	wake := c.wake
	if until.IsZero() || !limit.IsZero() && limit.Before(until) {
		until = limit
	}
	c.mu.Unlock()
	defer c.mu.Lock()
	var due <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-s.changed:
	case <-wake:
	case <-due:
	case <-c.over:
	}
	return c.passed(which)
}

func (c *conn) passed(which int) bool {
	limit := c.limits[which]
	return !limit.IsZero() && !time.Now().Before(limit)
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		out, _, s, err := c.look()
		switch {
		case err != nil:
			return 0, err
		case c.closed:
			return 0, net.ErrClosed
		case out.Cut:
			c.swallowed()
			return len(b), nil
		case !out.slows() && len(c.out.parts) == 0:
			c.mu.Unlock()
			defer c.mu.Lock()
			return c.Conn.Write(b)
		case c.out.held >= maxHeld:
			if c.pause(writes, s, time.Time{}) {
				return 0, os.ErrDeadlineExceeded
			}
			continue
		}
		idle := len(c.out.parts) == 0
		c.out.add(part{data: append([]byte(nil), b...), due: time.Now().Add(c.t.lateness(out, retransmit))})
		if idle {
			c.t.wg.Go(c.send)
		}
		return len(b), nil
	}
}

// send sends what was written, when it is due, until nothing is left.
func (c *conn) send() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.out.parts) > 0 {
		out, _, s, err := c.look()
		p := c.out.parts[0]
		switch wait := time.Until(p.due); {
		case err != nil:
			return
		case wait > 0:
			c.pause(pumps, s, p.due)
			continue
		case out.Cut:
			c.swallowed()
		case p.err != nil: // it was closed, some time ago
			c.endLocked(p.err)
			return
		default:
			c.mu.Unlock()
			_, err = c.Conn.Write(p.data)
			c.mu.Lock()
			if err != nil {
				c.endLocked(err)
				return
			}
		}
		c.out.drop()
		c.signal()
	}
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		out, in, s, err := c.look()
		switch {
		case err != nil:
			return 0, err
		case c.closed:
			return 0, net.ErrClosed
		case c.passed(reads):
			return 0, os.ErrDeadlineExceeded
		case out.Cut:
			c.pause(reads, s, time.Time{})
			continue
		case len(c.in.parts) > 0:
			p := &c.in.parts[0]
			if time.Now().Before(p.due) {
				c.pause(reads, s, p.due)
				continue
			}
			if p.err != nil {
				return 0, p.err
			}
			n := copy(b, p.data)
			p.data = p.data[n:]
			c.in.held -= n
			if len(p.data) == 0 {
				c.in.drop()
			}
			c.signal()
			return n, nil
		case !c.pumped && !in.slows():
			c.mu.Unlock()
			n, err := c.Conn.Read(b)
			c.mu.Lock()
			if c.t.table.now.Load() == s {
				return n, err
			}
			c.received(b[:n], err) // a fault has come into force meanwhile
			continue
		}
		if !c.pumped {
			c.pumped = true
			_ = c.Conn.SetReadDeadline(time.Time{})
			c.t.wg.Go(c.receive)
		}
		c.pause(reads, s, time.Time{})
	}
}

// received queues what came.
func (c *conn) received(b []byte, err error) {
	_, in, _, over := c.look()
	if over != nil {
		return
	}
	due := time.Now().Add(c.t.lateness(in, retransmit))
	if len(b) > 0 {
		c.in.add(part{data: append([]byte(nil), b...), due: due})
	}
	if err != nil && !os.IsTimeout(err) {
		c.in.add(part{err: err, due: due})
	}
	c.signal()
}

// receive receives until the stream's end.
func (c *conn) receive() {
	buf := make([]byte, 32<<10)
	for {
		n, err := c.Conn.Read(buf)
		c.mu.Lock()
		c.received(buf[:n], err)
		for c.in.held >= maxHeld && c.err == nil {
			c.pause(pumps, c.t.table.now.Load(), time.Time{})
		}
		over := c.err != nil
		c.mu.Unlock()
		if err != nil || over {
			return
		}
	}
}

// Close implements net.Conn. What was written is still sent when it is due.
func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed = true; len(c.out.parts) == 0 {
		c.endLocked(net.ErrClosed)
		return nil
	}
	c.out.add(part{err: net.ErrClosed})
	_ = c.Conn.SetReadDeadline(time.Unix(1, 0)) // wakes who reads
	c.signal()
	return nil
}

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limits[reads] = t
	c.signal()
	if c.pumped {
		return nil
	}
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limits[writes] = t
	c.signal()
	return c.Conn.SetWriteDeadline(t)
}
