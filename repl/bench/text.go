package bench

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"parking/repl"
)

// WriteHeader says what was measured with, on what, and when.
func (r *Report) WriteHeader(w io.Writer) error {
	m := r.Machine
	cpu := repl.Count(m.Cores, "core")
	if m.CPU != "" {
		cpu += " of " + m.CPU
	}
	_, err := fmt.Fprintf(w, "%s\n%s   %s, %s memory   load %.2f\nparking bench%s\n",
		r.Program, r.Date.Format(time.RFC3339), cpu, quantity(float64(m.Memory), "B"), r.LoadBefore, strings.TrimRight(" "+r.Options, " "))
	return err
}

// WriteText writes what was measured as tables for people.
func (r *Result) WriteText(w io.Writer, color bool) error {
	dim := func(s string) string {
		if !color || s == "" {
			return s
		}
		return text.Faint.Sprint(s)
	}
	runs := ""
	if n := len(r.samples); n > 1 {
		runs = fmt.Sprintf("   median of %d runs (lowest - highest)", n)
	}
	fmt.Fprintf(w, "\n%s   %s%s   %s\n", title(r.Workload, color), r.what, runs, dim(fmt.Sprintf("load %.2f before, %.2f during", r.LoadBefore, r.LoadDuring)))
	if all := r.distributions(); len(all) > 0 {
		header := table.Row{""}
		for _, q := range quantiles {
			header = append(header, dim(q.name))
		}
		rows := []table.Row{append(header, dim("n"))}
		for _, d := range all {
			row, ranges := table.Row{d.Name}, table.Row{""}
			for _, q := range quantiles {
				s := d.Quantiles[q.name]
				if !d.enough(q.name) {
					row, ranges = append(row, ""), append(ranges, "")
					continue
				}
				row, ranges = append(row, quantity(s.Median, d.Unit)), append(ranges, dim(s.between(d.Unit)))
			}
			rows = append(rows, append(row, fmt.Sprint(d.Count)))
			if runs != "" {
				rows = append(rows, ranges)
			}
		}
		if err := writeRows(w, rows); err != nil {
			return err
		}
	}
	if all := r.numbers(); len(all) > 0 {
		var rows []table.Row
		for _, n := range all {
			rows = append(rows, table.Row{n.Name, quantity(n.Median, n.Unit), dim(n.between(n.Unit))})
		}
		if err := writeRows(w, rows); err != nil {
			return err
		}
	}
	for _, n := range r.notes() {
		fmt.Fprintln(w, "  note: "+n)
	}
	for _, v := range r.Versions {
		fmt.Fprintln(w, "  note: a node runs "+v)
	}
	return nil
}

func title(workload string, color bool) string {
	if !color {
		return workload
	}
	return text.Bold.Sprint(workload)
}

// between renders the lowest and the highest of several runs, in the unit that
// the median has.
func (s spread) between(unit string) string {
	if len(s.Runs) < 2 {
		return ""
	}
	factor, _ := scale(s.Median, unit)
	return "(" + significant(s.Min/factor) + " - " + significant(s.Max/factor) + ")"
}

func writeRows(w io.Writer, rows []table.Row) error {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "  ", " "
	t.SetStyle(style)
	columns := []table.ColumnConfig{}
	for i := 2; i <= len(rows[0]); i++ {
		if i < 3 || len(rows[0]) > 3 { // else it is a remark
			columns = append(columns, table.ColumnConfig{Number: i, Align: text.AlignRight})
		}
	}
	t.SetColumnConfigs(columns)
	t.AppendRows(rows)
	for line := range strings.Lines(t.Render()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}
