package crdt

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"parking/lot"
	"parking/lot/wire"
)

// sample returns one mutation of each kind, with and without supersessions.
func sample() []Mutation {
	a, b := doc(curly), doc(larry)
	ms := []Mutation{a.Enter(t0, "Straße 1 Ω", 1), a.Set(t0, "gates", []byte{0, 255}), a.Exit(t0, "GONE", 0)}
	for _, m := range ms {
		b.Join(m)
	}
	return append(ms, b.Exit(t0.AddDate(-1, 0, 0), "Straße 1 Ω", lot.MaxGates), b.Set(t0, "gates", nil), b.Enter(t0, "NEW", 2))
}

func TestMutationsSurviveTheCodec(t *testing.T) {
	want := sample()
	if got := overDelta(t, Encode(want)); !slices.EqualFunc(got, want, sameMutation) {
		t.Errorf("sent\n%+v, received\n%+v", want, got)
	}
	for limit := range 400 {
		var got []Mutation
		for _, d := range Pack(want, limit) {
			got = append(got, overDelta(t, d)...)
		}
		if !slices.EqualFunc(got, want, sameMutation) {
			t.Errorf("limit %d: received\n%+v", limit, got)
		}
	}
	if got := Pack(nil, 1300); len(got) != 0 {
		t.Errorf("nothing makes %d deltas", len(got))
	}
}

func TestPackKeepsToItsLimitAndFillsIt(t *testing.T) {
	var ms []Mutation
	for i := range 300 {
		d := doc(NewReplica(strings.Repeat("n", 1+i%lot.MaxName), uint64(i/7)))
		ms = append(ms, d.Enter(t0, "ABC", 1), d.Set(t0, "key", make([]byte, i%200)))
	}
	for _, limit := range []int{0, 60, 200, 600, 1300, 1 << 16} {
		deltas := Pack(ms, limit)
		for i, d := range deltas {
			size := proto.Size(d)
			if size > limit && len(d.GetMutations()) != 1 {
				t.Errorf("limit %d: %d mutations take %d bytes", limit, len(d.GetMutations()), size)
			}
			if i+1 < len(deltas) && size+proto.Size(deltas[i+1]) < limit {
				t.Errorf("limit %d: deltas of %d and %d bytes would make one", limit, size, proto.Size(deltas[i+1]))
			}
		}
	}
}

// Each message below is a good one with one thing wrong.
func TestMalformedDeltasAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(d *wire.Delta){
		"no dot":                   func(d *wire.Delta) { d.Mutations[0].Dot = nil },
		"sequence 0":               func(d *wire.Delta) { d.Mutations[0].Dot.Seq = 0 },
		"sequence beyond 2^48":     func(d *wire.Delta) { d.Mutations[0].Dot.Seq = MaxSeq + 1 },
		"sequence 2^64-1":          func(d *wire.Delta) { d.Mutations[0].Dot.Seq = math.MaxUint64 },
		"replica past the table":   func(d *wire.Delta) { d.Mutations[0].Dot.Replica = uint32(len(d.Replicas)) },
		"replica 2^32-1":           func(d *wire.Delta) { d.Mutations[0].Dot.Replica = math.MaxUint32 },
		"no table":                 func(d *wire.Delta) { d.Replicas = nil },
		"no node name":             func(d *wire.Delta) { d.Replicas[0].Node = "" },
		"node name with blanks":    func(d *wire.Delta) { d.Replicas[0].Node = "cur ly" },
		"node name too long":       func(d *wire.Delta) { d.Replicas[0].Node = strings.Repeat("a", lot.MaxName+1) },
		"too many replicas":        func(d *wire.Delta) { d.Replicas = slices.Repeat(d.Replicas, maxReplicas) },
		"supersedes sequence 0":    func(d *wire.Delta) { d.Mutations[3].Supersedes[0].Seq = 0 },
		"supersedes beyond 2^48":   func(d *wire.Delta) { d.Mutations[3].Supersedes[0].Seq = MaxSeq + 1 },
		"supersedes past table":    func(d *wire.Delta) { d.Mutations[3].Supersedes[0].Replica = 9 },
		"supersedes itself":        func(d *wire.Delta) { d.Mutations[3].Supersedes = []*wire.Dot{d.Mutations[3].Dot} },
		"stamp past its end":       func(d *wire.Delta) { d.Mutations[0].Stamp = uint64(maxStamp) + 1 },
		"empty plate":              func(d *wire.Delta) { d.Mutations[0].GetEntry().Plate = "" },
		"plate with blanks":        func(d *wire.Delta) { d.Mutations[0].GetEntry().Plate = " A" },
		"plate with a newline":     func(d *wire.Delta) { d.Mutations[3].GetExit().Plate = "A\nB" },
		"plate too long":           func(d *wire.Delta) { d.Mutations[0].GetEntry().Plate = strings.Repeat("A", 1<<20) },
		"entry by gate 0":          func(d *wire.Delta) { d.Mutations[0].GetEntry().Gate = 0 },
		"entry by gate 257":        func(d *wire.Delta) { d.Mutations[0].GetEntry().Gate = lot.MaxGates + 1 },
		"exit by gate 2^32-1":      func(d *wire.Delta) { d.Mutations[3].GetExit().Gate = math.MaxUint32 },
		"wall time before 1970":    func(d *wire.Delta) { d.Mutations[0].GetEntry().WallOffsetMs = -maxMillis },
		"wall time past its end":   func(d *wire.Delta) { d.Mutations[0].GetEntry().WallOffsetMs = maxMillis },
		"wall offset -2^63":        func(d *wire.Delta) { d.Mutations[0].GetEntry().WallOffsetMs = math.MinInt64 },
		"wall offset 2^63-1":       func(d *wire.Delta) { d.Mutations[0].GetEntry().WallOffsetMs = math.MaxInt64 },
		"register without a key":   func(d *wire.Delta) { d.Mutations[1].GetRegister().Key = "" },
		"register's key too long":  func(d *wire.Delta) { d.Mutations[1].GetRegister().Key = strings.Repeat("k", MaxKey+1) },
		"register's value too big": func(d *wire.Delta) { d.Mutations[1].GetRegister().Value = make([]byte, MaxValue+1) },
		"an empty mutation":        func(d *wire.Delta) { d.Mutations = append(d.Mutations, &wire.Mutation{}) },
		"a nil mutation":           func(d *wire.Delta) { d.Mutations[0] = nil },
		"an entry without content": func(d *wire.Delta) { d.Mutations[0].Value = &wire.Mutation_Entry{} },
	} {
		t.Run(name, func(t *testing.T) {
			d := Encode(sample())
			spoil(d)
			ms, err := Decode(d)
			if !isMalformed(err) || ms != nil {
				t.Errorf("%d mutations, error %v", len(ms), err)
			}
			if err != nil && len(err.Error()) > 200 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

func TestTruncatedMessagesNeverJoinInPart(t *testing.T) {
	whole := marshal(t, Encode(sample()))
	for n := range whole {
		var d wire.Delta
		if proto.Unmarshal(whole[:n], &d) != nil {
			continue
		}
		// Cut between two fields it is a shorter message. Then what is left
		// joins, or nothing.
		ms, err := Decode(&d)
		if err != nil && (!isMalformed(err) || ms != nil) {
			t.Errorf("cut at %d: %d mutations, %v", n, len(ms), err)
		}
		for _, m := range ms {
			if !slices.ContainsFunc(sample(), func(o Mutation) bool { return sameMutation(o, m) }) {
				t.Errorf("cut at %d: %+v, which was never sent", n, m)
			}
		}
	}
}

// A newer program's mutation is not understood, and must not count as seen:
// else it would never come again.
func TestUnknownKindIsLeftOutAndStaysUnseen(t *testing.T) {
	ms := sample()
	d := Encode(ms)
	d.Mutations[1].Value = nil
	got, err := Decode(d)
	if err != nil || len(got) != len(ms)-1 {
		t.Fatalf("%d mutations, %v", len(got), err)
	}
	b := joined(moe, got...)
	if b.Has(ms[1].Dot) {
		t.Error("what was not understood counts as seen")
	}
	b.Join(ms[1])
	verify(t, b, modelOf(ms...))
}

func TestHighestSequenceNumberIsWelcome(t *testing.T) {
	m := doc(larry).Enter(t0, "A", 1)
	m.Dot.Seq = MaxSeq
	d := joined(curly, overDelta(t, Encode([]Mutation{m}))...)
	b := doc(moe)
	b.JoinState(overState(t, d.State()))
	for _, d := range []*Document{d, b} {
		verify(t, d, modelOf(m))
	}
	if delta, _ := d.Since(Version{}); len(delta) != 1 {
		t.Errorf("Since returns %v", delta)
	}
}

func TestVersionsSurviveTheCodec(t *testing.T) {
	ms := sample()
	for n := range len(ms) {
		d := joined(moe, ms[n:]...)
		if why := sameVersion(overVersion(t, d.Version()), modelOf(ms[n:]...)); why != "" {
			t.Error(why)
		}
	}
	if v := overVersion(t, Version{}); len(v.rows) != 0 {
		t.Error("an empty version is not empty")
	}
}

func TestMalformedVersionsAreRefused(t *testing.T) {
	rep := func() *wire.Replica { return &wire.Replica{Node: "curly", Incarnation: 1} }
	row := func(max uint64, cloud ...uint64) *wire.Version_Row {
		return &wire.Version_Row{Replica: rep(), Max: max, Cloud: cloud}
	}
	for name, rows := range map[string][]*wire.Version_Row{
		"maximum beyond 2^48":        {row(MaxSeq + 1)},
		"maximum 2^64-1":             {row(math.MaxUint64)},
		"maximum 2^64-1 and a cloud": {row(math.MaxUint64, 5)},
		"maximum 2^64-2 and a cloud": {row(math.MaxUint64-1, math.MaxUint64)},
		"cloud beyond 2^48":          {row(1, MaxSeq+1)},
		"cloud at 2^64-1":            {row(1, math.MaxUint64)},
		"cloud beside the maximum":   {row(1, 2)},
		"cloud below the maximum":    {row(5, 3)},
		"cloud out of order":         {row(1, 5, 4)},
		"cloud with a dot twice":     {row(1, 5, 5)},
		"sequence 0 in the cloud":    {row(0, 0)},
		"cloud from 1":               {row(0, 1)},
		"nothing of a replica":       {row(0)},
		"a replica twice":            {row(1), row(2)},
		"no replica":                 {{Max: 1}},
		"a nil row":                  {nil},
		"too many replicas":          slices.Repeat([]*wire.Version_Row{row(1)}, maxReplicas+1),
	} {
		if v, err := DecodeVersion(&wire.Version{Rows: rows}); !isMalformed(err) || v.rows != nil {
			t.Errorf("%s: %v, error %v", name, v, err)
		}
		var st Stager
		if err := st.Add(&wire.StateChunk{Version: &wire.Version{Rows: rows}}); !isMalformed(err) || st.Started() {
			t.Errorf("%s, in a state: %v", name, err)
		}
	}
}

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

func TestReplicaReadsAsNameAndIncarnation(t *testing.T) {
	d := Dot{NewReplica("curly", 0xabc), 7}
	if got := d.String(); got != "curly/0000000000000abc:7" {
		t.Error(got)
	}
	if got := (Replica{}).String(); got != "-" {
		t.Error(got)
	}
	if r, err := DecodeReplica("curly", 0xabc); err != nil || r != d.Replica || r.Node() != "curly" || r.Incarnation() != 0xabc {
		t.Errorf("%v, %v", r, err)
	}
}

func TestReplicasAreOrderedByNameThenIncarnation(t *testing.T) {
	ordered := []Replica{NewReplica("a", 2), NewReplica("b", 1), NewReplica("b", 3), NewReplica("bb", 0)}
	for i, a := range ordered {
		for j, b := range ordered {
			if got := a.Compare(b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%v against %v: %d", a, b, got)
			}
		}
	}
}

func TestEncodingIsTheSameEachTime(t *testing.T) {
	opts := proto.MarshalOptions{Deterministic: true}
	first, err := opts.Marshal(EncodeVersion(joined(moe, sample()...).Version()))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, _ := opts.Marshal(EncodeVersion(joined(moe, sample()...).Version())); !bytes.Equal(first, again) {
			t.Fatal("a version is encoded in no fixed order")
		}
	}
}
