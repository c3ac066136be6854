package crdt

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"parking/lot"
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
	ms := sample()
	var want []Mutation
	for _, m := range ms {
		want = append(want, sent(m))
	}
	if got := overDelta(t, Encode(ms)); !slices.EqualFunc(got, want, sameMutation) {
		t.Errorf("sent\n%+v, received\n%+v", want, got)
	}
	for limit := range 400 {
		var got []Mutation
		for _, d := range Pack(limit, ms) {
			got = append(got, overDelta(t, d)...)
		}
		if !slices.EqualFunc(got, want, sameMutation) {
			t.Errorf("limit %d: received\n%+v", limit, got)
		}
	}
	if got := Pack(1300, nil); len(got) != 0 {
		t.Errorf("nothing makes %d deltas", len(got))
	}
}

// What a change costs on the wire is promised: a lone one, and one of many.
func TestSizeOfDeltas(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	d := New(NewReplica("larry", math.MaxUint64), DefaultLog)
	for i := range 100_000 {
		d.Enter(now.Add(time.Duration(i)*10*time.Microsecond), benchPlate(i), 1)
	}
	size := func(ms ...Mutation) int { return len(Encode(ms)) }
	if n := size(d.Enter(now.Add(time.Minute), "AA123456", 1)); n > 34 {
		t.Errorf("a lone entry takes %d bytes", n)
	}
	if n := size(d.Exit(now.Add(time.Hour), benchPlate(7), 1)); n > 28 {
		t.Errorf("a lone exit takes %d bytes", n)
	}
	var entries, exits []Mutation
	for i := range 60 {
		at := now.Add(time.Hour + time.Duration(i)*50*time.Microsecond)
		entries = append(entries, d.Enter(at, benchPlate(200_000+i), 1))
	}
	for i := range 60 {
		at := now.Add(time.Hour + time.Duration(60+i)*50*time.Microsecond)
		exits = append(exits, d.Exit(at, benchPlate(100+i), 1))
	}
	for what, ms := range map[string][]Mutation{"entries": entries, "exits": exits} {
		if n := float64(size(ms...)) / float64(len(ms)); n > 13 {
			t.Errorf("in a batch of %d, %s take %.1f bytes", len(ms), what, n)
		}
	}
}

func TestPackKeepsToItsLimitAndFillsIt(t *testing.T) {
	var ms []Mutation
	for i := range 300 {
		d := doc(NewReplica(strings.Repeat("n", 1+i%lot.MaxName), uint64(i/7)))
		ms = append(ms, d.Enter(t0, "ABC", 1), d.Set(t0, "key", make([]byte, i%200)))
	}
	for _, limit := range []int{0, 60, 200, 600, 1300, 1 << 16} {
		deltas := Pack(limit, ms)
		for i, d := range deltas {
			if n := len(overDelta(t, d)); len(d) > limit && n != 1 {
				t.Errorf("limit %d: %d mutations take %d bytes", limit, n, len(d))
			}
			if i+1 == len(deltas) {
				break
			}
			next := overDelta(t, deltas[i+1])[:1]
			if n := len(Encode(append(overDelta(t, d), next...))); n <= limit {
				t.Errorf("limit %d: a delta of %d bytes, where one of %d has one more", limit, len(d), n)
			}
		}
	}
}

// Each delta below is a good one with one thing wrong.
func TestMalformedDeltasAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(ms []Mutation){
		"sequence 0":               func(ms []Mutation) { ms[0].Dot.Seq = 0 },
		"sequence 2^48":            func(ms []Mutation) { ms[0].Dot.Seq = MaxSeq + 1 },
		"sequence 2^64-1":          func(ms []Mutation) { ms[0].Dot.Seq = math.MaxUint64 },
		"no node name":             func(ms []Mutation) { ms[0].Dot.Replica = NewReplica("", 1) },
		"node name with blanks":    func(ms []Mutation) { ms[0].Dot.Replica = NewReplica("cur ly", 1) },
		"node name too long":       func(ms []Mutation) { ms[0].Dot.Replica = NewReplica(strings.Repeat("a", lot.MaxName+1), 1) },
		"supersedes sequence 0":    func(ms []Mutation) { ms[3].Supersedes[0].Seq = 0 },
		"supersedes 2^48":          func(ms []Mutation) { ms[3].Supersedes[0].Seq = MaxSeq + 1 },
		"supersedes 2^64-1":        func(ms []Mutation) { ms[3].Supersedes[0].Seq = math.MaxUint64 },
		"supersedes itself":        func(ms []Mutation) { ms[3].Supersedes = []Dot{ms[3].Dot} },
		"stamp past its end":       func(ms []Mutation) { ms[0].Stamp = maxStamp + 1 },
		"empty plate":              func(ms []Mutation) { ms[0].Plate = "" },
		"plate with blanks":        func(ms []Mutation) { ms[0].Plate = " A" },
		"plate with a zero":        func(ms []Mutation) { ms[0].Plate = "A\x00" },
		"plate with a newline":     func(ms []Mutation) { ms[2].Plate = "A\nB" },
		"plate of no characters":   func(ms []Mutation) { ms[0].Plate = "\xff" },
		"plate too long":           func(ms []Mutation) { ms[0].Plate = lot.Plate(strings.Repeat("A", lot.MaxPlate+1)) },
		"plate much too long":      func(ms []Mutation) { ms[0].Plate = lot.Plate(strings.Repeat("A", 1<<20)) },
		"entry by gate 0":          func(ms []Mutation) { ms[0].Gate = 0 },
		"entry by gate 257":        func(ms []Mutation) { ms[0].Gate = lot.MaxGates + 1 },
		"exit by gate 2^32-1":      func(ms []Mutation) { ms[3].Gate = math.MaxUint32 },
		"wall time before 1970":    func(ms []Mutation) { ms[0].Wall = -1 },
		"wall time past its end":   func(ms []Mutation) { ms[0].Wall = maxMillis + 1 },
		"wall time -2^63":          func(ms []Mutation) { ms[0].Wall = math.MinInt64 },
		"wall time 2^63-1":         func(ms []Mutation) { ms[0].Wall = math.MaxInt64 },
		"register without a key":   func(ms []Mutation) { ms[1].Key = "" },
		"register's key too long":  func(ms []Mutation) { ms[1].Key = strings.Repeat("k", MaxKey+1) },
		"register's value too big": func(ms []Mutation) { ms[1].Value = make([]byte, MaxValue+1) },
	} {
		t.Run(name, func(t *testing.T) {
			ms := sample()
			spoil(ms)
			malformedDelta(t, Encode(ms))
		})
	}
}

// Each of these is wrong in a way that no packer makes.
func TestDeltasThatNobodyPacksAreRefused(t *testing.T) {
	larry := "\x05larry12345678"
	good := "\x05" + larry + "\x01\x01\x01A"
	if ms := overDelta(t, []byte(good)); len(ms) != 1 || ms[0].Plate != "A" {
		t.Fatalf("the good one: %+v", ms)
	}
	for name, delta := range map[string]string{
		"another format":             "\x06" + larry + "\x01\x01\x01A",
		"a table cut off":            "\x05" + larry[:9],
		"more replicas than bytes":   "\xfd\xff\xff\xff\x0f" + larry,
		"too many replicas":          "\x85\x80\x20" + strings.Repeat(larry, maxReplicas+1),
		"no table":                   "\x01" + "\x01\x01\x01A",
		"no table, a replica":        "\x01" + "\x11\x01\x00\x01\x01A",
		"a replica past the table":   "\x05" + larry + "\x11\x01\x01\x01\x01A",
		"a replica 2^64-1":           "\x05" + larry + "\x11\x01" + strings.Repeat("\xff", 9) + "\x01\x01\x01A",
		"a number of 11 bytes":       "\x05" + larry + "\x01" + strings.Repeat("\x80", 10) + "\x01\x01A",
		"a number past 2^64":         "\x05" + larry + "\x11" + strings.Repeat("\xff", 9) + "\x02\x01\x01A",
		"superseded of no replica":   "\x05" + larry + "\x09\x01\x07\x01\x01\x01A",
		"a list of none superseded":  "\x05" + larry + "\x09\x00\x01\x01A",
		"more superseded than bytes": "\x05" + larry + "\x09\xff\xff\xff\xff\x0f\x00\x01\x01\x01A",
		"one and a list superseded":  "\x05" + larry + "\x0d\x01\x01\x01A",
		"a counter past its end":     "\x05" + larry + "\x41\x80\x80\x04\x01\x01A",
		"a register with a wall":     "\x05" + larry + "\x83\x02\x01k\x00",
		"longer than it is":          "\x05" + larry + "\x00\x05abc",
	} {
		t.Run(name, func(t *testing.T) { malformedDelta(t, []byte(delta)) })
	}
}

func malformedDelta(t *testing.T, delta []byte) {
	t.Helper()
	ms, err := Decode(delta)
	if !isMalformed(err) || ms != nil {
		t.Errorf("%d mutations, error %v", len(ms), err)
	}
	if err != nil && len(err.Error()) > 200 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}

func TestTruncatedMessagesNeverJoinInPart(t *testing.T) {
	var want []Mutation
	for _, m := range sample() {
		want = append(want, sent(m))
	}
	whole := Encode(sample())
	for n := range whole {
		// Cut between two mutations it is a shorter message.
		ms, err := Decode(whole[:n])
		if err != nil && (!isMalformed(err) || ms != nil) {
			t.Errorf("cut at %d: %d mutations, %v", n, len(ms), err)
		}
		if !slices.EqualFunc(ms, want[:len(ms)], sameMutation) {
			t.Errorf("cut at %d: %+v, which was never sent", n, ms)
		}
	}
}

// A newer program's mutation is not understood, and must not count as seen:
// else it would never come again.
func TestUnknownKindIsLeftOutAndStaysUnseen(t *testing.T) {
	ms := sample()
	var p packer
	p.reset()
	for i, m := range ms {
		if i == 1 {
			p.add(&Mutation{Dot: m.Dot, Stamp: m.Stamp, Wall: int64(m.Stamp >> 16)})
			p.body = appendString(p.body, "of a kind to come")
		} else {
			p.add(&m)
		}
	}
	got, err := Decode(p.append(nil))
	if !errors.Is(err, ErrNewer) || len(got) != len(ms)-1 {
		t.Fatalf("%d mutations, %v", len(got), err)
	}
	b := joined(moe, got...)
	if b.Has(ms[1].Dot) {
		t.Error("what was not understood counts as seen")
	}
	b.Join(ms[1])
	verify(t, b, modelOf(ms...))
}

// An exit does not carry its plate: it is that of what it supersedes.
func TestExitIsToldWhoseItIs(t *testing.T) {
	a := doc(curly)
	enter := a.Enter(t0, "ABC", 1)
	exit := overDelta(t, Encode([]Mutation{a.Exit(t0, "ABC", 1)}))[0]
	b := joined(larry, enter)
	if err := b.Believe(&exit); err != nil || exit.Plate != "ABC" {
		t.Errorf("plate %q, %v", exit.Plate, err)
	}
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
