package node

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"parking/gates"
	"parking/node/cookie"
	"parking/node/member"
	"parking/node/peer"
)

const (
	// reconnectInterval is how often failed members are looked for. Serf would
	// look for one at a time, wait long for one that is still cut off, and join
	// a next life of it blindly.
	reconnectInterval = 500 * time.Millisecond
	// outdatedInterval is how often a node looks for them whose cookie was rotated
	// away: they will tell it again.
	outdatedInterval = 10 * time.Second
	// reconnectTimeout is how long such a look may take.
	reconnectTimeout = 300 * time.Millisecond
	// leavingFor is how long a member that leaves takes at most; then it stays.
	leavingFor = 3 * time.Second
	// maxLooks is how many are looked for at once.
	maxLooks = 4
)

// reconnect looks for failed members, and for those that left and are still
// there, until ctx ends.
func (n *Node) reconnect(ctx context.Context, random *rand.Rand) {
	leaving := make(map[gates.Host]time.Time) // since when
	interval := reconnectInterval
	for n.rest(ctx, interval) {
		if interval = reconnectInterval; n.outdated.Load() {
			interval = outdatedInterval
		}
		var failed []Member
		before := leaving
		leaving = make(map[gates.Host]time.Time)
		for _, m := range n.view.all() {
			switch {
			case m.Self:
			case m.Status == member.Failed:
				failed = append(failed, m)
			case m.Status == member.Leaving:
				since, known := before[m.host()]
				if !known {
					since = time.Now()
				}
				leaving[m.host()] = since
				if time.Since(since) > leavingFor {
					failed = append(failed, m)
				}
			}
		}
		random.Shuffle(len(failed), func(i, j int) { failed[i], failed[j] = failed[j], failed[i] })
		var looks sync.WaitGroup
		for _, m := range failed[:min(len(failed), maxLooks)] {
			looks.Go(func() {
				c, err := n.mux.Dial(m.Addr, m.Name, reconnectTimeout)
				if err == nil {
					c.Close()
					n.meet(ctx, m)
				}
			})
		}
		looks.Wait()
	}
}

// rest waits for d, or until links were healed, and reports whether ctx lives.
func (n *Node) rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-n.mended:
	case <-t.C:
	}
	return true
}

// meet asks whoever is at m's address whether it is that life of m, and takes
// it back if so. To another one it makes itself known by that: that one pulls
// and joins by itself, as every joiner does, even if it was told to look for
// nobody. Where two sides of a cut have both rotated their cookie neither can
// prove anything to the other, so what may be wrong is told at both.
func (n *Node) meet(ctx context.Context, m Member) {
	link := peer.NewLink(n.mux, n.ring, m.Name, m.Addr)
	defer link.Close()
	reply, err := n.hello(ctx, link, askTimeout)
	if by, bad := netip.ParseAddrPort(reply.GetTaken()); bad == nil && link.Peer().Incarnation == m.Incarnation {
		n.taken.Store(&by)
	} else if err == nil {
		n.taken.Store(nil)
	}
	if why, retired := errors.AsType[*cookie.Retirement](err); retired && n.outdated.CompareAndSwap(false, true) {
		n.notice("%s: %v", m.Name, why)
	}
	switch {
	case errors.Is(err, errRefused) && !errors.Is(err, errPassing):
		if n.told.first(m.Addr) { // its name may be another's by now
			n.notice("%v; what was recorded here meanwhile is here alone", err)
		}
	case errors.Is(err, cookie.ErrCookie), errors.Is(err, cookie.ErrRejected):
		if n.told.first(m.Name + " " + n.ring.InUse().Fingerprint()) { // as long as this node has this cookie
			n.notice("whoever is at %s's address, %s, has another cookie: if it is %s it missed a rotation, or the cookie was rotated there too; give either side the other's: cookie accept FILE, or cookie rotate FILE for all of a side", m.Name, m.Addr, m.Name)
		}
	case err != nil || link.Peer().Incarnation != m.Incarnation:
	case m.Reason != "": // dead by our own evidence, not by Serf's
		n.view.contacted(m.host())
	case m.Status == member.Leaving:
		n.agent.Stays(m.Name)
		n.view.wake()
	default:
		err = n.agent.Join(m.Addr)
	}
	if err != nil {
		n.log.Debug("not reconnected", "peer", m.Name, "addr", m.Addr, "err", err)
	}
}
