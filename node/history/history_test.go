package history

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parking/lot"
	"parking/lot/spans"
)

var larry = Life{"larry", 0x1234567890abcdef}

func archives(t *testing.T) map[string]Archive {
	return map[string]Archive{"memory": NewMemory(), "dir": NewDir(filepath.Join(t.TempDir(), "history"), "g")}
}

func at(ms int64) time.Time { return time.UnixMilli(1700000000000 + ms) }

// some are records of all kinds.
func some() []Record {
	gary := Life{"gary", 7}
	return []Record{
		{Kind: Entered, Real: at(1), First: 1, Last: 1, Stamp: 99, Plate: "ABC 123", Gate: 2},
		{Kind: Saw, Real: at(2), Life: gary, First: 1, Last: 5},
		{Kind: Exited, Real: at(3), First: 2, Last: 2, Stamp: 120, Plate: "ABC 123"},
		{Kind: Set, Real: at(4), First: 3, Last: 3, Stamp: 121, Text: "spaces", Count: 7, Code: Founding},
		{Kind: Wrote, Real: at(5), First: 4, Last: 4, Stamp: 122},
		{Kind: Answered, Real: at(7), Asked: at(6), AskedStamp: 122, Stamp: 123, Text: "track_exit", Plate: "X", Gate: 1, Code: lot.Absent, Life: gary, First: 3, Last: 4, Need: 2},
		{Kind: Refused, Real: at(8), Text: "enter", Plate: "Y", Gate: 3, Code: lot.Full, Count: 9, Need: 9},
		{Kind: GateOn, Real: at(9), Gate: 4}, {Kind: GateOff, Real: at(10), Gate: 4},
		{Kind: Faulted, Real: at(11), First: 1 << 63, Last: 1 << 63, Text: "isolate gary"}, {Kind: Mended, Real: at(12), First: 5, Last: 5},
		{Kind: Member, Real: at(13), Life: gary, Text: "failed"}, {Kind: Ended, Real: at(14), Text: "left"},
	}
}

func TestALogIsReadAsItWasWritten(t *testing.T) {
	for name, a := range archives(t) {
		t.Run(name, func(t *testing.T) {
			l, err := NewLog(a, larry, "crdt")
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range some() {
				l.Add(r)
			}
			read := func(segments [][]byte) History {
				t.Helper()
				h, ok := Read(segments)
				if !ok || h.Life != larry || h.Ledger != "crdt" || h.Cut != 0 || h.Damaged {
					t.Fatalf("read %v %+v", ok, h)
				}
				if !reflect.DeepEqual(h.Records, some()) {
					t.Errorf("read\n%+v\nwant\n%+v", h.Records, some())
				}
				return h
			}
			read(l.Segments())
			// As another process finds it, the writer having died: nothing was closed.
			if name == "memory" {
				l.segs[0].Close()
			}
			stored, err := a.Stored(Life{})
			if err != nil || len(stored) != 1 || stored[0].Life != larry || stored[0].Alive != (name == "dir") {
				t.Fatalf("stored %v %v", stored, err)
			}
			if h := read(stored[0].Segments); time.Since(h.Beat) > time.Minute || h.Beat.IsZero() {
				t.Errorf("last sign of life %v", h.Beat)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l.Add(Record{Kind: Ended}) // after Close it does nothing
			if stored, err = a.Stored(Life{}); err != nil || len(stored) != 1 || stored[0].Alive {
				t.Errorf("after it ended: %v %v", stored, err)
			}
			stored, _ = a.Stored(larry)
			if len(stored) != 0 {
				t.Errorf("stored but larry: %v", stored)
			}
		})
	}
}

// What was seen is written in runs, and once.
func TestWhatWasSeenIsWrittenInRuns(t *testing.T) {
	l, _ := NewLog(NewMemory(), larry, "crdt")
	gary := Life{"gary", 7}
	for _, seq := range []uint64{1, 2, 3, 5, 4, 6} {
		l.Saw(gary, seq)
	}
	l.SawAll(gary, spans.Span{First: 1, Last: 9})
	l.Add(Record{Kind: Wrote, First: 1, Last: 1})
	h, _ := Read(l.Segments())
	var got []spans.Span
	for _, r := range h.Records {
		if r.Kind == Saw {
			got = append(got, spans.Span{First: r.First, Last: r.Last})
		}
	}
	if want := []spans.Span{{First: 1, Last: 3}, {First: 5, Last: 5}, {First: 4, Last: 4}, {First: 6, Last: 6}, {First: 7, Last: 9}}; !reflect.DeepEqual(got, want) {
		t.Errorf("runs %v, want %v", got, want)
	}
}

// A process that was stopped says so once it goes on.
func TestALogThatStoodStillSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := NewLog(NewMemory(), larry, "crdt")
		if err != nil {
			t.Fatal(err)
		}
		for _, pause := range []time.Duration{50 * time.Millisecond, 500 * time.Millisecond, 7 * time.Second, 50 * time.Millisecond} {
			time.Sleep(pause)
			l.Beat()
		}
		h, _ := Read(l.Segments())
		if len(h.Records) != 2 || h.Records[0].Kind != Faulted || h.Records[0].Text != "larry stood still" || h.Records[1].Kind != Mended ||
			h.Records[0].First != h.Records[1].First || h.Records[1].Real.Sub(h.Records[0].Real) != 7*time.Second {
			t.Errorf("read %+v", h.Records)
		}
	})
}

// A log that is full forgets its oldest segment, says how much, and begins the
// next with what had been seen.
func TestAFullLogSaysWhatItHasCutOff(t *testing.T) {
	for name, a := range archives(t) {
		t.Run(name, func(t *testing.T) {
			l, err := NewLog(a, larry, "crdt")
			if err != nil {
				t.Fatal(err)
			}
			l.Saw(Life{"gary", 7}, 41)
			plate := lot.Plate(strings.Repeat("ABC 12345 ", 18)) // such as no node writes: to be sooner there
			n := 3 * SegmentSize / uint64(len(plate)+4)
			for i := uint64(1); i <= n; i++ {
				l.Add(Record{Kind: Entered, First: i, Last: i, Plate: plate, Stamp: i})
			}
			l.Close()
			stored, _ := a.Stored(Life{})
			h, ok := Read(stored[0].Segments)
			if !ok || h.Damaged || h.Cut == 0 || len(stored[0].Segments) != 2 {
				t.Fatalf("ok %v damaged %v cut %d, %d segments", ok, h.Damaged, h.Cut, len(stored[0].Segments))
			}
			var own, seen uint64
			for _, r := range h.Records {
				switch {
				case r.Kind == Entered:
					own++
				case r.Life.Node == "gary":
					seen = r.Last
				}
			}
			if all := own + uint64(h.Cut); all < n || all > n+10 || seen != 41 { // with what segments begin with
				t.Errorf("%d own and %d cut of %d; of gary's seen %d", own, h.Cut, n, seen)
			}
		})
	}
}

// Where there is no room the log goes on without, and says so.
func TestALogWithoutRoomSaysSo(t *testing.T) {
	dir := t.TempDir()
	l, err := NewLog(NewDir(dir, "g"), larry, "crdt")
	if err != nil {
		t.Fatal(err)
	}
	l.segs[0].(*fileSegment).file.Close() // as good as a full disk
	const n = 100_000
	for i := uint64(1); i <= n; i++ {
		l.Add(Record{Kind: Entered, First: i, Last: i, Plate: "ABC 1234567", Stamp: i})
	}
	h, ok := Read(l.Segments())
	if !ok || h.Cut == 0 || len(h.Records)+h.Cut != n {
		t.Errorf("ok %v, %d records, cut %d", ok, len(h.Records), h.Cut)
	}
}

// A disk is left to others before it is full: what a node cannot do without is on
// it, too.
func TestALogLeavesRoomForOthers(t *testing.T) {
	a := NewDir(t.TempDir(), "g")
	l, err := NewLog(a, larry, "crdt")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := l.segs[0].(*fileSegment)
	s.spare = math.MaxUint64 >> 1 // more than any disk has
	const n = 100_000
	for i := uint64(1); i <= n; i++ {
		l.Add(Record{Kind: Entered, First: i, Last: i, Plate: "ABC 1234567", Stamp: i})
	}
	if h, ok := Read(l.Segments()); !ok || len(h.Records) == 0 || len(h.Records)+h.Cut != n {
		t.Errorf("ok %v, %d records, cut %d", ok, len(h.Records), h.Cut)
	}
	if info, err := s.file.Stat(); err != nil || info.Size() != extent {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
	a.spare = s.spare
	if _, err := NewLog(a, Life{"gary", 1}, "crdt"); !errors.Is(err, errFull) {
		t.Errorf("a log on a disk that is full: %v", err)
	}
}

func TestOldLivesAreForgotten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "history")
	a := NewDir(dir, "g")
	living, _ := NewLog(a, Life{"living", 1}, "crdt")
	defer living.Close()
	for i := range uint64(keptLives + 20) {
		l, err := NewLog(a, Life{"dead", i}, "crdt")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
	files, _ := os.ReadDir(dir)
	if len(files) > keptLives+2 {
		t.Errorf("%d files", len(files))
	}
	if _, err := os.Stat(a.file(Life{"living", 1}, 0)); err != nil {
		t.Errorf("that of the living is gone: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	l, _ := NewLog(NewMemory(), larry, "crdt")
	for _, r := range some() {
		l.Add(r)
	}
	f.Add(l.Segments()[0])
	f.Fuzz(func(t *testing.T, b []byte) {
		h, ok := Read([][]byte{b, b})
		if !ok && len(h.Records) > 0 {
			t.Error("records of what is none")
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	for name, a := range map[string]Archive{"dir": NewDir(b.TempDir(), "g")} {
		b.Run(name, func(b *testing.B) {
			l, err := NewLog(a, larry, "crdt")
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			b.ReportAllocs()
			for i := uint64(1); b.Loop(); i++ {
				l.Add(Record{Kind: Entered, First: i, Last: i, Plate: "ABC 1234567", Stamp: i})
			}
		})
		b.Run(name+"/saw", func(b *testing.B) {
			l, err := NewLog(a, Life{"gary", 1}, "crdt")
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			b.ReportAllocs()
			for i := uint64(1); b.Loop(); i++ {
				l.Saw(larry, i)
			}
		})
	}
}
