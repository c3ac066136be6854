package node_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"parking/lot"
	"parking/node"
	"parking/node/fault"
)

// elsewhere puts a node on a host of its own: no signal reaches it.
func elsewhere(c *node.Config) { c.Directory, c.Join = nil, []string{"10.0.0.1:7001"} }

func (l *lab) pause(at *lively, name string, d time.Duration) (frozen bool) {
	l.t.Helper()
	what := "pause " + name
	if d > 0 {
		what += " " + d.String()
	}
	frozen, err := at.Pause(l.t.Context(), name, d, what)
	if err != nil {
		l.t.Fatalf("%s at %s: %v", what, at.Name(), err)
	}
	return frozen
}

func (l *lab) resume(at *lively, name string) {
	l.t.Helper()
	begin := time.Now()
	if err := at.Resume(l.t.Context(), name); err != nil {
		l.t.Fatalf("resume %s at %s: %v", name, at.Name(), err)
	}
	l.t.Logf("%s is back %v after the order", name, time.Since(begin))
}

// mends does what heal does at a prompt, and returns whom it let go on and whose
// clock it put right.
func (l *lab) mends(at *lively, which node.Selection) (all []string) {
	l.t.Helper()
	resumed, clocks, err := at.Mend(l.t.Context(), which)
	if err == nil {
		_, _, _, err = at.Heal(l.t.Context(), which)
	}
	if err == nil {
		err = at.Back(l.t.Context(), resumed...)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return append(resumed, clocks...)
}

func (l *lab) noticed(name string, by ...*lively) {
	l.t.Helper()
	took := l.eventually(8*time.Second, "the others to notice that "+name+" stands still", func() bool {
		return !slices.ContainsFunc(by, func(n *lively) bool {
			return slices.ContainsFunc(n.Members(), func(m node.Member) bool { return m.Name == name && m.Status == "alive" })
		})
	})
	l.t.Logf("noticed after %v", took)
}

func wantRefusal(t *testing.T, err error, code lot.Code, text string) {
	t.Helper()
	if r, ok := errors.AsType[*lot.Refusal](err); !ok || lot.CodeOf(err) != code || !strings.Contains(r.Error(), text) {
		t.Errorf("the error is %v (%s), want %q (%s)", err, lot.CodeOf(err), text, code)
	}
}

// A paused node looks cut off, its gates go to others, and any node lets it go on.
func TestAPauseAndItsEnd(t *testing.T) {
	inLabs(t, 5, func(t *testing.T, l *lab) {
		all := l.cluster("larry", "gary", "harry")
		larry, gary, harry := all[0], all[1], all[2]
		if _, err := larry.Rebalance(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.settled(3 * time.Second)
		if l.pause(larry, "gary", 0) {
			t.Error("a node of the same host was frozen, not stopped")
		}
		l.noticed("gary", larry, harry)
		l.eventually(3*time.Second, "its gates to be taken over", func() bool { _, ok := spreadOver(larry, harry); return ok })
		l.wantInForce(harry, "pause gary on gary")
		if _, err := larry.Pause(t.Context(), "gary", 0, "pause gary"); err == nil {
			t.Error("a paused node was paused")
		} else {
			wantRefusal(t, err, lot.Refused, "gary is paused already; resume gary lets it go on")
		}
		_, err := harry.Pause(t.Context(), "gary", 0, "pause gary")
		wantRefusal(t, err, lot.Unreachable, "gary does not answer; if it is paused, resume gary lets it go on")
		harry.track(t, false, "MISSED")
		l.resume(harry, "gary")
		t.Logf("settled %v later", l.settled(3*time.Second))
		if !gary.has("MISSED") {
			t.Error("gary lacks what it has slept through")
		}
		l.wantInForce(harry)
		wantRefusal(t, larry.Resume(t.Context(), "gary"), lot.Refused, "gary is not paused")
		wantRefusal(t, larry.Resume(t.Context(), "larry"), lot.Refused, "larry is not paused")
	})
}

func TestAPauseForAWhile(t *testing.T) {
	inLabs(t, 3, func(t *testing.T, l *lab) {
		all := l.cluster("larry", "gary", "harry")
		larry, harry := all[0], all[2]
		for _, d := range []time.Duration{-time.Second, node.MaxPause + 1} {
			_, err := larry.Pause(t.Context(), "gary", d, "pause gary")
			wantRefusal(t, err, lot.Range, "a pause lasts up to 1h0m0s; without a duration, until resume")
		}
		_, err := larry.Pause(t.Context(), "bob", 0, "pause bob")
		wantRefusal(t, err, lot.Unreachable, "no node is called bob")
		l.wantInForce(harry)
		l.pause(larry, "gary", 10*time.Second)
		l.noticed("gary", larry, harry)
		l.eventually(12*time.Second, "the pause to end", func() bool { return l.members(3) })
		l.settled(3 * time.Second)
		l.wantInForce(harry)
		// A timer ends its own pause, not the next one.
		l.pause(larry, "gary", 10*time.Second)
		l.resume(harry, "gary")
		l.pause(larry, "gary", 0)
		time.Sleep(20 * time.Second)
		l.wantInForce(harry, "pause gary on gary")
		l.resume(larry, "gary")
		l.settled(3 * time.Second)
	})
}

// heal ends pauses too and puts clocks right, ordered anywhere; of one node, only
// its.
func TestAHealEndsPauses(t *testing.T) {
	inLabs(t, 3, func(t *testing.T, l *lab) {
		all := l.cluster("larry", "gary", "harry", "moe")
		larry, harry, moe := all[0], all[2], all[3]
		for _, name := range []string{"harry", "gary"} {
			if err := moe.SetClock(t.Context(), name, 5*time.Minute, "clock "+name+" 5m0s"); err != nil {
				t.Fatal(err)
			}
		}
		l.pause(larry, "gary", time.Hour)
		l.pause(moe, "larry", 0)
		l.noticed("gary", harry, moe)
		l.noticed("larry", harry, moe)
		if got := l.mends(harry, node.Selection{Nodes: []string{"larry"}}); !slices.Equal(got, []string{"larry"}) {
			t.Errorf("of larry was mended %v", got)
		}
		if got := l.mends(harry, node.Selection{All: true}); !slices.Equal(got, []string{"gary", "gary", "harry"}) {
			t.Errorf("of all was mended %v; gary stood still, and its clock and harry's were off", got)
		}
		l.settled(3 * time.Second)
		l.wantInForce(moe)
	})
}

// Whoever has paused a node lets it go on when it leaves; if it dies, any other
// node of that host can.
func TestAPauseOutlivesNobody(t *testing.T) {
	inLabs(t, 3, func(t *testing.T, l *lab) {
		all := l.cluster("larry", "gary", "harry", "moe")
		larry, gary, harry, moe := all[0], all[1], all[2], all[3]
		l.pause(larry, "gary", 0)
		l.noticed("gary", larry, harry, moe)
		l.leave("larry")
		l.eventually(3*time.Second, "gary to be back", func() bool { return gary.alive() == 3 && harry.alive() == 3 })
		l.pause(harry, "gary", 0)
		l.noticed("gary", harry, moe)
		l.crash("harry")
		l.eventually(3*time.Second, "moe to be alone", func() bool { return moe.alive() == 1 })
		l.resume(moe, "gary")
		l.eventually(3*time.Second, "gary to see who died meanwhile", func() bool { return gary.alive() == 2 })
		harry = l.start("harry")
		t.Logf("harry's next life settled after %v", l.settled(8*time.Second)) // gary slept through the death, and SWIM has to rule on it first
		l.pause(harry, "gary", 0)
		l.noticed("gary", harry, moe)
		l.crash("harry")
		l.eventually(3*time.Second, "moe to be alone", func() bool { return moe.alive() == 1 })
		if got := l.mends(moe, node.Selection{All: true}); !slices.Equal(got, []string{"gary"}) {
			t.Errorf("a heal after the death of who had paused gary mended %v", got)
		}
		l.settled(3 * time.Second)
	})
}

// A node that pauses itself has another of its host do it.
func TestANodePausesItself(t *testing.T) {
	inLabs(t, 3, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		_, err := larry.Pause(t.Context(), "larry", time.Second, "pause larry 1s")
		wantRefusal(t, err, lot.Refused, "larry is alone on its host: nobody could resume it")
		gary := l.start("gary")
		l.settled(3 * time.Second)
		l.pause(larry, "larry", 10*time.Second)
		l.noticed("larry", gary)
		l.wantInForce(gary, "pause larry 10s on larry")
		l.eventually(12*time.Second, "the pause to end", func() bool { return l.members(2) })
		l.settled(3 * time.Second)
	})
}

// On another host a node is frozen: nothing passes, and its process goes on.
func TestAFreezeElsewhere(t *testing.T) {
	inLabs(t, 3, func(t *testing.T, l *lab) {
		all := l.cluster("larry", "gary")
		larry, gary := all[0], all[1]
		far := l.start("far", elsewhere)
		l.settled(3 * time.Second)
		if !l.pause(larry, "far", 0) {
			t.Error("a node of another host was not frozen")
		}
		l.noticed("far", larry, gary)
		far.track(t, false, "ALONE")
		_, err := gary.Pause(t.Context(), "far", 0, "pause far")
		wantRefusal(t, err, lot.Refused, "far is paused already; resume far lets it go on")
		l.resume(gary, "far")
		l.settled(3 * time.Second)
		if !larry.has("ALONE") {
			t.Error("larry lacks what far has recorded meanwhile")
		}
		l.pause(larry, "far", 10*time.Second)
		l.resume(gary, "far")
		l.pause(gary, "far", 0)
		time.Sleep(20 * time.Second)
		l.wantInForce(larry, "pause far on far gary larry")
		l.resume(far, "far") // orders pass
		l.settled(3 * time.Second)
		l.pause(far, "gary", 5*time.Second)
		l.noticed("gary", larry, far)
		l.eventually(8*time.Second, "the freeze to end", func() bool { return l.members(3) })
		l.wantInForce(larry)
	})
}

// A signal asks nobody, so whoever sends it has to.
func TestAPauseOfWhoWantsNoFaults(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		gary := l.start("gary", func(c *node.Config) { c.NoFaults = true })
		l.settled(3 * time.Second)
		_, err := larry.Pause(t.Context(), "gary", 0, "pause gary")
		wantRefusal(t, err, lot.Refused, "gary was started with --no-faults")
		_, err = gary.Pause(t.Context(), "larry", 0, "pause larry")
		wantRefusal(t, err, lot.Refused, "gary was started with --no-faults")
		wantRefusal(t, gary.Resume(t.Context(), "larry"), lot.Refused, "gary was started with --no-faults")
		time.Sleep(10 * time.Second)
		l.settled(0)
	})
}

// A pause ends with the process that was paused. kill-node reaches it nevertheless.
func TestAPauseDiesWithItsNode(t *testing.T) {
	inLabs(t, 3, func(t *testing.T, l *lab) {
		all := l.cluster("larry", "gary", "harry")
		larry, harry := all[0], all[2]
		l.pause(larry, "gary", 0)
		l.crash("gary")
		l.wantInForce(harry)
		gary := l.start("gary")
		l.settled(5 * time.Second)
		l.wantInForce(gary)
		l.pause(larry, "gary", 0)
		if err := larry.Kill(t.Context(), "gary"); err != nil {
			t.Errorf("a paused node was told to die: %v", err)
		}
		l.eventually(5*time.Second, "it to be gone", func() bool { return !slices.Contains(l.living(), gary) && l.members(2) })
		l.wantInForce(harry)
	})
}

// What is refused changes nothing, and what cannot be told to others is refused.
func TestRefusedBeforeAnythingIsMended(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		all := l.cluster("larry", "gary")
		larry := all[0]
		if err := larry.SetClock(t.Context(), "gary", 5*time.Minute, "clock gary +5m"); err != nil {
			t.Fatal(err)
		}
		for _, which := range []node.Selection{
			{Nodes: []string{"gary", "bob"}}, {Nodes: []string{"gary"}, Links: []fault.Link{{From: "bob", To: "gary"}}},
		} {
			_, _, err := larry.Mend(t.Context(), which)
			wantRefusal(t, err, lot.Unreachable, "no node is called bob")
		}
		_, err := larry.Pause(t.Context(), "larry", 500*time.Microsecond, "pause larry 500us")
		wantRefusal(t, err, lot.Range, "give whole milliseconds")
		wantRefusal(t, larry.SetClock(t.Context(), "gary", time.Microsecond, "clock gary 1us"), lot.Range, "give whole milliseconds")
		_, err = larry.Inject(t.Context(), "late", map[fault.Link]fault.Effect{{From: "larry", To: "gary"}: {Delay: 100}})
		wantRefusal(t, err, lot.Range, "give whole microseconds")
		l.wantInForce(larry, "clock gary +5m on gary")
	})
}

// Healing one direction of two answers at once: the other still stops the streams.
func TestHealingOneOfTwoDirections(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		all := l.cluster("larry", "gary")
		larry := all[0]
		if _, err := larry.Partition(t.Context(), [][]string{{"gary"}}, "isolate gary"); err != nil {
			t.Fatal(err)
		}
		l.noticed("gary", larry)
		begin := time.Now()
		_, _, apart, err := larry.Heal(t.Context(), node.Selection{Links: []fault.Link{{From: "larry", To: "gary"}}})
		if err != nil || len(apart) > 0 || time.Since(begin) > time.Second {
			t.Errorf("healed after %v, apart %v, %v", time.Since(begin), apart, err)
		}
		l.heals(larry, node.Selection{All: true})
		l.settled(3 * time.Second)
	})
}
