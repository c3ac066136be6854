package member_test

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parking/node/member"
	"parking/node/simnet"
)

// The first byte of a connection says whom it is for, and nothing of it is
// lost.
func TestTheMuxRoutesByTheFirstByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := hosts(t)
		m, err := member.NewMux(server)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			bytes string
			peer  bool
		}{{"\x16tls", true}, {"\x00ping", false}, {"\x0dcompound", false}, {"\xf4label", false}} {
			out, err := client.DialTimeout(server.Addr(), time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := out.Write([]byte(c.bytes)); err != nil {
				t.Fatal(err)
			}
			accepted := make(chan net.Conn)
			go func() {
				if in, err := m.Accept(); err == nil {
					accepted <- in
				}
			}()
			var in net.Conn
			var peer bool
			select {
			case in = <-accepted:
				peer = true
			case in = <-m.StreamCh():
			}
			got := make([]byte, len(c.bytes))
			if _, err := io.ReadFull(in, got); err != nil || string(got) != c.bytes || peer != c.peer {
				t.Errorf("%q came as %q, %v, peer %v", c.bytes, got, err, peer)
			}
			in.Close()
			out.Close()
		}
		if err := m.Shutdown(); err != nil {
			t.Error(err)
		}
		if _, err := m.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Shutdown Accept returns %v", err)
		}
		_ = client.Shutdown()
		time.Sleep(time.Minute)
	})
}

// A connection that says nothing is dropped, and does not hold up others.
func TestTheMuxDropsTheSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := hosts(t)
		m, err := member.NewMux(server)
		if err != nil {
			t.Fatal(err)
		}
		silent, err := client.DialTimeout(server.Addr(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		spoken, err := client.DialTimeout(server.Addr(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = spoken.Write([]byte{0x16})
		begin := time.Now()
		in, err := m.Accept()
		if err != nil || time.Since(begin) > 100*time.Millisecond {
			t.Errorf("the second connection came %v after the silent one, %v", time.Since(begin), err)
		}
		in.Close()
		if _, err := silent.Read(make([]byte, 1)); err == nil {
			t.Error("read something")
		}
		if took := time.Since(begin); took > 6*time.Second {
			t.Errorf("the silent connection was dropped after %v", took)
		}
		_ = m.Shutdown()
		_ = client.Shutdown()
	})
}

func hosts(t *testing.T) (server, client *simnet.Host) {
	t.Helper()
	n := simnet.New(1, time.Millisecond)
	server, err := n.Host("10.0.0.1", 7001)
	if err != nil {
		t.Fatal(err)
	}
	if client, err = n.Host("10.0.0.2", 7002); err != nil {
		t.Fatal(err)
	}
	return server, client
}

// Shutdown returns on the host's network too, while connections come in that
// nobody takes.
func TestTheMuxShutsDownUnderLoad(t *testing.T) {
	for range 10 {
		network, err := member.Listen(net.IPv4(127, 0, 0, 1), 0, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		m, err := member.NewMux(network)
		if err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if c, err := net.DialTimeout("tcp", m.Addr().String(), time.Second); err == nil {
						c.Close()
					}
				}
			})
		}
		time.Sleep(5 * time.Millisecond)
		done := make(chan error, 1)
		go func() { done <- m.Shutdown() }()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatal("Shutdown hangs")
		}
		close(stop)
		wg.Wait()
	}
}

// A busy port is named; a free one given is used; 0 takes any.
func TestListen(t *testing.T) {
	ip := net.IPv4(127, 0, 0, 1)
	log := slog.New(slog.DiscardHandler)
	first, err := member.Listen(ip, 0, log)
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := first.FinalAdvertiseAddr("", 0)
	if err != nil || port == 0 {
		t.Fatalf("port %d, %v", port, err)
	}
	_, err = member.Listen(ip, port, log)
	if !errors.Is(err, member.ErrPortTaken) {
		t.Errorf("a busy port: %v", err)
	} else if want := net.JoinHostPort("127.0.0.1", strconv.Itoa(port)); !strings.Contains(err.Error(), want) {
		t.Errorf("the error %q does not name %s", err, want)
	}
	if err := first.Shutdown(); err != nil {
		t.Error(err)
	}
	again, err := member.Listen(ip, port, log)
	if err != nil {
		t.Fatalf("the port is free again: %v", err)
	}
	_ = again.Shutdown()
}
