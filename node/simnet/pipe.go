package simnet

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipe is an open stream between two hosts. Unlike net.Pipe it buffers, as
// sockets do: a writer that holds a lock must not wait for its reader, or
// virtual time would stand still.
type pipe struct {
	from, to  *Host
	near, far *end
	gate      *gate
	once      sync.Once
}

func newPipe(from, to *Host) *pipe {
	p := &pipe{from: from, to: to, gate: &gate{delay: from.net.delay}}
	up, down := newHalf(p.gate), newHalf(p.gate)
	p.gate.halves = []*half{up, down}
	p.near = &end{p, down, up, from.addr, to.addr}
	p.far = &end{p, up, down, to.addr, from.addr}
	return p
}

// close ends both directions; what was written before is still read, then err.
func (p *pipe) close(err error) {
	p.once.Do(func() {
		p.near.in.end(err)
		p.far.in.end(err)
		p.from.net.mu.Lock()
		delete(p.from.pipes, p)
		p.from.net.mu.Unlock()
	})
}

// gate slows bytes down, and holds them back while the link is cut.
type gate struct {
	mu     sync.Mutex
	shut   bool
	delay  time.Duration
	halves []*half
}

func (g *gate) slow(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.delay = d
}

func (g *gate) arrival() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Now().Add(g.delay)
}

func (g *gate) set(open bool) {
	g.mu.Lock()
	g.shut = !open
	g.mu.Unlock()
	for _, h := range g.halves {
		h.signal()
	}
}

func (g *gate) isShut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shut
}

// half is one direction of a stream.
type half struct {
	gate     *gate
	mu       sync.Mutex
	sent     []segment
	err      error // after what was sent
	gone     bool  // the reading end was closed
	deadline time.Time
	wake     chan struct{}
}

// segment is what one write sent, on its way until it arrives.
type segment struct {
	data    []byte
	arrives time.Time
}

func newHalf(g *gate) *half { return &half{gate: g, wake: make(chan struct{}, 1)} }

func (h *half) signal() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

func (h *half) end(err error) {
	h.mu.Lock()
	if h.err == nil {
		h.err = err
	}
	h.mu.Unlock()
	h.signal()
}

func (h *half) write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return 0, io.ErrClosedPipe
	}
	h.sent = append(h.sent, segment{append([]byte(nil), b...), h.gate.arrival()})
	h.signal()
	return len(b), nil
}

func (h *half) read(b []byte) (int, error) {
	for {
		shut := h.gate.isShut()
		h.mu.Lock()
		now, until := time.Now(), h.deadline
		switch {
		case h.gone:
			h.mu.Unlock()
			return 0, net.ErrClosed
		case !h.deadline.IsZero() && !now.Before(h.deadline):
			h.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case shut:
		case len(h.sent) > 0 && !now.Before(h.sent[0].arrives):
			n := copy(b, h.sent[0].data)
			if h.sent[0].data = h.sent[0].data[n:]; len(h.sent[0].data) == 0 {
				h.sent = h.sent[1:]
			}
			h.mu.Unlock()
			return n, nil
		case len(h.sent) > 0:
			if until.IsZero() || h.sent[0].arrives.Before(until) {
				until = h.sent[0].arrives
			}
		case h.err != nil:
			defer h.mu.Unlock()
			return 0, h.err
		}
		h.mu.Unlock()
		var wait <-chan time.Time
		var timer *time.Timer
		if !until.IsZero() {
			timer = time.NewTimer(time.Until(until))
			wait = timer.C
		}
		select {
		case <-h.wake:
		case <-wait:
		}
		if timer != nil {
			timer.Stop()
		}
	}
}

// end is one host's end of a stream.
type end struct {
	pipe    *pipe
	in, out *half
	local   string
	remote  string
}

func (e *end) Read(b []byte) (int, error)  { return e.in.read(b) }
func (e *end) Write(b []byte) (int, error) { return e.out.write(b) }

// Close ends this side at once; the other reads what was written, then EOF.
func (e *end) Close() error {
	e.in.mu.Lock()
	e.in.gone = true
	e.in.mu.Unlock()
	e.in.signal()
	e.out.end(io.EOF)
	e.pipe.close(io.EOF)
	return nil
}

func (e *end) LocalAddr() net.Addr  { return address(e.local) }
func (e *end) RemoteAddr() net.Addr { return address(e.remote) }

func (e *end) SetDeadline(t time.Time) error { return e.SetReadDeadline(t) }
func (e *end) SetReadDeadline(t time.Time) error {
	e.in.mu.Lock()
	e.in.deadline = t
	e.in.mu.Unlock()
	e.in.signal()
	return nil
}

// SetWriteDeadline does nothing: writes do not block.
func (e *end) SetWriteDeadline(time.Time) error { return nil }

func address(hostport string) net.Addr {
	a, err := net.ResolveTCPAddr("tcp", hostport)
	if err != nil {
		return &net.TCPAddr{}
	}
	return a
}
