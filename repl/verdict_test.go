package repl

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"parking/lot"
	"parking/node"
	records "parking/node/history"
	"parking/node/verdict"
)

// What is told of a session depends on how things went by a few milliseconds.
var (
	clockRange = regexp.MustCompile(`\d\d:\d\d:\d\d-(\d\d:\d\d:\d\d|now)`)
	lasted     = regexp.MustCompile(`\b[\d.]+ s\b`)
)

func masked(s string) string {
	s = digest.ReplaceAllString(s, "digest X")
	return lasted.ReplaceAllString(clockRange.ReplaceAllString(s, "FROM-TO"), "N s")
}

// rows are the lines of checks only.
func rows(s string) string {
	var out strings.Builder
	for line := range strings.Lines(s) {
		if !strings.HasPrefix(line, "   ") {
			out.WriteString(line)
		}
	}
	return out.String()
}

func withHistory() func(*node.Config) {
	archive := records.NewMemory()
	return func(c *node.Config) { c.History = archive }
}

func TestVerdictAnswers(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		keep := withHistory()
		larry, gary, harry := l.start("larry", keep), l.start("gary", keep), l.start("harry", keep)
		larry.do("await members 3")
		larry.do("set spaces 2")
		larry.do(`track_entry "ABC 123" 1`)
		gary.do("await converged")
		equal(t, "in peace", masked(harry.do("verdict")), strings.Join([]string{
			" converged    yes       3 of 3, digest X",
			" lost         none      2 acknowledged changes accounted for",
			" resurrected  none      0 exits stand",
			" capacity     kept      1 of 2 at most",
			" gates        one each  each had one owner throughout",
			" refusals     none      nothing was refused, and no gate let anything in",
			"kept: judged by the histories of gary harry larry",
			"",
		}, "\n"))
		gary.do("partition larry | gary harry")
		time.Sleep(10 * time.Second)
		larry.do("track_entry L 1")
		gary.do("track_entry G 1")
		time.Sleep(5 * time.Second)
		gary.do("heal")
		gary.do("await converged")
		larry.do(`track_exit "ABC 123"`)
		gary.do("await converged")
		gary.do("await gates 2 nodes")
		equal(t, "after a partition", rows(masked(harry.do("verdict"))), strings.Join([]string{
			" converged    yes    3 of 3, digest X",
			" lost         none   5 acknowledged changes accounted for",
			" resurrected  none   1 exit stands",
			" capacity     over   3 of 2 at most, N s (FROM-TO), partition larry | gary harry",
			" gates        split  gates 1-4 had two owners for N s, partition larry | gary harry",
			" refusals     none   nothing was refused, and no gate let anything in",
			allows["crdt"],
			"kept: judged by the histories of gary harry larry",
			"",
		}, "\n"))
		for _, width := range []int{50, 60, 80} {
			wide, narrow := harry.do("verdict"), *harry
			narrow.opt.Width, narrow.opt.Color = width, true
			got := text.StripEscape(narrow.do("verdict"))
			flat := func(s string) string { return masked(strings.Join(strings.Fields(s), " ")) }
			if flat(got) != flat(wide) {
				t.Errorf("on %d columns:\n%s\non any:\n%s", width, got, wide)
			}
			for row := range strings.Lines(got) {
				if n := text.StringWidth(strings.TrimRight(row, "\n")); n > width {
					t.Errorf("a row of %d columns on %d: %s", n, width, row)
				}
			}
		}
		var doc verdictJSON
		out := harry.json().do("verdict")
		if err := json.Unmarshal([]byte(out), &doc); err != nil || strings.Contains(out, "null") {
			t.Fatalf("%v: %s", err, out)
		}
		if !doc.OK || doc.Code != "" || doc.Outcome != "kept" || len(doc.Checks) != 6 || len(doc.Dead) != 0 {
			t.Errorf("the document is %s", out)
		}
	})
}

// A promise that was broken is told once, and is an error.
func TestABrokenPromise(t *testing.T) {
	at := time.Date(2026, 1, 2, 12, 3, 1, 0, time.UTC)
	r := verdict.Report{Ledger: "crdt", Outcome: verdict.Broken, Reached: []string{"gary"}, Checks: []verdict.Check{
		{Name: "converged", Word: "yes", Text: "1 of 1"},
		{Name: "lost", Word: "1", Text: "A\x1b[31m is gone", Findings: []verdict.Finding{
			{Level: verdict.Breach, Text: "A is gone", Events: []verdict.Event{{At: at, Node: "gary", Text: "A came in"}}},
			{Level: verdict.Allowed, Text: "not told twice"},
		}},
	}}
	var out strings.Builder
	c := &call{opt: Options{Format: Table}, out: &out}
	err := c.verdict(r)
	equal(t, "the table", out.String(), strings.Join([]string{
		" converged    yes  1 of 1",
		" lost         1    " + printable("A\x1b[31m is gone"),
		"   broken: A is gone",
		"     12:03:01.000  gary  A came in",
		"broken: judged by the histories of gary",
		"",
	}, "\n"))
	if err != nil {
		t.Error(err)
	}
	doc := verdictJSONOf(r)
	if doc.OK || doc.Code != "broken" || doc.Checks[0].Findings == nil || doc.Dead == nil || doc.Unreached == nil {
		t.Errorf("as JSON %+v", doc)
	}
	if doc := verdictJSONOf(verdict.Report{}); doc.Checks == nil {
		t.Error("no checks are null")
	}
	out.Reset()
	WriteFailure(lot.Refuse(lot.Broken, "x"), Options{Format: JSON}, &out, &out)
	if out.Len() > 0 {
		t.Errorf("a second document: %s", out.String())
	}
}

// Where an acknowledged change is gone from a node that lives, verdict fails, and
// says in one document why.
func TestVerdictFails(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		archive := forged{records.NewMemory()}
		larry := l.start("larry", func(c *node.Config) { c.History = archive })
		larry.do("track_entry A 1")
		out, remarks, err := larry.json().exec("verdict")
		var doc verdictJSON
		if d := json.NewDecoder(strings.NewReader(out)); d.Decode(&doc) != nil || d.More() {
			t.Fatalf("not one document: %s", out)
		}
		if doc.OK || doc.Code != "broken" || doc.Outcome != "broken" || !errors.Is(err, lot.Broken) || lot.CodeOf(err) != lot.Broken || remarks != "" {
			t.Errorf("%v, %q, %s", err, remarks, out)
		}
		if out, _, err := larry.exec("verdict"); err == nil || !strings.Contains(out, "   broken: track_entry GONE, answered ok on zed once 2 other nodes had it: nobody has it now\n") {
			t.Errorf("%v, %s", err, out)
		}
	})
}

// forged is an archive with the history of one that has died, and whose change
// was acknowledged once two others had it.
type forged struct{ *records.Memory }

func (f forged) Stored(but records.Life) ([]records.Stored, error) {
	zed := records.Life{Node: "zed", Incarnation: 1}
	l, err := records.NewLog(records.NewMemory(), zed, "crdt")
	if err != nil {
		return nil, err
	}
	l.Add(records.Record{Kind: records.Member, Life: but, Text: "alive"})
	l.Add(records.Record{Kind: records.Entered, Plate: "GONE", Gate: 1, First: 1, Last: 1, Stamp: 1})
	l.Add(records.Record{Kind: records.Answered, Text: "track_entry", Plate: "GONE", Gate: 1, Life: zed, First: 1, Last: 1, Need: 2, Real: time.Now().Add(-time.Second)})
	return []records.Stored{{Life: zed, Segments: l.Segments()}}, nil
}
