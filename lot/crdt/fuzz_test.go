package crdt

import (
	"bytes"
	"errors"
	mathbits "math/bits"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	"parking/lot"
	"parking/lot/wire"
)

// The fuzz targets take bytes as they come from a network. Whatever is decoded
// must be small, must survive being encoded again, and must leave a document
// that has something of everything in it sound.

// furnished returns a document with vehicles, conflicts, registers, gaps and
// early removals, of replicas that the seeds below name too.
func furnished() *Document {
	d := joined(moe, sample()...)
	d.Enter(t0, "OWN", 3)
	d.Join(doc(NewReplica("shemp", 4)).Enter(t0, "OWN", 1))
	a := doc(NewReplica("joe", 5))
	a.Enter(t0, "LATE", 1)
	d.Join(a.Exit(t0, "LATE", 1))
	return d
}

func FuzzDelta(f *testing.F) {
	f.Add(Encode(sample()))
	all, _ := joined(moe, sample()...).Since(Version{})
	f.Add(Encode(all))
	for _, d := range Pack(80, all) {
		f.Add(d)
	}
	forged := doc(NewReplica("joe", 5)).Exit(t0, "A", 1)
	forged.Supersedes = []Dot{{curly, 99}} // which curly, who decodes, never issued
	f.Add(Encode([]Mutation{forged}))
	f.Fuzz(func(t *testing.T, data []byte) {
		ms, err := Decode(data)
		if err != nil && !errors.Is(err, ErrNewer) {
			if !isMalformed(err) || ms != nil {
				t.Fatalf("%d mutations, %v", len(ms), err)
			}
			return
		}
		supersedes := 0
		for _, m := range ms {
			supersedes += len(m.Supersedes)
		}
		if 2*len(ms)+supersedes > len(data) {
			t.Fatalf("%d mutations and %d supersessions of %d bytes", len(ms), supersedes, len(data))
		}
		if back := overDelta(t, Encode(ms)); !slices.EqualFunc(back, ms, sameMutation) {
			t.Fatalf("decoded\n%+v, encoded and decoded again\n%+v", ms, back)
		}
		for _, capacity := range []int{2, DefaultLog} {
			d := New(curly, capacity)
			d.JoinState(furnished().State())
			for _, m := range ms {
				if d.Believe(&m) == nil {
					d.Join(m)
				}
			}
			sound(t, d)
			d.Enter(t0, "MORE", 1)
			if ms := overDelta(t, Encode([]Mutation{d.Exit(t0, "OWN", 1)})); len(ms) != 1 {
				t.Fatalf("after it an exit makes %d mutations", len(ms))
			}
			sound(t, d)
			e := doc(larry)
			e.JoinState(overState(t, d.State()))
			sameDigest(t, d, e)
			sound(t, e)
		}
	})
}

func FuzzVersion(f *testing.F) {
	f.Add(marshal(f, EncodeVersion(furnished().Version())))
	f.Add(marshal(f, EncodeVersion(joined(moe, sample()[3:]...).Version())))
	f.Fuzz(func(t *testing.T, data []byte) {
		var w wire.Version
		if proto.Unmarshal(data, &w) != nil {
			return
		}
		v, err := DecodeVersion(&w)
		if err != nil {
			if !isMalformed(err) || v.rows != nil {
				t.Fatalf("%v, %v", v, err)
			}
			return
		}
		dots := len(v.rows)
		for _, s := range v.rows {
			dots += len(s)
		}
		if dots > len(data) {
			t.Fatalf("%d dots of %d bytes", dots, len(data))
		}
		back := overVersion(t, v)
		if !v.Covers(back) || !back.Covers(v) || v.hash() != back.hash() {
			t.Fatalf("decoded %v, encoded and decoded again %v", v, back)
		}
		d := furnished()
		before := d.Digest()
		delta, state := d.Since(v)
		if d.Digest() != before {
			t.Fatal("Since changed the document")
		}
		for _, m := range delta {
			if v.Contains(m.Dot) {
				t.Fatalf("Since returns %v, which does not lack", m.Dot)
			}
		}
		if state == nil && len(delta) == 0 != v.Covers(d.Version()) {
			t.Fatalf("Since returns nothing, and something lacks")
		}
		d.JoinState(&State{Version: v, entries: newEntries()})
		sound(t, d)
		if !d.Version().Covers(v) {
			t.Fatal("a joined version is not covered")
		}
	})
}

// FuzzState takes a stream of chunks, each after its length.
func FuzzState(f *testing.F) {
	seed := func(s *State) {
		var b bytes.Buffer
		for c := range s.Chunks {
			if _, err := protodelim.MarshalTo(&b, c); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(b.Bytes())
	}
	seed(furnished().State())
	seed(furnished().State().For(furnished().Version()))
	seed(furnished().State().For(joined(moe, sample()[:2]...).Version()))
	seed(joined(moe, sample()[3:]...).State())
	f.Fuzz(func(t *testing.T, data []byte) {
		s := staged(t, data)
		if s == nil {
			return
		}
		if n := 4*s.Len() + len(s.early) + held(s); n > len(data) {
			t.Fatalf("%d values and %d dots of %d bytes", s.Len(), len(s.early)+held(s), len(data))
		}
		for _, d := range []*Document{furnished(), New(moe, 2)} {
			s := staged(t, data)
			_ = d.BelieveState(s) // what is left can be joined
			want := s.Version
			d.JoinState(s)
			sound(t, d)
			if !d.Version().Covers(want) {
				t.Fatal("a joined version is not covered")
			}
			before := d.Digest()
			s = staged(t, data)
			_ = d.BelieveState(s)
			if again := d.JoinState(s); again.Changed() || d.Digest() != before {
				t.Fatalf("joined twice: %+v", again)
			}
			sound(t, d)
			d.Exit(t0, lot.Plate("OWN"), 1)
			d.Set(t0, "gates", []byte("1"))
			sound(t, d)
		}
		if held(s) > 0 {
			return
		}
		early := len(s.early)
		a := doc(curly)
		a.JoinState(s)
		sound(t, a)
		if a.Version().hash() != s.Version.hash() || len(a.early) != early {
			t.Fatal("an empty document is not what it joined")
		}
		b := doc(curly)
		b.JoinState(overState(t, a.State()))
		sameDigest(t, a, b)
	})
}

// held counts the dots that the state has of what its peer holds.
func held(s *State) (n int) {
	for _, word := range s.held {
		n += mathbits.OnesCount64(word)
	}
	return n
}

// staged returns the state that a stream of chunks makes, and nil if it makes
// none.
func staged(t *testing.T, data []byte) *State {
	var st Stager
	for r := bytes.NewReader(data); r.Len() > 0; {
		var c wire.StateChunk
		if protodelim.UnmarshalFrom(r, &c) != nil {
			return nil
		}
		if err := st.Add(&c); err != nil {
			if !isMalformed(err) && !errors.Is(err, ErrNewer) {
				t.Fatal(err)
			}
			return nil
		}
	}
	if !st.Started() {
		return nil
	}
	return st.State()
}
