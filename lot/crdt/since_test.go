package crdt

import (
	"fmt"
	"slices"
	"testing"

	"parking/lot"
)

func TestSinceIsNothingWhereNothingLacks(t *testing.T) {
	a := New(curly, 1) // whose log reaches nowhere
	for i := range 10 {
		a.Enter(t0, lot.Plate(fmt.Sprint(i)), 1)
	}
	b := doc(larry)
	b.JoinState(a.State())
	b.Enter(t0, "MORE", 1)
	for _, v := range []Version{a.Version(), b.Version(), overVersion(t, b.Version())} {
		if delta, state := a.Since(v); delta != nil || state != nil {
			t.Errorf("%d mutations, state %v", len(delta), state != nil)
		}
	}
	if delta, state := doc(moe).Since(Version{}); delta != nil || state != nil {
		t.Error("an empty document has something to send")
	}
}

func TestSinceSendsJustWhatLacksAfterAStateWasJoined(t *testing.T) {
	a, b := doc(curly), doc(larry)
	for i := range 100 {
		a.Enter(t0, lot.Plate(fmt.Sprint(i)), 1)
	}
	b.JoinState(a.State())
	v := b.Version()
	m := b.Enter(t0, "NEW", 1)
	delta, state := b.Since(v)
	if state != nil || !slices.Equal(dotsOf(delta), []Dot{m.Dot}) {
		t.Fatalf("delta %v, state %v", dotsOf(delta), state != nil)
	}
}

// What came by a state never came as mutations: the log must not say that it
// reaches below.
func TestJoinedStateRaisesTheLogsFloor(t *testing.T) {
	a := doc(curly)
	m1 := a.Enter(t0, "A", 1)
	b := joined(larry, m1)
	behind := b.Version()
	m2, m3 := a.Enter(t0, "B", 1), a.Exit(t0, "A", 1)
	b.JoinState(a.State())
	m4 := a.Enter(t0, "C", 1)
	b.Join(m4)
	c := joined(moe, m1)
	delta, state := b.Since(behind)
	if state == nil {
		t.Fatalf("the log is said to reach below the state: %v", dotsOf(delta))
	}
	c.JoinState(overState(t, state))
	verify(t, c, modelOf(m1, m2, m3, m4))
	if _, state := b.Since(joined(moe, m1, m2, m3).Version()); state != nil {
		t.Error("the log does not reach above the state")
	}
}

// A floor for one replica only is one for the whole answer.
func TestSinceFallsBackToAStateIfAnyReplicaIsPastItsFloor(t *testing.T) {
	a := New(curly, 8)
	l := doc(larry)
	for i := range 20 {
		a.Join(l.Enter(t0, lot.Plate(fmt.Sprint(i)), 1))
	}
	v := a.Version()
	m := a.Enter(t0, "NEW", 1)
	if delta, state := a.Since(v); state != nil || len(delta) != 1 || delta[0].Dot != m.Dot {
		t.Errorf("a peer that has all but one is sent %v, %v", dotsOf(delta), state != nil)
	}
	if delta, state := a.Since(Version{}); state == nil || delta != nil {
		t.Errorf("a peer that has nothing is sent %d mutations", len(delta))
	}
}

// Each replica's share is small, the sum is not.
func TestSinceWeighsTheMutationsOfAllReplicas(t *testing.T) {
	a, b := doc(curly), doc(larry)
	for range 300 {
		b.Join(a.Enter(t0, "A", 1))
		b.Join(a.Exit(t0, "A", 1))
		b.Enter(t0, "B", 1)
		b.Exit(t0, "B", 1)
	}
	if delta, state := b.Since(Version{}); state == nil {
		t.Errorf("%d mutations for an empty lot", len(delta))
	}
	if delta, _ := b.Since(a.Version()); len(delta) != 600 {
		t.Errorf("%d mutations, not 600", len(delta))
	}
}

// Of a plate that came and went a million times a state says less than the
// log does.
func TestSinceSendsAStateWhereItIsLessThanTheMutations(t *testing.T) {
	a := doc(curly)
	for range 2000 {
		a.Enter(t0, "ABC", 1)
		a.Exit(t0, "ABC", 1)
	}
	delta, state := a.Since(Version{})
	if state == nil || state.Len() != 0 {
		t.Fatalf("%d mutations", len(delta))
	}
	b := doc(larry)
	b.JoinState(overState(t, state))
	sameDigest(t, a, b)
}
