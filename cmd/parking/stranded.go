package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	// strandedEvery is how often it is looked whether the node's address is there.
	strandedEvery = 5 * time.Second
	// strandedFor is how long it may be away, where a new process would have another.
	strandedFor = 30 * time.Second
)

// A berth is the address that a node is bound to. It may go while the node runs: a
// container is taken off its network and put on another. Then nobody reaches the
// node any more, and it cannot move: its address is its name to the others.
type berth struct {
	ip    netip.Addr
	addrs func() ([]net.Addr, error) // of this host
	anew  func() (netip.Addr, error) // which address a new process would have
	lost  atomic.Bool
}

// watch looks whether the host has the address until ctx ends, and logs when that
// changes. Its error is that the node is to end: the address has been away for long,
// and a new process would have another. Where it would not, this one goes on: it is
// cut off, and so would the new one be. A loopback's address and that of all
// interfaces do not go.
func (b *berth) watch(ctx context.Context, log *slog.Logger) error {
	if b.ip.IsLoopback() || b.ip.IsUnspecified() {
		return nil
	}
	var since time.Time // it is lost
	tick := time.NewTicker(strandedEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		there, err := b.there()
		switch {
		case err != nil:
			log.Debug("this host's addresses are not known", "err", err)
		case !there && b.lost.CompareAndSwap(false, true):
			since = time.Now()
			log.Error(b.why())
		case !there && time.Since(since) >= strandedFor:
			if ip, err := b.anew(); err == nil && ip != b.ip {
				return fmt.Errorf("this host has had no address %s for %v, by which the others know this node; start it again, and it has %s", b.ip, strandedFor, ip)
			}
		case there && b.lost.CompareAndSwap(true, false):
			log.Info(fmt.Sprintf("this host has the address %s again", b.ip))
		}
	}
}

// there reports whether the host has the address.
func (b *berth) there() (bool, error) {
	all, err := b.addrs()
	if err != nil {
		return false, err
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap() == b.ip.Unmap().WithZone("") {
				return true, nil
			}
		}
	}
	return false, nil
}

// why says what is wrong, or nothing.
func (b *berth) why() string {
	if !b.lost.Load() {
		return ""
	}
	return fmt.Sprintf("this host has no address %s any more, by which the others know this node; restart it", b.ip)
}
