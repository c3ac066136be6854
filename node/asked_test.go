package node_test

import (
	"testing"
	"time"

	"parking/lot"
	"parking/node"
)

// What a node has asked a gate on another for is no news to it, where gossip
// tells of it before the gate answers; and from then on it is.
func TestWhatWasAskedForIsNoNews(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry, gary := l.start("larry"), l.start("gary")
		l.settled(5 * time.Second)
		news := gary.Subscribe()
		answered := gary.Asking("MINE")
		for _, p := range []string{"MINE", "THEIRS"} {
			if _, err := larry.TrackEntry(t.Context(), lot.Plate(p), 1); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		answered()
		if _, err := larry.TrackExit(t.Context(), "MINE", 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		var told []string
		events, _ := news.Next(t.Context())
		for _, e := range events {
			switch e.Kind {
			case node.VehicleCame, node.VehicleLeft:
				told = append(told, string(e.Plate))
			}
		}
		if len(told) != 2 || told[0] != "THEIRS" || told[1] != "MINE" {
			t.Errorf("these were told: %q", told)
		}
	})
}
