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

// strandedEvery is how often it is looked whether the node's address is there.
const strandedEvery = 5 * time.Second

// A berth is the address that a node is bound to. It may go while the node runs: a
// container is taken off its network and put on another. Then nobody reaches the
// node any more, and it cannot move: its address is its name to the others.
type berth struct {
	ip    netip.Addr
	addrs func() ([]net.Addr, error) // of this host
	lost  atomic.Bool
}

// watch looks whether the host has the address until ctx ends, and logs when that
// changes. A loopback's and that of all interfaces do not go.
func (b *berth) watch(ctx context.Context, log *slog.Logger) {
	if b.ip.IsLoopback() || b.ip.IsUnspecified() {
		return
	}
	tick := time.NewTicker(strandedEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		there, err := b.there()
		switch {
		case err != nil:
			log.Debug("this host's addresses are not known", "err", err)
		case !there && b.lost.CompareAndSwap(false, true):
			log.Error(b.why())
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
