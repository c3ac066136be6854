package verdict

import (
	"fmt"
	"testing"
	"time"

	"parking/lot"
	"parking/lot/spans"
	"parking/node/history"
)

// bulk is one node's session of so many changes, with a state that holds what
// they come to, as two nodes have it.
func bulk(n int, plate func(i int) lot.Plate, every int) Evidence {
	larry, gary := history.Life{Node: "larry", Incarnation: 1}, history.Life{Node: "gary", Incarnation: 2}
	at := time.UnixMilli(1700000000000)
	h := history.History{Life: larry, From: at}
	o := history.History{Life: gary, From: at}
	live := make(map[lot.Plate]uint64)
	add := func(r history.Record) {
		at = at.Add(100 * time.Microsecond)
		r.Real, r.Last = at, r.First
		h.Records = append(h.Records, r)
	}
	add(history.Record{Kind: history.Set, First: 1, Stamp: 1, Text: "spaces", Count: 10, Code: history.Founding})
	for i := range n {
		seq := uint64(i + 2)
		p := plate(i)
		if _, in := live[p]; in {
			delete(live, p)
			add(history.Record{Kind: history.Exited, First: seq, Stamp: seq, Plate: p, Gate: 1})
			continue
		}
		live[p] = seq
		if every > 0 && i%every == 0 {
			add(history.Record{Kind: history.Refused, Plate: p, Code: lot.Absent})
		}
		add(history.Record{Kind: history.Entered, First: seq, Stamp: seq, Plate: p, Gate: 1})
		h.Records = append(h.Records, history.Record{Kind: history.Answered, Real: at, First: seq, Last: seq, Life: larry, Text: "track_entry", Plate: p})
	}
	all := spans.Span{First: 1, Last: uint64(n + 1)}
	o.Records = []history.Record{{Kind: history.Saw, Real: at, Life: larry, First: all.First, Last: all.Last}}
	h.Beat, o.Beat = at, at
	e := Evidence{Ledger: "crdt", Now: at, Histories: []history.History{h, o}}
	for _, l := range []history.Life{larry, gary} {
		s := State{Life: l, Seen: map[history.Life]spans.Set{larry: {all}}, Spaces: 10}
		for p, seq := range live {
			s.Live = append(s.Live, Live{larry, seq, p})
		}
		e.States = append(e.States, s)
	}
	return e
}

var sessions = []struct {
	name  string
	plate func(int) lot.Plate
}{
	{"as many plates as changes", func(i int) lot.Plate { return lot.Plate(fmt.Sprint("P", i)) }},
	{"a thousand plates", func(i int) lot.Plate { return lot.Plate(fmt.Sprint("P", i%1000)) }},
	{"one plate that comes and goes", func(int) lot.Plate { return "P" }},
}

// What a long session costs to judge grows with its length, whatever happened:
// with the square of that, these would take hours.
func TestCost(t *testing.T) {
	for _, c := range sessions {
		t.Run(c.name, func(t *testing.T) {
			e := bulk(200_000, c.plate, 3)
			begin := time.Now()
			r := Judge(e)
			if took := time.Since(begin); r.Outcome != Kept || took > time.Minute {
				t.Errorf("%s after %v", r.Outcome, took)
			}
		})
	}
}

func BenchmarkJudge(b *testing.B) {
	for _, c := range sessions {
		b.Run(c.name, func(b *testing.B) {
			e := bulk(1_000_000, c.plate, 3)
			b.ReportAllocs()
			for b.Loop() {
				Judge(e)
			}
		})
	}
}

// Gates, settings and faults in any number cost no more.
func TestCostOfManyTurns(t *testing.T) {
	larry, gary := history.Life{Node: "larry", Incarnation: 1}, history.Life{Node: "gary", Incarnation: 2}
	at := time.UnixMilli(1700000000000)
	h, o := history.History{Life: larry, From: at}, history.History{Life: gary, From: at}
	const n = 100_000
	seq := uint64(1)
	for i := range n {
		at = at.Add(10 * time.Millisecond)
		on, off := history.GateOn, history.GateOff
		if i%2 == 1 {
			on, off = off, on
		}
		h.Records = append(h.Records,
			history.Record{Kind: on, Real: at, Gate: lot.GateID(i/2%3 + 1)},
			history.Record{Kind: history.Faulted, Real: at, First: uint64(i), Text: "isolate gary"},
			history.Record{Kind: history.Mended, Real: at.Add(time.Millisecond), First: uint64(i)},
			history.Record{Kind: history.Set, Real: at, Text: []string{"gates", "spaces"}[i%2], Count: i%7 + 1, First: seq, Last: seq, Stamp: seq})
		o.Records = append(o.Records, history.Record{Kind: off, Real: at, Gate: lot.GateID(i/2%3 + 1)},
			history.Record{Kind: history.Refused, Real: at, Plate: "X", Code: lot.Full})
		seq++
	}
	h.Beat, o.Beat = at, at
	e := Evidence{Ledger: "crdt", Now: at, Histories: []history.History{h, o}}
	for _, l := range []history.Life{larry, gary} {
		e.States = append(e.States, State{Life: l, Seen: map[history.Life]spans.Set{larry: {{First: 1, Last: seq - 1}}}})
	}
	begin := time.Now()
	Judge(e)
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("judged in %v", took)
	} else {
		t.Logf("judged in %v", took)
	}
}
