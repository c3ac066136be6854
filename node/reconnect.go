package node

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"parking/node/member"
)

const (
	// reconnectInterval is how often failed members are looked for. Serf looks
	// for one at a time, less often, and waits long for one that is still cut
	// off: a heal would go unnoticed for seconds.
	reconnectInterval = 500 * time.Millisecond
	// reconnectTimeout is how long such a look may take.
	reconnectTimeout = 300 * time.Millisecond
	// maxLooks is how many are looked for at once.
	maxLooks = 4
)

// reconnect joins failed members as soon as something listens at their
// addresses again, until ctx ends.
func (n *Node) reconnect(ctx context.Context) {
	for sleep(ctx, reconnectInterval) {
		var failed []Member
		for _, m := range n.view.all() {
			if m.Status == member.Failed && !m.Self {
				failed = append(failed, m)
			}
		}
		rand.Shuffle(len(failed), func(i, j int) { failed[i], failed[j] = failed[j], failed[i] })
		var looks sync.WaitGroup
		for _, m := range failed[:min(len(failed), maxLooks)] {
			looks.Go(func() {
				c, err := n.mux.Dial(m.Addr, m.Name, reconnectTimeout)
				if err != nil {
					return
				}
				c.Close()
				if err := n.agent.Join(m.Addr); err != nil {
					n.log.Debug("not reconnected", "node", m.Name, "addr", m.Addr, "err", err)
				}
			})
		}
		looks.Wait()
	}
}
