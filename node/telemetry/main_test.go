package telemetry_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"parking/node"
	"parking/node/cookie"
	"parking/node/simnet"
	"parking/node/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// watched is a node with its instruments.
type watched struct {
	*node.Node
	*telemetry.Telemetry
	host *simnet.Host
	stop context.CancelFunc
	done chan error
}

// options say what nodes a test has.
type options struct {
	names   []string
	change  func(*node.Config)
	process bool // the first one has the process's figures
}

// inCluster runs f with nodes in virtual time: real ones, on the real Serf. The
// first one has founded the cluster, and all see each other.
func inCluster(t *testing.T, o options, f func(*testing.T, []*watched)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		keys, err := cookie.FromSecret([]byte(strings.Repeat("k", cookie.SecretSize)))
		if err != nil {
			t.Fatal(err)
		}
		net := simnet.New(seed, 200*time.Microsecond)
		var all []*watched
		defer func() {
			for _, n := range all {
				n.stop()
			}
			for _, n := range all {
				<-n.done
			}
			time.Sleep(15 * time.Second) // memberlist's last probes
		}()
		for i, name := range o.names {
			host, err := net.Host("10.0.0.1", 7001+i)
			if err != nil {
				t.Fatal(err)
			}
			cfg := node.DefaultConfig()
			cfg.Name, cfg.Keys, cfg.Network = name, keys, host
			cfg.Rand = rand.New(rand.NewPCG(seed, uint64(i)))
			if i > 0 {
				cfg.Join = []string{"10.0.0.1:7001"}
			}
			if o.change != nil {
				o.change(&cfg)
			}
			n := &watched{host: host, done: make(chan error, 1)}
			if n.Node, err = node.New(cfg); err != nil {
				t.Fatal(err)
			}
			if n.Telemetry, err = telemetry.New(n.Node, telemetry.Config{Version: "1", Process: o.process && i == 0}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			n.stop = cancel
			all = append(all, n)
			go func() { n.done <- n.Run(ctx) }()
			select {
			case <-n.Ready():
			case err := <-n.done:
				n.done <- err
				t.Fatalf("%s did not start: %v", name, err)
			}
		}
		eventually(t, "all see each other", func() bool {
			for _, n := range all {
				if alive(n.Node) != len(all) {
					return false
				}
			}
			return equal(all)
		})
		f(t, all)
	})
}

func alive(n *node.Node) (count int) {
	for _, m := range n.Members() {
		if m.Status == "alive" {
			count++
		}
	}
	return count
}

func equal(all []*watched) bool {
	for _, n := range all {
		if n.Digest() != all[0].Digest() {
			return false
		}
	}
	return true
}

// eventually waits, in virtual time.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for begin := time.Now(); !holds(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > time.Minute {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// scrape is what is told at one moment, by name and labels: a{b="c"}; of a
// histogram the count, as a_count, and the sum.
type scrape map[string]float64

func (n *watched) scrape(t *testing.T) scrape {
	t.Helper()
	return scraped(t, n.Gatherer())
}

func scraped(t *testing.T, from prometheus.Gatherer) scrape {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	s := make(scrape)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				if l.GetName() != "cluster" {
					labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
				}
			}
			key := ""
			if labels != nil {
				key = "{" + strings.Join(labels, ",") + "}"
			}
			switch {
			case m.GetHistogram() != nil:
				s[f.GetName()+"_count"+key] = float64(m.GetHistogram().GetSampleCount())
				s[f.GetName()+"_sum"+key] = m.GetHistogram().GetSampleSum()
			case m.GetSummary() != nil:
				s[f.GetName()+"_count"+key] = float64(m.GetSummary().GetSampleCount())
				s[f.GetName()+"_sum"+key] = m.GetSummary().GetSampleSum()
			case m.GetCounter() != nil:
				s[f.GetName()+key] = m.GetCounter().GetValue()
			default:
				s[f.GetName()+key] = m.GetGauge().GetValue()
			}
		}
	}
	return s
}

// sum adds a series over all nodes.
func sum(t *testing.T, all []*watched, series string) (total float64) {
	t.Helper()
	for _, n := range all {
		v, ok := n.scrape(t)[series]
		if !ok {
			t.Fatalf("%s tells no %s", n.Name(), series)
		}
		total += v
	}
	return total
}
