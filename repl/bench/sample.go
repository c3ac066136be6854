package bench

import (
	"fmt"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A sample is what one run of a workload has measured so far. It belongs to
// one goroutine.
type sample struct {
	latencies []*latency
	values    []value
	notes     []string
}

// A value is one measured number, in a unit of its own: s, B, %, entries/s.
type value struct {
	name, unit string
	v          float64
}

func (s *sample) set(name, unit string, v float64) {
	s.values = append(s.values, value{name, unit, v})
}

// note remarks on the measurement, once.
func (s *sample) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(s.notes, n) {
		s.notes = append(s.notes, n)
	}
}

// latency returns the times of that name. They are told in the order in which
// they were first asked for.
func (s *sample) latency(name string) *latency {
	for _, l := range s.latencies {
		if l.name == name {
			return l
		}
	}
	l := &latency{name, hdrhistogram.New(1, longest.Nanoseconds(), 3)}
	s.latencies = append(s.latencies, l)
	return l
}

// longest is the longest time that a latency tells apart.
const longest = 10 * time.Minute

// A latency is the distribution of times.
type latency struct {
	name string
	hist *hdrhistogram.Histogram
}

// since records how long ago it was, at the moment end, that something was due.
// It counts from when it was to happen, however late it was begun: else a
// system that stands still would not be asked, and would look quick. That is
// the correction for coordinated omission.
func (l *latency) since(due, end time.Time) {
	_ = l.hist.RecordValue(min(max(1, end.Sub(due).Nanoseconds()), longest.Nanoseconds()))
}

// quantiles are those that are told, the last being the maximum.
var quantiles = []struct {
	name string
	at   float64
}{{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}, {"max", 100}}

// quantile returns that percentile in seconds.
func (l *latency) quantile(at float64) float64 {
	if at == 100 {
		return float64(l.hist.Max()) / 1e9
	}
	return float64(l.hist.ValueAtPercentile(at)) / 1e9
}
