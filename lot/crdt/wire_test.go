package crdt

import (
	"errors"
	"slices"

	"google.golang.org/protobuf/proto"

	"parking/lot/wire"
)

// The transfers of tests: through bytes, as on a network.

func marshal(t failer, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatalf("marshal: %v", err)
	}
	return data
}

// overDelta decodes a delta.
func overDelta(t failer, delta []byte) []Mutation {
	t.Helper()
	ms, err := Decode(slices.Clone(delta))
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	return ms
}

// overVersion sends a version through bytes.
func overVersion(t failer, v Version) Version {
	t.Helper()
	var back wire.Version
	if err := proto.Unmarshal(marshal(t, EncodeVersion(v)), &back); err != nil {
		t.Fatalf("unmarshal: %v", err)
	}
	got, err := DecodeVersion(&back)
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	return got
}

// overState sends a state through bytes, chunk by chunk.
func overState(t failer, s *State) *State {
	t.Helper()
	var st Stager
	for c := range s.Chunks {
		var back wire.StateChunk
		if err := proto.Unmarshal(marshal(t, c), &back); err != nil {
			t.Fatalf("unmarshal: %v", err)
		}
		if err := st.Add(&back); err != nil {
			t.Fatalf("stage: %v", err)
		}
	}
	return st.State()
}

func isMalformed(err error) bool { return errors.Is(err, ErrMalformed) }
