package node_test

import (
	"testing"
	"time"

	"parking/lot"
	"parking/node"
)

// A heal reaches every node, on either side of every cut.
func TestAHealReachesAll(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		l.cluster("larry", "gary", "harry")
		larry := l.get("larry")
		untold, err := larry.Partition(t.Context(), [][]string{{"larry"}, {"gary"}}, "partition larry | gary")
		if err != nil || len(untold) > 0 {
			t.Fatal(untold, err)
		}
		l.eventually(20*time.Second, "each to be alone", func() bool {
			for _, n := range l.living() {
				if faults, err := n.Faults(t.Context()); err != nil || len(faults) == 0 {
					t.Fatalf("%s knows of no fault: %v", n.Name(), err)
				}
			}
			return l.members(1)
		})
		for i, n := range l.living() {
			if _, err := n.TrackEntry(t.Context(), plate(i), 1); err != nil {
				t.Fatal(err)
			}
		}
		healed, untold, apart, err := larry.Heal(t.Context(), node.Selection{All: true})
		if err != nil || len(untold) > 0 || len(apart) > 0 || len(healed) != 6 {
			t.Errorf("healed %v, untold %v, apart %v: %v", healed, untold, apart, err)
		}
		for _, n := range l.living() {
			if faults, err := n.Faults(t.Context()); err != nil || len(faults) != 0 {
				t.Errorf("%s still has %v, %v", n.Name(), faults, err)
			}
		}
		l.settled(5 * time.Second)
	})
}

// Under this ledger an entry is recorded in a full lot, too, and the answer says
// by how many the lot is overbooked.
func TestAnEntryOfAFullLotStays(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		l.cluster("larry", "gary")
		larry := l.get("larry")
		if err := larry.SetSpaces(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		for i, p := range []lot.Plate{"ONE", "TWO"} {
			after, err := larry.TrackEntry(t.Context(), p, 1)
			if err != nil || after.Taken != i+1 || after.Over() != i {
				t.Errorf("%s: %+v, %v", p, after, err)
			}
		}
		l.settled(time.Second)
		for _, n := range l.living() {
			if !n.has("ONE") || !n.has("TWO") {
				t.Errorf("%s lacks an entry that was acknowledged", n.Name())
			}
		}
	})
}
