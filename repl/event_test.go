package repl

import (
	"context"
	"errors"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"parking/lot"
	"parking/node"
)

func TestRenderEvent(t *testing.T) {
	at := time.Date(2026, 1, 2, 12, 1, 7, 412e6, time.UTC)
	for _, c := range []struct {
		e    node.Event
		want string
	}{
		{node.Event{Kind: node.NodeJoined, Node: "gary", Count: 2}, "+ gary joined                     2 nodes"},
		{node.Event{Kind: node.NodeLeft, Node: "gary", Count: 1}, "- gary left                       1 node"},
		{node.Event{Kind: node.NodeFailed, Node: "larry", Reason: "connection refused", Count: 2}, "x larry failed (connection refused)  2 nodes"},
		{node.Event{Kind: node.VehicleCame, Plate: "2FAST4U", Gate: 3, Node: "gary"}, "> 2FAST4U came by gate 3          gary"},
		{node.Event{Kind: node.VehicleCame, Plate: "東京", Gate: 3, Node: "gary"}, "> 東京 came by gate 3             gary"},
		{node.Event{Kind: node.VehicleLeft, Plate: "ABC 123", Gate: 1, Node: "gary"}, "< ABC 123 left by gate 1          gary"},
		{node.Event{Kind: node.VehicleLeft, Plate: "ABC 123", Node: "gary"}, "< ABC 123 left                    gary"},
		{node.Event{Kind: node.GatesRun, Gates: []lot.GateID{1, 3}, Here: true, Node: "harry", Reason: "larry failed"}, "# gates 1 3 run here (larry failed)"},
		{node.Event{Kind: node.GatesRun, Gates: []lot.GateID{2, 4}, Node: "gary"}, "# gates 2 4 run on gary"},
		{node.Event{Kind: node.GatesRun, Gates: []lot.GateID{2}, Node: "gary"}, "# gate 2 runs on gary"},
		{node.Event{Kind: node.GatesRun, Gates: []lot.GateID{1, 3, 4, 5, 6, 7, 9}, Node: "gary"}, "# gates 1 3-7 9 run on gary"},
		{node.Event{Kind: node.GatesClosed, Gates: []lot.GateID{3, 4}, Reason: "set gates 2"}, "# gates 3 4 closed (set gates 2)"},
		{node.Event{Kind: node.GatesSplit, Gates: []lot.GateID{1, 2}}, "! gates 1 2 had two nodes each; the higher claim stays"},
		{node.Event{Kind: node.GateCrashed, Gate: 2, Reason: "told to"}, "x gate 2 crashed here (told to); started again"},
		{node.Event{Kind: node.SettingSet, Reason: "spaces", Count: 120, Node: "gary"}, "= spaces set to 120               gary"},
		{node.Event{Kind: node.StateJoined, Count: 12, Gone: 3}, "= caught up: 12 vehicles came, 3 left"},
		{node.Event{Kind: node.StateJoined, Count: 1}, "= caught up: 1 vehicle came, 0 left"},
		{node.Event{Kind: node.LotOver, Count: 3}, "! the lot is over by 3"},
		{node.Event{Kind: node.FaultInjected, Node: "gary", Reason: "partition larry | gary harry"}, "~ partition larry | gary harry    by gary"},
		{node.Event{Kind: node.FaultHealed, Node: "gary", Reason: "larry>gary of isolate gary"}, "~ larry>gary of isolate gary healed  by gary"},
		{node.Event{Kind: node.FaultHealed, Reason: "gary restarted: isolate gary"}, "~ gary restarted: isolate gary healed"},
		{node.Event{Kind: node.Notice, Reason: "node: a thing\x1b[2J"}, "! a thing?[2J"},
	} {
		c.e.At = at
		if got, want := renderEvent(c.e, Options{}), "12:01:07.412  "+c.want; got != want {
			t.Errorf("%+v:\n%q, want\n%q", c.e, got, want)
		}
		escapes := regexp.MustCompile("\x1b\\[[0-9;]*m")
		if got, want := escapes.ReplaceAllString(renderEvent(c.e, Options{Color: true}), ""), "12:01:07.412  "+c.want; got != want {
			t.Errorf("%+v in colour:\n%q, want\n%q", c.e, got, want)
		}
	}
}

func TestWatchTellsEvents(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		ctx, cancel := context.WithCancel(t.Context())
		var lines []string
		ended := make(chan error, 1)
		time.Sleep(time.Second) // what was worth telling of the start
		tell := larry.Watch(ctx, larry.opt)
		gary := l.start("gary")
		larry.do("track_entry MINE 1")
		larry.do("await converged")
		gary.do("track_entry THEIRS 2")
		larry.do("await vehicle THEIRS")
		go func() { ended <- tell(func(line string) { lines = append(lines, line[14:]) }) }()
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch ended with %v", err)
		}
		want := []string{"+ gary joined                     2 nodes", "> THEIRS came by gate 2           gary"}
		if len(lines) != 2 || lines[0] != want[0] || lines[1] != want[1] {
			t.Errorf("events: %q, want %q", lines, want)
		}
	})
}

// A terminal that does not keep up is told how much it missed, and the node's
// end is told as such.
func TestWatchDrops(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry, gary := l.start("larry"), l.start("gary")
		larry.do("await members 2")
		slow := make(chan string)
		ended := make(chan error, 1)
		go func() { ended <- larry.Watch(t.Context(), larry.opt)(func(line string) { slow <- line }) }()
		synctest.Wait()
		for range 1500 {
			gary.do("track_entry X 1")
			gary.do("track_exit X")
		}
		larry.do("await converged")
		seen := 0
		missed := regexp.MustCompile(`^\.\.\. \d+ events not shown$`)
		for told := false; !told; seen++ {
			told = missed.MatchString(<-slow)
		}
		larry.crash()
		for {
			select {
			case <-slow:
				continue
			case err := <-ended:
				if !errors.Is(err, ErrGone) {
					t.Errorf("Watch ended with %v", err)
				}
			}
			break
		}
	})
}
