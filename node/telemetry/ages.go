package telemetry

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ages is a histogram that is told of many equal values at once, which Prometheus'
// own is not, and adds them for the price of one: two additions.
type ages struct {
	desc   *prometheus.Desc
	bounds []time.Duration // ascending; each the most that its bucket takes
	keys   []float64       // the same in seconds
	counts []atomic.Uint64 // by bucket, one more than bounds
	sum    atomic.Int64    // in milliseconds
}

func newAges(name, help string, seconds ...float64) *ages {
	a := &ages{desc: prometheus.NewDesc(name, help, nil, nil), keys: seconds, counts: make([]atomic.Uint64, len(seconds)+1)}
	for _, s := range seconds {
		a.bounds = append(a.bounds, time.Duration(s*float64(time.Second)))
	}
	return a
}

// observe adds an age that count changes have. It does not block.
func (a *ages) observe(age time.Duration, count int) {
	age = max(age, 0)
	bucket, _ := slices.BinarySearch(a.bounds, age)
	a.counts[bucket].Add(uint64(count))
	a.sum.Add(age.Milliseconds() * int64(count))
}

// Describe implements prometheus.Collector.
func (a *ages) Describe(c chan<- *prometheus.Desc) { c <- a.desc }

// Collect implements prometheus.Collector. The sum may be behind the counts by what
// is being observed meanwhile.
func (a *ages) Collect(c chan<- prometheus.Metric) {
	sum := time.Duration(a.sum.Load()) * time.Millisecond
	total, buckets := uint64(0), make(map[float64]uint64, len(a.keys))
	for i := range a.counts {
		total += a.counts[i].Load()
		if i < len(a.keys) {
			buckets[a.keys[i]] = total
		}
	}
	c <- prometheus.MustNewConstHistogram(a.desc, total, sum.Seconds(), buckets)
}
