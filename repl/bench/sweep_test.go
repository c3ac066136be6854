package bench

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// seriesOf has a figure at each point.
func seriesOf(at []float64, of func(x float64) float64) (s series) {
	for _, x := range at {
		s = append(s, dot{x, spreadOf([]float64{of(x)})})
	}
	return s
}

func TestFit(t *testing.T) {
	for exponent, want := range map[float64]string{0: "0.00", 0.5: "0.50", 1: "1.00", 2: "2.00", -0.75: "-0.75", 0.623: "0.62", -0.001: "0.00"} {
		for from, at := range map[float64][]float64{2: {2, 3, 5, 10, 50}, 1000: {0, 1e3, 1e4, 1e5, 1e6}} {
			l, ok := seriesOf(at, func(x float64) float64 { return 3e-4 * math.Pow(max(x, 1), exponent) }).fit()
			if !ok || math.Abs(l.exponent-exponent) > 1e-9 || l.power() != want || l.from != from || l.to != at[len(at)-1] {
				t.Errorf("x^%v at %v: %+v %v, told as %s", exponent, at, l, ok, l.power())
			}
		}
	}
	// What lies around the line by as much above as below does not turn it.
	l, ok := seriesOf([]float64{1, 2, 4, 8}, func(x float64) float64 {
		return x * x * map[float64]float64{1: 2, 2: 0.5, 4: 0.5, 8: 2}[x]
	}).fit()
	if !ok || math.Abs(l.exponent-2) > 1e-9 {
		t.Errorf("%+v, %v", l, ok)
	}
	for name, s := range map[string]series{
		"none":         nil,
		"two":          seriesOf([]float64{3, 10}, math.Sqrt),
		"two, twice":   seriesOf([]float64{3, 3, 10, 10}, math.Sqrt),
		"two, and 0":   seriesOf([]float64{0, 3, 10}, math.Sqrt),
		"a figure 0":   seriesOf([]float64{3, 10, 30}, func(x float64) float64 { return x - 3 }),
		"one below it": seriesOf([]float64{3, 10, 30}, func(x float64) float64 { return x - 10 }),
	} {
		if l, ok := s.fit(); ok {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

// sweepOf has times and a value that grow with the nodes, in lots of two sizes,
// and a value that has no logarithm.
func sweepOf() *Report {
	r := reportOf()
	r.Results = nil
	for _, size := range []int{1000, 50_000} {
		for _, nodes := range []int{3, 10, 50} {
			s := &sample{}
			l, due := s.latency("until it is so"), time.Time{}
			for range 50 { // too few for p99
				l.since(due, due.Add(time.Duration(nodes*nodes)*time.Millisecond))
			}
			s.set("sent", "B", 7*math.Sqrt(float64(nodes)))
			s.set("never", "B", 0)
			r.Results = append(r.Results, &Result{Workload: "idle", Nodes: nodes, Size: size, sized: true, samples: []*sample{s}})
		}
	}
	return r
}

// What grows along a sweep is told in the text, in the document and beside the
// lines.
func TestGrowth(t *testing.T) {
	r := sweepOf()
	var out strings.Builder
	if err := r.WriteGrowth(&out, false); err != nil {
		t.Fatal(err)
	}
	want := `
idle   grows as
  until it is so, p50, 1000 vehicles    nodes^2.00   from 3 to 50
  until it is so, p50, 50000 vehicles   nodes^2.00   from 3 to 50
  sent, 1000 vehicles                   nodes^0.50   from 3 to 50
  sent, 50000 vehicles                  nodes^0.50   from 3 to 50
`
	if got := out.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	out.Reset()
	if err := r.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Growth []struct {
			Workload, Figure, Along string
			From, To                int
			Exponent                float64
		}
	}
	if err := json.Unmarshal([]byte(out.String()), &doc); err != nil {
		t.Fatal(err)
	}
	if g := doc.Growth; len(g) != 4 || math.Abs(g[2].Exponent-0.5) > 1e-9 || g[2].Workload != "idle" ||
		g[2].Figure != "sent, 1000 vehicles" || g[2].Along != "nodes" || g[2].From != 3 || g[2].To != 50 {
		t.Errorf("%+v", doc.Growth)
	}
	var labels []string
	for _, m := range aspects(r.Results) {
		for _, l := range sweeps[0].lines(r.Results, m) {
			labels = append(labels, l.label())
		}
	}
	if want := []string{
		"p50 1000 vehicles ~ n^2.00", "p50 50000 vehicles ~ n^2.00",
		"1000 vehicles ~ n^0.50", "50000 vehicles ~ n^0.50", "1000 vehicles", "50000 vehicles",
	}; !slices.Equal(labels, want) {
		t.Errorf("the lines are %q, want %q", labels, want)
	}
	out.Reset()
	if err := reportOf().WriteGrowth(&out, false); err != nil || out.Len() > 0 {
		t.Errorf("without a sweep: %q, %v", out.String(), err)
	}
}
