package repl

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"parking/lot"
	"parking/lot/crdt"
	"parking/node"
)

// why tells each entry and exit of a plate that is known here.
func why(c *call) error {
	p, err := lot.ParsePlate(c.words.args[0])
	if err != nil {
		return err
	}
	a, err := c.node.Why(c.ctx, p)
	if err != nil {
		return err
	}
	if c.opt.Format == JSON {
		return writeJSON(c.out, accountOf(a))
	}
	in := "is not in the lot"
	if a.In {
		in = "is in the lot"
	}
	if _, err := fmt.Fprintf(c.out, "%s %s on %s\n", a.Plate, in, c.paint.node(c.node.Name())); err != nil {
		return err
	}
	rows := make([][]string, 0, len(a.Stories))
	now := time.Now()
	conflicts := 0
	for _, s := range a.Stories {
		if s.Fate == node.Conflict {
			conflicts++
		}
	}
	for _, s := range a.Stories {
		what, clock := "entry", "-"
		if s.Kind == crdt.Exit {
			what = "exit"
		}
		if s.Gate > 0 {
			what += " by gate " + strconv.Itoa(int(s.Gate))
		}
		if s.Told {
			clock = hybrid(s.Stamp, now)
		}
		way := string(s.Way)
		switch s.Way {
		case node.OldWay:
			way = "?"
		case node.NoWay:
			way = "-"
		}
		rows = append(rows, []string{c.replica(s.Dot.Replica), strconv.FormatUint(s.Dot.Seq, 10), clock, way, what + ", " + c.fate(s, conflicts, now)})
	}
	if err := c.table([]string{"NODE", "SEQ", "CLOCK", "WAY", "WHAT"}, rows); err != nil {
		return err
	}
	if !a.Whole {
		c.note("older changes are no longer known")
	}
	return nil
}

// replica renders one life of a node: of its incarnation as much as tells them
// apart.
func (c *call) replica(r crdt.Replica) string {
	return c.paint.node(r.Node()) + c.paint.dim("/"+incarnation(r)[:4])
}

func incarnation(r crdt.Replica) string { return fmt.Sprintf("%016x", r.Incarnation()) }

func (c *call) dots(all []crdt.Dot) string {
	names := make([]string, 0, len(all))
	for _, d := range all {
		names = append(names, fmt.Sprintf("%s %d", c.replica(d.Replica), d.Seq))
	}
	return strings.Join(names, ", ")
}

// hybrid renders a reading of the hybrid clock: its time, and its counter where
// that is not 0.
func hybrid(s crdt.Stamp, now time.Time) string {
	t := fmt.Sprintf("%s.%03d", clockTime(s.Time(), now), s.Time().Nanosecond()/1e6)
	if s.Counter() > 0 {
		t += "+" + strconv.Itoa(s.Counter())
	}
	return t
}

// fate tells what became of an entry or an exit.
func (c *call) fate(s node.Story, conflicts int, now time.Time) (text string) {
	switch {
	case s.Fate == node.Live && conflicts > 0:
		text = c.paint.good("live") + ": the winner"
	case s.Fate == node.Live:
		text = c.paint.good("live")
	case s.Fate == node.Conflict:
		text = c.paint.warn("conflict") + ": in the lot too"
	case s.Fate == node.Done && len(s.Supersedes) == 0:
		text = "superseded nothing"
	case s.Fate == node.Done:
		text = "supersedes " + c.dots(s.Supersedes)
	default:
		text = "superseded by " + c.dots(s.By)
		switch {
		case s.Overtaken:
			text += ", which came before it"
		case !s.Seen:
			text += "; it has not come yet"
		case !s.Told:
			text += "; no more is known of it"
		}
	}
	if off := s.Since().Sub(s.Stamp.Time()); s.Told && (off <= -time.Second || off >= time.Second) {
		text += "; its node's clock said " + clockTime(s.Since(), now)
	}
	return text
}

type accountJSON struct {
	Plate    string      `json:"plate"`
	In       bool        `json:"in"`
	Dots     []storyJSON `json:"dots"`
	Complete bool        `json:"complete"`
}

type storyJSON struct {
	dotJSON
	At         string    `json:"at"`
	Clock      string    `json:"clock"`
	Kind       string    `json:"kind"`
	Gate       int       `json:"gate"`
	Way        string    `json:"way"`
	State      string    `json:"state"`
	Overtaken  bool      `json:"overtaken"`
	Supersedes []dotJSON `json:"supersedes"`
	By         []dotJSON `json:"superseded_by"`
}

type dotJSON struct {
	Node        string `json:"node"`
	Incarnation string `json:"incarnation"`
	Seq         uint64 `json:"seq"`
}

func accountOf(a node.Account) accountJSON {
	out := accountJSON{string(a.Plate), a.In, make([]storyJSON, 0, len(a.Stories)), a.Whole}
	for _, s := range a.Stories {
		j := storyJSON{
			dotJSON: dotOf(s.Dot), Kind: kindOf(s.Kind), Gate: int(s.Gate), Way: string(s.Way), State: string(s.Fate),
			Overtaken: s.Overtaken, Supersedes: dotsOf(s.Supersedes), By: dotsOf(s.By),
		}
		if s.Told {
			j.At, j.Clock = timeOf(s.Since()), fmt.Sprintf("%s+%d", timeOf(s.Stamp.Time()), s.Stamp.Counter())
		}
		out.Dots = append(out.Dots, j)
	}
	return out
}

func dotOf(d crdt.Dot) dotJSON {
	return dotJSON{d.Replica.Node(), incarnation(d.Replica), d.Seq}
}

func dotsOf(dots []crdt.Dot) []dotJSON {
	out := make([]dotJSON, 0, len(dots))
	for _, d := range dots {
		out = append(out, dotOf(d))
	}
	return out
}
