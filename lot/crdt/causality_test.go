package crdt

import (
	"fmt"
	"testing"
	"time"

	"parking/lot"
)

// Each test here tells the story of one fault that a kernel like this can
// have, and fails where the kernel has it.

func TestChainDeliveredBackwardsEndsAtItsLastValue(t *testing.T) {
	a := doc(curly)
	s1 := a.Set(t0, "spaces", []byte("1"))
	s2 := a.Set(t0, "spaces", []byte("2"))
	s3 := a.Set(t0, "spaces", []byte("3"))
	permutations([]Mutation{s1, s2, s3}, func(ms []Mutation) {
		b := doc(larry)
		for i, m := range ms {
			b.Join(m)
			verify(t, b, modelOf(ms[:i+1]...))
		}
		if all := b.Siblings("spaces"); len(all) != 1 || string(all[0].Value) != "3" {
			t.Errorf("after %v: %v", dotsOf(ms), all)
		}
		sameDigest(t, a, b)
	})
}

// The chain crosses replicas, so that each link is a different one's.
func TestChainOverReplicasDeliveredBackwardsLeavesNothing(t *testing.T) {
	a, b, c := doc(curly), doc(larry), doc(moe)
	s1 := a.Enter(t0, "ABC", 1)
	b.Join(s1)
	s2 := b.Enter(t0, "ABC", 2)
	c.Join(s2) // without s1
	s3 := c.Exit(t0, "ABC", 3)
	permutations([]Mutation{s1, s2, s3}, func(ms []Mutation) {
		d := joined(NewReplica("shemp", 4), ms...)
		notInLot(t, d, "ABC")
		verify(t, d, modelOf(ms...))
	})
}

func TestMutationAfterAGapIsKeptAndItsPredecessorStillJoins(t *testing.T) {
	a := doc(curly)
	first, second, third := a.Enter(t0, "A", 1), a.Enter(t0, "B", 1), a.Exit(t0, "A", 1)
	b := joined(larry, third, second)
	inLot(t, b, "B")
	if b.Has(first.Dot) || !b.Has(third.Dot) || !b.Version().Gapped() {
		t.Fatalf("what was seen is taken for a prefix: %v", b.Version())
	}
	if delta, state := a.Since(b.Version()); state != nil || len(delta) != 1 || delta[0].Dot != first.Dot {
		t.Fatalf("what lacks is the first mutation, and Since returns %v, %v", delta, state)
	}
	if got := b.Join(first); got != Overtaken {
		t.Errorf("joining the first at last: outcome %d, not Overtaken", got)
	}
	notInLot(t, b, "A")
	sameDigest(t, a, b)
	if b.Version().Gapped() {
		t.Error("the gap is closed and still there")
	}
}

func TestEntryWinsOverConcurrentExit(t *testing.T) {
	a := doc(curly)
	old := a.Enter(t0, "ABC", 1)
	b := joined(larry, old)
	exit := a.Exit(t0.Add(time.Hour), "ABC", 1)
	again := b.Enter(t0, "ABC", 2)
	permutations([]Mutation{old, exit, again}, func(ms []Mutation) {
		d := joined(moe, ms...)
		if v := inLot(t, d, "ABC"); v.Gate != 2 || v.Conflicts != nil {
			t.Errorf("after %v: %+v", dotsOf(ms), v)
		}
	})
}

func TestConcurrentEntriesBothStayUntilOneExit(t *testing.T) {
	a, b := doc(curly), doc(larry)
	early := a.Enter(t0, "ABC", 1)
	late := b.Enter(t0.Add(time.Second), "ABC", 2)
	permutations([]Mutation{early, late}, func(ms []Mutation) {
		d := joined(moe, ms...)
		v := inLot(t, d, "ABC")
		if v.Node != "larry" || v.Gate != 2 || !v.Since.Equal(t0.Add(time.Second)) {
			t.Errorf("the later entry does not win: %+v", v)
		}
		if len(v.Conflicts) != 1 || v.Conflicts[0].Node != "curly" || v.Conflicts[0].Gate != 1 {
			t.Errorf("the earlier entry is no conflict: %+v", v)
		}
		if d.Taken() != 1 {
			t.Errorf("the plate takes %d spaces", d.Taken())
		}
		d.Exit(t0, "ABC", 1)
		notInLot(t, d, "ABC")
		sound(t, d)
	})
}

func TestSameInstantIsDecidedByReplica(t *testing.T) {
	e1, e2 := doc(curly).Enter(t0, "ABC", 1), doc(larry).Enter(t0, "ABC", 2)
	for _, ms := range [][]Mutation{{e1, e2}, {e2, e1}} {
		if v := inLot(t, joined(moe, ms...), "ABC"); v.Node != "larry" {
			t.Errorf("after %v %s wins", dotsOf(ms), v.Node)
		}
	}
}

func TestClocksNeverOverrideCausality(t *testing.T) {
	for _, skew := range []time.Duration{-100 * 365 * 24 * time.Hour, -2 * 365 * 24 * time.Hour, -time.Second, 0, time.Second, 200 * 365 * 24 * time.Hour} {
		t.Run(fmt.Sprint(skew), func(t *testing.T) {
			a, b := doc(curly), doc(larry)
			enter := a.Enter(t0, "ABC", 1)
			b.Join(enter)
			exit := b.Exit(t0.Add(skew), "ABC", 1)
			for _, ms := range [][]Mutation{{enter, exit}, {exit, enter}} {
				notInLot(t, joined(moe, ms...), "ABC")
			}
			a.Join(b.Set(t0.Add(skew), "spaces", []byte("9")))
			a.Set(t0, "spaces", []byte("10"))
			if all := a.Siblings("spaces"); len(all) != 1 || string(all[0].Value) != "10" {
				t.Errorf("the later write is not the value: %v", all)
			}
		})
	}
}

// Whatever the stamps say, forged ones too: what was superseded is gone, what
// is concurrent stays.
func TestStampsDecideNothingButRank(t *testing.T) {
	a := doc(curly)
	enter, set := a.Enter(t0, "ABC", 1), a.Set(t0, "spaces", []byte("1"))
	b := joined(larry, enter, set)
	exit, again, write := b.Exit(t0, "ABC", 1), a.Enter(t0, "ABC", 2), b.Set(t0, "spaces", []byte("2"))
	for _, stamps := range [][]Stamp{{1, 2, 3, 4, 5}, {5, 4, 3, 2, 1}, {0, 0, 0, 0, 0}, {9, 9, maxStamp, 1, 1}, {maxStamp, maxStamp, 1, 2, 0}} {
		ms := []Mutation{enter, set, exit, again, write}
		for i := range ms {
			ms[i].Stamp = stamps[i]
		}
		permutations(ms, func(ms []Mutation) {
			d := joined(moe, ms...)
			if v := inLot(t, d, "ABC"); v.Gate != 2 || v.Conflicts != nil {
				t.Errorf("stamps %v: %+v", stamps, v)
			}
			if all := d.Siblings("spaces"); len(all) != 1 || string(all[0].Value) != "2" {
				t.Errorf("stamps %v: spaces are %v", stamps, all)
			}
			sound(t, d)
		})
	}
}

// So that of two writes of which one knew the other the later has the higher
// stamp, whatever the clocks: a third, concurrent one is then ranked alike.
func TestStampFollowsThoseOfTheValuesSeen(t *testing.T) {
	ahead := doc(larry)
	seen := ahead.Enter(t0.AddDate(5, 0, 0), "ABC", 1)
	byState := doc(curly)
	byState.JoinState(overState(t, ahead.State()))
	for name, d := range map[string]*Document{"a mutation": joined(curly, seen), "a state": byState} {
		if m := d.Enter(t0, "XYZ", 1); m.Stamp <= seen.Stamp {
			t.Errorf("after %s: %d, not above %d", name, m.Stamp, seen.Stamp)
		}
	}
	d := doc(curly)
	last := d.Enter(t0, "A", 1).Stamp
	for _, now := range []int{0, 0, 1, -5000, -4999} {
		m := d.Exit(t0.Add(time.Duration(now)*time.Millisecond), "A", 1)
		if m.Stamp <= last {
			t.Errorf("%d after %d, when the clock ran backwards", m.Stamp, last)
		}
		last = m.Stamp
	}
	if got := last.Time().Sub(t0); got < 0 || got > time.Second {
		t.Errorf("stamps are %v off", got)
	}
}

// A node whose clock is years behind has stamps that follow the others', and
// shows the time that its own clock had.
func TestSinceIsTheWallTimeOfItsOriginUnderAnyClock(t *testing.T) {
	for _, tc := range []struct{ clock, shown time.Time }{
		{t0.AddDate(-30, 0, 0), t0.AddDate(-30, 0, 0)},
		{t0.AddDate(300, 0, 0), t0.AddDate(300, 0, 0)},
		{t0.AddDate(4000, 0, 0), t0.AddDate(4000, 0, 0)},
		{time.Unix(0, 0), time.Unix(0, 0)},
		{time.Unix(-1, 0), time.Unix(0, 0)},
		{time.Time{}, time.Unix(0, 0)},
		{t0.AddDate(7900, 0, 0), time.UnixMilli(maxMillis)},
	} {
		for _, other := range []time.Time{t0, t0.AddDate(7900, 0, 0), {}} {
			a := doc(curly)
			a.Join(doc(larry).Enter(other, "OTHER", 1))
			m := a.Enter(tc.clock, "ABC", 1)
			b := joined(moe, overDelta(t, Encode([]Mutation{m}))...)
			c := doc(moe)
			c.JoinState(overState(t, b.State()))
			for _, d := range []*Document{a, b, c} {
				if v := inLot(t, d, "ABC"); !v.Since.Equal(tc.shown) {
					t.Errorf("clock %v beside %v: %v shows %v", tc.clock, other, d.Self(), v.Since)
				}
			}
		}
	}
}

// A forged or mistaken stamp at the end of time must not make everybody's next
// mutation one that nobody takes.
func TestStampAtTheEndOfTimeLeavesOthersAbleToWrite(t *testing.T) {
	a := doc(curly)
	m := doc(larry).Set(t0, "spaces", []byte("1"))
	m.Stamp = maxStamp
	a.Join(overDelta(t, Encode([]Mutation{m}))[0])
	w1 := a.Set(t0, "spaces", []byte("2"))
	w2 := a.Set(t0, "spaces", []byte("3"))
	permutations([]Mutation{m, w1, w2}, func(ms []Mutation) {
		b := joined(moe, overDelta(t, Encode(ms))...)
		verify(t, b, modelOf(ms...))
	})
}

// Where a replica's stamps are equal its later value still wins, so that all
// show the same while the two are siblings.
func TestEqualStampsOfOneReplicaAreRankedBySequence(t *testing.T) {
	a := doc(curly)
	e1 := a.Enter(t0.AddDate(9000, 0, 0), "ABC", 1)
	a.Join(joined(larry, e1).Exit(t0, "ABC", 1))
	e2 := a.Enter(t0.AddDate(9000, 0, 0), "ABC", 2)
	e1.Stamp, e2.Stamp = maxStamp, maxStamp
	for _, ms := range [][]Mutation{{e1, e2}, {e2, e1}} {
		if v := inLot(t, joined(moe, ms...), "ABC"); v.Gate != 2 {
			t.Errorf("after %v gate %d wins", dotsOf(ms), v.Gate)
		}
	}
}

func TestJoinedTwiceChangesNothing(t *testing.T) {
	a := doc(curly)
	ms := []Mutation{a.Enter(t0, "A", 1), a.Set(t0, "gates", []byte("4")), a.Exit(t0, "A", 1), a.Enter(t0, "B", 2)}
	b := joined(larry, ms...)
	before := b.Digest()
	for _, m := range ms {
		if got := b.Join(m); got != Known {
			t.Errorf("joining %v again: outcome %d, not Known", m.Dot, got)
		}
	}
	if b.Digest() != before {
		t.Error("joining again changed the digest")
	}
	verify(t, b, modelOf(ms...))
}

func TestDigestTellsDifferentContentsApart(t *testing.T) {
	a := doc(curly)
	seen := map[Digest]string{a.Digest(): "nothing"}
	step := func(what string, d *Document) {
		t.Helper()
		sound(t, d)
		if was, same := seen[d.Digest()]; same {
			t.Errorf("%s: the digest of %s", what, was)
		}
		seen[d.Digest()] = what
	}
	e := a.Enter(t0, "A", 1)
	step("an entry", a)
	x := a.Exit(t0, "A", 1)
	step("an entry and its exit", a)
	step("the exit alone", joined(larry, x))
	a.Set(t0, "gates", nil)
	step("a write after them", a)
	step("an entry of another life", joined(larry, firstEntry(NewReplica("curly", 9))))
	step("an entry of another node", joined(larry, firstEntry(NewReplica("shemp", 1))))
	if joined(larry, e, x).Digest() != joined(moe, x, e).Digest() {
		t.Error("the digest depends on the order")
	}
	if got := (Digest{0x3f, 0x9a, 0xc2, 0x01, 0xff}).String(); got != "3f9a c201" {
		t.Errorf("a digest reads %q", got)
	}
}

// firstEntry returns the first mutation of that replica, an entry.
func firstEntry(r Replica) Mutation { return doc(r).Enter(t0, "A", 1) }

func TestEntriesOfAnEarlierLifeOfTheNodeStay(t *testing.T) {
	old := doc(curly)
	ms := []Mutation{old.Enter(t0, "A", 1), old.Enter(t0, "B", 1)}
	again := joined(NewReplica("curly", 99), ms...)
	ms = append(ms, again.Enter(t0, "C", 1), again.Exit(t0, "A", 1))
	verify(t, again, modelOf(ms...))
	if again.Taken() != 2 {
		t.Errorf("%d plates, not 2", again.Taken())
	}
}

func TestExitOfAnAbsentPlateIsHarmless(t *testing.T) {
	a := doc(curly)
	x := a.Exit(t0, "ABC", 1)
	e := doc(larry).Enter(t0, "ABC", 1)
	for _, ms := range [][]Mutation{{x, e}, {e, x}} {
		inLot(t, joined(moe, ms...), "ABC")
	}
}

func dotsOf(ms []Mutation) (dots []Dot) {
	for _, m := range ms {
		dots = append(dots, m.Dot)
	}
	return dots
}

func TestVehicleThatIsAbsentIsZero(t *testing.T) {
	if v, ok := doc(curly).Vehicle("ABC"); ok || v.Plate != lot.Plate("") {
		t.Errorf("%+v, %v", v, ok)
	}
}
