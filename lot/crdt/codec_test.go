package crdt

import (
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
