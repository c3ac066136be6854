package node

import (
	"testing"

	"parking/lot/crdt"
	"parking/node/replicate"
)

// The ring keeps the latest, and says when it has lost some.
func TestWaysKeepTheLatest(t *testing.T) {
	r := [2]crdt.Replica{crdt.NewReplica("larry", 1), crdt.NewReplica("gary", 2)}
	var w ways
	dot := func(i uint64) crdt.Dot { return crdt.Dot{Replica: r[i%2], Seq: i + 1} }
	if came, full := w.of([]crdt.Dot{dot(0)}); len(came) > 0 || full {
		t.Errorf("an empty one has %v", came)
	}
	for i := range uint64(maxWays) {
		w.add(dot(i), replicate.Origin(i%5), crdt.Outcome(1+i%2))
	}
	for _, i := range []uint64{0, 1, 2, 3, 4, 7919, maxWays - 1} {
		came, full := w.of([]crdt.Dot{dot(i)})
		if want := (way{replicate.Origin(i % 5), i%2 == 1}); full || came[dot(i)] != want {
			t.Errorf("%v came %v, want %v", dot(i), came, want)
		}
	}
	w.add(dot(maxWays), replicate.Pull, crdt.Joined)
	came, full := w.of([]crdt.Dot{dot(0), dot(1), dot(maxWays)})
	if _, still := came[dot(0)]; still || !full || len(came) != 2 {
		t.Errorf("one too many: %v, full %v", came, full)
	}
	if n := testing.AllocsPerRun(waysBlock, func() { w.add(dot(3), replicate.Own, crdt.Joined) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkWays(b *testing.B) {
	var w ways
	d := crdt.Dot{Replica: crdt.NewReplica("larry", 1)}
	b.ReportAllocs()
	for b.Loop() {
		d.Seq++
		w.add(d, replicate.Event, crdt.Joined)
	}
}
