package node_test

import (
	"encoding/binary"
	"testing"

	"google.golang.org/protobuf/proto"

	"parking/lot"
	"parking/lot/crdt"
	"parking/lot/wire"
	"parking/node"
	"parking/node/history"
)

// FuzzTestimony takes what a node is asked for when a verdict is due. Whatever
// comes in place of that is refused, or makes sense, and takes no more memory than
// what has really come.
func FuzzTestimony(f *testing.F) {
	join := func(parts ...*wire.Testimony) (all []byte) {
		for _, t := range parts {
			b, err := proto.Marshal(t)
			if err != nil {
				f.Fatal(err)
			}
			all = append(binary.BigEndian.AppendUint16(all, uint16(len(b))), b...)
		}
		return all
	}
	state := &wire.Testimony{State: &wire.Testimony_State{
		Incarnation: 7, Digest: make([]byte, 16), Spaces: 100, Gates: 4, Running: []uint32{1, 4}, Faults: []string{"isolate gary"},
		Version: &wire.Version{Rows: []*wire.Version_Row{{Replica: &wire.Replica{Node: "larry", Incarnation: 7}, Max: 9, Cloud: []uint64{11}}}},
		Alive:   []*wire.Replica{{Node: "gary", Incarnation: 1}},
	}}
	live := &wire.Testimony{Live: []*wire.Testimony_Live{{Row: 0, Seq: 3, Plate: "ABC 123"}}}
	past := &wire.Testimony{History: []byte{1, 2, 3}}
	f.Add(join(state, live))
	f.Add(join(live))
	f.Add(join(state, state))
	f.Add(join(past, past, &wire.Testimony{History: []byte{4}, Segment: 1}))
	f.Add(join(&wire.Testimony{History: []byte{4}, Segment: 1 << 31}))
	f.Fuzz(func(t *testing.T, data []byte) {
		var parts []*wire.Testimony
		for len(data) >= 2 {
			size := min(int(binary.BigEndian.Uint16(data)), len(data)-2)
			m := &wire.Testimony{}
			if proto.Unmarshal(data[2:2+size], m) == nil {
				parts = append(parts, m)
			}
			data = data[2+size:]
		}
		s, segments, err := node.TakeTestimony("larry", parts...)
		if err != nil {
			if lot.CodeOf(err) != lot.Usage {
				t.Fatal(err)
			}
			return
		}
		came, kept := 0, 0
		for _, p := range parts {
			came += len(p.GetHistory())
		}
		for _, b := range segments {
			kept += len(b)
		}
		if kept != came || kept > 2*history.SegmentSize || len(segments) > 2 {
			t.Errorf("%d bytes of history in %d segments, of %d that came", kept, len(segments), came)
		}
		if s.Gates < 0 || s.Gates > lot.MaxGates || s.Spaces < 0 {
			t.Errorf("%d gates, %d spaces", s.Gates, s.Spaces)
		}
		for life, spans := range s.Seen {
			if !lot.ValidName(life.Node) {
				t.Errorf("a life of %q", life.Node)
			}
			for _, x := range spans {
				if x.First < 1 || x.Last < x.First || x.Last > crdt.MaxSeq {
					t.Errorf("seen %v", x)
				}
			}
		}
		for _, l := range s.Live {
			if _, err := lot.ParsePlate(string(l.Plate)); err != nil || l.Seq < 1 || l.Seq > crdt.MaxSeq || !lot.ValidName(l.Life.Node) {
				t.Errorf("in the lot is %v", l)
			}
		}
	})
}
