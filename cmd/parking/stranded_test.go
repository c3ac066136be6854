package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// quay is a host that a node's address is on, and may go from.
type quay struct {
	*berth
	moved atomic.Bool
	log   bytes.Buffer
	leave context.CancelFunc
	ended chan error
}

// newQuay watches the node's address. A new process would have the one that is returned.
func newQuay(t *testing.T, anew func(q *quay) (netip.Addr, error)) *quay {
	q := &quay{ended: make(chan error, 1)}
	q.berth = &berth{ip: netip.MustParseAddr("10.1.2.3"), anew: func() (netip.Addr, error) { return anew(q) }, addrs: func() ([]net.Addr, error) {
		here := &net.IPNet{IP: net.IPv4(10, 1, 2, 3), Mask: net.CIDRMask(24, 32)}
		if q.moved.Load() {
			here.IP = net.IPv4(10, 9, 9, 9)
		}
		return []net.Addr{&net.IPNet{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)}, here}, nil
	}}
	var ctx context.Context
	ctx, q.leave = context.WithCancel(t.Context())
	go func() { q.ended <- q.watch(ctx, slog.New(slog.NewTextHandler(&q.log, nil))) }()
	return q
}

// A node whose address its host loses says so, once, and that it is back. It goes on
// while a new process would do no better.
func TestTheAddressIsLost(t *testing.T) {
	for name, anew := range map[string]func(*quay) (netip.Addr, error){
		"it was given":      func(q *quay) (netip.Addr, error) { return q.ip, nil },
		"there is no other": func(*quay) (netip.Addr, error) { return netip.Addr{}, errors.New("no interface") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newQuay(t, anew)
				for _, is := range []bool{false, true, false} {
					q.moved.Store(is)
					time.Sleep(10 * time.Minute)
					if lost := strings.Contains(q.why(), "10.1.2.3"); lost != is {
						t.Errorf("moved is %v, and it says %q", is, q.why())
					}
				}
				q.leave()
				if err := <-q.ended; err != nil {
					t.Error(err)
				}
				if text := q.log.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, "10.1.2.3 any more") || !strings.Contains(text, "10.1.2.3 again") {
					t.Errorf("logged\n%s", text)
				}
			})
		})
	}
}

// Where a new process would have another address, the node ends, but not for an
// address that comes back.
func TestTheAddressHasChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQuay(t, func(*quay) (netip.Addr, error) { return netip.MustParseAddr("10.9.9.9"), nil })
		defer q.leave()
		for range 5 {
			q.moved.Store(true)
			time.Sleep(strandedFor - strandedEvery)
			q.moved.Store(false)
			time.Sleep(2 * strandedEvery)
		}
		q.moved.Store(true)
		begin := time.Now()
		err := <-q.ended
		if err == nil || !strings.Contains(err.Error(), "no address 10.1.2.3 for 30s") || !strings.HasSuffix(err.Error(), "it has 10.9.9.9") {
			t.Errorf("it ends with %v", err)
		}
		if took := time.Since(begin); took < strandedFor || took > strandedFor+2*strandedEvery {
			t.Errorf("it ends after %v", took)
		}
	})
}
