package telemetry

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"parking/node/probe"
)

// deltas counts what goes from replica to replica. It is told of every message, on
// the way of a change, so that it adds as few numbers as it can there, and does the
// rest when it is scraped.
type deltas struct {
	sent     [probe.Lanes]sent
	received [probe.Lanes]received

	count, changes, bytes, merges *prometheus.Desc
}

type sent struct{ deltas, changes, bytes atomic.Uint64 }

type received struct {
	merges         [merged]atomic.Uint64 // the deltas, by what came of them
	changes, bytes atomic.Uint64
}

// What comes of a delta.
const (
	fresh   = iota // all of it was new
	partial        // some was
	known          // nothing was
	merged         // how many outcomes there are
)

func newDeltas(bus *probe.Bus) *deltas {
	labels := []string{"direction", "lane"}
	d := &deltas{
		count: prometheus.NewDesc("parking_deltas_total",
			"Deltas, groups of changes that travel together: sent here once to Serf (gossip) or once to each node (other lanes); received here as often as they came."+share, labels, nil),
		changes: prometheus.NewDesc("parking_delta_changes_total",
			"Changes in those deltas; those of whole states (lane state) are not counted."+share, labels, nil),
		bytes: prometheus.NewDesc("parking_delta_bytes_total",
			"Size of those deltas as they are encoded, before encryption and without what Serf puts around them."+share, labels, nil),
		merges: prometheus.NewDesc("parking_merges_total",
			"Deltas received here, by what joining them did: all was new, some of it (partial), or nothing (known)."+share, []string{"outcome"}, nil),
	}
	bus.Sent.Attach(func(e probe.Sent) {
		to := &d.sent[e.Lane]
		to.deltas.Add(uint64(e.Deltas))
		to.changes.Add(uint64(e.Changes))
		to.bytes.Add(uint64(e.Bytes))
	})
	bus.Merged.Attach(func(e probe.Merged) {
		to, outcome := &d.received[e.Lane], partial
		switch {
		case e.New == 0:
			outcome = known
		case e.Known+e.Forged == 0:
			outcome = fresh
		}
		to.merges[outcome].Add(1)
		to.bytes.Add(uint64(e.Bytes))
		if e.Lane != probe.State {
			to.changes.Add(uint64(e.New + e.Known + e.Forged))
		}
	})
	return d
}

// Describe implements prometheus.Collector.
func (d *deltas) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{d.count, d.changes, d.bytes, d.merges} {
		to <- desc
	}
}

// Collect implements prometheus.Collector.
func (d *deltas) Collect(to chan<- prometheus.Metric) {
	value := func(desc *prometheus.Desc, v uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(v), labels...)
	}
	var merges [merged]uint64
	for lane := range probe.Lanes {
		s, r, deltas := &d.sent[lane], &d.received[lane], uint64(0)
		for outcome := range merges {
			n := r.merges[outcome].Load()
			deltas += n
			merges[outcome] += n
		}
		name := lane.String()
		value(d.count, s.deltas.Load(), "sent", name)
		value(d.changes, s.changes.Load(), "sent", name)
		value(d.bytes, s.bytes.Load(), "sent", name)
		value(d.count, deltas, "received", name)
		value(d.changes, r.changes.Load(), "received", name)
		value(d.bytes, r.bytes.Load(), "received", name)
	}
	for outcome, name := range [merged]string{"new", "partial", "known"} {
		value(d.merges, merges[outcome], name)
	}
}

func newArrivals(bus *probe.Bus) *ages {
	a := newAges("parking_convergence_seconds",
		"Time from when an entry or exit was made on another node, by that node's clock, until it was joined here, by the clock of this one's host, in whole milliseconds. It means something only between synchronous clocks: what seems to come from the future counts as 0. What comes in a whole state, or before this node has caught up, is left out."+share,
		.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30, 60, 300)
	bus.Arrived.Attach(func(e probe.Arrived) { a.observe(e.Age, e.Changes) })
	return a
}

func announcements(bus *probe.Bus) prometheus.Collector {
	c := counter("parking_announcements_total",
		"Times that changes were too many to be gossiped, so that only the version went out for others to pull."+once)
	bus.Announced.Attach(func(probe.Announced) { c.Inc() })
	return c
}
