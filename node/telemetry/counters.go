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
	all = append(all, newDeltas(bus), newArrivals(bus), announcements(bus))
	all = append(all, pulls(bus)...)
	return append(all, turns(bus)...)
}

// users counts what users have done.
func users(bus *probe.Bus) []prometheus.Collector {
	entries := counter("parking_entries_total",
		"Entries recorded at this replica, by its users or by gates that run here."+once)
	exits := counter("parking_exits_total",
		"Exits recorded at this replica, by its users or by gates that run here."+once)
	bus.Recorded.Attach(func(e probe.Recorded) {
		entries.Add(float64(e.Entries))
		exits.Add(float64(e.Exits))
	})
	refusals, byCode := counters("parking_refusals_total",
		"Entries, exits and settings that this node's users asked for in vain, by the reason; of those with code unknown nobody knows. They count on the node where they were typed."+once,
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
		Help:    "Time from a user's gate command until the gate's answer is in this replica, wherever the gate runs, by what came of it." + once,
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

// pulls counts anti-entropy, and what it and others bring that is not to be joined.
func pulls(bus *probe.Bus) []prometheus.Collector {
	var names []string
	for o := range probe.Outcomes {
		names = append(names, o.String())
	}
	all, by := counters("parking_pulls_total",
		"Pulls by this node, by what came: the same digest, news, a whole state; deferred because that would be needed; failed."+once,
		"outcome", names...)
	took := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "parking_pull_seconds",
		Help:    "Time that those pulls took, but for those that found the same digest and those that failed." + once,
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
		"What came from outside and was turned away, as a whole or in part: malformed, claiming changes of this node's that it never made (forged), holding what only a newer program knows, or a stranger's connection without the cookie."+once,
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
		"Times that another node joined, left or failed, as this node saw it since it was ready."+share,
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
		"Times that a gate was started, was stopped or crashed on this node; after a crash it is started again, which does not count."+once,
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
		"Times that an injected fault was imposed on this node or taken back whole. One fault of links counts on each node that has one of them."+share,
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
