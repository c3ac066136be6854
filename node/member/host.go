package member

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// ErrPortTaken is the error of a port that another process listens on.
var ErrPortTaken = errors.New("member: port in use")

const (
	// maxPacket is the largest datagram there is.
	maxPacket = 1 << 16
	// receiveBuffer is what the kernel is asked to keep of packets that were not
	// read yet. It may grant less.
	receiveBuffer = 2 << 20
	// acceptPause is how long no connection is accepted after that failed.
	acceptPause = 50 * time.Millisecond
)

// A host is the host's network: UDP and TCP on one port. In contrast to
// memberlist's NetTransport a packet takes the memory that it needs, not 64 KiB:
// most of the garbage that gossip makes.
type host struct {
	ip      net.IP // as it is bound
	port    int
	udp     *net.UDPConn
	tcp     *net.TCPListener
	log     *slog.Logger
	packets chan *Packet
	streams chan net.Conn
	ctx     context.Context // ends with the host
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// Listen opens the host's network at ip and port; port 0 takes a free one.
func Listen(ip net.IP, port int, log *slog.Logger) (Transport, error) {
	for tries := 10; ; tries-- {
		udp, tcp, err := bind(ip, port)
		switch {
		case err == nil:
			h := &host{
				ip: ip, port: tcp.Addr().(*net.TCPAddr).Port, udp: udp, tcp: tcp, log: log,
				packets: make(chan *Packet), streams: make(chan net.Conn),
			}
			h.ctx, h.cancel = context.WithCancel(context.Background())
			h.running.Go(h.receive)
			h.running.Go(h.accept)
			return h, nil
		case errors.Is(err, syscall.EADDRINUSE) && port != 0:
			return nil, fmt.Errorf("%w: %s", ErrPortTaken, net.JoinHostPort(ip.String(), strconv.Itoa(port)))
		case port != 0 || tries == 0:
			return nil, fmt.Errorf("member: %w", err)
		}
	}
}

// bind takes the port for both, which for port 0 may fail where another process
// has it by UDP.
func bind(ip net.IP, port int) (*net.UDPConn, *net.TCPListener, error) {
	tcp, err := net.ListenTCP("tcp", &net.TCPAddr{IP: ip, Port: port})
	if err != nil {
		return nil, nil, err
	}
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip, Port: tcp.Addr().(*net.TCPAddr).Port})
	if err != nil {
		_ = tcp.Close()
		return nil, nil, err
	}
	for size := receiveBuffer; size > 0 && udp.SetReadBuffer(size) != nil; size /= 2 {
	}
	return udp, tcp, nil
}

// receive hands packets on until the host ends.
func (h *host) receive() {
	buf := make([]byte, maxPacket)
	for {
		n, from, err := h.udp.ReadFromUDPAddrPort(buf)
		switch {
		case h.ctx.Err() != nil:
			return
		case err != nil: // of one packet: a refusal that came back, say
			h.log.Debug("packet not received", "err", err)
			continue
		case n == 0:
			continue
		}
		p := &Packet{Buf: append([]byte(nil), buf[:n]...), From: net.UDPAddrFromAddrPort(from), Timestamp: time.Now()}
		select {
		case h.packets <- p:
		case <-h.ctx.Done():
			return
		}
	}
}

// accept hands connections on until the host ends.
func (h *host) accept() {
	for {
		c, err := h.tcp.Accept()
		if h.ctx.Err() != nil {
			if err == nil {
				c.Close()
			}
			return
		}
		if err != nil { // too many open files, say
			h.log.Warn("connection not accepted", "err", err)
			select {
			case <-time.After(acceptPause):
			case <-h.ctx.Done():
			}
			continue
		}
		select {
		case h.streams <- c:
		case <-h.ctx.Done():
			c.Close()
			return
		}
	}
}

// WriteTo implements Transport.
func (h *host) WriteTo(b []byte, addr string) (time.Time, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		resolved, err := net.ResolveUDPAddr("udp", addr)
		if err != nil {
			return time.Time{}, err
		}
		to = resolved.AddrPort()
	}
	_, err = h.udp.WriteToUDPAddrPort(b, to)
	return time.Now(), err
}

// WriteToAddress implements Transport.
func (h *host) WriteToAddress(b []byte, to Address) (time.Time, error) { return h.WriteTo(b, to.Addr) }

// PacketCh implements Transport.
func (h *host) PacketCh() <-chan *Packet { return h.packets }

// DialTimeout implements Transport.
func (h *host) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return net.DialTimeout("tcp", addr, timeout)
}

// DialAddressTimeout implements Transport.
func (h *host) DialAddressTimeout(to Address, timeout time.Duration) (net.Conn, error) {
	return h.DialTimeout(to.Addr, timeout)
}

// StreamCh implements Transport.
func (h *host) StreamCh() <-chan net.Conn { return h.streams }

// Shutdown implements Transport. It waits for the host's goroutines.
func (h *host) Shutdown() error {
	if h.ctx.Err() != nil {
		return nil
	}
	h.cancel()
	err := errors.Join(h.udp.Close(), h.tcp.Close())
	h.running.Wait()
	return err
}

// FinalAdvertiseAddr implements Transport: others reach the host by the address
// that it is bound to, or by one of its own if that is all of them.
func (h *host) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	ip := h.ip
	if ip.IsUnspecified() {
		ip = reachable(ip.To4() != nil)
	}
	return ip, h.port, nil
}

// reachable returns an address of this host that others may reach it by, of
// the family that it listens on; the loopback if there is none.
func reachable(v4 bool) net.IP {
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && (n.IP.To4() != nil) == v4 {
			return n.IP
		}
	}
	if v4 {
		return net.IPv4(127, 0, 0, 1)
	}
	return net.IPv6loopback
}
