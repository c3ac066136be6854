package crdt

import (
	"sync"
	"testing"

	"parking/lot"
)

func TestOlderStateRemovesNothingNewer(t *testing.T) {
	a := doc(curly)
	kept, left := a.Enter(t0, "KEPT", 1), a.Enter(t0, "LEFT", 1)
	old := a.State()
	b := joined(larry, kept, left, a.Enter(t0, "NEW", 1), a.Exit(t0, "LEFT", 1))
	before := b.Digest()
	if got := b.JoinState(old); got.Changed() {
		t.Errorf("an older state changed %+v", got)
	}
	inLot(t, b, "KEPT")
	inLot(t, b, "NEW")
	notInLot(t, b, "LEFT")
	if b.Digest() != before {
		t.Error("an older state changed the digest")
	}
	sound(t, b)
}

func TestStateRemovesWhatItsSenderSawAndHoldsNoMore(t *testing.T) {
	a := doc(curly)
	left := a.Enter(t0, "LEFT", 1)
	b := joined(larry, left)
	b.Enter(t0, "OWN", 2) // which a has not seen
	a.Exit(t0, "LEFT", 1)
	a.Enter(t0, "NEW", 1)
	if got, want := b.JoinState(a.State()), (Merge{Added: 1, Removed: 1}); got != want {
		t.Errorf("joining the state: %+v, not %+v", got, want)
	}
	notInLot(t, b, "LEFT")
	inLot(t, b, "NEW")
	inLot(t, b, "OWN")
	sound(t, b)
}

func TestEarlyRemovalTravelsInAState(t *testing.T) {
	a := doc(curly)
	enter := a.Enter(t0, "ABC", 1)
	exit := joined(moe, enter).Exit(t0, "ABC", 1)
	b := joined(larry, exit) // knows of the exit only
	c := doc(NewReplica("shemp", 4))
	c.JoinState(overState(t, b.State()))
	if got := c.Join(enter); got != Overtaken {
		t.Errorf("the entry comes after its exit came by a state: outcome %d", got)
	}
	notInLot(t, c, "ABC")
	verify(t, c, modelOf(enter, exit))
}

func TestEarlyRemovalInAStateRemovesWhatIsLiveHere(t *testing.T) {
	a := doc(curly)
	enter := a.Enter(t0, "ABC", 1)
	exit := joined(moe, enter).Exit(t0, "ABC", 1)
	b := joined(larry, exit)
	if got := a.JoinState(b.State()); got.Removed != 1 {
		t.Errorf("joining the state: %+v", got)
	}
	notInLot(t, a, "ABC")
	verify(t, a, modelOf(enter, exit))
}

func TestEarlyRemovalHereKeepsAStatesValueOut(t *testing.T) {
	a := doc(curly)
	enter := a.Enter(t0, "ABC", 1)
	exit := joined(moe, enter).Exit(t0, "ABC", 1)
	b := joined(larry, exit)
	if got := b.JoinState(a.State()); got.Changed() {
		t.Errorf("joining the state: %+v", got)
	}
	notInLot(t, b, "ABC")
	verify(t, b, modelOf(enter, exit))
}

// The early removal's dot is in the state's context, its value long gone.
func TestEarlyRemovalEndsWhenAStateHasSeenItsDot(t *testing.T) {
	a := doc(curly)
	enter := a.Enter(t0, "ABC", 1)
	exit := a.Exit(t0, "ABC", 1)
	b := joined(larry, exit)
	b.JoinState(a.State())
	verify(t, b, modelOf(enter, exit))
}

// A value in a state has superseded others, and the state no longer says which:
// that they are gone must follow from its context.
func TestSupersessionsOfAStatesValuesHold(t *testing.T) {
	a := doc(curly)
	s1, s2 := a.Set(t0, "gates", []byte("1")), a.Set(t0, "gates", []byte("2"))
	b := joined(larry, s1)
	b.JoinState(overState(t, a.State()))
	if all := b.Siblings("gates"); len(all) != 1 || string(all[0].Value) != "2" {
		t.Errorf("siblings %v", all)
	}
	if got := b.Join(s1); got != Known {
		t.Errorf("outcome %d", got)
	}
	verify(t, b, modelOf(s1, s2))
}

func TestStatesJoinedBothWaysAreEqual(t *testing.T) {
	a, b := doc(curly), doc(larry)
	shared := a.Enter(t0, "SHARED", 1)
	b.Join(shared)
	all := modelOf(shared, a.Exit(t0, "SHARED", 1), b.Enter(t0, "SHARED", 2), a.Enter(t0, "A", 1), b.Enter(t0, "B", 1),
		a.Set(t0, "gates", []byte("3")), b.Set(t0, "gates", []byte("4")))
	sa, sb := a.State(), b.State()
	a.JoinState(sb)
	b.JoinState(sa)
	verify(t, a, all)
	verify(t, b, all)
	sameDigest(t, a, b)
}

func TestVersionAndStateStayAsTheyWereHandedOut(t *testing.T) {
	a := doc(curly)
	ms := []Mutation{a.Enter(t0, "A", 1), a.Enter(t0, "B", 1), a.Enter(t0, "C", 1), a.Enter(t0, "D", 1), a.Enter(t0, "E", 1)}
	b := joined(larry, ms[0], ms[2], ms[4])
	version, state := b.Version(), b.State()
	want := modelOf(ms[0], ms[2], ms[4])
	b.Join(ms[1]) // folds 3
	b.Join(ms[3]) // folds 5
	b.JoinState(a.State())
	b.Exit(t0, "A", 1)
	for _, v := range []Version{version, state.Version} {
		if why := sameVersion(v, want); why != "" {
			t.Error(why)
		}
	}
	c := doc(moe)
	c.JoinState(state)
	verify(t, c, want)
	if why := sameVersion(state.Version, want); why != "" {
		t.Errorf("joining a state wrote to it: %s", why)
	}
	c.Join(ms[1])
	if why := sameVersion(state.Version, want); why != "" {
		t.Errorf("a document shares the version of a state it joined: %s", why)
	}
}

func TestConflictsReadBeforeAnExitStayAsRead(t *testing.T) {
	d := doc(moe)
	for i := range 5 {
		d.Join(doc(NewReplica("curly", uint64(i))).Enter(t0, "ABC", lot.GateID(i+1)))
		d.Join(doc(NewReplica("curly", uint64(i+10))).Set(t0, "gates", []byte{byte(i)}))
	}
	v, siblings := inLot(t, d, "ABC"), d.Siblings("gates")
	state := d.State()
	d.Exit(t0, "ABC", 1)
	d.Set(t0, "gates", []byte{9})
	for i := range 4 {
		if v.Conflicts[i].Gate != lot.GateID(4-i) || siblings[i+1].Value[0] != byte(3-i) {
			t.Fatalf("what was read has changed: %+v, %v", v, siblings)
		}
	}
	back := doc(larry)
	back.JoinState(state)
	if got := inLot(t, back, "ABC"); !sameVehicle(got, v) {
		t.Errorf("%+v, not %+v", got, v)
	}
}

func TestUnissuedDotsOfOnesOwnAreNotBelieved(t *testing.T) {
	a := doc(curly)
	issued := a.Enter(t0, "A", 1)
	twin := joined(curly, issued) // the same replica, which cannot be
	forged, beyond := twin.Enter(t0, "B", 1), twin.Enter(t0, "C", 1)
	exit := joined(larry, issued, forged).Exit(t0, "B", 1)
	honest := doc(moe).Enter(t0, "HONEST", 1)
	before := a.Digest()

	for name, m := range map[string]Mutation{"its dot": forged, "beyond a gap": beyond} {
		if err := a.Believe(&m); !isMalformed(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, ms := range map[string][]Mutation{
		"live": {forged}, "gone": {forged, exit}, "seen beyond a gap": {beyond}, "superseded early": {exit},
	} {
		s := overState(t, joined(NewReplica("shemp", 4), append(ms, issued, honest)...).State())
		b := joined(curly, issued)
		if err := b.BelieveState(s); !isMalformed(err) {
			t.Errorf("a state where it is %s: %v", name, err)
		}
		b.JoinState(s)
		sound(t, b)
		inLot(t, b, "HONEST") // one forgery does not keep the rest away
		notInLot(t, b, "B")
		notInLot(t, b, "C")
		if next := b.Enter(t0, "NEXT", 1); next.Dot.Seq != issued.Dot.Seq+1 {
			t.Errorf("after a state where it is %s, the next dot is %v", name, next.Dot)
		}
	}
	if a.Digest() != before {
		t.Error("a check changed the document")
	}

	if err := a.Believe(&exit); err != nil || len(exit.Supersedes) > 0 {
		t.Errorf("another's exit of what was forged: %v, and supersedes %v", err, exit.Supersedes)
	}
	a.Join(exit)
	sound(t, a)
	if !a.Covers(joined(larry, forged, beyond, exit).Version()) {
		t.Error("what was never issued counts as missing")
	}
	if a.Covers(joined(larry, honest).Version()) {
		t.Error("what was never seen does not count as missing")
	}
}

func TestIssuedDotsOfOnesOwnAreWelcomeInAnyOrder(t *testing.T) {
	a := doc(curly)
	ms := []Mutation{a.Enter(t0, "A", 1), a.Enter(t0, "B", 1), a.Exit(t0, "A", 1)}
	exit := joined(moe, ms...).Exit(t0, "B", 1)
	for _, m := range append(ms, exit) {
		if err := a.Believe(&m); err != nil {
			t.Errorf("%v: %v", m.Dot, err)
		}
	}
	for name, d := range map[string]*Document{
		"all": joined(larry, ms...), "beyond a gap": joined(larry, ms[2]), "superseded, not seen": joined(larry, exit), "none": doc(larry),
	} {
		if err := a.BelieveState(overState(t, d.State())); err != nil {
			t.Errorf("a state that knows %s: %v", name, err)
		}
	}
}

// Readers may share a lock: reading writes to nothing, which the race detector
// checks.
func TestReadersMayRunAtOnce(t *testing.T) {
	d := furnished()
	want := d.Digest()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				for range d.Snapshot().Vehicles("") {
				}
				d.Vehicle("OWN")
				d.Siblings("gates")
				d.Keys()
				v := d.Version()
				v.Lag()
				d.Since(v)
				d.Since(Version{})
				for range d.State().Chunks {
				}
				m := Mutation{Dot: Dot{curly, 1}}
				if d.Believe(&m) != nil || d.Digest() != want {
					t.Error("reading changed the document")
				}
			}
		})
	}
	wg.Wait()
}
