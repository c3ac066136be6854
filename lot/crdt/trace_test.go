package crdt

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"parking/lot"
)

// story writes traces as short lines: whose and which, what, and what became of it.
func story(all []Trace) (lines []string) {
	for _, t := range all {
		line := fmt.Sprintf("%s%d %d", t.Dot.Replica.Node()[:1], t.Dot.Seq, t.Kind)
		for what, is := range map[string]bool{" live": t.Live, " untold": !t.Told, " unseen": !t.Seen} {
			if is {
				line += what
			}
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
