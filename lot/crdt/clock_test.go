package crdt

import (
	"fmt"
	"testing"
	"time"
)

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
	if got := time.UnixMilli(int64(last >> 16)).Sub(t0); got < 0 || got > time.Second {
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
