package repl

import (
	"fmt"
	"strconv"
	"time"

	"parking/lot/crdt"
	"parking/node"
)

// showDiff tells what this replica and another have of each other's not.
func showDiff(c *call) error {
	d, err := c.node.Diff(c.ctx, c.words.args[0])
	if err != nil {
		return err
	}
	if c.opt.Format == JSON {
		return writeJSON(c.out, diffOf(d))
	}
	if d.Same {
		_, err := fmt.Fprintf(c.out, "%s: digest %v on both\n", c.paint.good("same"), d.Ours)
		return err
	}
	there := "only on " + c.paint.node(d.Node)
	_, err = fmt.Fprintln(c.out, Line(c.opt.Width, "digest "+d.Ours.String()+" here", d.Theirs.String()+" on "+c.paint.node(d.Node)))
	if err != nil {
		return err
	}
	now := time.Now()
	rows := append(c.changes(d.Here, "+", "only here", now), c.changes(d.There, "-", there, now)...)
	if len(rows) > 0 {
		if err := c.table(nil, rows); err != nil {
			return err
		}
	}
	c.beyond(d.Here, "only here")
	c.beyond(d.There, there)
	switch {
	case d.Whole:
		c.note("The logs do not reach back to all of it: what is in the lots was compared, and what came and went since is left out.")
	case d.Here.None() && d.There.None():
		c.note("It is on its way just now: all changes are on both.")
	}
	return nil
}

// changes returns a row for each change that only one side has.
func (c *call) changes(all node.Changes, sign, where string, now time.Time) (rows [][]string) {
	for _, x := range all.First {
		what, of := "entered", string(x.Plate)
		switch x.Kind {
		case crdt.Exit:
			what = "left"
		case crdt.Register:
			what, of = "set", x.Setting
		}
		if of == "" {
			of = "?"
		}
		if x.Gate > 0 {
			what += " by gate " + strconv.Itoa(int(x.Gate))
		}
		if x.Node != "" {
			what += " on " + c.paint.node(x.Node) + " " + clockTime(x.At, now)
		}
		rows = append(rows, []string{sign, of, what + "  " + where})
	}
	return rows
}

// beyond tells how many changes have no row.
func (c *call) beyond(all node.Changes, where string) {
	if all.More > 0 {
		fmt.Fprintf(c.out, " and %d more %s\n", all.More, where)
	}
	if all.Gates > 0 {
		fmt.Fprintf(c.out, " and %s to who runs the gates and what passed them, %s\n", Count(all.Gates, "change"), where)
	}
}

// note writes a remark that belongs to the answer.
func (c *call) note(text string) {
	fmt.Fprintln(c.out, c.paint.dim(" "+Wrap(text, 1, c.opt.Width)))
}

type diffJSON struct {
	Node       string       `json:"node"`
	Same       bool         `json:"same"`
	Digest     string       `json:"digest"`
	Theirs     string       `json:"digest_there"`
	Here       []changeJSON `json:"here"`
	There      []changeJSON `json:"there"`
	MoreHere   int          `json:"more_here"`
	MoreThere  int          `json:"more_there"`
	GatesHere  int          `json:"gates_here"`
	GatesThere int          `json:"gates_there"`
	Complete   bool         `json:"complete"`
}

type changeJSON struct {
	Plate   string `json:"plate"`
	Kind    string `json:"kind"`
	Gate    int    `json:"gate"`
	Node    string `json:"node"`
	At      string `json:"at"`
	Setting string `json:"setting"`
}

func diffOf(d node.Difference) diffJSON {
	return diffJSON{
		d.Node, d.Same, hex(d.Ours), hex(d.Theirs), changesOf(d.Here), changesOf(d.There),
		d.Here.More, d.There.More, d.Here.Gates, d.There.Gates, !d.Whole,
	}
}

func changesOf(all node.Changes) []changeJSON {
	out := make([]changeJSON, 0, len(all.First))
	for _, x := range all.First {
		out = append(out, changeJSON{string(x.Plate), kindOf(x.Kind), int(x.Gate), x.Node, timeOf(x.At), x.Setting})
	}
	return out
}

func kindOf(k crdt.Kind) string {
	return [...]string{crdt.Entry: "entry", crdt.Exit: "exit", crdt.Register: "set"}[k]
}

// timeOf is empty for a time that is not known.
func timeOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
