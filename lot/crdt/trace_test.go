package crdt

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"parking/lot"
)

// story writes traces as short lines: whose and which, what, and what became of it.
func story(all []Trace) (lines []string) {
	for _, t := range all {
		line := fmt.Sprintf("%s%d %d", t.Dot.Replica.Node()[:1], t.Dot.Seq, t.Kind)
		if t.Live {
			line += " live"
		}
		if !t.Told {
			line += " untold"
		}
		if !t.Seen {
			line += " unseen"
		}
		for _, by := range t.By {
			line += fmt.Sprintf(" <%s%d", by.Replica.Node()[:1], by.Seq)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestTracesTellAPlatesStory(t *testing.T) {
	a, b, c := doc(curly), doc(larry), doc(moe)
	c1 := a.Enter(t0, "ABC", 1)
	other := a.Enter(t0, "OTHER", 1)
	b.Join(c1)
	l1 := b.Exit(t0, "ABC", 1)
	m1 := c.Enter(t0, "ABC", 3) // which knows of neither
	for name, tc := range map[string]struct {
		ms    []Mutation
		whole bool
		want  []string
	}{
		"in order":           {[]Mutation{c1, l1, m1}, true, []string{"c1 1 <l1", "m1 1 live", "l1 2"}},
		"the exit first":     {[]Mutation{sent(l1), c1, m1, other}, true, []string{"c1 1 <l1", "m1 1 live", "l1 2"}},
		"without the entry":  {[]Mutation{l1}, true, []string{"c1 1 untold unseen <l1", "l1 2"}},
		"nothing of it":      {[]Mutation{other}, true, nil},
		"two, and a gap":     {[]Mutation{c1, m1, other}, true, []string{"c1 1 live", "m1 1 live"}},
		"an exit by no name": {[]Mutation{sent(l1)}, true, nil},
	} {
		all, whole := joined(NewReplica("shemp", 4), tc.ms...).Traces("ABC")
		if got := story(all); !slices.Equal(got, tc.want) || whole != tc.whole {
			t.Errorf("%s: %q, whole %v; want %q", name, got, whole, tc.want)
		}
	}
	d := doc(NewReplica("shemp", 4))
	d.JoinState(overState(t, joined(moe, c1, m1).State()))
	exit := sent(l1)
	if err := d.Believe(&exit); err != nil {
		t.Fatal(err)
	}
	d.Join(exit)
	all, whole := d.Traces("ABC")
	if want := []string{"c1 1 untold <l1", "m1 1 live", "l1 2"}; whole || !slices.Equal(story(all), want) {
		t.Errorf("after a state: %q, whole %v; want %q", story(all), whole, want)
	}
	if plates := d.PlatesOf([]Dot{c1.Dot, m1.Dot, other.Dot}); plates[c1.Dot] != "ABC" || plates[m1.Dot] != "ABC" || plates[other.Dot] != "" {
		t.Errorf("plates %v", plates)
	}
	if by := d.Supersession([]Dot{c1.Dot, m1.Dot}); len(by) != 1 || by[c1.Dot].Dot != l1.Dot {
		t.Errorf("superseded by %v", by)
	}
}

// What the log has lost is said to be lost.
func TestTracesSayWhatTheLogHasLost(t *testing.T) {
	d, busy := New(moe, 64), doc(curly)
	d.Join(busy.Enter(t0, "ABC", 1))
	d.Join(busy.Exit(t0, "ABC", 1))
	if all, whole := d.Traces("ABC"); len(all) != 2 || !whole {
		t.Errorf("%q, whole %v", story(all), whole)
	}
	for i := range 100 {
		d.Join(busy.Enter(t0, lot.Plate(fmt.Sprint(i)), 1))
	}
	if all, whole := d.Traces("ABC"); len(all) != 0 || whole {
		t.Errorf("%q, whole %v", story(all), whole)
	}
	if all, whole := d.Traces("0"); len(all) != 1 || !all[0].Live || all[0].Gate != 1 || whole {
		t.Errorf("%q, whole %v", story(all), whole)
	}
}

func TestMeetIsWhatBothHaveSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var vs [2]Version
		var h sum
		for _, dot := range rapid.SliceOf(rapid.Custom(func(t *rapid.T) Dot {
			return Dot{rapid.SampledFrom([]Replica{curly, larry}).Draw(t, "replica"), rapid.Uint64Range(1, 8).Draw(t, "seq")}
		})).Draw(t, "dots") {
			vs[rapid.IntRange(0, 1).Draw(t, "whose")].add(dot, &h)
		}
		both := vs[0].Meet(vs[1])
		for _, r := range []Replica{curly, larry} {
			for seq := range uint64(10) {
				if d := (Dot{r, seq + 1}); both.Contains(d) != (vs[0].Contains(d) && vs[1].Contains(d)) {
					t.Fatalf("%v: %v in the meet of %v and %v", d, both.Contains(d), vs[0], vs[1])
				}
			}
		}
		if _, err := DecodeVersion(EncodeVersion(both)); err != nil {
			t.Fatalf("%v of %v and %v: %v", both, vs[0], vs[1], err)
		}
	})
}

// By states alone one is told what came and what went, on either side.
func TestApart(t *testing.T) {
	a := doc(curly)
	var first []Mutation
	for _, p := range []lot.Plate{"A", "B", "C"} {
		first = append(first, a.Enter(t0, p, 1))
	}
	b := joined(larry, first...)
	a.Exit(t0, "A", 1)
	a.Enter(t0, "HERE", 2)
	b.Exit(t0, "B", 1)
	b.Enter(t0, "THERE", 3)
	b.Set(t0, "spaces", []byte("9"))
	ours, theirs := a.State(), overState(t, b.State().For(a.Version().Meet(b.Version())))
	type seen struct {
		side Side
		kind Kind
		what string
	}
	for name, tc := range map[string]struct {
		theirs *State
		want   []seen
	}{
		"states":    {theirs, []seen{{Here, Entry, "HERE"}, {There, Exit, "B"}, {There, Entry, "THERE"}, {There, Register, "spaces"}, {Here, Exit, ""}}},
		"a version": {&State{Version: b.Version()}, []seen{{Here, Entry, "HERE"}}},
	} {
		var got []seen
		ours.Apart(tc.theirs, func(s Side, m Mutation) {
			got = append(got, seen{s, m.Kind, string(m.Plate) + m.Key})
			if m.Kind == Exit && m.Plate == "" && a.PlatesOf(m.Supersedes)[m.Supersedes[0]] != "A" {
				t.Errorf("%s: the plate of %v is not known", name, m.Supersedes)
			}
		})
		if len(got) != len(tc.want) || slices.ContainsFunc(tc.want, func(s seen) bool { return !slices.Contains(got, s) }) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

// Whatever came in whatever order, with logs of any length: what is told of a
// plate is true, and all of it where it is said to be; and what is told of two
// states is what the model tells.
func TestTracesAndComparisonsEqualTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		actions := []func(){w.mutate, w.mutate, w.mutate, w.relay, w.snap, w.deliver, w.deliver, w.deliver}
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			actions[rapid.IntRange(0, len(actions)-1).Draw(t, "action")]()
		}
		for _, a := range w.nodes {
			for _, p := range []lot.Plate{"A", "B", "C"} {
				if why := tracesDiffer(a.Document, a.model, p); why != "" {
					t.Fatalf("%v of %s: %s", a.Self(), p, why)
				}
			}
			for _, b := range w.nodes {
				got := make(map[string]int)
				a.State().Apart(overState(t, b.State().For(a.Version().Meet(b.Version()))), func(s Side, m Mutation) {
					dot := m.Dot
					if m.Kind == Exit {
						dot = m.Supersedes[0]
					}
					got[fmt.Sprint(s, m.Kind == Exit, dot)]++
				})
				want := make(map[string]int)
				apartIn(want, Here, a.model, b.model)
				apartIn(want, There, b.model, a.model)
				if !maps.Equal(got, want) {
					t.Fatalf("%v and %v are apart by %v, want %v", a.Self(), b.Self(), got, want)
				}
			}
		}
	})
}

// apartIn adds what is live by a alone, as one that b has not seen, or as one that
// has gone on the other side.
func apartIn(want map[string]int, side Side, a, b model) {
	gone := b.superseded()
	for _, m := range a.live() {
		if !b.has(m.Dot) {
			want[fmt.Sprint(side, false, m.Dot)]++
		} else if _, is := gone[m.Dot]; is && m.Kind == Entry {
			want[fmt.Sprint(!side, true, m.Dot)]++
		}
	}
}

func tracesDiffer(d *Document, m model, p lot.Plate) string {
	all, whole := d.Traces(p)
	live := slices.DeleteFunc(m.live(), func(mu Mutation) bool { return mu.Kind != Entry || mu.Plate != p })
	for _, tr := range all {
		mu, seen := m[tr.Dot]
		if tr.Seen != seen || tr.Told && (mu.Kind != tr.Kind || mu.Plate != p || mu.Gate != tr.Gate || mu.Stamp != tr.Stamp) {
			return fmt.Sprintf("%+v, which is %+v", tr, mu)
		}
		if tr.Live {
			if last := len(live) - 1; last < 0 || live[last].Dot != tr.Dot { // the best comes last
				return fmt.Sprintf("%v is live or out of turn", tr.Dot)
			}
			live = live[:len(live)-1]
		}
		for _, by := range tr.By {
			if !slices.Contains(m[by].Supersedes, tr.Dot) {
				return fmt.Sprintf("%v by %v", tr.Dot, by)
			}
		}
		if !tr.Live && tr.Kind == Entry && len(tr.By) == 0 && whole {
			return fmt.Sprintf("%v is gone by nothing", tr.Dot)
		}
	}
	if len(live) > 0 {
		return fmt.Sprintf("%v are not told of", live)
	}
	if !whole {
		return ""
	}
	for _, mu := range m {
		// Of an exit that came before all that it superseded nobody knows the plate.
		known := mu.Kind == Entry || len(mu.Supersedes) == 0 || slices.ContainsFunc(mu.Supersedes, m.has)
		if i := slices.IndexFunc(all, func(t Trace) bool { return t.Dot == mu.Dot && t.Told }); i < 0 && mu.Plate == p && known && mu.Kind != Register {
			return fmt.Sprintf("%+v is not told of", mu)
		}
	}
	return ""
}

// What a look at a full log costs: nobody can write meanwhile.
func BenchmarkTraces(b *testing.B) {
	d, o := New(moe, DefaultLog), doc(curly)
	for i := range DefaultLog / 2 {
		p := lot.Plate(fmt.Sprint(i))
		d.Join(o.Enter(t0, p, 1))
		d.Join(o.Exit(t0, p, 1))
	}
	for b.Loop() {
		if all, _ := d.Traces("77777"); len(all) > 2 {
			b.Fatal(len(all))
		}
	}
}
