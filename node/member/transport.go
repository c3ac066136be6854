package member

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// A Transport carries packets and streams between nodes. Implementations are
// the host's network (Listen) and, in tests, a network in memory.
type Transport = memberlist.NodeAwareTransport

// A Packet and an Address are what a Transport deals in.
type (
	Packet  = memberlist.Packet
	Address = memberlist.Address
)

// A Mux shares one transport between the agent and the node's own streams:
// the first byte of an accepted connection tells them apart. It is the
// Transport of the former and a net.Listener of the latter.
type Mux struct {
	Transport
	gossip chan net.Conn
	peer   chan net.Conn
	addr   net.Addr
	ctx    context.Context // ends with the mux
	cancel context.CancelFunc
	closed chan struct{} // the transport has ended
	once   sync.Once
	wg     sync.WaitGroup

	packets, gossiped, streamed atomic.Uint64
}

// Traffic is what a node has sent so far, in bytes of payload.
type Traffic struct {
	Packets uint64 // by UDP
	Gossip  uint64 // on the agent's streams
	Streams uint64 // on the node's own streams, as TLS records
}

// Traffic returns what was sent through the mux.
func (m *Mux) Traffic() Traffic {
	return Traffic{m.packets.Load(), m.gossiped.Load(), m.streamed.Load()}
}

// WriteTo and WriteToAddress send a packet of the agent's.
func (m *Mux) WriteTo(b []byte, addr string) (time.Time, error) {
	m.packets.Add(uint64(len(b)))
	return m.Transport.WriteTo(b, addr)
}

// WriteToAddress is what memberlist uses; see WriteTo.
func (m *Mux) WriteToAddress(b []byte, addr Address) (time.Time, error) {
	m.packets.Add(uint64(len(b)))
	return m.Transport.WriteToAddress(b, addr)
}

// DialTimeout and DialAddressTimeout open a stream of the agent's.
func (m *Mux) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return counted(&m.gossiped)(m.Transport.DialTimeout(addr, timeout))
}

// DialAddressTimeout is what memberlist uses; see DialTimeout.
func (m *Mux) DialAddressTimeout(addr Address, timeout time.Duration) (net.Conn, error) {
	return counted(&m.gossiped)(m.Transport.DialAddressTimeout(addr, timeout))
}

// counted counts what is sent on a connection that was dialled.
func counted(sent *atomic.Uint64) func(net.Conn, error) (net.Conn, error) {
	return func(c net.Conn, err error) (net.Conn, error) {
		if err != nil {
			return nil, err
		}
		return &counting{c, sent}, nil
	}
}

// counting is a connection that counts what is sent on it.
type counting struct {
	net.Conn
	sent *atomic.Uint64
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sent.Add(uint64(n))
	return n, err
}

// tlsHandshake is the type of a TLS record that begins a connection; the types
// of memberlist's messages are others.
const tlsHandshake = 0x16

// peekTimeout is how long a new connection may stay silent, maxPeeks how many
// may do so at once.
const (
	peekTimeout = 5 * time.Second
	maxPeeks    = 256
)

// NewMux takes over the transport. Its Shutdown, which the agent calls, ends
// both uses.
func NewMux(t Transport) (*Mux, error) {
	ip, port, err := t.FinalAdvertiseAddr("", 0)
	if err != nil {
		return nil, fmt.Errorf("member: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &Mux{
		Transport: t,
		gossip:    make(chan net.Conn),
		peer:      make(chan net.Conn),
		addr:      &net.TCPAddr{IP: ip, Port: port},
		ctx:       ctx,
		cancel:    cancel,
		closed:    make(chan struct{}),
	}
	m.wg.Add(1)
	go m.accept()
	return m, nil
}

// accept takes connections until the transport has ended, not just until it is
// told to: memberlist's own, say, waits in its Shutdown for those it has accepted
// to be taken.
func (m *Mux) accept() {
	defer m.wg.Done()
	slots := make(chan struct{}, maxPeeks)
	for {
		select {
		case <-m.closed:
			return
		case c := <-m.Transport.StreamCh():
			select {
			case slots <- struct{}{}:
				m.wg.Add(1)
				go func() {
					defer m.wg.Done()
					m.route(c)
					<-slots
				}()
			default:
				c.Close()
			}
		}
	}
}

// route hands a connection to whom its first byte is for.
func (m *Mux) route(c net.Conn) {
	stopped := context.AfterFunc(m.ctx, func() { c.Close() })
	defer stopped()
	p := &peeked{Conn: c, r: bufio.NewReaderSize(c, 16)}
	_ = c.SetReadDeadline(time.Now().Add(peekTimeout))
	first, err := p.r.Peek(1)
	if err != nil {
		c.Close()
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	to, sent := m.gossip, &m.gossiped
	if first[0] == tlsHandshake {
		to, sent = m.peer, &m.streamed
	}
	select {
	case to <- &counting{p, sent}:
	case <-m.ctx.Done():
		c.Close()
	}
}

// StreamCh delivers the agent's streams.
func (m *Mux) StreamCh() <-chan net.Conn { return m.gossip }

// Shutdown ends the transport and the listener, and waits for the mux's
// goroutines.
func (m *Mux) Shutdown() error {
	m.cancel()
	err := m.Transport.Shutdown()
	m.once.Do(func() { close(m.closed) })
	m.wg.Wait()
	return err
}

// Accept returns the next of the node's own streams.
func (m *Mux) Accept() (net.Conn, error) {
	select {
	case c := <-m.peer:
		return c, nil
	case <-m.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close does nothing: the transport ends with Shutdown.
func (m *Mux) Close() error { return nil }

// Addr returns the address that others reach this node by.
func (m *Mux) Addr() net.Addr { return m.addr }

// Dial opens a stream to the node at addr.
func (m *Mux) Dial(addr, name string, timeout time.Duration) (net.Conn, error) {
	return counted(&m.streamed)(m.Transport.DialAddressTimeout(Address{Addr: addr, Name: name}, timeout))
}

// peeked is a connection whose first bytes were looked at.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p *peeked) Read(b []byte) (int, error) { return p.r.Read(b) }
