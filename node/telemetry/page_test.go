package telemetry_test

import (
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-metrics"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"parking/node"
	"parking/node/cookie"
	"parking/node/simnet"
	"parking/node/telemetry"
)

// row is what the page tells of a family.
type row struct{ labels, nodes string }

// documented reads the table of docs/telemetry.md.
func documented(t *testing.T) map[string]row {
	t.Helper()
	b, err := os.ReadFile("../../docs/telemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]row)
	for line := range strings.Lines(string(b)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 6 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		for i, c := range cells {
			cells[i] = strings.ReplaceAll(strings.TrimSpace(c), "`", "")
		}
		if cells[4] == "" {
			t.Errorf("nothing is told of %s", cells[1])
		}
		rows[cells[1]] = row{cells[2], cells[3]}
	}
	return rows
}

// The page tells all that there is, and the helps say the same of sums.
func TestThePageIsComplete(t *testing.T) {
	t.Cleanup(blackhole)
	inCluster(t, options{names: []string{"larry"}, process: true}, func(t *testing.T, all []*watched) {
		n := all[0]
		rows := documented(t)
		families, err := n.Gatherer().Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			name, help := f.GetName(), f.GetHelp()
			if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
				continue
			}
			values := make(map[string]map[string]bool)
			for _, m := range f.GetMetric() {
				cluster := ""
				for _, l := range m.GetLabel() {
					if l.GetName() == "cluster" {
						cluster = l.GetValue()
						continue
					}
					if values[l.GetName()] == nil {
						values[l.GetName()] = make(map[string]bool)
					}
					values[l.GetName()][l.GetValue()] = true
				}
				if cluster != "parking" {
					t.Errorf("%s is of the cluster %q", name, cluster)
				}
			}
			labels := strings.Join(slices.Sorted(maps.Keys(values)), ", ")
			nodes := ""
			for end, is := range map[string]string{
				" sum over nodes.": "sum", " max over nodes, never the sum.": "max",
				" compare nodes, do not sum.": "each", " the sum over nodes grows with their number.": "each",
			} {
				if strings.HasSuffix(help, end) {
					nodes = is
				}
			}
			switch got, there := rows[name]; {
			case !there:
				t.Errorf("the page lacks\n| `%s` | %s | %s | %s |", name, labels, nodes, help)
			case got != row{labels, nodes}:
				t.Errorf("the page has %+v of %s, which is %+v", got, name, row{labels, nodes})
			}
			delete(rows, name)
		}
		for name := range rows {
			t.Errorf("there is no %s", name)
		}
	})
}

// Names, units and helps are by the conventions, Serf's too.
func TestConventions(t *testing.T) {
	t.Cleanup(blackhole)
	inCluster(t, options{names: []string{"larry"}, process: true}, func(t *testing.T, all []*watched) {
		n := all[0]
		problems, err := testutil.GatherAndLint(n.Gatherer())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	})
}

// However long the node lives and whatever comes, there are no more series than at
// its first scrape.
func TestSeriesAreKnownBeforehand(t *testing.T) {
	inProcess(t, func(t *testing.T, n *watched) {
		before := len(n.scrape(t))
		m := metrics.Default()
		for _, name := range []string{"d", "attack"} {
			m.IncrCounter([]string{"serf", "events", name}, 1)
			m.IncrCounter([]string{"serf", "queries", name}, 1)
			m.AddSample([]string{"serf", "queue", name}, 1)
			m.IncrCounter([]string{name}, 1)
			m.SetGaugeWithLabels([]string{"memberlist", "node", "instances"}, 1, []metrics.Label{{Name: "node_state", Value: name}})
		}
		m.EmitKey([]string{"serf", "events"}, 1)
		m.IncrCounter([]string{"serf", "events"}, 3)
		m.AddSample([]string{"memberlist", "probeNode"}, 250)
		m.SetGaugeWithLabels([]string{"memberlist", "node", "instances"}, 2, []metrics.Label{{Name: "node_state", Value: "dead"}})
		s := n.scrape(t)
		if len(s) != before {
			t.Errorf("%d series, %d before", len(s), before)
		}
		for series, want := range map[string]float64{
			`serf_events_total{kind="user"}`: 3, `memberlist_nodes{state="dead"}`: 2,
			"memberlist_probe_seconds_sum": 0.25, "memberlist_probe_seconds_count": 1,
		} {
			if s[series] != want {
				t.Errorf("%s is %v, want %v", series, s[series], want)
			}
		}
	})
}

// What Serf and memberlist count, of all nodes of the process.
func TestSerfsFigures(t *testing.T) { // not beside others, which it would count too
	t.Cleanup(blackhole)
	inCluster(t, options{names: []string{"larry", "gary"}, process: true}, func(t *testing.T, all []*watched) {
		before := all[0].scrape(t)
		for i := range 5 {
			if _, err := all[1].TrackEntry(t.Context(), plate(i), 1); err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
		}
		eventually(t, "equal", func() bool { return equal(all) })
		time.Sleep(time.Second)
		s := all[0].scrape(t)
		// Each of two nodes is told of each event once, whoever sent it.
		if got := s[`serf_events_total{kind="user"}`] - before[`serf_events_total{kind="user"}`]; got != 2*5 {
			t.Errorf("%v events, want 10", got)
		}
		for _, series := range []string{`memberlist_sent_bytes_total{transport="udp"}`, "serf_sent_message_bytes_count", "serf_received_message_bytes_sum", "memberlist_probe_seconds_count", "memberlist_gossip_seconds_count"} {
			if s[series] <= before[series] {
				t.Errorf("%s is %v, as before", series, s[series])
			}
		}
	})
}

// A scrape is answered while others are, and before the node runs.
func TestScrapes(t *testing.T) {
	inProcess(t, func(t *testing.T, n *watched) {
		srv := httptest.NewServer(n.Handler())
		defer srv.Close()
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for range 5 {
					resp, err := http.Get(srv.URL)
					if err != nil {
						t.Error(err)
						return
					}
					body, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), `parking_ready{cluster="parking"} 0`) {
						t.Errorf("%s, %v: %.200s", resp.Status, err, body)
					}
				}
			})
		}
		group.Wait()
		http.DefaultClient.CloseIdleConnections()
	})
}

// inProcess runs f with a node that does not run, and has the process's figures.
func inProcess(t *testing.T, f func(*testing.T, *watched)) {
	t.Helper()
	t.Cleanup(blackhole)
	n, err := node.New(configOf(t, "larry", simnet.New(1, 0)))
	if err != nil {
		t.Fatal(err)
	}
	figures, err := telemetry.New(n, telemetry.Config{Version: "1", Process: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	f(t, &watched{Node: n, Telemetry: figures})
}

// blackhole takes the process's go-metrics away from whoever has it.
func blackhole() {
	_, _ = metrics.NewGlobal(&metrics.Config{FilterDefault: true}, &metrics.BlackholeSink{})
}

func configOf(t *testing.T, name string, net *simnet.Network) node.Config {
	t.Helper()
	keys, err := cookie.FromSecret([]byte(strings.Repeat("k", cookie.SecretSize)))
	if err != nil {
		t.Fatal(err)
	}
	host, err := net.Host("10.0.0.9", 7009)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Shutdown() })
	cfg := node.DefaultConfig()
	cfg.Name, cfg.Keys, cfg.Network, cfg.Rand = name, keys, host, rand.New(rand.NewPCG(1, 2))
	return cfg
}
