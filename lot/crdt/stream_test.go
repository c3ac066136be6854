package crdt

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"parking/lot"
	"parking/lot/wire"
)

func TestStatesOfManyChunksSurviveTheCodec(t *testing.T) {
	for _, n := range []int{0, 1, chunkItems - 1, chunkItems, chunkItems + 1, 3*chunkItems + 7} {
		for _, early := range []int{0, 1, chunkItems, chunkItems + 1} {
			a, exits := doc(curly), doc(larry)
			for i := range n {
				a.Enter(t0, lot.Plate(fmt.Sprint("P", i)), 1)
			}
			for i := range early {
				m := exits.Exit(t0, "X", 1)
				m.Supersedes = []Dot{{moe, uint64(i + 1)}}
				a.Join(m)
			}
			chunks := 0
			for c := range a.State().Chunks {
				if n := proto.Size(c); n > 30*chunkItems {
					t.Errorf("a chunk of %d bytes", n)
				}
				if (c.GetVersion() != nil) != (chunks == 0) {
					t.Errorf("chunk %d: version %v", chunks, c.GetVersion())
				}
				chunks++
			}
			b := doc(NewReplica("shemp", 4))
			b.JoinState(overState(t, a.State()))
			sameDigest(t, a, b)
			if chunks == 0 || a.Taken() != b.Taken() || len(b.early) != early {
				t.Errorf("%d and %d items in %d chunks: %d and %d came", n, early, chunks, b.Taken(), len(b.early))
			}
			sound(t, b)
		}
	}
}

// Of what its peer has seen a state carries no more than the dots.
func TestStateForAPeerCarriesWhatThatLacks(t *testing.T) {
	for _, seen := range []int{0, 1, 5000, 9999, 10000} {
		a := New(curly, 16)
		b := doc(larry)
		for i := range 10_000 {
			m := a.Enter(t0, benchPlate(i), 1)
			if i < seen {
				b.Join(m)
			}
		}
		for i := range 3000 {
			a.Exit(t0, benchPlate(3*i), 1)
		}
		b.Enter(t0, "OWN", 1)
		a.Set(t0, "gates", []byte("4"))
		_, state := a.Since(b.Version())
		size := 0
		for c := range state.Chunks {
			size += proto.Size(c)
		}
		live := 7000 - seen*7/10
		if limit := 16*live + 2*(7000-live) + 300; size > limit {
			t.Errorf("a peer that has seen %d is sent %d bytes, more than %d", seen, size, limit)
		}
		state = overState(t, state)
		if err := b.BelieveState(state); err != nil {
			t.Error(err)
		}
		b.JoinState(state)
		sound(t, b)
		inLot(t, b, "OWN")
		if b.Taken() != a.Taken()+1 || !b.Covers(a.Version()) {
			t.Errorf("a peer that has seen %d has %d vehicles, not %d", seen, b.Taken(), a.Taken()+1)
		}
		// It is for that peer only.
		state = overState(t, a.State().For(a.Version()))
		c := doc(moe)
		if err := c.BelieveState(state); !isMalformed(err) {
			t.Errorf("another's state: %v", err)
		}
		if got := c.JoinState(state); got.Changed() || !(Version{}).Covers(c.Version()) {
			t.Errorf("another's state changed %+v", got)
		}
	}
}

// Whichever of the two has more takes the other's in.
func TestJoinedStatesOfAllSizes(t *testing.T) {
	for _, sizes := range [][2]int{{0, 100}, {1, 100}, {99, 100}, {100, 99}, {100, 1}, {100, 0}} {
		a, b := doc(curly), doc(larry)
		want := make(model)
		for i := range 40 { // of both
			m := doc(NewReplica("moe", uint64(i))).Enter(t0, benchPlate(i), 1)
			want.add(modelOf(m))
			a.Join(m)
			b.Join(m)
		}
		for i := range sizes[0] {
			want.add(modelOf(a.Enter(t0, benchPlate(1000+i), 1)))
		}
		for i := range sizes[1] {
			want.add(modelOf(b.Enter(t0, benchPlate(2000+i), 1)))
		}
		for i := range 20 {
			want.add(modelOf(a.Exit(t0, benchPlate(i), 1), b.Exit(t0, benchPlate(10+i), 1)))
		}
		s := overState(t, b.State())
		if got, want := a.JoinState(s), (Merge{Added: sizes[1], Removed: 10}); got != want {
			t.Errorf("%d joins %d: %+v, not %+v", sizes[0], sizes[1], got, want)
		}
		verify(t, a, want)
		if got := a.JoinState(overState(t, b.State())); got.Changed() {
			t.Errorf("%d joins %d again: %+v", sizes[0], sizes[1], got)
		}
		verify(t, a, want)
	}
}

func TestBreakingOffChunksIsNoticed(t *testing.T) {
	a := doc(curly)
	for i := range 2 * chunkItems {
		a.Enter(t0, lot.Plate(fmt.Sprint("P", i)), 1)
	}
	n := 0
	for range a.State().Chunks {
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d chunks", n)
	}
}

// plain is a state that is to be spoilt.
type plain struct {
	version           *wire.Version
	live              []Mutation
	held, early       []Dot
	rawHeld, rawEarly []byte // instead
}

// good returns a state with something of everything.
func good() plain {
	a := joined(moe, sample()...)
	m := doc(NewReplica("shemp", 4)).Exit(t0, "X", 1)
	m.Supersedes = []Dot{{curly, 77}, {curly, 78}}
	a.Join(m)
	p := plain{version: EncodeVersion(a.Version()), early: slices.Clone(m.Supersedes), held: []Dot{{curly, 1}}}
	for n, r := range a.entries.all {
		p.live = append(p.live, Mutation{Kind: Entry, Dot: a.entries.dot(r), Stamp: r.stamp, Wall: r.wall, Plate: a.entries.plate(n), Gate: r.gate()})
	}
	for _, s := range a.Siblings("gates") {
		p.live = append(p.live, Mutation{Kind: Register, Dot: s.Dot, Stamp: s.Stamp, Key: "gates", Value: s.Value})
	}
	return p
}

func (p plain) chunk() *wire.StateChunk {
	c := &wire.StateChunk{Version: p.version, Live: Encode(p.live), Held: p.rawHeld, Early: p.rawEarly}
	if c.Held == nil {
		c.Held = encodeDots(p.held)
	}
	if c.Early == nil {
		c.Early = encodeDots(p.early)
	}
	return c
}

func TestMalformedStatesAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(p *plain){
		"no version":            func(p *plain) { p.version = nil },
		"a version's malformed": func(p *plain) { p.version.Rows[0].Max = math.MaxUint64 },
		"live, never seen":      func(p *plain) { p.live[0].Dot.Seq = 50 },
		"live twice":            func(p *plain) { p.live = append(p.live, p.live[0]) },
		"live twice, otherwise": func(p *plain) { p.live[1].Dot = p.live[0].Dot },
		"a live exit":           func(p *plain) { p.live[0].Kind = Exit },
		"live and superseding":  func(p *plain) { p.live[0].Supersedes = []Dot{{curly, 1000}} },
		"live malformed":        func(p *plain) { p.live[0].Gate = 0 },
		"live and held":         func(p *plain) { p.held = append(p.held, p.live[0].Dot) },
		"held, never seen":      func(p *plain) { p.held[0].Seq = 50 },
		"held twice":            func(p *plain) { p.held = append(p.held, p.held[0]) },
		"held malformed":        func(p *plain) { p.rawHeld = []byte("\x05\x05larry12345678\x01") },
		"held of no replica":    func(p *plain) { p.rawHeld = []byte("\x01\x00") },
		"held cut off":          func(p *plain) { p.rawHeld = []byte("\x05\x05larry12345678\x10") },
		"early and seen":        func(p *plain) { p.early[0].Seq = 1 },
		"early twice":           func(p *plain) { p.early = append(p.early, p.early[0]) },
		"early malformed":       func(p *plain) { p.early[0].Seq = MaxSeq + 1 },
	} {
		p := good()
		if err := new(Stager).Add(p.chunk()); err != nil {
			t.Fatalf("the good state: %v", err)
		}
		spoil(&p)
		if err := new(Stager).Add(p.chunk()); !isMalformed(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDotTwiceInDifferentChunksIsRefused(t *testing.T) {
	var st Stager
	c := good().chunk()
	if err := st.Add(c); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*wire.StateChunk{"live": {Live: c.Live}, "held": {Held: c.Held}, "early": {Early: c.Early}} {
		if err := st.Add(c); !isMalformed(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
