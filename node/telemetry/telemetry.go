// Package telemetry shows what a node does to Prometheus. It attaches instruments to
// the node's probe, which count as things happen; looks at the node when it is
// scraped, for what has a present value; and takes in what Serf and memberlist say
// of themselves. Everything stands in a registry of its own, under names and units
// by Prometheus' conventions.
//
// What is counted once, where it happens, is right as a sum over nodes. What
// is the same on every node, because it is replicated, is not, and its help says so.
//
// It is the only package that knows Prometheus and go-metrics.
package telemetry

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"parking/node"
)

const (
	// maxScrapes is how many scrapes are answered at once, scrapeTimeout how long one
	// may take.
	maxScrapes    = 8
	scrapeTimeout = 10 * time.Second
)

// How a figure is to be read over several nodes; every help ends in one of these.
const (
	once       = " Counted once, where it happens: sum over nodes."
	replicated = " Replicated, the same on every node: max over nodes, never the sum."
	share      = " Each node counts what it does itself: the sum over nodes grows with their number."
	view       = " Each node's own view: compare nodes, do not sum."
)

// Config says what to show beside the node.
type Config struct {
	Version string // of the program
	// Process has the Go runtime and the process shown, and takes over go-metrics, by
	// which Serf and memberlist count. That knows one taker in a process, so that the
	// last one to ask for it has it, and it is told of all nodes of the process.
	Process bool
	Log     *slog.Logger // of scrapes that fail; nil: nowhere
}

// Telemetry is what there is to scrape of one node.
type Telemetry struct {
	registry *prometheus.Registry
	log      *slog.Logger
}

// New attaches instruments to a node, for as long as it lives. It does so before
// the node runs, or what was before is not counted. It starts nothing.
func New(n *node.Node, cfg Config) (*Telemetry, error) {
	t := &Telemetry{registry: prometheus.NewRegistry(), log: cfg.Log}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	cluster := prometheus.Labels{"cluster": n.Cluster()}
	all := []prometheus.Collector{newGauges(n), about(n.Name(), cfg.Version)}
	all = append(all, attach(n.Probe())...)
	if cfg.Process {
		libraries, err := listen()
		if err != nil {
			return nil, fmt.Errorf("telemetry: %w", err)
		}
		all = append(all, libraries...)
		for _, c := range []prometheus.Collector{
			collectors.NewGoCollector(),
			collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		} {
			if err := t.registry.Register(c); err != nil {
				return nil, fmt.Errorf("telemetry: %w", err)
			}
		}
	}
	own := prometheus.WrapRegistererWith(cluster, t.registry)
	for _, c := range all {
		if err := own.Register(c); err != nil {
			return nil, fmt.Errorf("telemetry: %w", err)
		}
	}
	return t, nil
}

// about says which program this is, and which node.
func about(name, version string) prometheus.Collector {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "parking_build_info",
		Help: "1, with the program that this node runs, and its name." + view,
	}, []string{"version", "goversion", "name"})
	g.WithLabelValues(version, runtime.Version(), name).Set(1)
	return g
}

// Gatherer is what the handler serves.
func (t *Telemetry) Gatherer() prometheus.Gatherer { return t.registry }

// Handler serves scrapes, several at once. A scrape does not wait for the node, nor
// the node for it, beyond a moment; one that comes while very many are under way is
// told so.
func (t *Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{
		ErrorLog:            complaints{t.log},
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
		Timeout:             scrapeTimeout,
		EnableOpenMetrics:   true,
	})
}

// complaints takes what goes wrong in a scrape.
type complaints struct{ to *slog.Logger }

func (c complaints) Println(v ...any) { c.to.Warn("scrape", "err", fmt.Sprint(v...)) }
