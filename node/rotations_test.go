package node_test

import (
	"fmt"
	"testing"
	"time"

	"parking/lot"
	"parking/node"
	"parking/node/cookie"
)

// Rotations one after the other while packets are lost, links are cut and nodes
// die and come back. Each goes on or changes nothing, however it ends; whoever it
// has left behind is told and accepts what the others have; and in the end all
// have one cookie, the same lot, and every write that was acknowledged.
func TestRotationsInABadNetwork(t *testing.T) {
	inLabs(t, 2, func(t *testing.T, l *lab) {
		l.setup = func(c *node.Config) { c.Spaces = node.Setting{Value: 10000} }
		names := []string{"larry", "gary", "harry", "moe", "curly"}
		l.cluster(names...)
		texts := map[string]string{} // of every cookie that was ever to be, by its fingerprint
		now := testKeys()            // what the cluster has, as far as the rotations' answers tell
		acked := []string{}
		for round := range 4 {
			text := fmt.Sprintf("cookie %d", round)
			keys, err := cookie.Derive(text)
			if err != nil {
				t.Fatal(err)
			}
			texts[keys.Fingerprint()] = text
			alive := l.living()
			by := alive[l.rand.IntN(len(alive))]
			other := by
			if l.rand.IntN(2) == 0 {
				other = alive[l.rand.IntN(len(alive))]
			}
			third := alive[l.rand.IntN(len(alive))]
			trouble := l.rand.IntN(3)
			l.net.SetLoss([]float64{0, 0.05, 0.2}[l.rand.IntN(3)])
			after := time.Duration(l.rand.IntN([]int{3000, 300000}[l.rand.IntN(2)])) * time.Microsecond
			happened := make(chan struct{})
			go func() {
				defer close(happened)
				time.Sleep(after)
				switch {
				case trouble == 0 && other != third:
					l.net.Cut(other.host, third.host)
					time.Sleep(time.Duration(l.rand.IntN(4000)) * time.Millisecond)
					l.net.Heal(other.host, third.host)
				case trouble == 1 && len(alive) > 3:
					l.crash(other.Name())
				}
			}()
			r, err := by.RotateCookie(t.Context(), text)
			t.Logf("round %d: trouble %d after %v: %s rotates: %v", round, trouble, after, by.Name(), err)
			if err == nil {
				now = keys
				if r.To != keys.Fingerprint() {
					t.Errorf("it went to %s", r.To)
				}
			}
			<-happened
			l.net.SetLoss(0)
			time.Sleep(5 * time.Second)
			if l.isDead(by) { // what it began the others complete, or not
				time.Sleep(90 * time.Second)
			}
			for _, n := range l.living() {
				c, err := n.Cookie(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if n == by && c.Fingerprint != now.Fingerprint() {
					t.Fatalf("%s rotated to %s and has %s", n.Name(), now.Fingerprint(), c.Fingerprint)
				}
				if !l.isDead(by) && c.Fingerprint != now.Fingerprint() {
					t.Logf("%s was left behind", n.Name())
					if _, _, err := n.AcceptCookie(t.Context(), texts[now.Fingerprint()]); err != nil {
						t.Fatalf("%s accepts: %v; %s", n.Name(), err, l.cookies())
					}
				}
			}
			if l.isDead(by) {
				c, _ := l.living()[0].Cookie(t.Context())
				if text, known := texts[c.Fingerprint]; known {
					now, _ = cookie.Derive(text)
				}
			}
			for _, name := range names { // those that died come back, with the cookie of the others
				if l.isDead(l.get(name)) {
					l.start(name, func(c *node.Config) { c.Keys = now })
				}
			}
			// What a node staged for one that died it forgets after ten minutes.
			l.eventually(12*time.Minute, "one cookie", func() bool { return l.fingerprints(now.Fingerprint()) })
			l.settled(20 * time.Second)
			for i, n := range l.living() {
				p := fmt.Sprintf("R%d-%d", round, i)
				if _, err := n.TrackEntry(node.WithAck(t.Context(), 1), lot.Plate(p), 1); err == nil {
					acked = append(acked, p)
				}
			}
		}
		l.settled(20 * time.Second)
		for _, n := range l.living() {
			has := n.Lot()
			for _, p := range acked {
				if len(has[lot.Plate(p)]) == 0 {
					t.Errorf("%s lacks %s", n.Name(), p)
				}
			}
		}
	})
}

func (l *lab) isDead(n *lively) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return n.dead
}
