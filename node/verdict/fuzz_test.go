package verdict

import (
	"math/rand/v2"
	"testing"
	"time"

	"parking/lot/spans"
	"parking/node/history"
)

// Whatever stands in histories, a verdict comes of it, and soon.
func FuzzJudge(f *testing.F) {
	for _, seed := range []uint64{1, 2, 3} {
		segments := make([][]byte, 2)
		w := &world{e: Evidence{Ledger: "crdt"}}
		w.random(rand.New(rand.NewPCG(seed, 0)))
		for i := range segments {
			segments[i] = w.nodes[i].log.Segments()[0]
		}
		f.Add(segments[0], segments[1])
	}
	far := history.Life{Node: "far", Incarnation: 9}
	l, _ := history.NewLog(history.NewMemory(), history.Life{Node: "near", Incarnation: 1}, "crdt")
	for _, r := range []history.Record{
		{Kind: history.Saw, Life: far, First: 0, Last: 1 << 60},
		{Kind: history.Saw, Life: far, First: 1 << 63, Last: 1<<64 - 2},
		{Kind: history.Entered, First: 1 << 62, Stamp: 1 << 63},
		{Kind: history.Answered, Text: GateEnter, Life: far, First: 1<<64 - 3, Last: 1<<64 - 2},
		{Kind: history.GateOn, Gate: 1 << 40}, {Kind: history.GateOn, Gate: 3, Real: time.UnixMicro(-1 << 62)},
		{Kind: history.GateOff, Gate: 3, Real: time.UnixMicro(1 << 62)},
		{Kind: history.Set, First: 1<<62 + 1, Text: "gates", Count: -1 << 62, Real: time.UnixMicro(1 << 61)},
		{Kind: history.Exited, First: 1<<62 + 2, Real: time.UnixMicro(-1 << 61)},
		{Kind: history.Faulted, First: 1<<64 - 1, Text: "x"}, {Kind: history.Refused, Code: "full"},
		{Kind: history.Ended, Real: time.UnixMicro(-1 << 60)},
	} {
		l.Add(r)
	}
	f.Add(l.Segments()[0], l.Segments()[0])
	f.Fuzz(func(t *testing.T, a, b []byte) {
		e := Evidence{Ledger: "crdt", Now: time.UnixMilli(1700000000000), Asked: time.UnixMilli(1699999999999), Waited: len(a)%2 == 0}
		for i, segment := range [][]byte{a, b} {
			h, ok := history.Read([][]byte{segment})
			if !ok {
				continue
			}
			e.Histories = append(e.Histories, h)
			if i == 1 {
				continue
			}
			s := State{Life: h.Life, Seen: map[history.Life]spans.Set{h.Life: {{First: 1, Last: 1 << 47}}}, Spaces: 5, Gates: 3}
			for _, r := range h.Records {
				if r.Kind == history.Saw && r.Last < 1<<48 {
					s.Seen[r.Life] = spans.Set{{First: 1, Last: r.Last}}
				}
				if r.Kind == history.Entered {
					s.Live = append(s.Live, Live{h.Life, r.First, r.Plate})
				}
			}
			e.States = append(e.States, s)
		}
		begin := time.Now()
		r := Judge(e)
		if len(r.Checks) != 6 || time.Since(begin) > 20*time.Second {
			t.Errorf("%d checks after %v", len(r.Checks), time.Since(begin))
		}
	})
}
