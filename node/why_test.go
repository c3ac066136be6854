package node_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parking/lot"
	"parking/lot/crdt"
	"parking/node"
)

// recount renders what is known of a plate: what was done on which replica, by
// which way it came, what became of it, and by how many it was superseded.
func (n *lively) recount(t *testing.T, p lot.Plate) (lines []string) {
	t.Helper()
	a, err := n.Why(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if _, in := n.Vehicle(p); in != a.In || !a.Whole || a.Plate != p {
		t.Errorf("%s: %s in %v, whole %v", n.Name(), p, a.In, a.Whole)
	}
	for _, s := range a.Stories {
		line := fmt.Sprintf("%s %s %s %s", [...]string{crdt.Entry: "enter", crdt.Exit: "exit"}[s.Kind], s.Dot.Replica.Node(), s.Way, s.Fate)
		for _, by := range s.By {
			line += " by " + by.Replica.Node()
		}
		if s.Overtaken {
			line += ", overtaken"
		}
		lines = append(lines, line)
	}
	return lines
}

func tells(t *testing.T, n *lively, p lot.Plate, want ...string) {
	t.Helper()
	got := n.recount(t, p)
	for i := range got {
		if i < len(want) && strings.Contains(want[i], " later ") { // after a heal either may be first
			got[i] = strings.NewReplacer(" pull ", " later ", " event ", " later ").Replace(got[i])
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s of %s: %q, want %q", n.Name(), p, got, want)
	}
}

func TestWhyTellsTheWay(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		all := l.cluster("larry", "gary")
		larry, gary := all[0], all[1]
		larry.track(t, false, "ABC")
		l.settled(3 * time.Second)
		tells(t, larry, "ABC", "enter larry own live")
		tells(t, gary, "ABC", "enter larry event live")
		gary.track(t, true, "ABC")
		l.settled(3 * time.Second)
		tells(t, larry, "ABC", "enter larry own superseded by gary", "exit gary event done")
		tells(t, gary, "ABC", "enter larry event superseded by gary", "exit gary own done")

		l.partition(larry)
		larry.track(t, false, "CUT")
		time.Sleep(time.Second)
		gary.track(t, false, "CUT")
		l.rejoin(larry)
		tells(t, larry, "CUT", "enter larry own conflict", "enter gary later live")
		tells(t, gary, "CUT", "enter larry later conflict", "enter gary own live")
		larry.track(t, true, "CUT")
		l.settled(3 * time.Second)
		tells(t, gary, "CUT", "enter larry later superseded by larry", "enter gary own superseded by larry", "exit larry event done")
	})
}

func TestWhyTellsWhatWasPulled(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		l.mangle(1, 0, 0) // gossip loses all
		all := l.cluster("larry", "gary")
		all[0].track(t, false, "ABC")
		l.settled(10 * time.Second)
		tells(t, all[1], "ABC", "enter larry pull live")
	})
}

func TestWhyTellsWhoseAnswerItWas(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		l.mangle(1, 0, 0) // or gossip might come before the answer
		l.setup = func(c *node.Config) { c.Pull = time.Hour }
		larry, gary := l.start("larry"), l.start("gary")
		l.settled(3 * time.Second)
		l.do(gary.Enter(t.Context(), 1, "GATE")) // which runs on larry
		tells(t, gary, "GATE", "enter larry answer live")
		tells(t, larry, "GATE", "enter larry served live")
	})
}

// A joiner of a lot with a long past gets its state: what is in the lot is told,
// and that there may have been more.
func TestWhyAfterAState(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		for range 700 {
			larry.track(t, false, "BUSY")
			larry.track(t, true, "BUSY")
		}
		larry.track(t, false, "ABC")
		gary := l.start("gary")
		l.settled(5 * time.Second)
		a, err := gary.Why(t.Context(), "ABC")
		if err != nil || a.Whole || !a.In || len(a.Stories) != 1 || a.Stories[0].Way != node.StateWay || a.Stories[0].Fate != node.Live {
			t.Errorf("%+v, %v", a, err)
		}
		gary.track(t, true, "ABC")
		if a, err = gary.Why(t.Context(), "ABC"); err != nil || a.In || len(a.Stories) != 2 || a.Stories[0].Told || a.Stories[0].Way != node.StateWay {
			t.Errorf("when it has left: %+v, %v", a, err)
		}
		if a, err := larry.Why(t.Context(), "BUSY"); err != nil || !a.Whole || len(a.Stories) != 1400 {
			t.Errorf("larry knows of %d, whole %v: %v", len(a.Stories), a.Whole, err)
		}
		for n, want := range map[*lively]string{
			larry: "nothing is known of NONE here; read lists the vehicles",
			gary:  "nothing is known of NONE here, and older changes are no longer known; read lists the vehicles",
		} {
			if _, err := n.Why(t.Context(), "NONE"); !errors.Is(err, lot.Absent) || err.Error() != want {
				t.Errorf("%s: %v", n.Name(), err)
			}
		}
	})
}
