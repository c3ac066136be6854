package node_test

import (
	"strings"
	"testing"
	"time"

	"parking/lot"
	"parking/node"
)

// A write that is acknowledged outlives its node, at once, in either lane.
func TestAcknowledgedWritesOutliveTheirNode(t *testing.T) {
	for _, push := range []node.Push{node.Gossip, node.Fanout} {
		t.Run(string(push), func(t *testing.T) {
			inLabs(t, 4, func(t *testing.T, l *lab) {
				l.mangle(1, 0, 0) // no event helps
				l.setup = func(c *node.Config) { c.Push, c.Pull = push, time.Hour }
				nodes := l.cluster("larry", "gary", "harry")
				ctx := node.WithAck(t.Context(), 2)
				begin := time.Now()
				if _, err := nodes[1].TrackEntry(ctx, "TRACKED", 1); err != nil {
					t.Fatal(err)
				}
				if err := nodes[1].Enter(ctx, 2, "ENTERED"); err != nil { // larry runs the gate
					t.Fatal(err)
				}
				if err := nodes[1].SetSpaces(ctx, 7); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begin); took > 50*time.Millisecond {
					t.Errorf("three writes took %v", took)
				}
				for _, n := range nodes {
					if !n.has("TRACKED") || !n.has("ENTERED") || n.Spaces().Total != 7 {
						t.Errorf("%s lacks what was acknowledged", n.Name())
					}
				}
				l.crash("gary")
				l.crash("larry")
				if s := nodes[2].Spaces(); s.Taken != 2 || s.Total != 7 {
					t.Errorf("after the crashes harry has %+v", s)
				}
			})
		})
	}
}

// Where too few nodes answer, the outcome is unknown, within a bounded time; the
// write stands.
func TestTooFewToAcknowledge(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		for _, c := range []struct {
			what   string
			before func()
			ack    int
			most   time.Duration
		}{
			{"more than there are", func() {}, 3, 0},
			{"one is cut off", func() { l.cut([]string{"larry"}, []string{"harry"}) }, 2, 2*time.Second + time.Millisecond},
			{"all are cut off", func() { l.cut([]string{"larry"}, []string{"gary"}) }, 1, 2*time.Second + time.Millisecond},
		} {
			c.before()
			p := lot.Plate(strings.ToUpper(c.what[:8]))
			begin := time.Now()
			_, err := nodes[0].TrackEntry(node.WithAck(t.Context(), c.ack), p, 1)
			if took := time.Since(begin); lot.CodeOf(err) != lot.Unknown || !strings.Contains(err.Error(), "recorded on larry") || took > c.most+50*time.Millisecond {
				t.Errorf("%s: %v after %v", c.what, err, took)
			}
			if !nodes[0].has(p) {
				t.Errorf("%s: the write does not stand", c.what)
			}
		}
	})
}

// The configuration says it for all, and a context for one.
func TestAckIsConfigured(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry", func(c *node.Config) { c.Ack = 1 })
		if _, err := larry.TrackEntry(t.Context(), "A", 1); lot.CodeOf(err) != lot.Unknown {
			t.Errorf("nobody is there to acknowledge: %v", err)
		}
		if _, err := larry.TrackEntry(node.WithAck(t.Context(), 0), "B", 1); err != nil {
			t.Errorf("none is asked for: %v", err)
		}
	})
}
