package member_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parking/node/member"
)

// guard is how long what should come at once may take before a test gives up.
const guard = 10 * time.Second

// opened returns a host's network and the address that others reach it by. It
// is shut down when the test ends.
func opened(t *testing.T, ip net.IP) (h member.Transport, addr string) {
	t.Helper()
	h, err := member.Listen(ip, 0, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Shutdown(); err != nil {
			t.Error(err)
		}
	})
	at, port, err := h.FinalAdvertiseAddr("", 0)
	if err != nil {
		t.Fatal(err)
	}
	return h, net.JoinHostPort(at.String(), strconv.Itoa(port))
}

func nextPacket(t *testing.T, h member.Transport) *member.Packet {
	t.Helper()
	select {
	case p := <-h.PacketCh():
		return p
	case <-time.After(guard):
		t.Fatal("no packet came")
		return nil
	}
}

func nextStream(t *testing.T, h member.Transport) net.Conn {
	t.Helper()
	select {
	case c := <-h.StreamCh():
		return c
	case <-time.After(guard):
		t.Fatal("no stream came")
		return nil
	}
}

// A packet comes whole, says from whom, and is its receiver's: what comes later
// does not change it, and it takes about the memory that it needs. Empty ones
// are left out.
func TestPacketsOfTheHost(t *testing.T) {
	to, addr := opened(t, net.IPv4(127, 0, 0, 1))
	from, sender := opened(t, net.IPv4(127, 0, 0, 1))
	var sent [][]byte
	var came []*member.Packet
	for i, size := range []int{1400, 1, 60000, 9, 1400, 65507} { // the last is the most that UDP takes
		b := bytes.Repeat([]byte{byte('a' + i)}, size)
		for _, b := range [][]byte{nil, b} {
			if _, err := from.WriteTo(b, addr); err != nil {
				t.Fatal(err)
			}
		}
		sent, came = append(sent, b), append(came, nextPacket(t, to))
	}
	for i, p := range came {
		if !bytes.Equal(p.Buf, sent[i]) {
			t.Errorf("of %d bytes %.1q came %d, %.1q", len(sent[i]), sent[i], len(p.Buf), p.Buf)
		}
		if most := len(sent[i])*5/4 + 64; cap(p.Buf) > most {
			t.Errorf("%d bytes take %d", len(sent[i]), cap(p.Buf))
		}
		if p.From.String() != sender || p.Timestamp.IsZero() {
			t.Errorf("a packet is from %v, %v, want %s", p.From, p.Timestamp, sender)
		}
	}
	if _, err := from.WriteTo([]byte("x"), "nowhere"); err == nil {
		t.Error("a packet was sent to no address")
	}
}

// Packets and streams come at one port, which was free, of either family, and
// where the host listens at all its addresses.
func TestOnePortForPacketsAndStreams(t *testing.T) {
	for _, ip := range []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback, net.IPv4zero, net.IPv6unspecified} {
		t.Run(ip.String(), func(t *testing.T) {
			if ip.To4() == nil {
				l, err := net.Listen("tcp", "[::1]:0")
				if err != nil {
					t.Skipf("there is no IPv6 here: %v", err)
				}
				l.Close()
			}
			to, addr := opened(t, ip)
			from, _ := opened(t, ip)
			if at, _, _ := to.FinalAdvertiseAddr("", 0); at.IsUnspecified() || (at.To4() == nil) != (ip.To4() == nil) {
				t.Errorf("others are to reach it at %v", at)
			}
			if _, err := from.WriteToAddress([]byte("packet"), member.Address{Addr: addr}); err != nil {
				t.Fatal(err)
			}
			if p := nextPacket(t, to); string(p.Buf) != "packet" {
				t.Errorf("the packet is %q", p.Buf)
			}
			out, err := from.DialAddressTimeout(member.Address{Addr: addr}, guard)
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			in := nextStream(t, to)
			if _, err := io.WriteString(in, "stream"); err != nil {
				t.Error(err)
			}
			in.Close()
			if got, err := io.ReadAll(out); string(got) != "stream" || err != nil {
				t.Errorf("the stream brought %q, %v", got, err)
			}
		})
	}
}

// A port that another has for packets only is taken, and nothing of it is kept.
func TestAPortTakenForPackets(t *testing.T) {
	ip := net.IPv4(127, 0, 0, 1)
	var kept error
	for range 10 { // others may have the other half of a port, too
		udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip})
		if err != nil {
			t.Fatal(err)
		}
		defer udp.Close()
		port := udp.LocalAddr().(*net.UDPAddr).Port
		h, err := member.Listen(ip, port, slog.New(slog.DiscardHandler))
		if err == nil {
			_ = h.Shutdown()
		}
		if !errors.Is(err, member.ErrPortTaken) {
			t.Errorf("Listen: %v", err)
		}
		var tcp *net.TCPListener
		if tcp, kept = net.ListenTCP("tcp", &net.TCPAddr{IP: ip, Port: port}); kept == nil {
			tcp.Close()
			return
		}
	}
	t.Errorf("the port's other half was kept: %v", kept)
}

// Shutdown returns though packets and streams wait that nobody takes, closes
// these, and leaves nothing running.
func TestTheHostShutsDownUndelivered(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	for range 20 {
		h, addr := opened(t, net.IPv4(127, 0, 0, 1))
		udp, err := net.Dial("udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer udp.Close()
		var streams []net.Conn
		for i := range 3 {
			fmt.Fprintf(udp, "packet %d", i)
			c, err := net.DialTimeout("tcp", addr, guard)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			streams = append(streams, c)
		}
		nextPacket(t, h)
		nextStream(t, h).Close()
		awaitWaiting(t, "(*host).receive")
		awaitWaiting(t, "(*host).accept")
		done := make(chan error, 1)
		go func() { done <- h.Shutdown() }()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(guard):
			t.Fatal("Shutdown hangs")
		}
		if left := stacks("(*host)."); len(left) > 0 {
			t.Errorf("after Shutdown there still runs\n%s", left[0])
		}
		for i, c := range streams {
			_ = c.SetReadDeadline(time.Now().Add(guard))
			var late net.Error
			if _, err := c.Read(make([]byte, 1)); err == nil || errors.As(err, &late) && late.Timeout() {
				t.Errorf("stream %d is open after Shutdown: %v", i, err)
			}
		}
		if _, err := net.DialTimeout("tcp", addr, guard); err == nil {
			t.Error("there is still somebody who listens")
		}
	}
	goleak.VerifyNone(t, ignore)
}

// stacks returns those of the goroutines that run such a function.
func stacks(function string) (found []string) {
	all := make([]byte, 1<<20)
	for g := range strings.SplitSeq(string(all[:runtime.Stack(all, true)]), "\n\n") {
		if strings.Contains(g, function) {
			found = append(found, g)
		}
	}
	return found
}

// awaitWaiting blocks until the goroutine that runs the function waits for
// another one.
func awaitWaiting(t *testing.T, function string) {
	t.Helper()
	tick := time.NewTicker(100 * time.Microsecond)
	defer tick.Stop()
	var last []string
	for until := time.Now().Add(guard); time.Now().Before(until); <-tick.C {
		last = stacks(function)
		if len(last) == 1 && (strings.Contains(last[0], "[select") || strings.Contains(last[0], "[chan send")) {
			return
		}
	}
	t.Fatalf("%s does not wait: %q", function, last)
}
