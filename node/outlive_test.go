package node_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parking/node"
	"parking/node/fault"
)

// A node that is killed while it is cut off comes back with good links: its
// faults have died with it, on the others too, and they say so.
func TestAFaultDiesWithItsNode(t *testing.T) {
	for name, port := range map[string]int{"the same port": 7001, "another port": 7010} {
		t.Run(name, func(t *testing.T) {
			inLabs(t, 3, func(t *testing.T, l *lab) {
				all := l.cluster("larry", "gary", "harry")
				gary, harry := all[1], all[2]
				l.partition(all[0])
				l.inject(gary, "other", fault.Effect{Dup: 0.1}, fault.Link{From: "gary", To: "harry"}, fault.Link{From: "gary", To: "larry"})
				l.crash("larry")
				harry.forget()
				back := l.await(l.launchAt(port, "larry"))
				t.Logf("settled %v after it was ready", l.settled(3*time.Second))
				l.eventually(2*time.Second, "the faults to be dropped", func() bool {
					return slices.Equal(l.inForce(back), []string{"other on gary harry"})
				})
				for _, want := range []string{"larry restarted: cut", "larry restarted: gary>larry of other"} {
					if got := harry.reasons(node.FaultHealed); !slices.Contains(got, want) {
						t.Errorf("harry was told of the heals %q, want %q", got, want)
					}
				}
				l.heals(back, node.Selection{All: true})
				l.wantInForce(gary)
			})
		})
	}
}

// What was ordered for the new life stays, though some hear of that life only
// after the order.
func TestAFaultOfANewLifeStays(t *testing.T) {
	inLabs(t, 10, func(t *testing.T, l *lab) {
		l.cluster("larry", "gary", "harry")
		l.crash("larry")
		back := l.launch("larry")
		l.await(back)
		time.Sleep(time.Duration(l.rand.Int64N(int64(300 * time.Millisecond))))
		if _, err := back.Partition(t.Context(), [][]string{{"larry"}}, "isolate larry"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		l.wantInForce(back, "isolate larry on gary harry larry")
		l.heals(back, node.Selection{All: true})
		l.settled(3 * time.Second)
	})
}

// The same when a node leaves in good order. Who died before an order was given
// is not told of it, and nobody is warned of that.
func TestFaultsOfWhoIsGone(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		all := l.cluster("larry", "gary", "harry", "moe")
		l.inject(all[1], "late", fault.Effect{Delay: time.Millisecond}, fault.Link{From: "larry", To: "gary"})
		l.leave("larry")
		l.eventually(3*time.Second, "the fault to be dropped", func() bool { return len(l.inForce(all[1])) == 0 })
		if got := all[1].reasons(node.FaultHealed); !slices.Equal(got, []string{"larry left: late"}) {
			t.Errorf("gary was told of the heals %q", got)
		}
		l.crash("moe")
		l.eventually(5*time.Second, "the death to be noticed", func() bool { return l.members(2) })
		untold, err := all[1].Partition(t.Context(), [][]string{{"harry"}}, "isolate harry")
		if err != nil || len(untold) > 0 {
			t.Errorf("%v, untold %v", err, untold)
		}
		if got := strings.Join(l.inForce(all[1]), ""); got != "isolate harry on gary harry" {
			t.Errorf("in force are %s", got)
		}
	})
}
