package node_test

import (
	"testing"
	"time"
)

// After a heal the gates stay with the higher claims: the nodes that made those
// live, though news of them may come before their claims are superseded.
func TestAHealMovesNoGateTwice(t *testing.T) {
	inLabs(t, 20, func(t *testing.T, l *lab) {
		l.cluster("larry", "gary", "harry")
		l.partition(l.get("larry"))
		_, once := spreadOver(l.get("gary"), l.get("harry"))
		if !once {
			t.Fatal("gary and harry do not run all gates")
		}
		before := l.get("gary").epochs()
		l.rejoin(l.get("larry"))
		time.Sleep(5 * time.Second)
		l.settled(0)
		if now := l.gateEpochs(); now != before {
			t.Errorf("the gates were run by %s during the cut, and by %s after it", before, now)
		}
	})
}
