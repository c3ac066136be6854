package bench

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"parking/repl"
)

// A sweep is a dimension in which there are several results of a workload.
type sweep struct {
	along string
	at    func(*Result) int
	group func(*Result) int // what else tells results apart: lines of their own
	unit  string            // of that
}

var sweeps = []sweep{
	{"nodes", func(x *Result) int { return x.Nodes }, func(x *Result) int { return x.Size }, "vehicle"},
	{"size", func(x *Result) int { return x.Size }, func(x *Result) int { return x.Nodes }, "node"},
}

// of returns the results of a workload.
func (r *Report) of(workload string) (all []*Result) {
	for _, x := range r.Results {
		if x.Workload == workload {
			all = append(all, x)
		}
	}
	return all
}

// An aspect is something that was measured, and how to find it in a result.
type aspect struct {
	name, unit string
	lines      []string // what is told of it
	of         func(r *Result, line string) (spread, bool)
}

// aspects returns what was measured in any of the results.
func aspects(results []*Result) (all []aspect) {
	known := make(map[string]bool)
	for _, r := range results {
		for _, d := range r.distributions() {
			if !known[d.Name] {
				known[d.Name] = true
				all = append(all, aspect{d.Name, d.Unit, []string{"p50", "p99"}, func(r *Result, line string) (spread, bool) {
					for _, x := range r.distributions() {
						if x.Name == d.Name { // the median of one time is that time
							return x.Quantiles[line], line == "p50" || x.enough(line)
						}
					}
					return spread{}, false
				}})
			}
		}
	}
	for _, r := range results {
		for _, n := range r.numbers() {
			if !known[n.Name] {
				known[n.Name] = true
				all = append(all, aspect{n.Name, n.Unit, []string{""}, func(r *Result, _ string) (spread, bool) {
					for _, x := range r.numbers() {
						if x.Name == n.Name {
							return x.spread, true
						}
					}
					return spread{}, false
				}})
			}
		}
	}
	return all
}

// A line is one figure of an aspect along a sweep.
type line struct {
	name  string // of the figure: p50; none if the aspect has only one
	group string // such as 3 nodes; none if there is only one
	dots  series
}

// label names the line among others of its aspect, and tells its law.
func (l line) label() string {
	label := strings.TrimSpace(l.name + " " + l.group)
	if found, ok := l.dots.fit(); ok {
		label = strings.TrimSpace(label + " ~ n^" + found.power())
	}
	return label
}

// figure names the line among all of its workload, which is measured in m.
func (l line) figure(m aspect) string {
	figure := m.name
	for _, part := range []string{l.name, l.group} {
		if part != "" {
			figure += ", " + part
		}
	}
	return figure
}

// lines returns those of an aspect that have any dots.
func (s sweep) lines(results []*Result, m aspect) (all []line) {
	var groups []int
	for _, r := range results {
		groups = append(groups, s.group(r))
	}
	slices.Sort(groups)
	groups = slices.Compact(groups)
	for _, group := range groups {
		for _, name := range m.lines {
			l := line{name: name}
			if len(groups) > 1 {
				l.group = repl.Count(group, s.unit)
			}
			for _, r := range results {
				if v, ok := m.of(r, name); ok && s.group(r) == group {
					l.dots = append(l.dots, dot{float64(s.at(r)), v})
				}
			}
			if len(l.dots) > 0 {
				slices.SortFunc(l.dots, func(a, b dot) int { return cmp.Compare(a.x, b.x) })
				all = append(all, l)
			}
		}
	}
	return all
}

// A dot is what was measured at one point.
type dot struct {
	x float64
	spread
}

// A series is the dots of one line, with how they spread, from the left to the
// right.
type series []dot

// Len, XY and YError implement what plotter wants to know.
func (s series) Len() int                      { return len(s) }
func (s series) XY(i int) (x, y float64)       { return s[i].x, s[i].Median }
func (s series) YError(i int) (lo, hi float64) { return s[i].Median - s[i].Min, s[i].Max - s[i].Median }

// A law says that a figure grows as that power of what is swept.
type law struct {
	from, to float64 // where it was looked at
	exponent float64
}

// power renders the exponent.
func (l law) power() string {
	return fmt.Sprintf("%.2f", math.Round(l.exponent*100)/100+0) // no -0.00
}

// fewestFitted is how many points there must be: through two of them goes any
// law.
const fewestFitted = 3

// fit returns the law that comes closest to the medians: that of the straight
// line, by least squares, among their logarithms. Nothing is a power of an empty
// lot, so it is left out. There is no law of too few points, nor of figures that
// have no logarithm.
func (s series) fit() (law, bool) {
	var xs, ys []float64
	for _, d := range s {
		if d.x > 0 {
			xs, ys = append(xs, math.Log(d.x)), append(ys, math.Log(d.Median))
		}
	}
	points := len(slices.Compact(slices.Clone(xs)))
	if points < fewestFitted || slices.ContainsFunc(ys, func(y float64) bool { return math.IsNaN(y) || math.IsInf(y, 0) }) {
		return law{}, false
	}
	x, y := mean(xs), mean(ys)
	var covariance, variance float64
	for i := range xs {
		covariance += (xs[i] - x) * (ys[i] - y)
		variance += (xs[i] - x) * (xs[i] - x)
	}
	return law{s[len(s)-len(xs)].x, s[len(s)-1].x, covariance / variance}, true
}

func mean(all []float64) float64 {
	sum := 0.0
	for _, v := range all {
		sum += v
	}
	return sum / float64(len(all))
}

// A growth is how one figure of a workload grows along a sweep.
type growth struct {
	Workload string  `json:"workload"`
	Figure   string  `json:"figure"`
	Along    string  `json:"along"`
	From     int     `json:"from"`
	To       int     `json:"to"`
	Exponent float64 `json:"exponent"`

	law law
}

// growths returns those of all figures that are drawn.
func (r *Report) growths() []growth {
	all := []growth{}
	for _, w := range workloads {
		results := r.of(w.name)
		for _, s := range sweeps {
			for _, m := range aspects(results) {
				for _, l := range s.lines(results, m) {
					if found, ok := l.dots.fit(); ok {
						all = append(all, growth{w.name, l.figure(m), s.along, int(found.from), int(found.to), found.exponent, found})
					}
				}
			}
		}
	}
	return all
}

// WriteGrowth writes for people what grows along the sweeps, if there are any,
// and how.
func (r *Report) WriteGrowth(w io.Writer, color bool) error {
	all := r.growths()
	for _, workload := range workloads {
		var rows []table.Row
		for _, g := range all {
			if g.Workload == workload.name {
				rows = append(rows, table.Row{g.Figure, g.Along + "^" + g.law.power(), fmt.Sprintf("from %s to %s", count(g.From), count(g.To))})
			}
		}
		if len(rows) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s   grows as\n", title(workload.name, color))
		if err := writeRows(w, rows); err != nil {
			return err
		}
	}
	return nil
}
