package crdt

import (
	"testing"
	"time"
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
	if b.Has(first.Dot) || !b.Has(third.Dot) || b.Version().Lag() == 0 {
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
	if b.Version().Lag() > 0 {
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
	if v, ok := doc(curly).Vehicle("ABC"); ok || v.Plate != "" {
		t.Errorf("%+v, %v", v, ok)
	}
}
