package node

import (
	"fmt"
	"testing"
	"time"

	"parking/lot"
	"parking/lot/crdt"
	"parking/node/probe"
	"parking/node/replicate"
)

// What it costs to join mutations at a node, with all that it looks at.
func BenchmarkJoin(b *testing.B) {
	from := crdt.New(crdt.NewReplica("larry", 1), 1)
	t0 := time.Unix(1_800_000_000, 0)
	var ms []crdt.Mutation
	for i := range 1 << 15 {
		p := lot.Plate(fmt.Sprint(i))
		ms = append(ms, from.Enter(t0, p, 1), from.Exit(t0, p, 1))
	}
	b.ReportAllocs()
	for b.Loop() {
		n := &Node{ready: make(chan struct{}), bus: newBus()}
		n.stew = newSteward(n)
		close(n.ready)
		s := replicate.NewStore(crdt.New(crdt.NewReplica("gary", 2), crdt.DefaultLog), n.observe, new(probe.Bus))
		if err := s.Join(ms, probe.Pull, 0); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(ms)), "ns/mutation")
}
