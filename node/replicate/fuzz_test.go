package replicate

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"parking/lot/crdt"
	"parking/lot/wire"
	"parking/node/probe"
)

// FuzzEvent takes bytes as they come by gossip. Whatever they say, a replica
// never believes that it said it itself, and what is refused whole changes
// nothing.
func FuzzEvent(f *testing.F) {
	self, other := crdt.NewReplica("moe", 1), crdt.NewReplica("larry", 2)
	theirs := crdt.New(other, crdt.DefaultLog)
	entry := theirs.Enter(time.Unix(1, 0), "ABC 123", 1)
	exit := theirs.Exit(time.Unix(2, 0), "ABC 123", 2)
	f.Add(crdt.Encode([]crdt.Mutation{entry, exit}))
	f.Add(crdt.Encode([]crdt.Mutation{exit}))
	own := crdt.New(self, crdt.DefaultLog)
	f.Add(crdt.Encode([]crdt.Mutation{own.Enter(time.Unix(1, 0), "FORGED", 1)}))
	for _, a := range []*wire.Announcement{
		{Node: "larry", Version: crdt.EncodeVersion(theirs.Version())}, {Node: "larry"}, {Node: "moe"}, {},
	} {
		b, err := proto.Marshal(a)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append([]byte{eventVersion}, b...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := NewStore(crdt.New(self, crdt.DefaultLog), func(*crdt.Document, Change) {}, new(probe.Bus))
		r := New(Config{Self: self.Node(), Interval: time.Second, Rand: rand.New(rand.NewPCG(1, 2)), Log: slog.New(slog.DiscardHandler)}, s, nil, &mates{})
		r.gapCheck.Store(true) // looks at gaps, which are for later, are not begun
		before := s.Digest()
		_, err := r.hear(data)
		if v := s.Version(); v.Max(self) != 0 {
			t.Fatalf("moe believes that it made %d mutations", v.Max(self))
		}
		if len(data) > 0 && data[0]&3 == eventVersion && s.Digest() != before {
			t.Fatal("an announcement changed the replica")
		}
		if _, malformed := crdt.Decode(data); err != nil && malformed != nil && !errors.Is(malformed, crdt.ErrNewer) && s.Digest() != before {
			t.Fatalf("what was refused changed the replica: %v", err)
		}
	})
}
