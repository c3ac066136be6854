package node_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parking/lot"
	"parking/node"
	"parking/node/history"
	"parking/node/verdict"
)

// shelf is an archive in memory that all nodes of a lab share: of those that
// were killed it has what they had written by then.
type shelf struct {
	*history.Memory
	mu   sync.Mutex
	dead []history.Stored
}

func (s *shelf) Stored(but history.Life) ([]history.Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.Memory.Stored(but)
	all = slices.DeleteFunc(all, func(o history.Stored) bool {
		return slices.ContainsFunc(s.dead, func(d history.Stored) bool { return d.Life == o.Life })
	})
	return append(all, s.dead...), err
}

// inCourt is inLab with nodes that keep histories; kill takes a node off as
// kill -9 does, of which its history knows nothing.
func inCourt(t *testing.T, f func(t *testing.T, l *lab, kill func(name string))) {
	inLabs(t, 3, func(t *testing.T, l *lab) {
		s := &shelf{Memory: history.NewMemory()}
		l.setup = func(c *node.Config) { c.History = s }
		f(t, l, func(name string) {
			stored := l.get(name).Written()
			s.mu.Lock()
			s.dead = append(s.dead, stored)
			s.mu.Unlock()
			l.crash(name)
		})
	})
}

func (l *lab) verdict(n *lively) verdict.Report {
	l.t.Helper()
	begin := time.Now()
	r, err := n.Verdict(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	took := time.Since(begin)
	if took > 12*time.Second {
		l.t.Errorf("the verdict took %v", took)
	}
	l.t.Logf("%s after %v by %v, dead %v, unreached %v", r.Outcome, took, r.Reached, r.Dead, r.Unreached)
	for _, c := range r.Checks {
		l.t.Logf(" %-12s %s  %s", c.Name, c.Word, c.Text)
		for _, f := range c.Findings {
			l.t.Logf("   %s: %s", f.Level, f.Text)
		}
	}
	return r
}

// found fails the test unless the verdict is that outcome, and each of the checks
// begins so; others must have no findings.
func (l *lab) found(r verdict.Report, outcome verdict.Outcome, checks map[string]string) {
	l.t.Helper()
	if r.Outcome != outcome {
		l.t.Errorf("the outcome is %s, want %s", r.Outcome, outcome)
	}
	for _, c := range r.Checks {
		want, named := checks[c.Name]
		if got := c.Word + " " + c.Text; named && !wild(want, got) {
			l.t.Errorf("%s is told as %q, want %q", c.Name, got, want)
		}
		if !named && len(c.Findings) > 0 {
			l.t.Errorf("%s found %+v", c.Name, c.Findings)
		}
	}
}

// wild reports whether the parts of pattern, which stars separate, stand in s in
// that order.
func wild(pattern, s string) bool {
	for part := range strings.SplitSeq(pattern, "*") {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}

// Nothing happens but what users do, and nothing is found.
func TestVerdictOnAPeacefulSession(t *testing.T) {
	inCourt(t, func(t *testing.T, l *lab, _ func(string)) {
		all := l.cluster("larry", "gary", "harry")
		if _, err := all[0].Rebalance(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.settled(3 * time.Second)
		for i := range 60 {
			n := all[l.rand.IntN(3)]
			switch p := plate(l.rand.IntN(20)); l.rand.IntN(4) {
			case 0:
				_ = n.Enter(t.Context(), lot.GateID(i%4+1), p)
			case 1:
				_, _ = n.TrackEntry(t.Context(), p, 1)
			case 2:
				_ = n.Exit(t.Context(), lot.GateID(i%4+1), p)
			default:
				_, _ = n.TrackExit(t.Context(), p, 1)
			}
			time.Sleep(time.Duration(l.rand.IntN(50)) * time.Millisecond)
		}
		l.do(all[1].SetSpaces(t.Context(), 30), all[2].SetGates(t.Context(), 6))
		l.settled(3 * time.Second)
		l.leave("harry")
		l.settled(3 * time.Second)
		r := l.verdict(all[1])
		l.found(r, verdict.Kept, map[string]string{"gates": "", "lost": "none*accounted for", "converged": "yes 2 of 2", "refusals": "fair"})
		if got := fmt.Sprint(r.Reached, r.Dead); got != "[gary larry] [harry]" {
			t.Errorf("judged by %s", got)
		}
		for _, c := range r.Checks {
			for _, f := range c.Findings {
				if c.Name != "gates" || strings.Contains(f.Text, "two owners") {
					t.Errorf("%s: %s", c.Name, f.Text)
				}
			}
		}
	})
}

// Both sides of a partition fill the lot: what came of it is told, with its
// cause, and is what the ledger allows.
func TestVerdictOnAPartition(t *testing.T) {
	inCourt(t, func(t *testing.T, l *lab, _ func(string)) {
		all := l.cluster("larry", "gary", "harry")
		l.do(all[0].SetSpaces(t.Context(), 4))
		l.settled(time.Second)
		const what = "partition larry | gary harry"
		if untold, err := all[1].Partition(t.Context(), [][]string{{"larry"}, {"gary", "harry"}}, what); err != nil || len(untold) > 0 {
			t.Fatal(err, untold)
		}
		l.eventually(15*time.Second, "each side to run all gates", func() bool {
			_, left := spreadOver(all[0])
			_, right := spreadOver(all[1:]...)
			return left && right
		})
		for i := range 4 {
			l.do(all[0].Enter(t.Context(), 1, plate(i)), all[1].Enter(t.Context(), 1, plate(i+2)))
		}
		time.Sleep(time.Second)
		r := l.verdict(all[2])
		l.found(r, verdict.Kept, map[string]string{ // faults cut no verdict off
			"converged": "no digest", "lost": "", "gates": "split gates 1-4 had two owners for *, " + what,
			"capacity": "over 6 of 4 at most, *-now), " + what, "resurrected": "", "refusals": "",
		})
		time.Sleep(5 * time.Second)
		l.heals(all[1], node.Selection{All: true})
		l.settled(3 * time.Second)
		for i := range 2 {
			_, err := all[0].TrackExit(t.Context(), plate(i), 1)
			l.do(err)
		}
		r = l.verdict(all[2])
		l.found(r, verdict.Kept, map[string]string{
			"converged": "yes 3 of 3", "lost": "none 11 acknowledged changes",
			"gates": "split gates 1-4 had two owners for *, " + what, "capacity": "over 6 of 4 at most, *), " + what,
		})
	})
}

// What nobody else had when its node was killed is gone, and the ledger allows
// that; its history tells of it.
func TestVerdictOnACrash(t *testing.T) {
	inCourt(t, func(t *testing.T, l *lab, kill func(string)) {
		all := l.cluster("larry", "gary", "harry")
		all[0].track(t, false, "EARLIER")
		l.settled(time.Second)
		l.cut([]string{"larry"}, []string{"gary", "harry"})
		all[0].track(t, false, "LOST")
		kill("larry")
		l.eventually(20*time.Second, "the others to run all gates", func() bool {
			_, one := spreadOver(all[1:]...)
			return one
		})
		r := l.verdict(all[1])
		l.found(r, verdict.Kept, map[string]string{
			"converged": "yes 2 of 2", "gates": "gap no owner for * s at most after larry died",
			"lost": "1 track_entry LOST, answered ok on larry: it died with larry before another node had it",
		})
		if got := fmt.Sprint(r.Reached, r.Dead, r.Unreached); got != "[gary harry] [larry] []" {
			t.Errorf("judged by %s", got)
		}
		l.start("larry")
		l.settled(3 * time.Second)
		l.found(l.verdict(all[2]), verdict.Kept, map[string]string{"lost": "1 track_entry LOST", "gates": "gap", "converged": "yes 3 of 3"})
	})
}

// Who is cut off in earnest is not taken for dead where its history says that it
// runs, and nothing is said of what only it knows.
func TestVerdictBesideOneThatIsCutOff(t *testing.T) {
	inCourt(t, func(t *testing.T, l *lab, _ func(string)) {
		all := l.cluster("larry", "gary", "harry")
		all[0].track(t, false, "EARLIER")
		l.settled(time.Second)
		l.cut([]string{"larry"}, []string{"gary", "harry"})
		all[0].track(t, false, "OTHER")
		l.eventually(20*time.Second, "the others to run all gates", func() bool {
			_, one := spreadOver(all[1:]...)
			return one && all[1].alive() == 2
		})
		time.Sleep(20 * time.Second)
		r := l.verdict(all[1])
		if got := fmt.Sprint(r.Reached, r.Dead, r.Unreached); got != "[gary harry] [] [larry]" || r.Outcome != verdict.Inconclusive {
			t.Errorf("%s, judged by %s", r.Outcome, got)
		}
	})
}

// One that lives and does not answer leaves the verdict open.
func TestVerdictWithoutOneThatDoesNotAnswer(t *testing.T) {
	inCourt(t, func(t *testing.T, l *lab, _ func(string)) {
		all := l.cluster("larry", "gary", "harry")
		all[2].track(t, false, "EARLIER")
		l.settled(time.Second)
		l.cut([]string{"larry"}, []string{"harry"}) // gary sees both alive
		all[2].track(t, false, "OTHER")
		r := l.verdict(all[0])
		if got := fmt.Sprint(r.Reached, r.Dead, r.Unreached); got != "[gary larry] [] [harry]" || r.Outcome != verdict.Inconclusive {
			t.Errorf("%s, judged by %s", r.Outcome, got)
		}
	})
}
