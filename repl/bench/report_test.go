package bench

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A system that stands still for a second is told to have been slow for all
// that was due meanwhile, not for one.
func TestTimesCountFromWhenTheyAreDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sample{}
		l := s.latency("x")
		stalls := time.Now().Add(500 * time.Millisecond)
		goesOn := stalls.Add(time.Second)
		var mu sync.Mutex
		err := openLoop(t.Context(), 200, 10*time.Millisecond, func(_ context.Context, _ int, due time.Time) error {
			if now := time.Now(); !now.Before(stalls) && now.Before(goesOn) {
				time.Sleep(goesOn.Sub(now))
			}
			time.Sleep(time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			l.since(due, time.Now())
			return nil
		})
		if err != nil || l.hist.TotalCount() != 200 {
			t.Fatalf("%d times, %v", l.hist.TotalCount(), err)
		}
		// Half of the two seconds it stood still, for half a second on average.
		for _, q := range []struct{ at, least, most float64 }{{25, 0.001, 0.002}, {75, 0.4, 0.6}, {100, 1, 1.01}} {
			if got := l.quantile(q.at); got < q.least || got > q.most {
				t.Errorf("percentile %v is %v s, want %v to %v", q.at, got, q.least, q.most)
			}
		}
	})
}

// An open loop that is late itself does not shift what comes after, and one
// that fails ends.
func TestOpenLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var last time.Time
		_ = openLoop(t.Context(), 11, 100*time.Millisecond, func(_ context.Context, i int, due time.Time) error {
			if i == 10 {
				last = due
			}
			time.Sleep(3 * time.Second)
			return nil
		})
		if got := last.Sub(begin); got != time.Second {
			t.Errorf("the last was due after %v", got)
		}
		broken := errors.New("broken")
		var times atomic.Int64
		err := openLoop(t.Context(), 1000, time.Second, func(_ context.Context, i int, _ time.Time) error {
			times.Add(1)
			if i == 2 {
				return broken
			}
			return nil
		})
		if !errors.Is(err, broken) || times.Load() != 3 {
			t.Errorf("%v after %d times", err, times.Load())
		}
	})
}

// reportOf has one result of two runs.
func reportOf() *Report {
	r := &Result{
		Workload: "catch-up", Nodes: 3, Size: 1000, sized: true, what: "3 nodes, 1k vehicles",
		LoadBefore: 0.5, LoadDuring: 1.25, Versions: []string{"parking 9"},
	}
	for run := range 2 {
		s := &sample{}
		l := s.latency("until it is so")
		for i := range 20 {
			l.since(time.Time{}, time.Time{}.Add(time.Duration(1+i+run)*time.Millisecond))
		}
		s.latency("never")
		s.set("sent per entry", "B", 900+200*float64(run))
		s.set("changes", "changes/s", 1000)
		s.note("it rained")
		r.samples = append(r.samples, s)
	}
	return &Report{
		Date: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), Program: "parking test", Options: "catch-up --runs=2",
		Machine: machine{OS: "linux", CPU: "Z80", Cores: 1, Memory: 65536, Go: "go1"}, LoadBefore: 0.25, Results: []*Result{r},
	}
}

func TestText(t *testing.T) {
	var out strings.Builder
	r := reportOf()
	if err := errors.Join(r.WriteHeader(&out), r.Results[0].WriteText(&out, false)); err != nil {
		t.Fatal(err)
	}
	want := `parking test
2026-11-25T12:00:00Z   1 core of Z80, 65.5 kB memory   load 0.25
parking bench catch-up --runs=2

catch-up   3 nodes, 1k vehicles   median of 2 runs (lowest - highest)   load 0.50 before, 1.25 during
                             p50             p90   p99   p99.9             max    n
  until it is so         10.5 ms         18.5 ms                       20.5 ms   40
                   (10.0 - 11.0)   (18.0 - 19.0)                 (20.0 - 21.0)
  sent per entry           1 kB   (0.90 - 1.10)
  changes          1k changes/s   (1 - 1)
  note: it rained
  note: a node runs parking 9
`
	if got := out.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	out.Reset()
	if err := r.Results[0].WriteText(&out, true); err != nil || !strings.Contains(out.String(), "\x1b[") {
		t.Errorf("without colours, %v:\n%s", err, out.String())
	}
}

func TestJSON(t *testing.T) {
	var out strings.Builder
	r := reportOf()
	r.Results = append(r.Results, &Result{Workload: "start", Nodes: 3})
	if err := r.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "null") {
		t.Errorf("null in %s", out.String())
	}
	var doc struct {
		Date    string
		Machine struct{ Cores int }
		Results []struct {
			Workload  string
			Size      *int
			Runs      int
			Latencies []struct {
				Name, Unit string
				Count      int
				Quantiles  map[string]struct {
					Median, Min, Max float64
					Runs             []float64
				}
			}
			Values []struct {
				Name, Unit       string
				Median, Min, Max float64
			}
			Notes []string
		}
	}
	if err := json.Unmarshal([]byte(out.String()), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Date != "2026-11-25T12:00:00Z" || doc.Machine.Cores != 1 || len(doc.Results) != 2 {
		t.Fatalf("%+v", doc)
	}
	first, second := doc.Results[0], doc.Results[1]
	if *first.Size != 1000 || first.Runs != 2 || second.Size != nil || len(second.Values) > 0 {
		t.Errorf("%+v", doc)
	}
	if len(first.Latencies) != 1 || first.Latencies[0].Count != 40 || first.Latencies[0].Unit != "s" || len(first.Latencies[0].Quantiles) != len(quantiles) {
		t.Errorf("%+v", first.Latencies)
	}
	if v := first.Values[0]; v.Median != 1000 || v.Min != 900 || v.Max != 1100 || v.Unit != "B" {
		t.Errorf("%+v", v)
	}
}

// Of several runs the one in the middle counts.
func TestSpread(t *testing.T) {
	if s := spreadOf([]float64{9, 1, 2}); s.Median != 2 || s.Min != 1 || s.Max != 9 || s.Runs[0] != 9 {
		t.Errorf("%+v", s)
	}
	if s := spreadOf([]float64{4}); s.Median != 4 || s.between("B") != "" {
		t.Errorf("%+v %q", s, s.between("B"))
	}
}

func TestPlots(t *testing.T) {
	dir, r := t.TempDir(), reportOf()
	larger := *r.Results[0]
	larger.Size, larger.Nodes = 100_000, 5
	r.Results = append(r.Results, &larger)
	if err := r.WritePlots(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"catch-up-3-nodes-1k-latency.svg", "catch-up-5-nodes-100k-latency.svg", "catch-up-by-size.svg", "catch-up-by-nodes.svg"} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		defer f.Close()
		texts := 0
		for dec := xml.NewDecoder(f); ; {
			tok, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "text" {
				texts++
			}
		}
		if texts < 5 {
			t.Errorf("%s has %d texts", name, texts)
		}
	}
}
