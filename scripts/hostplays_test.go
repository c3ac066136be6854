package scripts_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mended heals and notes what all nodes have then.
func mended(t *testing.T, c *hosts, w way, r *record, what string) {
	t.Helper()
	begin := time.Now()
	must(t, w.heal(c))
	c.until("all see each other", func() bool {
		for _, h := range c.all {
			if h.sees() != "gary harry larry" {
				return false
			}
		}
		return true
	})
	r.took(what+", healed: all see each other", time.Since(begin))
	c.until("all digests are equal", c.same)
	r.took(what+", healed: equal digests too", time.Since(begin))
	c.until("all agree on one node for each gate", c.complete)
	r.took(what+", healed: one owner per gate too", time.Since(begin))
	// A suspicion from before the heal may still end in a verdict.
	if relapse := c.watch(2*time.Second, "all agree again", c.complete); relapse > 0 {
		t.Logf("%s: after the heal they did not agree once more, for %v", what, relapse)
	}
	r.saw("healed")
	hold(c, r)
}

// runs reports whether every gate runs on one of those nodes, in this one's view.
func (h *host) runs(on ...string) bool {
	for _, where := range strings.Fields(h.gates()) {
		if !slices.Contains(on, where) {
			return false
		}
	}
	return true
}

func playPartition(t *testing.T, c *hosts, w way, r *record) {
	gary := c.all["gary"]
	gary.do("track_entry BEFORE 1")
	c.until("all have it", c.complete)
	begin := time.Now()
	must(t, w.partition(c))
	splits(c, r, "partition", begin)

	c.all["larry"].do("track_entry LEFT 1")
	c.all["larry"].do("track_entry BOTH 1")
	gary.do("track_entry RIGHT 2")
	gary.do("track_entry BOTH 2")
	for g := 1; g <= 4; g++ {
		for _, name := range []string{"larry", "harry"} {
			outcome := c.all[name].outcome(fmt.Sprintf("gate %d enter %s-%d", g, name, g))
			r.saw("gate %d lets one in for %s: %s", g, name, outcome)
		}
	}
	c.until("gary and harry have the same", func() bool { return gary.digest() == c.all["harry"].digest() })
	hold(c, r)
	mended(t, c, w, r, "partition")
}

// splits waits until larry on one side and gary and harry on the other have lost
// each other, and each side runs all gates.
func splits(c *hosts, r *record, what string, begin time.Time) {
	larry, gary, harry := c.all["larry"], c.all["gary"], c.all["harry"]
	var lone, rest time.Duration
	c.until("the sides have lost each other", func() bool {
		if lone == 0 && larry.sees() == "larry" {
			lone = time.Since(begin)
		}
		if rest == 0 && gary.sees() == "gary harry" && harry.sees() == "gary harry" {
			rest = time.Since(begin)
		}
		return lone > 0 && rest > 0
	})
	r.took(what+": larry has noticed", lone)
	r.took(what+": gary and harry have", rest)
	c.until("larry runs all gates", func() bool { return larry.runs("larry") })
	c.until("so does the other side", func() bool { return gary.runs("gary", "harry") && gary.gates() == harry.gates() })
	r.took(what+": both sides run all gates", time.Since(begin))
	r.saw("larry has lost gary %s and harry %s", larry.why("gary"), larry.why("harry"))
	r.saw("gary has lost larry %s, harry has lost larry %s", gary.why("larry"), harry.why("larry"))
}

// hold notes what each node has.
func hold(c *hosts, r *record) {
	var lines []string
	for _, name := range c.running() {
		lines = append(lines, "has "+c.all[name].has())
	}
	if alike := slices.Compact(slices.Clone(lines)); len(alike) == 1 {
		r.saw("each %s", alike[0])
		return
	}
	for i, name := range c.running() {
		r.saw("%s %s", name, lines[i])
	}
}

// watchFor is how long nodes are watched for what is not to happen: much longer
// than it takes to notice a cut.
const watchFor = 4 * time.Second

func playOneWay(t *testing.T, c *hosts, w way, r *record) {
	larry, gary := c.all["larry"], c.all["gary"]
	c.spread()
	begin := time.Now()
	must(t, w.oneWay(c))
	larry.do("track_entry OUT 1")
	gary.do("track_entry BACK 2")
	c.until("larry's entry is on gary", func() bool { return strings.Contains(gary.has(), "OUT") })
	r.took("one-way cut: larry's entry is on gary", time.Since(begin))
	c.until("gary's entry is on larry", func() bool { return strings.Contains(larry.has(), "BACK") })
	r.took("one-way cut: gary's entry is on larry", time.Since(begin))
	for _, call := range []struct {
		from string
		gate int
		on   string
	}{{"larry", 2, "gary"}, {"gary", 1, "larry"}, {"larry", 3, "harry"}, {"gary", 3, "harry"}, {"harry", 1, "larry"}, {"harry", 2, "gary"}} {
		plate := maybe
		if call.from == "harry" || call.on == "harry" {
			plate = "CALL"
		}
		asked := time.Now()
		outcome := c.all[call.from].outcome(fmt.Sprintf("gate %d enter %s-%s-%d", call.gate, plate, call.from, call.gate))
		r.saw("%s enters by %s's gate %d: %s", call.from, call.on, call.gate, outcome)
		if outcome != "ok" {
			r.took(fmt.Sprintf("one-way cut: %s by %s's gate: %s", call.from, call.on, outcome), time.Since(asked))
		}
	}
	c.watch(watchFor, "all see each other by harry", c.complete)
	r.saw("harry passes on what they say, so all see each other alive")
	mended(t, c, w, r, "one-way cut")
	// The first bytes of a stream may still arrive one way, before it stops for
	// want of acknowledgements; faults at the prompt stop it at once.
	t.Logf("of the calls without an answer these were carried out: %s", c.all["larry"].doubtful())
}

func playMute(t *testing.T, c *hosts, w way, r *record) {
	c.spread()
	begin := time.Now()
	must(t, w.mute(c))
	splits(c, r, "nobody hears larry", begin)
	c.all["larry"].do("track_entry UNHEARD 1")
	c.all["gary"].do("track_entry HEARD 2")
	c.watch(time.Second, "gary and harry have the same", func() bool { return c.all["gary"].digest() == c.all["harry"].digest() })
	hold(c, r)
	mended(t, c, w, r, "nobody hears larry")
}

func playLoss(t *testing.T, c *hosts, w way, r *record) {
	begin := time.Now()
	must(t, w.loss(c))
	for _, name := range castOfHosts {
		for i := range 10 {
			c.all[name].do(fmt.Sprintf("track_entry %s%d 1", strings.ToUpper(name), i))
		}
	}
	c.until("all have all", c.same)
	r.took("30 % loss: 30 entries are everywhere", time.Since(begin))
	hold(c, r)
	c.watch(watchFor, "all see each other, or do so again", c.complete)
	mended(t, c, w, r, "30 % loss")
}

func playPowerOff(t *testing.T, c *hosts, w way, r *record) {
	larry, harry := c.all["larry"], c.all["harry"]
	c.spread()
	begin := time.Now()
	must(t, w.powerOff(c))
	c.until("larry and harry have noticed", func() bool { return larry.sees() == "harry larry" && harry.sees() == "harry larry" })
	r.took("power off: larry and harry have noticed", time.Since(begin))
	c.until("gary's gates run elsewhere", func() bool { return c.complete() && larry.runs("larry", "harry") })
	r.took("power off: gary's gates run elsewhere", time.Since(begin))
	hold(c, r)
	for _, h := range []*host{larry, harry} {
		r.saw("%s has lost gary %s", h.Name, h.why("gary"))
		r.saw("%s enters by what was gary's gate: %s", h.Name, h.outcome("gate 2 enter LATE-"+h.Name))
	}
}
