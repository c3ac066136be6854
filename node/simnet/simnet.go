// Package simnet is a network in memory, for nodes in virtual time: packets
// with delay and loss, streams, hosts that die and links that are cut. It
// opens no socket, so that inside a testing/synctest bubble hours pass in
// seconds.
package simnet

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"parking/node/member"
)

// queue bounds the packets that wait at one host; more are dropped, as a
// socket's buffer does.
const queue = 4096

// A Network connects hosts. All its methods are safe for concurrent use.
type Network struct {
	mu    sync.Mutex
	rand  *rand.Rand
	hosts map[string]*Host // by address
	cut   map[[2]string]bool
	loss  float64
	delay time.Duration
}

// New returns a network whose losses replay from seed. Packets and what is
// written to streams take delay to arrive.
func New(seed uint64, delay time.Duration) *Network {
	return &Network{
		rand:  rand.New(rand.NewPCG(seed, 1)),
		hosts: make(map[string]*Host),
		cut:   make(map[[2]string]bool),
		delay: delay,
	}
}

// SetLoss drops that share of all packets from now on.
func (n *Network) SetLoss(share float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.loss = share
}

// SetDelay sets how long packets, new streams and what is written to them take
// from now on.
func (n *Network) SetDelay(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delay = d
	for _, h := range n.hosts {
		for p := range h.pipes {
			p.gate.slow(d)
		}
	}
}

// Cut stops everything between the two hosts: packets vanish, streams stall,
// new streams time out.
func (n *Network) Cut(a, b *Host) { n.setCut(a, b, true) }

// Heal undoes Cut; stalled streams go on.
func (n *Network) Heal(a, b *Host) { n.setCut(a, b, false) }

func (n *Network) setCut(a, b *Host, cut bool) {
	n.mu.Lock()
	n.cut[[2]string{a.addr, b.addr}] = cut
	n.cut[[2]string{b.addr, a.addr}] = cut
	pipes := append(a.pipesTo(b.addr), b.pipesTo(a.addr)...)
	n.adjust(pipes)
	n.mu.Unlock()
}

// adjust opens or shuts streams as cuts and frozen hosts demand; net.mu is held.
func (n *Network) adjust(pipes []*pipe) {
	for _, p := range pipes {
		p.gate.set(!n.stalled(p))
	}
}

func (n *Network) stalled(p *pipe) bool {
	return n.cut[[2]string{p.from.addr, p.to.addr}] || p.from.thawed != nil || p.to.thawed != nil
}

// Host opens a host at that IPv4 address and port.
func (n *Network) Host(ip string, port int) (*Host, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	addr := net.JoinHostPort(ip, strconv.Itoa(port))
	if n.hosts[addr] != nil {
		return nil, fmt.Errorf("%w: %s", member.ErrPortTaken, addr)
	}
	h := &Host{
		net: n, addr: addr, ip: net.ParseIP(ip), port: port,
		packets: make(chan *member.Packet, queue),
		streams: make(chan net.Conn, 64),
		done:    make(chan struct{}),
		pipes:   make(map[*pipe]struct{}),
	}
	n.hosts[addr] = h
	return h, nil
}

// A Host is one node's place in the network: its member.Transport.
type Host struct {
	net     *Network
	addr    string
	ip      net.IP
	port    int
	packets chan *member.Packet
	streams chan net.Conn
	done    chan struct{}
	once    sync.Once
	pipes   map[*pipe]struct{} // open streams that this host dialled, under net.mu
	thawed  chan struct{}      // closed at the thaw; nil unless frozen; under net.mu
	held    []func()           // packets that wait for the thaw, under net.mu
}

var _ member.Transport = (*Host)(nil)

// Addr returns the host's address as HOST:PORT.
func (h *Host) Addr() string { return h.addr }

// FinalAdvertiseAddr implements member.Transport.
func (h *Host) FinalAdvertiseAddr(string, int) (net.IP, int, error) { return h.ip, h.port, nil }

// PacketCh implements member.Transport.
func (h *Host) PacketCh() <-chan *member.Packet { return h.packets }

// StreamCh implements member.Transport.
func (h *Host) StreamCh() <-chan net.Conn { return h.streams }

// WriteTo implements member.Transport.
func (h *Host) WriteTo(b []byte, addr string) (time.Time, error) {
	return h.WriteToAddress(b, member.Address{Addr: addr})
}

// WriteToAddress implements member.Transport. It never blocks.
func (h *Host) WriteToAddress(b []byte, a member.Address) (time.Time, error) {
	now := time.Now()
	n := h.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if h.dead() || n.cut[[2]string{h.addr, a.Addr}] || n.rand.Float64() < n.loss {
		return now, nil
	}
	buf := append([]byte(nil), b...)
	from := &net.UDPAddr{IP: h.ip, Port: h.port}
	arrive := func() {
		to := n.hosts[a.Addr]
		if to == nil || n.cut[[2]string{h.addr, a.Addr}] {
			return
		}
		to.hold(func() {
			select {
			case to.packets <- &member.Packet{Buf: buf, From: from, Timestamp: time.Now()}:
			default:
			}
		})
	}
	h.hold(func() {
		time.AfterFunc(n.delay, func() {
			n.mu.Lock()
			defer n.mu.Unlock()
			arrive()
		})
	})
	return now, nil
}

// DialTimeout implements member.Transport.
func (h *Host) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return h.DialAddressTimeout(member.Address{Addr: addr}, timeout)
}

// DialAddressTimeout implements member.Transport. A dead host refuses, one
// behind a cut times out.
func (h *Host) DialAddressTimeout(a member.Address, timeout time.Duration) (net.Conn, error) {
	n := h.net
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
	to, err := h.reach(a.Addr, timeout) // returns with net.mu held
	if err != nil {
		n.mu.Unlock()
		return fail(err)
	}
	p := newPipe(h, to)
	p.gate.shut = n.stalled(p) // since the dial began
	h.pipes[p] = struct{}{}
	n.mu.Unlock()
	select {
	case to.streams <- p.far:
		return p.near, nil
	default:
		p.close(net.ErrClosed)
		return fail(errors.New("backlog full"))
	}
}

// reach returns the host at addr when a dial gets there. It returns with net.mu
// held.
func (h *Host) reach(addr string, timeout time.Duration) (*Host, error) {
	n := h.net
	expired := time.After(timeout)
	n.mu.Lock()
	for wait := n.obstacle(h, addr); wait != nil && !h.dead(); wait = n.obstacle(h, addr) {
		n.mu.Unlock()
		select {
		case <-expired:
			n.mu.Lock()
			return nil, os.ErrDeadlineExceeded
		case <-wait:
		case <-h.done:
		}
		n.mu.Lock()
	}
	delay := n.delay
	n.mu.Unlock()
	time.Sleep(delay)
	n.mu.Lock()
	switch to := n.hosts[addr]; {
	case h.dead():
		return nil, net.ErrClosed
	case to == nil:
		return nil, os.NewSyscallError("connect", syscall.ECONNREFUSED)
	default:
		return to, nil
	}
}

func (h *Host) dead() bool {
	select {
	case <-h.done:
		return true
	default:
		return false
	}
}

// pipesTo returns the open streams from h to addr; net.mu is held.
func (h *Host) pipesTo(addr string) (out []*pipe) {
	for p := range h.pipes {
		if p.to.addr == addr {
			out = append(out, p)
		}
	}
	return out
}

// Shutdown implements member.Transport; to everyone else it looks like the
// death of the process: streams break, dials are refused.
func (h *Host) Shutdown() error {
	h.once.Do(func() {
		n := h.net
		n.mu.Lock()
		delete(n.hosts, h.addr)
		close(h.done)
		h.held = nil // before the thaw: a stopped process that is killed sends no more
		h.thaw()
		broken := h.streamsOf()
		n.mu.Unlock()
		for _, p := range broken {
			p.close(syscall.ECONNRESET)
		}
		for {
			select {
			case c := <-h.streams:
				c.Close()
			default:
				return
			}
		}
	})
	return nil
}
