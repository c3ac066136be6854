package verdict

import (
	"cmp"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"parking/lot"
	"parking/lot/spans"
	"parking/node/history"
)

// world is a session that is made up: naive replicas that exchange changes by
// hand, and keep histories as nodes do.
type world struct {
	t     *testing.T
	nodes []*teller
	slip  slip // planted in the kernel
	e     Evidence
}

// slip is what a planted bug changes.
type slip struct {
	forgetEntry, forgetSeen, keepExited, takeUnseen, keepSetting, loseOwn, again, letIn bool
}

type dot struct {
	life history.Life
	seq  uint64
}

// change is one mutation of the naive kernel.
type change struct {
	dot
	history.Record
	supersedes []dot
}

// teller is a node of that world.
type teller struct {
	w       *world
	life    history.Life
	log     *history.Log
	cut     int
	damaged bool
	dead    *history.History // its history as found
	silent  bool             // not reached
	mute    bool             // and without a history

	seq     uint64
	stamp   uint64
	all     map[dot]*change
	gone    map[dot]bool
	running map[lot.GateID]bool
	faults  map[uint64]string
}

// tell plays a session in virtual time.
func tell(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, &world{t: t, e: Evidence{Ledger: "crdt"}}) })
}

// node starts a node.
func (w *world) node(name string) *teller {
	n := &teller{
		w: w, life: history.Life{Node: name, Incarnation: uint64(len(w.nodes) + 1)},
		all: make(map[dot]*change), gone: make(map[dot]bool), running: make(map[lot.GateID]bool), faults: make(map[uint64]string),
	}
	var err error
	if n.log, err = history.NewLog(history.NewMemory(), n.life, "crdt"); err != nil {
		w.t.Fatal(err)
	}
	w.nodes = append(w.nodes, n)
	return n
}

// three are a founder of a lot with so many spaces and one gate, which it runs,
// and two more that have heard of that.
func (w *world) three(spaces int) (larry, gary, harry *teller) {
	larry, gary, harry = w.node("larry"), w.node("gary"), w.node("harry")
	a := larry.set("spaces", spaces, history.Founding)
	b := larry.set("gates", 1, history.Founding)
	larry.runs(1)
	gary.hears(a, b)
	harry.hears(a, b)
	return larry, gary, harry
}

// plates returns the live entries of a plate.
func (n *teller) in(p lot.Plate) (out []*change) {
	for d, c := range n.all {
		if c.Kind == history.Entered && c.Plate == p && !n.gone[d] {
			out = append(out, c)
		}
	}
	return out
}

func (n *teller) taken() int {
	plates := make(map[lot.Plate]bool)
	for d, c := range n.all {
		if c.Kind == history.Entered && !n.gone[d] {
			plates[c.Plate] = true
		}
	}
	return len(plates)
}

// setting is what rules, as the node's registers have it.
func (n *teller) setting(name string) int {
	var best *change
	for d, c := range n.all {
		if c.Kind != history.Set || c.Text != name || n.gone[d] {
			continue
		}
		switch founder := c.Code == history.Founding; {
		case best == nil, best.Code == history.Founding && !founder:
			best = c
		case (best.Code == history.Founding) == founder && (c.rank(best) > 0) != founder:
			best = c
		}
	}
	if best == nil {
		return 0
	}
	return best.Count
}

func (c *change) rank(o *change) int {
	return cmp.Or(cmp.Compare(c.Stamp, o.Stamp), cmp.Compare(c.life.Node, o.life.Node), cmp.Compare(c.life.Incarnation, o.life.Incarnation), cmp.Compare(c.seq, o.seq))
}

// make makes a change: it supersedes what it sees of its plate, or setting.
func (n *teller) make(r history.Record) *change {
	n.seq++
	n.stamp = max(n.stamp+1, uint64(time.Now().UnixMilli())<<16)
	r.First, r.Last, r.Stamp = n.seq, n.seq, n.stamp
	c := &change{dot: dot{n.life, n.seq}, Record: r}
	for d, o := range n.all {
		if !n.gone[d] && (r.Kind == history.Set && o.Kind == history.Set && o.Text == r.Text ||
			r.Kind != history.Set && o.Kind == history.Entered && o.Plate == r.Plate) {
			c.supersedes = append(c.supersedes, d)
		}
	}
	n.log.Add(r)
	n.apply(c)
	return c
}

func (n *teller) enter(p lot.Plate) *change {
	return n.make(history.Record{Kind: history.Entered, Plate: p, Gate: 1})
}

func (n *teller) exit(p lot.Plate) *change {
	return n.make(history.Record{Kind: history.Exited, Plate: p, Gate: 1})
}

func (n *teller) set(name string, v int, code lot.Code) *change {
	return n.make(history.Record{Kind: history.Set, Text: name, Count: v, Code: code})
}

// apply puts a change into the replica.
func (n *teller) apply(c *change) {
	slip := n.w.slip
	mine := c.life == n.life
	n.stamp = max(n.stamp, c.Stamp)
	n.all[c.dot] = c
	if slip.forgetEntry && !mine && c.Kind == history.Entered && c.seq%7 == 3 {
		n.gone[c.dot] = true
	}
	if slip.keepSetting && !mine && c.Kind == history.Set && c.seq%3 == 0 {
		n.gone[c.dot] = true
		return
	}
	if slip.keepExited && !mine && c.Kind == history.Exited && c.seq%5 == 2 {
		return
	}
	for _, d := range c.supersedes {
		n.gone[d] = true
	}
	if slip.again { // a late copy of what is gone already
		for d, o := range n.all {
			if n.gone[d] && o.life != n.life && o.Kind == history.Entered && (d.seq+c.seq)%11 == 1 {
				delete(n.gone, d)
			}
		}
	}
	if slip.takeUnseen && c.Kind == history.Exited {
		for _, e := range n.in(c.Plate) {
			n.gone[e.dot] = true
		}
	}
}

// hears receives changes.
func (n *teller) hears(all ...*change) {
	for _, c := range all {
		if n.all[c.dot] == nil {
			n.log.Saw(c.life, c.seq)
			n.apply(c)
		}
	}
}

// joins receives all that another has, as a state.
func (n *teller) joins(o *teller) {
	for _, c := range o.sorted() {
		if n.all[c.dot] == nil {
			n.log.SawAll(c.life, spans.Span{First: c.seq, Last: c.seq})
			n.apply(c)
		}
	}
}

func (n *teller) sorted() []*change {
	return slices.SortedFunc(maps.Values(n.all), func(a, b *change) int { return a.rank(b) })
}

// ack answers a user whose command made that change.
func (n *teller) ack(c *change, need int) *change {
	what := "track_entry"
	if c.Kind == history.Exited {
		what = "track_exit"
	}
	n.answer(c, what, need)
	return c
}

func (n *teller) answer(c *change, what string, need int) {
	n.log.Add(history.Record{Kind: history.Answered, Text: what, Plate: c.Plate, Gate: 1, Life: c.life, First: c.seq, Last: c.seq, Need: need, Stamp: n.stamp})
}

func (n *teller) refuse(code lot.Code, p lot.Plate) {
	n.log.Add(history.Record{Kind: history.Refused, Text: "track_entry", Plate: p, Code: code})
}

func (n *teller) runs(gates ...lot.GateID) {
	for _, g := range gates {
		n.running[g] = true
		n.log.Add(history.Record{Kind: history.GateOn, Gate: g})
	}
}

func (n *teller) stops(gates ...lot.GateID) {
	for _, g := range gates {
		delete(n.running, g)
		n.log.Add(history.Record{Kind: history.GateOff, Gate: g})
	}
}

func (n *teller) fault(id uint64, what string) {
	n.faults[id] = what
	n.log.Add(history.Record{Kind: history.Faulted, First: id, Text: what})
}

func (n *teller) mend(id uint64) {
	n.log.Add(history.Record{Kind: history.Mended, First: id, Text: n.faults[id]})
	delete(n.faults, id)
}

// crash ends a node; its history is found.
func (n *teller) crash() *teller {
	h := n.history()
	n.dead = &h
	return n
}

func (n *teller) history() history.History {
	if n.dead != nil {
		return *n.dead
	}
	h, ok := history.Read(n.log.Segments())
	if !ok || h.Damaged {
		n.w.t.Fatalf("history of %s: %+v", n.life, h)
	}
	return h
}

func (n *teller) state() State {
	s := State{Life: n.life, Seen: make(map[history.Life]spans.Set), Spaces: n.setting("spaces"), Gates: n.setting("gates")}
	for _, c := range n.sorted() {
		if n.w.slip.forgetSeen && c.seq%9 == 4 {
			continue
		}
		set := s.Seen[c.life]
		set.Add(spans.Span{First: c.seq, Last: c.seq})
		s.Seen[c.life] = set
		if c.Kind == history.Entered && !n.gone[c.dot] {
			s.Live = append(s.Live, Live{Life: c.life, Seq: c.seq, Plate: c.Plate})
		}
	}
	s.Digest = fingerprint(&s)
	s.Running = slices.Sorted(maps.Keys(n.running))
	s.Faults = slices.Sorted(maps.Values(n.faults))
	return s
}

// level is the gravest in a check, or nothing.
func level(c Check) (out Level) {
	for _, f := range c.Findings {
		if out == "" || f.Level == Breach || out == Allowed {
			out = f.Level
		}
	}
	return out
}

// judge judges what there is.
func (w *world) judge() Report {
	w.t.Helper()
	e := w.e
	e.Now = time.Now()
	e.Asked = e.Now.Add(time.Microsecond)
	for _, n := range w.nodes {
		switch {
		case n.silent:
			e.Unreached = append(e.Unreached, n.life)
		case n.dead == nil:
			e.States = append(e.States, n.state())
		}
		if !n.mute {
			h := n.history()
			if n.cut > 0 {
				h.Records, h.Cut, h.From = h.Records[n.cut:], n.cut, h.Records[n.cut].Real
			}
			h.Damaged = n.damaged
			e.Histories = append(e.Histories, h)
		}
	}
	return Judge(e)
}

// wants fails the test unless the checks come to those levels, "" for none; what
// is not named has to have no finding that is worse than allowed.
func (w *world) wants(levels map[string]Level) Report {
	w.t.Helper()
	r := w.judge()
	seen := 0
	for _, c := range r.Checks {
		got := level(c)
		want, named := levels[c.Name]
		if named {
			seen++
		}
		if named && got != want || !named && got != "" && got != Allowed {
			w.t.Errorf("%s: %q, want %q; %s\n%+v", c.Name, got, want, c.Text, c.Findings)
		}
	}
	if seen != len(levels) {
		w.t.Errorf("no check of a name in %v", levels)
	}
	return r
}
