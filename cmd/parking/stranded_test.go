package main

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A node whose address its host loses says so, once, and that it is back.
func TestTheAddressIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var moved atomic.Bool
		b := &berth{ip: netip.MustParseAddr("10.1.2.3"), addrs: func() ([]net.Addr, error) {
			here := &net.IPNet{IP: net.IPv4(10, 1, 2, 3), Mask: net.CIDRMask(24, 32)}
			if moved.Load() {
				here.IP = net.IPv4(10, 9, 9, 9)
			}
			return []net.Addr{&net.IPNet{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)}, here}, nil
		}}
		var out bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.watch(ctx, slog.New(slog.NewTextHandler(&out, nil)))
		}()
		for _, is := range []bool{false, true, false} {
			moved.Store(is)
			time.Sleep(time.Minute)
			if lost := strings.Contains(b.why(), "10.1.2.3"); lost != is {
				t.Errorf("moved is %v, and it says %q", is, b.why())
			}
		}
		cancel()
		<-done
		if text := out.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, "10.1.2.3 any more") || !strings.Contains(text, "10.1.2.3 again") {
			t.Errorf("logged\n%s", text)
		}
	})
}
