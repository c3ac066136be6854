package repl

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"parking/lot"
)

// ok answers a command that has nothing to tell but that it was done.
func (c *call) ok(format string, args ...any) error {
	return writeOK(c.out, c.opt, fmt.Sprintf(format, args...))
}

func writeOK(out io.Writer, opt Options, what string) error {
	if opt.Format == JSON {
		return writeJSON(out, okJSON{true})
	}
	_, err := fmt.Fprintf(out, "%s   %s\n", painter{opt.Color}.good("ok"), what)
	return err
}

// remark tells something beside the answer.
func (c *call) remark(format string, args ...any) {
	fmt.Fprintln(c.remarks, c.paint.warn(fmt.Sprintf(format, args...)))
}

// WriteFailure writes the error of a command: one line for people to remarks,
// or a JSON document, which is an answer too, to out.
func WriteFailure(err error, opt Options, out, remarks io.Writer) {
	if opt.Format == JSON {
		if errors.Is(err, lot.Broken) {
			return // the verdict, which is there already, says so
		}
		_ = writeJSON(out, failureJSON{okJSON{false}, string(lot.CodeOf(err)), Plain(err)})
		return
	}
	fmt.Fprintln(remarks, Wrap(painter{opt.Color}.bad("error:")+" "+Plain(err), 2, opt.Width))
}

// table writes rows under a header, if there is one: columns aligned, colours
// and wide characters too, without frames. What does not fit the screen is
// wrapped in the last column.
func (c *call) table(header []string, rows [][]string) error {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = " ", "  "
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	if header != nil {
		row := make(table.Row, len(header))
		for i, s := range header {
			row[i] = c.paint.dim(s)
		}
		t.AppendHeader(row)
	}
	for _, cells := range rows {
		row := make(table.Row, len(cells))
		for i, s := range cells {
			row[i] = s
		}
		t.AppendRow(row)
	}
	if n, room := lastColumn(header, rows, c.opt.Width); c.opt.Width > 0 {
		t.SetColumnConfigs([]table.ColumnConfig{{Number: n, WidthMax: room, WidthMaxEnforcer: text.WrapSoft}})
	}
	for line := range strings.Lines(t.Render()) {
		if _, err := fmt.Fprintln(c.out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

const (
	columnPadding = 3  // of each column of a table
	leastColumn   = 16 // that a wrapped column has
)

// lastColumn returns the number of a table's last column, and how many columns
// of the screen are left for it.
func lastColumn(header []string, rows [][]string, width int) (number, room int) {
	widths := map[int]int{}
	for _, cells := range append([][]string{header}, rows...) {
		for i, s := range cells {
			widths[i] = max(widths[i], text.StringWidthWithoutEscSequences(s))
		}
	}
	room = width - 1
	for i := range len(widths) - 1 {
		room -= widths[i] + columnPadding
	}
	return len(widths), max(room, leastColumn)
}

// pad returns s with blanks behind it, up to that width.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-text.StringWidthWithoutEscSequences(s)))
}

// Wrap breaks s, which begins in the column indent or before, at blanks, so
// that it fits a screen of that width: 0 is one without an end. What is broken
// off is indented.
func Wrap(s string, indent, width int) string {
	room := max(width-indent, leastColumn)
	if width == 0 || text.StringWidthWithoutEscSequences(s) <= room {
		return s
	}
	lines := strings.Split(text.WrapSoft(s, room), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n"+strings.Repeat(" ", indent))
}

// Line joins the parts of a line, wide gaps between them, in as many lines as
// it takes on a screen of that width: 0 is one without an end.
func Line(width int, parts ...string) string {
	const gap = "   "
	line, used := "", 0
	for _, p := range parts {
		n := text.StringWidthWithoutEscSequences(p)
		switch {
		case p == "":
			continue
		case used == 0:
		case width > 0 && used+len(gap)+n > width:
			line, used = line+"\n  ", 2
		default:
			line, used = line+gap, used+len(gap)
		}
		line, used = line+p, used+n
	}
	return line
}

// clockTime renders a time of day, with the date if it is not today's.
func clockTime(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// ago renders how long something has been, in one unit or two.
func ago(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}

// Count returns "1 node" or "2 nodes", as many of what as there are.
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// printable keeps what others typed or sent from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
