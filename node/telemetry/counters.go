package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"parking/lot"
	"parking/node/probe"
)

// other is the label of what has none of the values that are known: whatever others
// send, there are no more series than these.
const other = "other"

// codes are the reasons for refusals that are told apart.
var codes = []lot.Code{
	lot.Full, lot.Present, lot.Absent, lot.Range, lot.Unreachable, lot.Unknown, lot.Usage, lot.Refused,
}

// counter makes a counter.
func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

// counters makes one with a label, and its children at once, so that each is there
// before it counts, and none is looked up when it does.
func counters[V ~string](name, help, label string, values ...V) (*prometheus.CounterVec, map[V]prometheus.Counter) {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	children := make(map[V]prometheus.Counter, len(values))
	for _, v := range values {
		children[v] = vec.WithLabelValues(string(v))
	}
	return vec, children
}

// attach counts what the bus tells, and returns what it counts with.
func attach(bus *probe.Bus) (all []prometheus.Collector) {
	all = append(all, users(bus)...)
	all = append(all, deltas(bus)...)
	all = append(all, pulls(bus)...)
	return append(all, turns(bus)...)
}

// users counts what users have done.
func users(bus *probe.Bus) []prometheus.Collector {
	entries := counter("parking_entries_total",
		"Entries recorded at this replica, by its users or by gates that run here. Each counts on one node: sum over nodes.")
	exits := counter("parking_exits_total",
		"Exits recorded at this replica, by its users or by gates that run here. Each counts on one node: sum over nodes.")
	bus.Recorded.Attach(func(e probe.Recorded) {
		entries.Add(float64(e.Entries))
		exits.Add(float64(e.Exits))
	})
	refusals, byCode := counters("parking_refusals_total",
		"Commands of this node's users that changed nothing, by the reason; of those with code unknown nobody knows. Each counts where it was typed: sum over nodes.",
		"code", append(codes, other)...)
	bus.Refused.Attach(func(e probe.Refused) {
		c, known := byCode[e.Code]
		if !known {
			c = byCode[other]
		}
		c.Inc()
	})
	calls := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "parking_gate_call_seconds",
		Help:    "Time from a user's gate command until the gate's answer is in this replica, wherever the gate runs, by what came of it. Each counts where it was typed: sum over nodes.",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 4},
	}, []string{"outcome"})
	accepted, refused, unknown := calls.WithLabelValues("accepted"), calls.WithLabelValues("refused"), calls.WithLabelValues("unknown")
	bus.Called.Attach(func(e probe.Called) {
		to := refused
		switch e.Code {
		case "":
			to = accepted
		case lot.Unknown:
			to = unknown
		}
		to.Observe(e.Took.Seconds())
	})
	return []prometheus.Collector{entries, exits, refusals, calls}
}

// traffic is what is counted of deltas, one way, in one lane.
type traffic struct{ deltas, changes, bytes prometheus.Counter }

// deltas counts what goes from replica to replica.
func deltas(bus *probe.Bus) []prometheus.Collector {
	labels := []string{"direction", "lane"}
	vec := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	count := vec("parking_deltas_total",
		"Deltas, groups of changes that travel together: sent here to Serf once (gossip) or to each node (other lanes), and received here, again and again if they come so. What all nodes receive is more than what they send by gossip.")
	changes := vec("parking_delta_changes_total",
		"Changes in those deltas; of whole states (lane state) they are not counted.")
	bytes := vec("parking_delta_bytes_total",
		"Size of those deltas as they are encoded, before encryption and without what Serf puts around them.")
	var sent, received [probe.Lanes]traffic
	for lane := range probe.Lanes {
		for direction, to := range map[string]*traffic{"sent": &sent[lane], "received": &received[lane]} {
			l := []string{direction, lane.String()}
			*to = traffic{count.WithLabelValues(l...), changes.WithLabelValues(l...), bytes.WithLabelValues(l...)}
		}
	}
	bus.Sent.Attach(func(e probe.Sent) {
		to := &sent[e.Lane]
		to.deltas.Add(float64(e.Deltas))
		to.changes.Add(float64(e.Changes))
		to.bytes.Add(float64(e.Bytes))
	})
	merges, by := counters("parking_merges_total",
		"Deltas received here, by what joining them did: all was new, some of it (partial), or nothing (known). Counted at each replica: a change that n nodes hear of is merged n-1 times at least.",
		"outcome", "new", "partial", "known")
	fresh, partial, known := by["new"], by["partial"], by["known"]
	bus.Merged.Attach(func(e probe.Merged) {
		to := &received[e.Lane]
		to.deltas.Inc()
		to.bytes.Add(float64(e.Bytes))
		if e.Lane != probe.State {
			to.changes.Add(float64(e.New + e.Known + e.Forged))
		}
		switch {
		case e.New == 0:
			known.Inc()
		case e.Known+e.Forged == 0:
			fresh.Inc()
		default:
			partial.Inc()
		}
	})
	announced := counter("parking_announcements_total",
		"Times that changes were too many to be gossiped, so that only the version went out for others to pull. Each counts on one node: sum over nodes.")
	bus.Announced.Attach(func(probe.Announced) { announced.Inc() })
	age := newAges("parking_convergence_seconds",
		"Time from when an entry or exit was made on another node, by that node's clock, until it is in this replica, by this one's, in whole milliseconds. It means something only between synchronous clocks: what seems to come from the future counts as 0. Changes in whole states, and what a node fetches before it is ready, count too or not as they come singly. Counted at each replica that a change comes to.",
		.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30, 60, 300)
	bus.Arrived.Attach(func(e probe.Arrived) { age.observe(e.Age, e.Changes) })
	return []prometheus.Collector{count, changes, bytes, merges, announced, age}
}

// pulls counts anti-entropy, and what it and others bring that is not to be joined.
func pulls(bus *probe.Bus) []prometheus.Collector {
	var names []string
	for o := range probe.Outcomes {
		names = append(names, o.String())
	}
	all, by := counters("parking_pulls_total",
		"Pulls by this node, by what came: the same digest, news, a whole state; deferred because that would be needed; failed. Each counts on the node that pulls: sum over nodes.",
		"outcome", names...)
	took := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "parking_pull_seconds",
		Help:    "Time that those pulls took, but for those that found the same digest and those that failed.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
	})
	var outcomes [probe.Outcomes]prometheus.Counter
	for o := range probe.Outcomes {
		outcomes[o] = by[o.String()]
	}
	bus.Pulled.Attach(func(e probe.Pulled) {
		outcomes[e.Outcome].Inc()
		if e.Outcome != probe.Same && e.Outcome != probe.Failed {
			took.Observe(e.Took.Seconds())
		}
	})
	names = nil
	for f := range probe.Fates {
		names = append(names, f.String())
	}
	rejected, why := counters("parking_rejected_messages_total",
		"What came from outside and was turned away, as a whole or in part: malformed, claiming changes of this node's that it never made (forged), or a stranger's connection without the cookie. Each counts where it came: sum over nodes.",
		"reason", names...)
	var fates [probe.Fates]prometheus.Counter
	for f := range probe.Fates {
		fates[f] = why[f.String()]
	}
	bus.Rejected.Attach(func(e probe.Rejected) { fates[e.Why].Inc() })
	return []prometheus.Collector{all, took, rejected}
}

// turns counts how members, gates and faults come and go.
func turns(bus *probe.Bus) []prometheus.Collector {
	members, m := counters("parking_member_changes_total",
		"Times that another node joined, left or failed, as this node saw it since it was ready. Each node sees each: not to be summed over nodes.",
		"change", "joined", "left", "failed")
	joined, left, failed := m["joined"], m["left"], m["failed"]
	bus.Member.Attach(func(e probe.Member) {
		switch e.Turn {
		case probe.Joined:
			joined.Inc()
		case probe.Left:
			left.Inc()
		case probe.Lost:
			failed.Inc()
		}
	})
	gates, g := counters("parking_gate_changes_total",
		"Times that a gate was started, was stopped or crashed on this node; after a crash it is started again, which does not count. Each counts on one node: sum over nodes.",
		"change", "started", "stopped", "crashed")
	started, stopped, crashed := g["started"], g["stopped"], g["crashed"]
	bus.Gate.Attach(func(e probe.Gate) {
		switch e.Turn {
		case probe.Started:
			started.Inc()
		case probe.Stopped:
			stopped.Inc()
		case probe.Crashed:
			crashed.Inc()
		}
	})
	faults, f := counters("parking_fault_changes_total",
		"Times that an injected fault was imposed on this node or taken back whole. One fault of links counts on each node that has one of them.",
		"change", "imposed", "lifted")
	imposed, lifted := f["imposed"], f["lifted"]
	bus.Fault.Attach(func(e probe.Fault) {
		switch e.Turn {
		case probe.Imposed:
			imposed.Inc()
		case probe.Lifted:
			lifted.Inc()
		}
	})
	return []prometheus.Collector{members, gates, faults}
}
