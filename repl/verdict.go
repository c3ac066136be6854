package repl

import (
	"fmt"
	"strings"
	"time"

	"parking/lot"
	"parking/node/verdict"
)

// allows is what each ledger says of what others forbid.
var allows = map[string]string{
	"crdt": "crdt allows a lot that is over and gates with two owners while nodes cannot see each other; escrow forbids the first, raft both.",
}

// verdictOf judges the session. A promise that was broken is an error, which the
// answer has told already.
func verdictOf(c *call) error {
	r, err := c.node.Verdict(c.ctx)
	if err != nil {
		return err
	}
	if c.opt.Format == JSON {
		err = writeJSON(c.out, verdictJSONOf(r))
	} else {
		err = c.verdict(r)
	}
	if err == nil && r.Outcome == verdict.Broken {
		err = lot.Refuse(lot.Broken, "a promise of %s was broken; what was found stands above", r.Ledger)
	}
	return err
}

func (c *call) verdict(r verdict.Report) error {
	width := 0
	for _, k := range r.Checks {
		width = max(width, len(k.Word))
	}
	var lines []string
	say := func(lead, text string) { // what does not fit goes on below the text
		indent := len(lead)
		lines = append(lines, lead+Wrap(printable(text), indent, c.opt.Width))
	}
	over := false
	for _, k := range r.Checks {
		worst := level(k)
		over = over || worst == verdict.Allowed && (k.Word == "over" || k.Word == "split")
		say(fmt.Sprintf(" %-12s %-*s  ", k.Name, width, k.Word), k.Text)
		last := &lines[len(lines)-1]
		switch worst {
		case verdict.Breach:
			*last = strings.Replace(*last, k.Word, c.paint.bad(k.Word), 1)
		case verdict.Allowed, verdict.Open:
			*last = strings.Replace(*last, k.Word, c.paint.warn(k.Word), 1)
		}
		for _, f := range k.Findings {
			if f.Level != verdict.Breach && len(f.Events) == 0 {
				continue
			}
			if f.Level == verdict.Breach || len(k.Findings) > 1 { // else the line above has said it
				say("   ", string(f.Level)+": "+f.Text)
			}
			for _, e := range f.Events {
				say("     "+e.At.Local().Format("15:04:05.000")+"  ", e.Node+"  "+e.Text)
				lines[len(lines)-1] = c.paint.dim(lines[len(lines)-1])
			}
		}
	}
	if text := allows[r.Ledger]; over && text != "" {
		say("", text)
	}
	who := fmt.Sprintf("%s: judged by the histories of %s", r.Outcome, strings.Join(r.Reached, " "))
	if len(r.Dead) > 0 {
		who += ", and of dead " + strings.Join(counted(r.Dead), " ")
	}
	say("", who)
	lines[len(lines)-1] = c.paint.dim(lines[len(lines)-1])
	_, err := fmt.Fprintln(c.out, strings.Join(lines, "\n"))
	return err
}

// counted puts equal names that follow each other together.
func counted(names []string) (out []string) {
	for len(names) > 0 {
		n := 1
		for n < len(names) && names[n] == names[0] {
			n++
		}
		text := names[0]
		if n > 1 {
			text = fmt.Sprintf("%s (%d lives)", text, n)
		}
		out, names = append(out, text), names[n:]
	}
	return out
}

// level is the gravest of a check's findings.
func level(k verdict.Check) (out verdict.Level) {
	for _, f := range k.Findings {
		if f.Level == verdict.Breach || out == "" || f.Level == verdict.Open && out == verdict.Allowed {
			out = f.Level
		}
		if out == verdict.Breach {
			break
		}
	}
	return out
}

type verdictJSON struct {
	okJSON
	Code      string      `json:"code"`
	Ledger    string      `json:"ledger"`
	Outcome   string      `json:"outcome"`
	Reached   []string    `json:"reached"`
	Dead      []string    `json:"dead"`
	Unreached []string    `json:"unreached"`
	Checks    []checkJSON `json:"checks"`
}

type checkJSON struct {
	Name     string        `json:"name"`
	Word     string        `json:"word"`
	Text     string        `json:"text"`
	Findings []findingJSON `json:"findings"`
}

type findingJSON struct {
	Level  string             `json:"level"`
	Text   string             `json:"text"`
	Events []verdictEventJSON `json:"events"`
}

type verdictEventJSON struct {
	At   string `json:"at"`
	Node string `json:"node"`
	Text string `json:"text"`
}

func verdictJSONOf(r verdict.Report) verdictJSON {
	out := verdictJSON{
		okJSON: okJSON{r.Outcome != verdict.Broken}, Ledger: r.Ledger, Outcome: string(r.Outcome),
		Reached: append([]string{}, r.Reached...), Dead: append([]string{}, r.Dead...), Unreached: append([]string{}, r.Unreached...),
		Checks: []checkJSON{},
	}
	if !out.OK {
		out.Code = string(lot.Broken)
	}
	for _, k := range r.Checks {
		check := checkJSON{k.Name, k.Word, k.Text, []findingJSON{}}
		for _, f := range k.Findings {
			finding := findingJSON{string(f.Level), f.Text, []verdictEventJSON{}}
			for _, e := range f.Events {
				finding.Events = append(finding.Events, verdictEventJSON{e.At.UTC().Format(time.RFC3339Nano), e.Node, e.Text})
			}
			check.Findings = append(check.Findings, finding)
		}
		out.Checks = append(out.Checks, check)
	}
	return out
}
