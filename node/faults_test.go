package node_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parking/lot"
	"parking/node"
	"parking/node/fault"
)

func (l *lab) inject(n *lively, what string, e fault.Effect, links ...fault.Link) {
	l.t.Helper()
	all := make(map[fault.Link]fault.Effect)
	for _, k := range links {
		all[k] = e
	}
	untold, err := n.Inject(l.t.Context(), what, all)
	if err != nil || len(untold) > 0 {
		l.t.Fatalf("%s: %v, untold %v", what, err, untold)
	}
}

// heals heals what is selected, at n, and returns which links that were.
func (l *lab) heals(n *lively, which node.Selection) string {
	l.t.Helper()
	healed, untold, apart, err := n.Heal(l.t.Context(), which)
	if err != nil || len(untold)+len(apart) > 0 {
		l.t.Fatalf("%v, untold %v, apart %v", err, untold, apart)
	}
	return fmt.Sprint(healed)
}

// inForce returns the faults in force as "WHAT on NODES", as n sees them.
func (l *lab) inForce(n *lively) (all []string) {
	l.t.Helper()
	faults, err := n.Faults(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	for _, f := range faults {
		all = append(all, fmt.Sprintf("%s on %s", f.What, strings.Join(f.On, " ")))
	}
	return all
}

func (l *lab) wantInForce(n *lively, want ...string) {
	l.t.Helper()
	if got := l.inForce(n); !slices.Equal(got, want) {
		l.t.Errorf("in force are %q, want %q", got, want)
	}
}

// reasons returns what n was told of one kind, and by whom it was ordered.
func (n *lively) reasons(k node.Kind) (all []string) {
	for _, e := range n.told(k) {
		all = append(all, strings.TrimSpace(e.Reason+" "+e.Node))
	}
	return all
}

// From the order to the heal: the cut nodes notice and say so, each side goes on
// and the heal, ordered anywhere, makes them one again at once.
func TestAPartitionAndItsHeal(t *testing.T) {
	inLabs(t, 5, func(t *testing.T, l *lab) {
		all := l.cluster("larry", "gary", "harry")
		larry, gary, harry := all[0], all[1], all[2]
		for _, n := range all {
			n.forget()
		}
		if untold, err := gary.Partition(t.Context(), [][]string{{"larry"}}, "partition larry"); err != nil || len(untold) > 0 {
			t.Fatal(err, untold)
		}
		took := l.eventually(8*time.Second, "both sides to notice", func() bool {
			return larry.alive() == 1 && gary.alive() == 2 && harry.alive() == 2
		})
		t.Logf("noticed after %v", took)
		l.wantInForce(larry, "partition larry on gary harry larry")
		for _, n := range all {
			want := []string{"partition larry gary"}
			if n == gary {
				want = nil // whose user was answered
			}
			if got := n.reasons(node.FaultInjected); !slices.Equal(got, want) {
				t.Errorf("%s told of the faults %q, want %q", n.Name(), got, want)
			}
			lost := 1
			if n == larry {
				lost = 2
			}
			if got := n.told(node.NodeFailed); len(got) != lost {
				t.Errorf("%s told of the failures %+v, want %d", n.Name(), got, lost)
			}
		}
		larry.track(t, false, "SAME", "LARRYS")
		harry.track(t, false, "SAME", "HARRYS")
		if gary.has("LARRYS") || larry.has("HARRYS") {
			t.Error("the cut lets entries through")
		}
		begin := time.Now()
		if healed := l.heals(larry, node.Selection{All: true}); healed != "[gary>larry harry>larry larry>gary larry>harry]" {
			t.Errorf("healed were %s", healed)
		}
		t.Logf("the heal took %v", time.Since(begin))
		t.Logf("settled %v later", l.settled(2*time.Second))
		if v, in := gary.Vehicle("SAME"); !in || len(v.Conflicts) != 1 {
			t.Errorf("of the plate that came in on both sides gary has %+v", v)
		}
		for _, n := range []*lively{gary, harry} {
			if got := n.reasons(node.FaultHealed); !slices.Equal(got, []string{"partition larry larry"}) {
				t.Errorf("%s told of the heals %q", n.Name(), got)
			}
		}
		l.wantInForce(harry)
		time.Sleep(10 * time.Second)
		l.settled(0)
	})
}

// Where only one direction is cut, nobody is taken for dead while a third can
// tell, and all gets to everyone by way of that.
func TestAOneWayCut(t *testing.T) {
	inLabs(t, 5, func(t *testing.T, l *lab) {
		all := l.cluster("larry", "gary", "harry")
		l.inject(all[2], "link larry>gary cut", fault.Effect{Cut: true}, fault.Link{From: "larry", To: "gary"})
		l.wantInForce(all[0], "link larry>gary cut on gary larry")
		for _, n := range all {
			n.forget()
		}
		for i := range 30 {
			all[i%2].track(t, false, plate(i))
			time.Sleep(time.Second)
		}
		l.eventually(5*time.Second, "equal digests", l.converged)
		for _, n := range all {
			if got := n.told(node.NodeFailed); len(got) > 0 {
				t.Errorf("%s took somebody for dead: %+v", n.Name(), got)
			}
		}
		l.heals(all[0], node.Selection{All: true})
		l.settled(3 * time.Second)
	})
}

// With no third each takes the other for dead, though one of them hears all.
func TestAOneWayCutOfTwo(t *testing.T) {
	inLabs(t, 5, func(t *testing.T, l *lab) {
		all := l.cluster("larry", "gary")
		l.inject(all[0], "link larry>gary cut", fault.Effect{Cut: true}, fault.Link{From: "larry", To: "gary"})
		took := l.eventually(10*time.Second, "both to be alone", func() bool { return all[0].alive() == 1 && all[1].alive() == 1 })
		t.Logf("noticed after %v", took)
		time.Sleep(30 * time.Second)
		if all[0].alive() != 1 || all[1].alive() != 1 {
			t.Error("it does not last")
		}
		l.heals(all[1], node.Selection{All: true})
		l.settled(3 * time.Second)
	})
}

// A heal takes back just what it names; what else lies on the link, or on
// others, stays.
func TestAHealOfSome(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		all := l.cluster("larry", "gary", "harry")
		larry, gary := all[0], all[1]
		there, back := fault.Link{From: "larry", To: "gary"}, fault.Link{From: "gary", To: "larry"}
		l.inject(larry, "late", fault.Effect{Delay: 20 * time.Millisecond}, there, back)
		l.inject(gary, "lossy", fault.Effect{Drop: 0.2}, there)
		l.inject(gary, "other", fault.Effect{Dup: 0.5}, fault.Link{From: "gary", To: "harry"})
		l.wantInForce(larry, "late on gary larry", "lossy on gary larry", "other on gary harry")
		if got := l.heals(larry, node.Selection{Links: []fault.Link{there}}); got != "[larry>gary]" {
			t.Errorf("healed were %s", got)
		}
		l.wantInForce(larry, "late on gary larry", "other on gary harry")
		if got, want := gary.reasons(node.FaultHealed), []string{"larry>gary of late larry", "lossy larry"}; !slices.Equal(got, want) {
			t.Errorf("gary told of the heals %q, want %q", got, want)
		}
		if got := l.heals(larry, node.Selection{Links: []fault.Link{there}}); got != "[]" {
			t.Errorf("healed a second time were %s", got)
		}
		if got := l.heals(larry, node.Selection{Nodes: []string{"harry"}}); got != "[gary>harry]" {
			t.Errorf("healed were %s", got)
		}
		l.wantInForce(larry, "late on gary larry")
		l.heals(gary, node.Selection{All: true})
		l.wantInForce(larry)
	})
}

// Who cannot be told is named; who refuses makes the order void everywhere.
func TestOrdersThatNotAllCarryOut(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		all := l.cluster("larry", "gary", "harry")
		larry, gary, harry := all[0], all[1], all[2]
		moe := l.start("moe", func(c *node.Config) { c.NoFaults = true })
		l.settled(3 * time.Second)
		_, err := gary.Partition(t.Context(), [][]string{{"larry"}}, "void")
		if lot.CodeOf(err) != lot.Refused || err.Error() != "moe was started with --no-faults" {
			t.Errorf("where moe has no part in faults: %v", err)
		}
		l.wantInForce(larry)
		l.wantInForce(moe)
		l.leave("moe")
		l.settled(3 * time.Second)

		l.cut([]string{"larry"}, []string{"gary", "harry"})
		untold, err := gary.Partition(t.Context(), [][]string{{"harry"}}, "isolate harry")
		if err != nil || !slices.Equal(untold, []string{"larry"}) {
			t.Errorf("larry cannot be reached: %v, untold %v", err, untold)
		}
		l.wantInForce(gary, "isolate harry on gary harry")
		l.heal([]string{"larry"}, []string{"gary", "harry"})
		l.heals(harry, node.Selection{All: true})
		l.settled(5 * time.Second)

		if _, err := gary.Partition(t.Context(), [][]string{{"larry"}}, "isolate larry"); err != nil {
			t.Fatal(err)
		}
		l.cut([]string{"larry"}, []string{"gary", "harry"})
		_, untold, _, err = gary.Heal(t.Context(), node.Selection{All: true})
		if err != nil || !slices.Equal(untold, []string{"larry"}) {
			t.Errorf("a heal that does not reach larry: %v, untold %v", err, untold)
		}
		l.wantInForce(larry, "isolate larry on larry")
		l.heal([]string{"larry"}, []string{"gary", "harry"})
		if got := l.heals(gary, node.Selection{Nodes: []string{"larry"}}); got != "[gary>larry harry>larry larry>gary larry>harry]" {
			t.Errorf("healed in the end were %s", got)
		}
		l.settled(5 * time.Second)
	})
}

// There are only so many faults at once; the next is refused, and not in force
// anywhere.
func TestTooManyFaults(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		all := l.cluster("larry", "gary")
		k := fault.Link{From: "larry", To: "gary"}
		for i := range fault.MaxFaults {
			l.inject(all[i%2], fmt.Sprint(i), fault.Effect{Dup: 0.01}, k)
		}
		_, err := all[0].Inject(t.Context(), "more", map[fault.Link]fault.Effect{k: {Cut: true}})
		if lot.CodeOf(err) != lot.Refused || err.Error() != "larry has 256 faults in force; heal some first" {
			t.Errorf("one more: %v", err)
		}
		if n := len(l.inForce(all[1])); n != fault.MaxFaults {
			t.Errorf("%d faults are in force", n)
		}
		l.heals(all[0], node.Selection{All: true})
		l.wantInForce(all[1])
	})
}

// A clock that is off ranks what is concurrent, and changes no causality.
func TestAClockPutOff(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		all := l.cluster("larry", "gary")
		larry, gary := all[0], all[1]
		l.do(gary.SetClock(t.Context(), "larry", 5*time.Minute, "clock"), gary.SetClock(t.Context(), "gary", -time.Hour, "clock"))
		at := time.Now()
		larry.track(t, false, "AHEAD")
		if v, _ := larry.Vehicle("AHEAD"); v.Since.Sub(at).Round(time.Second) != 5*time.Minute {
			t.Errorf("larry's clock is off by 5m, and the entry by %v", v.Since.Sub(at))
		}
		l.eventually(2*time.Second, "equal digests", l.converged)
		gary.track(t, true, "AHEAD") // an hour and five minutes before it came, by the clocks
		l.eventually(2*time.Second, "equal digests", l.converged)
		if larry.has("AHEAD") {
			t.Error("the exit has seen the entry, and does not remove it")
		}
		for _, d := range []time.Duration{366 * 24 * time.Hour, -366 * 24 * time.Hour} {
			if err := larry.SetClock(t.Context(), "gary", d, "clock"); lot.CodeOf(err) != lot.Range {
				t.Errorf("a clock that is off by %v: %v", d, err)
			}
		}
		if err := larry.SetClock(t.Context(), "moe", time.Hour, "clock"); lot.CodeOf(err) != lot.Unreachable {
			t.Errorf("a node that is not there: %v", err)
		}
		l.cut([]string{"larry"}, []string{"gary"})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := larry.SetClock(ctx, "gary", time.Hour, "clock"); lot.CodeOf(err) != lot.Unreachable || !strings.HasPrefix(err.Error(), "gary does not answer") {
			t.Errorf("a node that cannot be reached: %v", err)
		}
	})
}
