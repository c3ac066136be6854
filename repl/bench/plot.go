package bench

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/renameio/v2"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// inks are told apart by people who see colours otherwise, too (Okabe, Ito).
var inks = []color.Color{
	color.RGBA{R: 0x00, G: 0x72, B: 0xb2, A: 0xff}, color.RGBA{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff},
	color.RGBA{R: 0x00, G: 0x9e, B: 0x73, A: 0xff}, color.RGBA{R: 0xcc, G: 0x79, B: 0xa7, A: 0xff},
	color.RGBA{R: 0xe6, G: 0x9f, B: 0x00, A: 0xff}, color.RGBA{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff},
}

func ink(i int) color.Color { return inks[i%len(inks)] }

// fewest is how many times there must be for their distribution to be drawn.
const fewest = 10

// WritePlots draws what was measured into the directory, as SVG: how the times
// of each result spread, and what each workload costs against what was swept.
func (r *Report) WritePlots(dir string) error {
	for _, x := range r.Results {
		if p, err := x.plotLatencies(); err != nil {
			return err
		} else if p != nil {
			if err := save(filepath.Join(dir, x.file("latency")), [][]*plot.Plot{{p}}); err != nil {
				return err
			}
		}
	}
	for _, w := range workloads {
		for _, s := range sweeps {
			panels, err := s.plot(r.of(w.name))
			if err != nil {
				return err
			}
			if len(panels) > 0 {
				if err := save(filepath.Join(dir, w.name+"-by-"+s.along+".svg"), panels); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// file returns the name of a picture of the result.
func (r *Result) file(what string) string {
	words := []string{r.Workload, count(r.Nodes), "nodes"}
	if r.sized {
		words = append(words, count(r.Size))
	}
	return strings.Join(append(words, what), "-") + ".svg"
}

// plotLatencies draws how times spread: the further to the right, the rarer. It
// returns nil if there are too few.
func (r *Result) plotLatencies() (*plot.Plot, error) {
	p := newPlot(r.Workload+": "+r.what, "so many are no slower", "s")
	p.X.Tick.Marker = plot.ConstantTicks(rarities)
	drawn := 0
	for _, d := range r.distributions() {
		all := hdrhistogram.New(1, longest.Nanoseconds(), 3)
		for _, s := range r.samples {
			all.Merge(s.latency(d.Name).hist)
		}
		if all.TotalCount() < fewest {
			continue
		}
		line, err := plotter.NewLine(curve(all))
		if err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
		line.Color, line.Width = ink(drawn), vg.Points(1.5)
		p.Add(line)
		p.Legend.Add(d.Name, line)
		drawn++
	}
	if drawn == 0 {
		return nil, nil
	}
	p.Y.Min, p.Y.Max = 0, p.Y.Max*headroom
	return p, nil
}

// headroom leaves room for a legend.
const headroom = 1.25

// newPlot returns a plot whose second axis has quantities of that unit.
func newPlot(title, x, unit string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text = title, x
	for _, s := range []*text.Style{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle} {
		s.Font.Variant = "Sans"
		s.Font.Size = vg.Points(9)
	}
	p.Title.TextStyle.Font.Size = vg.Points(11)
	p.Y.Tick.Marker = ticks{unit}
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	return p
}

// rarities label the axis of a distribution, which is the logarithm of how
// rare a time is.
var rarities = []plot.Tick{
	{Value: 0, Label: "0 %"}, {Value: math.Log10(2), Label: "50 %"}, {Value: 1, Label: "90 %"}, {Value: 2, Label: "99 %"},
	{Value: 3, Label: "99.9 %"}, {Value: 4, Label: "99.99 %"}, {Value: 5, Label: "99.999 %"},
}

// curve returns the times over their rarity. The slowest stands where one of so
// many does.
func curve(h *hdrhistogram.Histogram) (points plotter.XYs) {
	rarest := math.Log10(float64(h.TotalCount()))
	for _, b := range h.CumulativeDistribution() {
		x := rarest
		if b.Quantile < 100 {
			x = min(rarest, -math.Log10(1-b.Quantile/100))
		}
		points = append(points, plotter.XY{X: max(0, x), Y: float64(b.ValueAt) / 1e9})
	}
	return points
}

// plot draws a panel for each thing that was measured; none if there is one
// point only.
func (s sweep) plot(results []*Result) ([][]*plot.Plot, error) {
	points := make(map[int]bool)
	for _, r := range results {
		points[s.at(r)] = true
	}
	if len(points) < 2 {
		return nil, nil
	}
	var panels []*plot.Plot
	for _, m := range aspects(results) {
		p, err := s.panel(results, m)
		if err != nil {
			return nil, err
		}
		panels = append(panels, p)
	}
	var rows [][]*plot.Plot
	for row := range slices.Chunk(panels, 2) {
		if len(rows) > 0 && len(row) < 2 {
			row = append(slices.Clone(row), nil)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// panel draws one aspect against what was swept.
func (s sweep) panel(results []*Result, m aspect) (*plot.Plot, error) {
	p := newPlot(m.name, s.along, m.unit)
	var at []int
	for _, r := range results {
		at = append(at, s.at(r))
	}
	slices.Sort(at)
	at = slices.Compact(at)
	var marks []plot.Tick
	for _, x := range at {
		marks = append(marks, plot.Tick{Value: float64(x), Label: count(x)})
	}
	p.X.Tick.Marker = plot.ConstantTicks(marks)
	if least, most := at[0], at[len(at)-1]; least > 0 && most >= 20*least {
		p.X.Scale = plot.LogScale{}
	}
	for i, l := range s.lines(results, m) {
		if err := l.dots.draw(p, i, l.label()); err != nil {
			return nil, err
		}
	}
	p.Y.Min, p.Y.Max = 0, p.Y.Max*headroom
	return p, nil
}

func (s series) draw(p *plot.Plot, i int, label string) error {
	line, points, err := plotter.NewLinePoints(s)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	bars, err := plotter.NewYErrorBars(s)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	line.Color, line.Width = ink(i), vg.Points(1.5)
	points.Color, points.Shape, bars.Color = ink(i), draw.CircleGlyph{}, ink(i)
	p.Add(bars, line, points)
	if label != "" {
		p.Legend.Add(label, line, points)
	}
	return nil
}

// ticks label an axis with quantities.
type ticks struct{ unit string }

// Ticks implements plot.Ticker.
func (t ticks) Ticks(low, high float64) []plot.Tick {
	all := plot.DefaultTicks{}.Ticks(low, high)
	for i, tick := range all {
		if tick.Label != "" {
			all[i].Label = quantity(tick.Value, t.unit)
		}
	}
	return all
}

const (
	plotWidth  = 16 * vg.Centimeter
	plotHeight = 9 * vg.Centimeter
	plotEdge   = 4 * vg.Millimeter
)

// save writes a picture of plots in rows; a nil one leaves its place empty.
func save(path string, rows [][]*plot.Plot) error {
	columns := len(rows[0])
	canvas := vgsvg.New(vg.Length(columns)*plotWidth, vg.Length(len(rows))*plotHeight)
	area := draw.New(canvas)
	area.SetColor(color.White)
	area.Fill(area.Path())
	tiles := draw.Tiles{
		Rows: len(rows), Cols: columns, PadX: plotEdge, PadY: plotEdge,
		PadTop: plotEdge, PadBottom: plotEdge, PadLeft: plotEdge, PadRight: plotEdge,
	}
	for i, row := range plot.Align(rows, tiles, area) {
		for j, at := range row {
			if p := rows[i][j]; p != nil {
				p.Draw(at)
			}
		}
	}
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	if err := renameio.WriteFile(path, out.Bytes(), 0o644); err != nil {
		return fmt.Errorf("bench: no plot: %w", err)
	}
	return nil
}
