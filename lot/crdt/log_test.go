package crdt

import (
	"fmt"
	"slices"
	"testing"

	"parking/lot"
	"parking/lot/spans"
)

func TestLogNeverExceedsItsBound(t *testing.T) {
	for _, capacity := range []int{-1, 0, 1, 2, 7, 64} {
		for _, replicas := range []int{1, 3, 100} {
			d := New(moe, capacity)
			origins := make([]*Document, replicas)
			for i := range origins {
				origins[i] = doc(NewReplica("n", uint64(i)))
			}
			for i := range 1000 {
				m := origins[i%replicas].Enter(t0, "A", 1)
				if i%5 != 0 { // gaps all over
					d.Join(m)
				}
				if d.log.size > max(capacity, 1) {
					t.Fatalf("bound %d: %d mutations", capacity, d.log.size)
				}
			}
			sound(t, d)
		}
	}
}

// Where a quiet replica's last word falls out, every peer that lacks just it
// would be sent the whole lot.
func TestTrimmingKeepsWhatQuietReplicasSaid(t *testing.T) {
	d, busy := New(moe, 64), doc(curly)
	quiet := doc(larry).Enter(t0, "QUIET", 1)
	d.Join(quiet)
	for i := range 1000 {
		v := d.Version()
		m := busy.Enter(t0, lot.Plate(fmt.Sprint(i)), 1)
		d.Join(m)
		if delta, _ := d.Since(v); !slices.Equal(dotsOf(delta), []Dot{m.Dot}) {
			t.Fatalf("after %d: the last mutation is in the log no more", i)
		}
	}
	lacks := busy.Version()
	if delta, _ := d.Since(lacks); !slices.Equal(dotsOf(delta), []Dot{quiet.Dot}) {
		t.Errorf("Since returns %v", dotsOf(delta))
	}
}

func TestLogBridgesAGapThatAStateClosed(t *testing.T) {
	a := doc(curly)
	var ms []Mutation
	for i := range 6 {
		ms = append(ms, a.Enter(t0, lot.Plate(fmt.Sprint(i)), 1))
	}
	b := joined(larry, ms[0], ms[3], ms[5])                  // 1, 4, 6
	b.JoinState(joined(moe, ms[0], ms[1], ms[2]).State())    // 2, 3: folds 4, 6 stays beyond a gap
	verify(t, b, modelOf(ms[0], ms[1], ms[2], ms[3], ms[5])) // 5 lacks
	if delta, state := b.Since(joined(moe, ms[:4]...).Version()); state != nil || !slices.Equal(dotsOf(delta), []Dot{ms[5].Dot}) {
		t.Errorf("what came beyond the gap is in the log no more: %v, %v", dotsOf(delta), state != nil)
	}
	b.Join(ms[4])
	verify(t, b, modelOf(ms...))
	if delta, state := b.Since(joined(moe, ms[:4]...).Version()); state != nil || len(delta) != 2 {
		t.Errorf("the log does not go on behind the gap: %v, %v", dotsOf(delta), state != nil)
	}
	if _, state := b.Since(joined(moe, ms[:3]...).Version()); state == nil {
		t.Error("the log is said to have what came by a state")
	}
}

// A dot beyond a gap came by a state: when the gap closes, the log has what
// closed it and not the dot.
func TestLogStartsAnewBehindADotThatCameByAState(t *testing.T) {
	a := doc(curly)
	m1, m2, m3 := a.Enter(t0, "A", 1), a.Enter(t0, "B", 1), a.Enter(t0, "C", 1)
	b := joined(larry, m1)
	b.JoinState(joined(moe, m3).State())
	if _, state := b.Since(joined(moe, m1).Version()); state == nil {
		t.Error("the log is said to have a dot beyond a gap that came by a state")
	}
	b.Join(m2)
	verify(t, b, modelOf(m1, m2, m3))
	if delta, state := b.Since(joined(moe, m1).Version()); state == nil {
		t.Errorf("the log is said to have what came by a state: %v", dotsOf(delta))
	}
	if delta, state := b.Since(joined(moe, m1, m2, m3).Version()); delta != nil || state != nil {
		t.Error("something lacks where nothing does")
	}
}

// What a peer has beyond a gap is not sent to it again.
func TestSinceHeedsThePeersCloud(t *testing.T) {
	a := doc(curly)
	var ms []Mutation
	for i := range 9 {
		ms = append(ms, a.Enter(t0, lot.Plate(fmt.Sprint(i)), 1))
	}
	v := joined(larry, ms[0], ms[2], ms[5], ms[7]).Version()
	delta, state := a.Since(v)
	if want := []Dot{ms[1].Dot, ms[3].Dot, ms[4].Dot, ms[6].Dot, ms[8].Dot}; state != nil || !slices.Equal(dotsOf(delta), want) {
		t.Errorf("Since returns %v, not %v", dotsOf(delta), want)
	}
	// And what the sender has beyond its own gap is sent.
	b := joined(moe, ms[1], ms[3], ms[5], ms[8])
	if delta, _ := b.Since(v); !slices.Equal(dotsOf(delta), []Dot{ms[1].Dot, ms[3].Dot, ms[8].Dot}) {
		t.Errorf("Since returns %v", dotsOf(delta))
	}
}

// A forged version that is far ahead costs nothing and hides nothing.
func TestSinceOfAVersionFarAhead(t *testing.T) {
	a := doc(curly)
	m := a.Enter(t0, "A", 1)
	b := joined(larry, m)
	mine := b.Enter(t0, "B", 1)
	ahead := Version{rows: map[Replica]spans.Set{curly: {{First: 1, Last: MaxSeq}}, moe: {{First: 1, Last: 3}, {First: MaxSeq, Last: MaxSeq}}}}
	if delta, state := b.Since(ahead); state != nil || !slices.Equal(dotsOf(delta), []Dot{mine.Dot}) {
		t.Errorf("%v, %v", dotsOf(delta), state != nil)
	}
	// A state that claims it leaves answers bounded, too.
	b.JoinState(&State{Version: ahead, entries: newEntries()})
	sound(t, b)
	if delta, state := b.Since(Version{}); state == nil {
		t.Errorf("%d mutations", len(delta))
	}
}

// What Since returned must not change when the log moves on.
func TestAnswerStaysWhenTheLogIsTrimmed(t *testing.T) {
	a := New(curly, 8)
	var ms []Mutation
	for i := range 4 {
		ms = append(ms, a.Enter(t0, lot.Plate(fmt.Sprint(i)), 1))
	}
	delta, _ := a.Since(Version{})
	for i := range 100 {
		a.Enter(t0, lot.Plate(fmt.Sprint("X", i)), 1)
	}
	if !slices.EqualFunc(delta, ms, sameMutation) {
		t.Errorf("the answer became %v", dotsOf(delta))
	}
}

func TestLagCountsWhatIsMissingBeforeWhatWasSeen(t *testing.T) {
	a := doc(curly)
	var ms []Mutation
	for range 9 {
		ms = append(ms, a.Enter(t0, "A", 1))
	}
	for want, some := range map[uint64][]Mutation{0: ms[:4], 1: {ms[0], ms[2]}, 5: {ms[2], ms[3], ms[7]}, 8: {ms[8]}} {
		d := joined(larry, some...)
		if got := d.Version().Lag(); got != want {
			t.Errorf("after %v: %d lack, not %d", dotsOf(some), got, want)
		}
	}
}

func TestCoversComparesSets(t *testing.T) {
	a := doc(curly)
	m1, m2, m3 := a.Enter(t0, "A", 1), a.Enter(t0, "B", 1), a.Enter(t0, "C", 1)
	other := doc(larry).Enter(t0, "A", 1)
	sets := [][]Mutation{{}, {m1}, {m2}, {m1, m2}, {m1, m3}, {m1, m2, m3}, {other}, {m1, other}, {m3, other}}
	for _, x := range sets {
		for _, y := range sets {
			want := len(modelOf(y...).without(modelOf(x...))) == 0
			if got := joined(moe, x...).Version().Covers(joined(moe, y...).Version()); got != want {
				t.Errorf("%v covers %v: %v", dotsOf(x), dotsOf(y), got)
			}
		}
	}
}
