package crdt

import (
	"fmt"
	"math"
	"slices"
	"testing"

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
				if len(c.GetLive()) > chunkItems || len(c.GetEarly()) > chunkItems {
					t.Errorf("a chunk of %d and %d items", len(c.GetLive()), len(c.GetEarly()))
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

// stateChunk returns a good state in one chunk, with live values and early
// removals.
func stateChunk(t *testing.T) *wire.StateChunk {
	t.Helper()
	a := joined(moe, sample()...)
	a.Join(joined(larry, doc(curly).Enter(t0, "A", 1)).Exit(t0, "A", 1))
	m := doc(NewReplica("shemp", 4)).Exit(t0, "X", 1)
	m.Supersedes = []Dot{{curly, 77}, {curly, 78}}
	a.Join(m)
	for c := range a.State().Chunks {
		return c
	}
	return nil
}

func TestMalformedStatesAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(c *wire.StateChunk){
		"no version":            func(c *wire.StateChunk) { c.Version = nil },
		"live, never seen":      func(c *wire.StateChunk) { c.Live[0].Dot.Seq = 50 },
		"live twice":            func(c *wire.StateChunk) { c.Live = append(c.Live, c.Live[0]) },
		"live twice, otherwise": func(c *wire.StateChunk) { c.Live[1].Dot = c.Live[0].Dot },
		"a live exit": func(c *wire.StateChunk) {
			c.Live[0].Value = &wire.Mutation_Exit{Exit: &wire.Exit{Plate: "A", Gate: 1}}
		},
		"a live unknown":        func(c *wire.StateChunk) { c.Live[0].Value = nil },
		"live and superseding":  func(c *wire.StateChunk) { c.Live[0].Supersedes = []*wire.Dot{{Seq: 1000}} },
		"live malformed":        func(c *wire.StateChunk) { c.Live[0].Dot.Replica = 99 },
		"early and seen":        func(c *wire.StateChunk) { c.Early[0] = &wire.Dot{Replica: c.Early[0].Replica, Seq: 1} },
		"early twice":           func(c *wire.StateChunk) { c.Early = append(c.Early, c.Early[0]) },
		"early malformed":       func(c *wire.StateChunk) { c.Early[0].Seq = MaxSeq + 1 },
		"a replica malformed":   func(c *wire.StateChunk) { c.Replicas[0].Node = "" },
		"too many replicas":     func(c *wire.StateChunk) { c.Replicas = slices.Repeat(c.Replicas, maxReplicas) },
		"a version's malformed": func(c *wire.StateChunk) { c.Version.Rows[0].Max = math.MaxUint64 },
	} {
		c := stateChunk(t)
		if err := new(Stager).Add(c); err != nil {
			t.Fatalf("the good state: %v", err)
		}
		spoil(c)
		if err := new(Stager).Add(c); !isMalformed(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDotTwiceInDifferentChunksIsRefused(t *testing.T) {
	var st Stager
	c := stateChunk(t)
	if err := st.Add(c); err != nil {
		t.Fatal(err)
	}
	if err := st.Add(&wire.StateChunk{Live: c.Live[:1]}); !isMalformed(err) {
		t.Errorf("live: %v", err)
	}
	if err := st.Add(&wire.StateChunk{Early: c.Early[:1]}); !isMalformed(err) {
		t.Errorf("early: %v", err)
	}
}
