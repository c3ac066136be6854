package scripts_test

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// A real Prometheus scrapes real nodes through a session, and what it then knows is
// what happened. Another cluster beside it changes nothing.
func TestPrometheus(t *testing.T) {
	for _, program := range []string{"prometheus", "promtool"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed; it comes with Debian's prometheus", program)
		}
	}
	t.Parallel()
	dir, err := os.MkdirTemp("/tmp", "prom") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })

	larry := serve(t, dir, "larry", "parking")
	gary, harry := serve(t, dir, "gary", "parking"), serve(t, dir, "harry", "parking")
	moe := serve(t, dir, "moe", "other")
	all := []*served{larry, gary, harry, moe}
	for _, n := range all[:3] {
		n.types(t, "await members 3", "await gates 1 nodes")
	}
	p := startPrometheus(t, dir, all)
	p.answers(t, "all are scraped, so that what comes shows as a rate", map[string]float64{
		`count(count_over_time(parking_entries_total[1h]))`: 4,
	})

	for i := range 6 {
		larry.types(t, fmt.Sprintf("track_entry L%d 1", i))
	}
	for i := range 3 {
		gary.types(t, fmt.Sprintf("track_entry G%d 2", i))
	}
	gary.types(t, "await vehicle L0", "await vehicle L1")
	harry.types(t, "await converged", "gate 1 enter H1", "gate 2 enter H2")
	gary.types(t, "track_exit L0", "track_exit L1")
	gary.refuses(t, "track_entry G0 1")
	harry.refuses(t, "gate 1 exit NOBODY")
	moe.types(t, "track_entry ELSEWHERE 1")
	for _, n := range all[:3] {
		n.types(t, "await converged")
	}

	p.answers(t, "what happened", map[string]float64{
		`sum(parking_entries_total{cluster="parking"})`:                                                                    11,
		`sum(parking_entries_total{cluster="other"})`:                                                                      1,
		`parking_entries_total * on (instance) group_left (name) parking_build_info{name="larry"}`:                         8, // two by gates that run there
		`parking_entries_total * on (instance) group_left (name) parking_build_info{name="harry"}`:                         0,
		`sum(parking_vehicles{cluster="parking"})`:                                                                         27, // which is of no use
		`sum(parking_gate_call_seconds_count{cluster="parking",outcome="accepted"})`:                                       2,
		`sum(parking_gate_call_seconds_count{cluster="parking",outcome="refused"})`:                                        1,
		`sum(parking_refusals_total{cluster="parking",code="present"})`:                                                    1,
		`sum(parking_refusals_total{cluster="parking",code="absent"})`:                                                     1,
		`sum(parking_convergence_seconds_count{cluster="parking"})`:                                                        26, // each at the two others
		`sum(parking_convergence_seconds_count{cluster="other"})`:                                                          0,
		`min(parking_members{cluster="parking",state="alive"})`:                                                            3,
		`sum(parking_gates_here{cluster="parking"})`:                                                                       4,
		`sum(parking_rejected_messages_total)`:                                                                             0,
		`max(parking_replica_digest{cluster="parking"}) - min(parking_replica_digest{cluster="parking"})`:                  0,
		`sum(parking_merges_total{cluster="parking"}) - sum(parking_deltas_total{cluster="parking",direction="received"})`: 0,
		`sum(parking_deltas_total{cluster="parking",direction="sent",lane="answer"})`:                                      2,
		`sum(parking_deltas_total{cluster="parking",direction="received",lane="answer"})`:                                  2,
		`count(serf_events_total{cluster="parking",kind="user"} > 0)`:                                                      3,
		`count(memberlist_sent_bytes_total{cluster="parking",transport="udp"} > 0)`:                                        3,
		`count(go_goroutines) + count(process_resident_memory_bytes)`:                                                      8,
		`min(parking_vehicles{cluster="parking"})`:                                                                         9,
		`sum(parking_exits_total{cluster="parking"})`:                                                                      2,
	})
	pageQueries(t, p)
	for _, n := range all {
		promtool(t, n)
	}
}

// pageQueries asks what docs/telemetry.md asks: each query has an answer for each of the
// two clusters, and they do not mix. What the page asks of the last minute is asked of
// the last hour: so long may the session take.
func pageQueries(t *testing.T, p *prometheus) {
	t.Helper()
	blocks := regexp.MustCompile("(?s)```promql\n(.*?)\n```").FindAllStringSubmatch(content(t, "docs/telemetry.md"), -1)
	if len(blocks) < 6 {
		t.Errorf("the page has %d queries", len(blocks))
	}
	for _, b := range blocks {
		query := strings.ReplaceAll(b[1], "[1m]", "[1h]")
		p.until(t, func() string {
			got := make(map[string]float64)
			for _, s := range p.ask(t, query) {
				got[s.labels["cluster"]] = s.value
			}
			if want := clusterwise(query, got); want != "" {
				return fmt.Sprintf("%s: %v, want %s", query, got, want)
			}
			t.Logf("%s\n  parking %v, other %v", query, got["parking"], got["other"])
			return ""
		})
	}
}

// clusterwise returns what the answer to one of the page's queries should be if it is
// not that.
func clusterwise(query string, got map[string]float64) (want string) {
	v, one := got["parking"]
	w, two := got["other"]
	if !one || !two || len(got) != 2 || math.IsNaN(v) {
		return "a number of both clusters"
	}
	switch {
	case strings.Contains(query, "parking_vehicles"):
		if v != .09 || w != .01 {
			return "0.09 and 0.01"
		}
	case strings.Contains(query, "_total"):
		if v <= w || w <= 0 {
			return "more where eleven came than where one did"
		}
	case strings.Contains(query, "_bucket"):
		if v <= 0 || v > 60 || !math.IsNaN(w) {
			return "some seconds, and nothing where there is one node"
		}
	default:
		if v != 0 || w != 0 {
			return "0"
		}
	}
	return ""
}

// promtool has nothing to say of what a node tells.
func promtool(t *testing.T, n *served) {
	t.Helper()
	resp, err := http.Get("http://" + n.web + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	check := exec.Command("promtool", "check", "metrics")
	check.Stdin = resp.Body
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool of %s: %v\n%s", n.name, err, out)
	}
}
