package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"parking/node"
)

// gauges looks at a node when it is scraped.
type gauges struct {
	node  *node.Node
	one   []gauge
	by    *prometheus.Desc // members
	sent  *prometheus.Desc
	ready *prometheus.Desc
}

// gauge is one present value.
type gauge struct {
	desc *prometheus.Desc
	of   func(node.Gauges) float64
}

func newGauges(n *node.Node) *gauges {
	one := func(name, help string, of func(node.Gauges) float64) gauge {
		return gauge{prometheus.NewDesc(name, help, nil, nil), of}
	}
	return &gauges{
		node: n,
		one: []gauge{
			one("parking_vehicles", "Vehicles in the lot, as this replica has them."+replicated,
				func(g node.Gauges) float64 { return float64(g.Spaces.Taken) }),
			one("parking_spaces", "Spaces of the lot."+replicated,
				func(g node.Gauges) float64 { return float64(g.Spaces.Total) }),
			one("parking_gates", "Gates of the lot."+replicated,
				func(g node.Gauges) float64 { return float64(g.Gates) }),
			one("parking_replica_digest", "The first 48 bits of the replica's digest: replicas with the same number are equal. Nothing else can be made of it, and while changes are under way the numbers of two scrapes differ."+view,
				func(g node.Gauges) float64 { return float64(g.Digest) }),
			one("parking_lag_changes", "Changes that are known to be missing at this replica, while later ones of the same node are here."+view,
				func(g node.Gauges) float64 { return float64(g.Lag) }),
			one("parking_gates_here", "Gates that run on this node. Together they are parking_gates, but for moments, and for partitions, in which both sides run them."+once,
				func(g node.Gauges) float64 { return float64(g.Here) }),
			one("parking_queue_depth", "Changes that wait here to be pushed, and events of Serf's that wait to be gossiped."+view,
				func(g node.Gauges) float64 { return float64(g.Waiting + g.Queued) }),
			one("parking_faults", "Injected faults in force on this node. One fault of links is in force on each node that has one of them."+view,
				func(g node.Gauges) float64 { return float64(g.Faults) }),
		},
		by: prometheus.NewDesc("parking_members", "Nodes in this node's view, itself too, by state; failed and left ones for a while."+view,
			[]string{"state"}, nil),
		sent: prometheus.NewDesc("parking_sent_bytes_total", "Bytes that this node sent to others, encrypted: Serf's packets by UDP and streams by TCP (gossip), and the node's own streams (peer)."+once,
			[]string{"by"}, nil),
		ready: prometheus.NewDesc("parking_ready", "1 while this node is ready for work, as /readyz says: it has joined whom it found, has caught up with them, and does not leave. Until it has joined, most other gauges are missing."+view, nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *gauges) Describe(to chan<- *prometheus.Desc) {
	for _, g := range c.one {
		to <- g.desc
	}
	to <- c.by
	to <- c.sent
	to <- c.ready
}

// Collect implements prometheus.Collector.
func (c *gauges) Collect(to chan<- prometheus.Metric) {
	now := c.node.Gauges()
	value := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, t, v, labels...)
	}
	ready := 0.0
	if now.Ready {
		ready = 1
	}
	value(c.ready, prometheus.GaugeValue, ready)
	if !now.Known {
		return
	}
	for _, g := range c.one {
		value(g.desc, prometheus.GaugeValue, g.of(now))
	}
	for _, s := range node.Statuses() {
		value(c.by, prometheus.GaugeValue, float64(now.Members[s]), s)
	}
	value(c.sent, prometheus.CounterValue, float64(now.Sent.Packets), "packets")
	value(c.sent, prometheus.CounterValue, float64(now.Sent.Gossip), "gossip")
	value(c.sent, prometheus.CounterValue, float64(now.Sent.Streams), "peer")
}
