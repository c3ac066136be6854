package repl

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"parking/lot"
	"parking/node"
)

// table writes rows under a header, if there is one: columns aligned, colours
// and wide characters too, without frames.
func (c *call) table(header []string, rows [][]string) error {
	if c.opt.Format == JSON {
		out := make([][]string, 0, len(rows))
		for _, r := range rows {
			out = append(out, append([]string{}, r...))
		}
		return c.json(struct {
			OK   bool       `json:"ok"`
			Rows [][]string `json:"rows"`
		}{true, out})
	}
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = " ", "  "
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	row := func(cells []string, paint func(string) string) table.Row {
		r := make(table.Row, len(cells))
		for i, s := range cells {
			r[i] = paint(s)
		}
		return r
	}
	if header != nil {
		t.AppendHeader(row(header, c.paint.dim))
	}
	for _, r := range rows {
		t.AppendRow(row(r, func(s string) string { return s }))
	}
	for line := range strings.Lines(t.Render()) {
		if _, err := fmt.Fprintln(c.out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) json(v any) error { return writeJSON(c.out, v) }

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// WriteFailure writes the error of a command: one line for people to remarks,
// or a JSON document, which is an answer too, to out.
func WriteFailure(err error, opt Options, out, remarks io.Writer) {
	if opt.Format == JSON {
		_ = writeJSON(out, struct {
			OK    bool   `json:"ok"`
			Code  string `json:"code"`
			Error string `json:"error"`
		}{false, string(lot.CodeOf(err)), err.Error()})
		return
	}
	fmt.Fprintln(remarks, painter{opt.Color}.bad("error:"), err)
}

type spacesJSON struct {
	Total int  `json:"total"`
	Taken int  `json:"taken"`
	Free  int  `json:"free"`
	Over  *int `json:"over,omitempty"`
}

type entryJSON struct {
	Gate  int    `json:"gate"`
	Node  string `json:"node"`
	Since string `json:"since"`
}

type vehicleJSON struct {
	Plate string `json:"plate"`
	entryJSON
	Conflicts []entryJSON `json:"conflicts"`
}

func entryOf(e lot.Entry) entryJSON {
	return entryJSON{int(e.Gate), e.Node, e.Since.UTC().Format(time.RFC3339Nano)}
}

func readingJSON(name string, r node.Reading, shown []lot.Vehicle) any {
	out := struct {
		Node     string        `json:"node"`
		Ledger   string        `json:"ledger"`
		Digest   string        `json:"digest"`
		Spaces   spacesJSON    `json:"spaces"`
		Vehicles []vehicleJSON `json:"vehicles"`
	}{name, node.Ledger, hexDigest(r.Digest), spacesJSON{Total: r.Spaces.Total, Taken: r.Spaces.Taken, Free: r.Spaces.Free()},
		make([]vehicleJSON, 0, len(shown))}
	for _, v := range shown {
		vj := vehicleJSON{string(v.Plate), entryOf(v.Entry), make([]entryJSON, 0, len(v.Conflicts))}
		for _, o := range v.Conflicts {
			vj.Conflicts = append(vj.Conflicts, entryOf(o))
		}
		out.Vehicles = append(out.Vehicles, vj)
	}
	return out
}

func hexDigest(d [16]byte) string { return fmt.Sprintf("%x", d[:]) }

func gatesJSON(all []node.GateState) any {
	type gateJSON struct {
		Gate   int      `json:"gate"`
		Owners []string `json:"owners"`
		State  string   `json:"state"`
		Epoch  uint64   `json:"epoch"`
		In     uint64   `json:"in"`
		Out    uint64   `json:"out"`
	}
	rows := make([]gateJSON, 0, len(all))
	for _, g := range all {
		rows = append(rows, gateJSON{int(g.Gate), append([]string{}, g.Owners...), g.State(), g.Epoch, g.In, g.Out})
	}
	return struct {
		Gates []gateJSON `json:"gates"`
	}{rows}
}

func membersJSON(all []node.Member) any {
	type memberJSON struct {
		Name   string `json:"name"`
		Addr   string `json:"addr"`
		Status string `json:"status"`
		Self   bool   `json:"self"`
	}
	rows := make([]memberJSON, 0, len(all))
	for _, m := range all {
		rows = append(rows, memberJSON{m.Name, m.Addr, string(m.Status), m.Self})
	}
	return struct {
		Members []memberJSON `json:"members"`
	}{rows}
}

func statusJSON(s node.Status, pid int) any {
	return struct {
		Node        string            `json:"node"`
		Cluster     string            `json:"cluster"`
		Addr        string            `json:"addr"`
		PID         int               `json:"pid"`
		Ledger      string            `json:"ledger"`
		Incarnation string            `json:"incarnation"`
		Version     map[string]uint64 `json:"version"`
		Digest      string            `json:"digest"`
		Lag         uint64            `json:"lag"`
		Queue       int               `json:"queue_depth"`
		Uptime      float64           `json:"uptime_seconds"`
	}{s.Node, s.Cluster, s.Addr, pid, node.Ledger, fmt.Sprintf("%016x", s.Incarnation), s.Version,
		hexDigest(s.Digest), s.Lag, s.Queue, s.Uptime.Seconds()}
}

func sortedKeys(m map[string]uint64) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
