package node_test

import (
	"testing"
	"time"

	"parking/node"
)

// onLAN has the nodes tuned as they are where a network is between them.
func onLAN(c *node.Config) { c.Profile, c.Gossip = node.LAN, 0 }

// A cluster tuned for a network does what one on a laptop does: its nodes tell each
// other at once, notice one that falls silent, though later, and take it back.
func TestAClusterOnALAN(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		l.setup = onLAN
		nodes := l.cluster("larry", "gary", "harry", "moe", "curly")
		for i := range 200 {
			if _, err := nodes[i%5].TrackEntry(t.Context(), plate(i), 1); err != nil {
				t.Fatal(err)
			}
		}
		begin := time.Now()
		l.settled(time.Second)
		t.Logf("200 entries were everywhere after %v", time.Since(begin))

		rest := []string{"gary", "harry", "moe", "curly"}
		l.cut([]string{"larry"}, rest)
		begin = time.Now()
		l.eventually(15*time.Second, "four members, who run the gates", func() bool {
			for _, name := range rest {
				alive := 0
				for _, m := range l.get(name).Members() {
					if m.Status == "alive" {
						alive++
					}
				}
				if alive != 4 {
					return false
				}
			}
			return true
		})
		if took := time.Since(begin); took < 2*time.Second {
			t.Errorf("silence was taken for death after %v", took)
		} else {
			t.Logf("silence was noticed after %v", took)
		}
		l.heal([]string{"larry"}, rest)
		begin = time.Now()
		l.eventually(30*time.Second, "five members", func() bool { return l.members(5) })
		l.settled(5 * time.Second)
		t.Logf("it was back after %v", time.Since(begin))

		// One that died is known to be dead at once, and stays so.
		l.crash("curly")
		begin = time.Now()
		took := l.eventually(3*time.Second, "four members", func() bool { return l.members(4) })
		t.Logf("a death was noticed after %v", took)
		time.Sleep(2 * time.Minute)
		for _, name := range []string{"larry", "gary", "harry", "moe"} {
			for _, e := range l.get(name).told(node.NodeJoined) {
				if e.Node == "curly" && e.At.After(begin) {
					t.Errorf("to %s curly came back from the dead after %v", name, e.At.Sub(begin))
				}
			}
		}
	})
}
