package telemetry

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"parking/lot"
	"parking/lot/crdt"
	"parking/node/probe"
	"parking/node/replicate"
)

// What instruments cost where it shows most: at changes that come from another node,
// alone or in groups, are decoded and joined; and at changes that are made here.
// What Serf, TLS and commands take around that is not in it. Rounds with and without
// take turns, and the quickest of each counts: others use the machine, too.
func BenchmarkInstruments(b *testing.B) {
	for _, group := range []int{1, 256} {
		from := crdt.New(crdt.NewReplica("larry", 1), 1)
		var deltas [][]byte
		var plates []lot.Plate
		for i := range rounds {
			plates = append(plates, lot.Plate(fmt.Sprint(i)))
		}
		for some := range slices.Chunk(plates, group) {
			var ms []crdt.Mutation
			for _, p := range some {
				ms = append(ms, from.Enter(time.Now(), p, 1))
			}
			deltas = append(deltas, crdt.Encode(ms))
		}
		compare(b, fmt.Sprint("joined in groups of ", group), true, func(s *replicate.Store) {
			for _, d := range deltas {
				ms, err := crdt.Decode(d)
				if err == nil {
					err = s.Join(ms, probe.Gossip, len(d))
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
		compare(b, fmt.Sprint("made in groups of ", group), false, func(s *replicate.Store) {
			for some := range slices.Chunk(plates, group) {
				_, err := s.Update(replicate.Own, func(d *crdt.Document) (ms []crdt.Mutation, err error) {
					now := time.Now()
					for _, p := range some {
						ms = append(ms, d.Enter(now, p, 1))
					}
					return ms, nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// rounds is how many changes a round has.
const rounds = 1 << 11

// compare tells what f costs with instruments, and without: to changes that come, or
// are made.
func compare(b *testing.B, name string, comes bool, f func(*replicate.Store)) {
	b.Run(name, func(b *testing.B) {
		off, on := new(probe.Bus), new(probe.Bus)
		attach(on)
		quickest := map[*probe.Bus]time.Duration{off: time.Hour, on: time.Hour}
		for b.Loop() {
			for _, bus := range []*probe.Bus{off, on} {
				s := replicate.NewStore(crdt.New(crdt.NewReplica("gary", 2), crdt.DefaultLog), func(*crdt.Document, replicate.Change) {}, bus)
				if comes {
					replicate.New(replicate.Config{}, s, nil, nil).Open() // it has caught up
				}
				begin := time.Now()
				f(s)
				quickest[bus] = min(quickest[bus], time.Since(begin))
			}
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(quickest[off].Nanoseconds())/rounds, "ns/change-without")
		b.ReportMetric(float64(quickest[on].Nanoseconds())/rounds, "ns/change-with")
	})
}

// What instruments take of one message that came, alone.
func BenchmarkEvents(b *testing.B) {
	bus := new(probe.Bus)
	attach(bus)
	b.ReportAllocs()
	for b.Loop() {
		bus.Arrived.Emit(probe.Arrived{Changes: 1, Age: 3 * time.Millisecond})
		bus.Merged.Emit(probe.Merged{Lane: probe.Gossip, Bytes: 60, New: 1})
	}
}

// What it takes to have what memberlist says of one packet.
func BenchmarkLibraries(b *testing.B) {
	s, _ := newSink()
	b.ReportAllocs()
	for b.Loop() {
		s.IncrCounterWithLabels([]string{"memberlist", "udp", "sent"}, 1400, nil)
		s.AddSampleWithLabels([]string{"serf", "msgs", "sent"}, 1300, nil)
	}
}

// To tell what happens takes no memory, attached or not.
func TestTellingTakesNoMemory(t *testing.T) {
	for _, with := range []bool{false, true} {
		bus := new(probe.Bus)
		if with {
			attach(bus)
		}
		if n := testing.AllocsPerRun(100, func() {
			bus.Recorded.Emit(probe.Recorded{Entries: 1})
			bus.Sent.Emit(probe.Sent{Lane: probe.Fanout, Deltas: 1, Changes: 2, Bytes: 60})
			bus.Merged.Emit(probe.Merged{Lane: probe.Gossip, Bytes: 60, New: 1})
			bus.Arrived.Emit(probe.Arrived{Changes: 1, Age: time.Millisecond})
			bus.Refused.Emit(probe.Refused{Code: lot.Full})
			bus.Called.Emit(probe.Called{Took: time.Millisecond})
			bus.Pulled.Emit(probe.Pulled{Outcome: probe.News, Took: time.Millisecond})
			bus.Rejected.Emit(probe.Rejected{Why: probe.Forged})
		}); n != 0 {
			t.Errorf("attached %v: %v allocations", with, n)
		}
	}
}
