package crdt

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"parking/lot"
	"parking/lot/wire"
)

// benchSizes returns the sizes of lot to measure at; -short leaves out the
// largest.
func benchSizes() []int {
	if testing.Short() {
		return []int{1_000, 100_000}
	}
	return []int{1_000, 100_000, 1_000_000}
}

// filled returns a document with n vehicles, and the mutations that made it.
func filled(self Replica, n int) (*Document, []Mutation) {
	d := New(self, DefaultLog)
	ms := make([]Mutation, n)
	for i := range ms {
		ms[i] = d.Enter(benchTime, benchPlate(i), lot.GateID(1+i%4))
	}
	return d, ms
}

var benchTime = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func benchPlate(i int) lot.Plate { return lot.Plate(fmt.Sprintf("AA%06d", i)) }

func bench(b *testing.B, run func(b *testing.B, n int)) {
	for _, n := range benchSizes() {
		b.Run(fmt.Sprintf("vehicles=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			run(b, n)
		})
	}
}

func opsPerSecond(b *testing.B, ops int) {
	b.ReportMetric(float64(ops)/b.Elapsed().Seconds(), "ops/s")
}

// BenchmarkMutate measures entries and exits in turn, in a lot that stays at
// its size.
func BenchmarkMutate(b *testing.B) {
	bench(b, func(b *testing.B, n int) {
		d, _ := filled(NewReplica("curly", 1), n)
		plates := make([]lot.Plate, n)
		for i := range plates {
			plates[i] = benchPlate(i)
		}
		i := 0
		for b.Loop() {
			if p := plates[(i/2)%n]; i%2 == 0 {
				d.Exit(benchTime, p, 1)
			} else {
				d.Enter(benchTime, p, 1)
			}
			i++
		}
		opsPerSecond(b, b.N)
	})
}

// BenchmarkJoin measures another replica's mutations, entries and exits in
// turn, in a lot that stays at its size.
func BenchmarkJoin(b *testing.B) {
	bench(b, func(b *testing.B, n int) {
		origin, ms := filled(NewReplica("curly", 1), n)
		const batch = 1 << 16
		d := New(NewReplica("larry", 2), DefaultLog)
		for _, m := range ms {
			d.Join(m)
		}
		i := batch
		for b.Loop() {
			if i == batch {
				b.StopTimer()
				ms = ms[:0]
				for i = 0; i < batch; i += 2 {
					p := benchPlate(len(ms) / 2 % n)
					ms = append(ms, origin.Exit(benchTime, p, 1), origin.Enter(benchTime, p, 1))
				}
				i = 0
				b.StartTimer()
			}
			d.Join(ms[i])
			i++
		}
		opsPerSecond(b, b.N)
	})
}

// BenchmarkJoinKnown measures mutations that were seen before.
func BenchmarkJoinKnown(b *testing.B) {
	bench(b, func(b *testing.B, n int) {
		d, ms := filled(NewReplica("curly", 1), n)
		i := 0
		for b.Loop() {
			d.Join(ms[i%n])
			i++
		}
		opsPerSecond(b, b.N)
	})
}

// BenchmarkJoinState measures two full states that share half their vehicles.
func BenchmarkJoinState(b *testing.B) {
	bench(b, func(b *testing.B, n int) {
		common, _ := filled(NewReplica("moe", 3), n/2)
		theirs := New(NewReplica("larry", 2), DefaultLog)
		theirs.JoinState(common.State())
		for i := range n / 2 {
			theirs.Enter(benchTime, benchPlate(n+i), 1)
		}
		s := theirs.State()
		for b.Loop() {
			b.StopTimer()
			d := New(NewReplica("curly", 1), DefaultLog)
			d.JoinState(common.State())
			for i := range n / 2 {
				d.Enter(benchTime, benchPlate(2*n+i), 1)
			}
			b.StartTimer()
			d.JoinState(s)
		}
	})
}

// BenchmarkSince measures the answer to a peer that lacks 100 mutations.
func BenchmarkSince(b *testing.B) {
	bench(b, func(b *testing.B, n int) {
		d, _ := filled(NewReplica("curly", 1), n)
		v := d.Version()
		for i := range 100 {
			d.Enter(benchTime, benchPlate(n+i), 1)
		}
		for b.Loop() {
			if ms, _ := d.Since(v); len(ms) != 100 {
				b.Fatal("not what lacked")
			}
		}
	})
}

// BenchmarkState measures the copy that a whole state starts with, during which
// nobody may write.
func BenchmarkState(b *testing.B) {
	bench(b, func(b *testing.B, n int) {
		d, _ := filled(NewReplica("curly", 1), n)
		for b.Loop() {
			d.State()
		}
	})
}

// BenchmarkEncode measures a whole state, to bytes.
func BenchmarkEncode(b *testing.B) {
	bench(b, func(b *testing.B, n int) {
		d, _ := filled(NewReplica("curly", 1), n)
		size := 0
		for b.Loop() {
			size = 0
			for c := range d.State().Chunks {
				data, err := proto.Marshal(c)
				if err != nil {
					b.Fatal(err)
				}
				size += len(data)
			}
		}
		b.ReportMetric(float64(size)/float64(n), "B/vehicle")
	})
}

// BenchmarkDecode measures a whole state, from bytes and into an empty
// document.
func BenchmarkDecode(b *testing.B) {
	bench(b, func(b *testing.B, n int) {
		from, _ := filled(NewReplica("curly", 1), n)
		var chunks [][]byte
		for c := range from.State().Chunks {
			data, err := proto.Marshal(c)
			if err != nil {
				b.Fatal(err)
			}
			chunks = append(chunks, data)
		}
		for b.Loop() {
			var st Stager
			for _, data := range chunks {
				var c wire.StateChunk
				if err := proto.Unmarshal(data, &c); err != nil {
					b.Fatal(err)
				}
				if err := st.Add(&c); err != nil {
					b.Fatal(err)
				}
			}
			New(NewReplica("larry", 2), DefaultLog).JoinState(st.State())
		}
		opsPerSecond(b, b.N*n)
	})
}

// BenchmarkPack measures gathered mutations, cut into events.
func BenchmarkPack(b *testing.B) {
	_, ms := filled(NewReplica("curly", 1), 1_000)
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		size = 0
		for _, d := range Pack(1300, ms) {
			size += len(d)
		}
	}
	opsPerSecond(b, b.N*len(ms))
	b.ReportMetric(float64(size)/float64(len(ms)), "B/change")
}

// BenchmarkUnpack measures deltas of a thousand mutations.
func BenchmarkUnpack(b *testing.B) {
	_, ms := filled(NewReplica("curly", 1), 1_000)
	delta := Encode(ms)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(delta); err != nil {
			b.Fatal(err)
		}
	}
	opsPerSecond(b, b.N*len(ms))
}

// BenchmarkFill measures entries into an empty lot, and what each takes of the
// heap in the end, without the log.
func BenchmarkFill(b *testing.B) {
	bench(b, func(b *testing.B, n int) {
		plates := make([]lot.Plate, n)
		for i := range plates {
			plates[i] = benchPlate(i)
		}
		fill := func() *Document {
			d := New(NewReplica("curly", 1), 1)
			for i, p := range plates {
				d.Enter(benchTime, p, lot.GateID(1+i%4))
			}
			return d
		}
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		d := fill()
		each := float64(heap()-before) / float64(n)
		runtime.KeepAlive(d)
		for b.Loop() {
			fill()
		}
		opsPerSecond(b, b.N*n)
		b.ReportMetric(each, "B/vehicle")
	})
}

// BenchmarkRead measures all vehicles, sorted.
func BenchmarkRead(b *testing.B) {
	bench(b, func(b *testing.B, n int) {
		d, _ := filled(NewReplica("curly", 1), n)
		for b.Loop() {
			for range d.Snapshot().Vehicles("") {
			}
		}
	})
}
