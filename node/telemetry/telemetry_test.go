package telemetry_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"parking/lot"
	"parking/node"
)

var three = []string{"larry", "gary", "harry"}

func plate(i int) lot.Plate { return lot.Plate(fmt.Sprintf("P %03d", i)) }

// What nodes tell is what happened: what is counted where it happens adds up, and
// what is replicated is the same on each.
func TestFiguresAreWhatHappened(t *testing.T) {
	for _, push := range []node.Push{node.Gossip, node.Fanout} {
		t.Run(string(push), func(t *testing.T) {
			t.Parallel()
			inCluster(t, options{names: three, change: func(c *node.Config) { c.Push, c.Spaces = push, node.Setting{Value: 20} }}, happenings(push))
		})
	}
}

func happenings(push node.Push) func(*testing.T, []*watched) {
	return func(t *testing.T, all []*watched) {
		ctx := t.Context()
		larry, gary, harry := all[0], all[1], all[2]
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		refused := func(code lot.Code, err error) {
			t.Helper()
			if !errors.Is(err, code) {
				t.Fatalf("%v, want code %s", err, code)
			}
		}
		settle := func() {
			t.Helper()
			eventually(t, "equal", func() bool { return equal(all) })
		}
		for i := range 10 {
			_, err := all[i%3].TrackEntry(ctx, plate(i), 1)
			must(err)
		}
		settle()
		_, err := gary.TrackExit(ctx, plate(0), 0)
		must(err)
		_, err = harry.Track(ctx, node.Movement{Plate: plate(1), Out: true}, node.Movement{Plate: plate(2), Out: true}, node.Movement{Plate: plate(10), Gate: 2})
		must(err)
		settle()
		must(harry.Enter(ctx, 1, plate(11))) // larry runs all gates
		must(larry.Enter(ctx, 2, plate(12)))
		must(gary.Exit(ctx, 1, plate(11)))
		_, err = gary.TrackEntry(ctx, plate(3), 1)
		refused(lot.Present, err)
		refused(lot.Absent, harry.Exit(ctx, 1, plate(99)))
		_, err = harry.TrackEntry(ctx, plate(50), 9)
		refused(lot.Range, err)
		must(larry.SetSpaces(ctx, 9))
		settle()
		refused(lot.Full, harry.Enter(ctx, 3, plate(60)))
		must(gary.Crash(ctx, 1))
		must(larry.Move(ctx, 4, "harry"))
		settle()
		eventually(t, "gate 4 runs on harry", func() bool { return harry.scrape(t)["parking_gates_here"] == 1 })

		for series, want := range map[string]float64{
			"parking_entries_total":                                       13,
			"parking_exits_total":                                         4,
			`parking_refusals_total{code="present"}`:                      1,
			`parking_refusals_total{code="absent"}`:                       1,
			`parking_refusals_total{code="range"}`:                        1,
			`parking_refusals_total{code="full"}`:                         1,
			`parking_refusals_total{code="unknown"}`:                      0,
			`parking_gate_call_seconds_count{outcome="accepted"}`:         3,
			`parking_gate_call_seconds_count{outcome="refused"}`:          2,
			`parking_gate_call_seconds_count{outcome="unknown"}`:          0,
			`parking_gate_changes_total{change="crashed"}`:                1,
			`parking_gate_changes_total{change="started"}`:                5,
			`parking_gate_changes_total{change="stopped"}`:                1,
			`parking_rejected_messages_total{reason="malformed"}`:         0,
			`parking_rejected_messages_total{reason="forged"}`:            0,
			`parking_rejected_messages_total{reason="stranger"}`:          0,
			`parking_delta_changes_total{direction="sent",lane="answer"}`: 2*2 + 1, // two passages with the gate's tally, a claim
			// Every change came to the two others, each once as something new.
			"parking_convergence_seconds_count": 2 * (13 + 4),
			"parking_gates_here":                4,
		} {
			if got := sum(t, all, series); got != want {
				t.Errorf("%s: %v on all nodes, want %v", series, got, want)
			}
		}
		for series, want := range map[string]map[string]float64{
			"parking_entries_total": {"larry": 4 + 2, "gary": 3, "harry": 3 + 1}, // gates' are where the gates are
			"parking_exits_total":   {"larry": 1, "gary": 1, "harry": 2},
		} {
			for _, n := range all {
				if got := n.scrape(t)[series]; got != want[n.Name()] {
					t.Errorf("%s: %v on %s, want %v", series, got, n.Name(), want[n.Name()])
				}
			}
		}
		for _, n := range all {
			s := n.scrape(t)
			for series, want := range map[string]float64{
				"parking_ready": 1, "parking_vehicles": 9, "parking_spaces": 9, "parking_gates": 4,
				`parking_members{state="alive"}`: 3, `parking_members{state="failed"}`: 0,
				"parking_replica_digest": larry.scrape(t)["parking_replica_digest"],
				"parking_lag_changes":    0, "parking_faults": 0,
			} {
				if s[series] != want {
					t.Errorf("%s on %s: %v, want %v", series, n.Name(), s[series], want)
				}
			}
			lane := string(push)
			if got := s[`parking_deltas_total{direction="sent",lane="`+lane+`"}`]; got < 1 {
				t.Errorf("%s sent %v deltas by %s", n.Name(), got, lane)
			}
			if c := s["parking_convergence_seconds_sum"]; c > 10 {
				t.Errorf("%s: changes took %v s in all to converge", n.Name(), c)
			}
		}
		received, merged := 0.0, 0.0
		for series := range larry.scrape(t) {
			if len(series) > 40 && series[:41] == `parking_deltas_total{direction="received"` {
				received += sum(t, all, series)
			}
		}
		for _, outcome := range []string{"new", "partial", "known"} {
			merged += sum(t, all, `parking_merges_total{outcome="`+outcome+`"}`)
		}
		if received != merged || merged == 0 {
			t.Errorf("%v deltas were received, and %v merged", received, merged)
		}
	}
}

// Members, faults, and pulls after a cut.
func TestFiguresOfACut(t *testing.T) {
	t.Parallel()
	inCluster(t, options{names: three}, func(t *testing.T, all []*watched) {
		ctx := t.Context()
		larry, gary, harry := all[0], all[1], all[2]
		before := harry.scrape(t)
		if _, err := larry.Partition(ctx, [][]string{{"larry", "gary"}, {"harry"}}, "partition"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "harry is alone", func() bool { return alive(harry.Node) == 1 && alive(larry.Node) == 2 })
		const entries = 200 // more than Serf has at hand when they meet again
		for i := range entries {
			if _, err := larry.TrackEntry(ctx, lot.Plate(fmt.Sprint(i)), 1); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
		s := harry.scrape(t)
		if s["parking_faults"] != 1 || s[`parking_fault_changes_total{change="imposed"}`] != 1 || s[`parking_members{state="failed"}`] != 2 {
			t.Errorf("harry, cut off: %v faults, %v imposed, %v members failed", s["parking_faults"], s[`parking_fault_changes_total{change="imposed"}`], s[`parking_members{state="failed"}`])
		}
		if s["parking_vehicles"] != 0 || s["parking_convergence_seconds_count"] != 0 {
			t.Errorf("harry, cut off: %v vehicles, %v changes", s["parking_vehicles"], s["parking_convergence_seconds_count"])
		}
		if _, _, _, err := gary.Heal(ctx, node.Selection{All: true}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "equal again", func() bool { return equal(all) && alive(harry.Node) == 3 })
		s = harry.scrape(t)
		if got := s["parking_convergence_seconds_count"]; got != entries {
			t.Errorf("harry, healed: %v changes came, want %d", got, entries)
		}
		if got := s["parking_convergence_seconds_sum"]; got < 3*entries {
			t.Errorf("harry, healed: they took %v s in all, and the cut was 3 s", got)
		}
		if s[`parking_pulls_total{outcome="news"}`] <= before[`parking_pulls_total{outcome="news"}`] {
			t.Error("harry, healed: no pull brought news")
		}
		if s[`parking_member_changes_total{change="failed"}`] != 2 || s[`parking_member_changes_total{change="joined"}`]-before[`parking_member_changes_total{change="joined"}`] != 2 {
			t.Errorf("harry, healed: %v failed, %v joined", s[`parking_member_changes_total{change="failed"}`], s[`parking_member_changes_total{change="joined"}`])
		}
		if s["parking_faults"] != 0 || s[`parking_fault_changes_total{change="lifted"}`] != 1 {
			t.Errorf("harry, healed: %v faults, %v lifted", s["parking_faults"], s[`parking_fault_changes_total{change="lifted"}`])
		}
	})
}
