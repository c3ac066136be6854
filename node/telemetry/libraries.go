package telemetry

import (
	"slices"
	"time"

	"github.com/hashicorp/go-metrics"
	"github.com/prometheus/client_golang/prometheus"
)

// Serf and memberlist count by go-metrics, under names that are parts of paths,
// which some make of what they are sent, and in milliseconds. So what they say is
// looked up in a table of what they can say, which has a name, a unit and a help for
// each, and whatever is not in it is dropped: the series are known beforehand.

// path is what go-metrics calls a metric.
type path []string

// taker is what takes the values of one path: one of the three is not nil.
type taker struct {
	path    path
	add     prometheus.Counter // of an increment
	set     prometheus.Gauge   // to a gauge, or the latest sample
	observe prometheus.Summary // of a sample
	scale   float64            // of a sample; a duration comes in milliseconds
}

// sink implements metrics.MetricSink. It is written to by nobody once it is made.
type sink struct {
	table map[string][]*taker         // by the last part of the path, since many begin alike
	nodes map[string]prometheus.Gauge // memberlist's nodes by their state
}

// listen takes over the process's go-metrics.
func listen() ([]prometheus.Collector, error) {
	s, all := newSink()
	cfg := &metrics.Config{TimerGranularity: time.Millisecond, FilterDefault: true}
	_, err := metrics.NewGlobal(cfg, s)
	return all, err
}

func newSink() (*sink, []prometheus.Collector) {
	s := &sink{table: make(map[string][]*taker)}
	take := func(t taker) {
		last := t.path[len(t.path)-1]
		s.table[last] = append(s.table[last], &t)
	}
	var all []prometheus.Collector
	count := func(name, help, label string, paths map[string]path) {
		var values []string
		for v := range paths {
			values = append(values, v)
		}
		vec, children := counters(name, help+share, label, values...)
		for v, p := range paths {
			take(taker{path: p, add: children[v]})
		}
		all = append(all, vec)
	}
	sample := func(name, help string, scale float64, p path) {
		c := prometheus.NewSummary(prometheus.SummaryOpts{Name: name, Help: help + share})
		take(taker{path: p, observe: c, scale: scale})
		all = append(all, c)
	}
	gauge := func(name, help, label string, paths map[string]path) {
		vec := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help + view}, []string{label})
		for v, p := range paths {
			take(taker{path: p, set: vec.WithLabelValues(v)})
		}
		all = append(all, vec)
	}

	count("serf_events_total", "User events that Serf delivered to this node, its own too: deltas and announcements.", "kind",
		map[string]path{"user": {"serf", "events"}, "query": {"serf", "queries"}})
	count("serf_member_events_total", "What Serf told of members.", "event", map[string]path{
		"join": {"serf", "member", "join"}, "leave": {"serf", "member", "left"}, "fail": {"serf", "member", "failed"},
		"flap": {"serf", "member", "flap"}, "update": {"serf", "member", "update"},
	})
	sample("serf_received_message_bytes", "Size of Serf's messages that came.", 1, path{"serf", "msgs", "received"})
	sample("serf_sent_message_bytes", "Size of Serf's messages that left, each as often as it did.", 1, path{"serf", "msgs", "sent"})
	gauge("serf_queue_messages", "Messages that wait in Serf's queues, when it last looked.", "queue", map[string]path{
		"intent": {"serf", "queue", "Intent"}, "event": {"serf", "queue", "Event"}, "query": {"serf", "queue", "Query"},
	})

	count("memberlist_sent_bytes_total", "Bytes that memberlist sent, encrypted.", "transport",
		map[string]path{"udp": {"memberlist", "udp", "sent"}, "tcp": {"memberlist", "tcp", "sent"}})
	count("memberlist_connections_total", "Connections of memberlist's.", "direction",
		map[string]path{"in": {"memberlist", "tcp", "accept"}, "out": {"memberlist", "tcp", "connect"}})
	count("memberlist_messages_total", "What memberlist heard of other members.", "kind", map[string]path{
		"alive": {"memberlist", "msg", "alive"}, "suspect": {"memberlist", "msg", "suspect"}, "dead": {"memberlist", "msg", "dead"},
	})
	count("memberlist_degraded_total", "Probes that were delayed because this node is not well itself (probe), and failures declared for want of others who agree (timeout).", "what",
		map[string]path{"probe": {"memberlist", "degraded", "probe"}, "timeout": {"memberlist", "degraded", "timeout"}})
	sample("memberlist_probe_seconds", "Time that a probe of another member took.", 1e-3, path{"memberlist", "probeNode"})
	sample("memberlist_gossip_seconds", "Time that a round of gossip took.", 1e-3, path{"memberlist", "gossip"})
	sample("memberlist_push_pull_seconds", "Time that an exchange of member lists took.", 1e-3, path{"memberlist", "pushPullNode"})
	sample("memberlist_push_pull_received_bytes", "Size of the member lists that came, with Serf's recent events.", 1, path{"memberlist", "size", "remote"})

	one := func(name, help string, p path) {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help + view})
		take(taker{path: p, set: g})
		all = append(all, g)
	}
	one("memberlist_push_pull_sent_bytes", "Size of the latest member list that left, with Serf's recent events.", path{"memberlist", "size", "local"})
	one("memberlist_health_score", "How slow this node has to take itself to be: 0 is well, and each point makes it wait that much longer for others.", path{"memberlist", "health", "score"})
	one("memberlist_queue_messages", "Messages that wait in memberlist's own queue, when it last looked.", path{"memberlist", "queue", "broadcasts"})
	nodes := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "memberlist_nodes", Help: "Members by state, when this node last exchanged lists." + view,
	}, []string{"state"})
	s.nodes = make(map[string]prometheus.Gauge)
	for _, state := range []string{"alive", "suspect", "dead", "left"} {
		s.nodes[state] = nodes.WithLabelValues(state)
	}
	return s, append(all, nodes)
}

// find looks a metric up; nil is one that nobody takes.
func (s *sink) find(key []string) *taker {
	if len(key) == 0 {
		return nil
	}
	for _, t := range s.table[key[len(key)-1]] {
		if slices.Equal(t.path, key) {
			return t
		}
	}
	return nil
}

// IncrCounter implements metrics.MetricSink, as do the other methods.
func (s *sink) IncrCounter(key []string, v float32) {
	if t := s.find(key); t != nil && t.add != nil && v >= 0 {
		t.add.Add(float64(v))
	}
}

// SetGauge is described at IncrCounter.
func (s *sink) SetGauge(key []string, v float32) {
	if t := s.find(key); t != nil && t.set != nil {
		t.set.Set(float64(v))
	}
}

// AddSample is described at IncrCounter.
func (s *sink) AddSample(key []string, v float32) {
	switch t := s.find(key); {
	case t == nil:
	case t.observe != nil:
		t.observe.Observe(float64(v) * t.scale)
	case t.set != nil:
		t.set.Set(float64(v))
	}
}

// IncrCounterWithLabels is described at IncrCounter.
func (s *sink) IncrCounterWithLabels(key []string, v float32, _ []metrics.Label) {
	s.IncrCounter(key, v)
}

// AddSampleWithLabels is described at IncrCounter.
func (s *sink) AddSampleWithLabels(key []string, v float32, _ []metrics.Label) { s.AddSample(key, v) }

// SetGaugeWithLabels is described at IncrCounter.
func (s *sink) SetGaugeWithLabels(key []string, v float32, labels []metrics.Label) {
	if len(key) == 3 && key[1] == "node" && key[2] == "instances" {
		for _, l := range labels {
			if g := s.nodes[l.Value]; l.Name == "node_state" && g != nil {
				g.Set(float64(v))
			}
		}
		return
	}
	s.SetGauge(key, v)
}

// EmitKey is described at IncrCounter.
func (s *sink) EmitKey([]string, float32) {}
