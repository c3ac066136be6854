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
	p := &pipe{from: from, to: to, gate: &gate{}}
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

// gate holds bytes back while the link is cut.
type gate struct {
	mu     sync.Mutex
	shut   bool
	halves []*half
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
	buf      []byte
	err      error // after buf
	gone     bool  // the reading end was closed
	deadline time.Time
	wake     chan struct{}
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
	h.buf = append(h.buf, b...)
	h.signal()
	return len(b), nil
}

func (h *half) read(b []byte) (int, error) {
	for {
		shut := h.gate.isShut()
		h.mu.Lock()
		var wait <-chan time.Time
		var timer *time.Timer
		switch {
		case h.gone:
			h.mu.Unlock()
			return 0, net.ErrClosed
		case !h.deadline.IsZero() && !time.Now().Before(h.deadline):
			h.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case !shut && len(h.buf) > 0:
			n := copy(b, h.buf)
			h.buf = h.buf[n:]
			h.mu.Unlock()
			return n, nil
		case !shut && h.err != nil:
			defer h.mu.Unlock()
			return 0, h.err
		case !h.deadline.IsZero():
			timer = time.NewTimer(time.Until(h.deadline))
			wait = timer.C
		}
		h.mu.Unlock()
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
