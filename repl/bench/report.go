package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

// A Report is what a bench has measured so far.
type Report struct {
	Date        time.Time
	Program     string // its version
	Options     string // the command line
	Machine     machine
	LoadBefore  float64 // of the machine: processes that want to run, on the average of a minute
	Interrupted bool
	Results     []*Result
}

// A Result is what was measured of one workload, in one or more runs, on so
// many nodes and, if it is sized, with so many vehicles in the lot.
type Result struct {
	Workload               string
	Nodes, Size            int
	LoadBefore, LoadDuring float64
	Versions               []string // of nodes' programs, where they are another than the bench's
	With                   string   // the flags that it is compared by

	sized   bool
	what    string // how it was measured, for people
	samples []*sample
}

func (s *sample) measured() bool {
	return len(s.values) > 0 || slices.ContainsFunc(s.latencies, func(l *latency) bool { return l.hist.TotalCount() > 0 })
}

func (r *Result) measured() bool { return slices.ContainsFunc(r.samples, (*sample).measured) }

// A spread is one number as the runs have measured it.
type spread struct {
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Runs   []float64 `json:"runs"`
}

func spreadOf(runs []float64) spread {
	sorted := slices.Sorted(slices.Values(runs))
	n := len(sorted)
	return spread{(sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[0], sorted[n-1], runs}
}

// A distribution is how times of one name spread, quantile by quantile over the
// runs.
type distribution struct {
	Name      string            `json:"name"`
	Unit      string            `json:"unit"`
	Count     int64             `json:"count"`
	Quantiles map[string]spread `json:"quantiles"`
}

// enough reports whether each run had so many times that the quantile is another
// than the maximum.
func (d distribution) enough(name string) bool {
	for _, q := range quantiles {
		if q.name == name && q.at < 100 {
			return float64(d.Count)*(100-q.at) >= 100*float64(len(d.Quantiles[name].Runs))
		}
	}
	return true
}

// distributions returns those of all names that anything was recorded of.
func (r *Result) distributions() []distribution {
	out := []distribution{}
	for _, name := range namesOf(r.samples, func(s *sample) (names []string) {
		for _, l := range s.latencies {
			if l.hist.TotalCount() > 0 {
				names = append(names, l.name)
			}
		}
		return names
	}) {
		d := distribution{Name: name, Unit: "s", Quantiles: make(map[string]spread)}
		for _, q := range quantiles {
			var runs []float64
			for _, s := range r.samples {
				if l := s.latency(name); l.hist.TotalCount() > 0 {
					runs = append(runs, l.quantile(q.at))
				}
			}
			d.Quantiles[q.name] = spreadOf(runs)
		}
		for _, s := range r.samples {
			d.Count += s.latency(name).hist.TotalCount()
		}
		out = append(out, d)
	}
	return out
}

// A number is a value over the runs.
type number struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	spread
}

func (r *Result) numbers() []number {
	out := []number{}
	for _, name := range namesOf(r.samples, func(s *sample) (names []string) {
		for _, v := range s.values {
			names = append(names, v.name)
		}
		return names
	}) {
		n := number{Name: name}
		var runs []float64
		for _, s := range r.samples {
			for _, v := range s.values {
				if v.name == name {
					n.Unit, runs = v.unit, append(runs, v.v)
				}
			}
		}
		n.spread = spreadOf(runs)
		out = append(out, n)
	}
	return out
}

func (r *Result) notes() []string {
	return namesOf(r.samples, func(s *sample) []string { return s.notes })
}

// namesOf returns what the samples have, each once, in the order of the first.
func namesOf(samples []*sample, of func(*sample) []string) []string {
	out := []string{}
	for _, s := range samples {
		for _, name := range of(s) {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// WriteJSON writes the report as a document. Names of units are those of the
// SI; percents are of one core.
func (r *Report) WriteJSON(w io.Writer) error {
	type result struct {
		Workload   string         `json:"workload"`
		Nodes      int            `json:"nodes"`
		Size       *int           `json:"size,omitempty"`
		How        string         `json:"how"`
		With       string         `json:"with,omitempty"`
		Runs       int            `json:"runs"`
		LoadBefore float64        `json:"load_before"`
		LoadDuring float64        `json:"load_during"`
		Versions   []string       `json:"other_versions"`
		Latencies  []distribution `json:"latencies"`
		Values     []number       `json:"values"`
		Notes      []string       `json:"notes"`
	}
	doc := struct {
		Date        string   `json:"date"`
		Program     string   `json:"program"`
		Options     string   `json:"options"`
		Machine     machine  `json:"machine"`
		LoadBefore  float64  `json:"load_before"`
		Interrupted bool     `json:"interrupted"`
		Results     []result `json:"results"`
		Growth      []growth `json:"growth"`
	}{r.Date.Format(time.RFC3339), r.Program, r.Options, r.Machine, r.LoadBefore, r.Interrupted, []result{}, r.growths()}
	for _, x := range r.Results {
		out := result{
			Workload: x.Workload, Nodes: x.Nodes, How: x.what, With: x.With, Runs: len(x.samples),
			LoadBefore: x.LoadBefore, LoadDuring: x.LoadDuring, Versions: append([]string{}, x.Versions...),
			Latencies: x.distributions(), Values: x.numbers(), Notes: x.notes(),
		}
		if x.sized {
			out.Size = &x.Size
		}
		doc.Results = append(doc.Results, out)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}
