package repl

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"parking/lot"
	"parking/node"
	"parking/node/member"
)

func isDie(err error) bool { return errors.Is(err, ErrDie) }

var digest = regexp.MustCompile(`digest [0-9a-f]{4} [0-9a-f]{4}`)

func TestTextAnswers(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		equal(t, "an empty lot", digest.ReplaceAllString(larry.do("read"), "digest X"), "crdt on larry   digest X   0 of 100 taken\n")
		gary := l.start("gary")
		untilMinute()
		equal(t, "track_entry", larry.do(`track_entry "ABC 123" 1`), "ok   99 of 100 spaces free\n")
		time.Sleep(30 * time.Second)
		equal(t, "gate enter", gary.do(`gate 3 enter ÄÖÜ東京`), "ok   98 of 100 spaces free\n")
		gary.do("await converged")
		time.Sleep(37 * time.Second)
		equal(t, "read", digest.ReplaceAllString(gary.do("read"), "digest X"), strings.Join([]string{
			"crdt on gary   digest X   same on larry   2 of 100 taken",
			" PLATE     GATE   NODE    SINCE",
			" ABC 123   1      larry   00:01:00  1m07s",
			" ÄÖÜ東京   3      larry   00:01:30  37s",
			"",
		}, "\n"))
		equal(t, "read --limit", digest.ReplaceAllString(gary.do("read --limit 1"), "digest X"), strings.Join([]string{
			"crdt on gary   digest X   same on larry   2 of 100 taken",
			" PLATE     GATE   NODE    SINCE",
			" ABC 123   1      larry   00:01:00  1m07s",
			" and 1 more",
			"",
		}, "\n"))
		for line, want := range map[string]string{
			`read "ABC 123"`: "ABC 123", "read ABC*": "ABC 123", "read *": "ABC 123", "read Ä* --limit 9": "ÄÖÜ東京",
			"read ABC": "", "read abc*": "", "read 123*": "", "read ABC* --limit 0": " and 1 more",
		} {
			if got := strings.Count(gary.do(line), "\n") > 1; got != (want != "") || !strings.Contains(gary.do(line), want) {
				t.Errorf("%s: %s", line, gary.do(line))
			}
		}
		equal(t, "gates", gary.do("gates"), strings.Join([]string{
			" GATE   NODE    STATE     EPOCH   IN   OUT",
			" 1      larry   running   1       0    0",
			" 2      larry   running   1       0    0",
			" 3      larry   running   1       1    0",
			" 4      larry   running   1       0    0",
			"",
		}, "\n"))
		equal(t, "members", gary.do("members"), strings.Join([]string{
			" NODE    ADDRESS         STATUS",
			" gary    10.0.0.1:7002   alive    this node",
			" larry   10.0.0.1:7001   alive",
			"",
		}, "\n"))
		equal(t, "gate move", gary.do("gate 1 move gary"), "ok   gate 1 runs on gary\n")
		equal(t, "rebalance", larry.do("rebalance"), "ok   1 gate moved\n")
		equal(t, "rebalance", larry.do("rebalance"), "ok   the gates are spread already\n")
		equal(t, "set", larry.do("set spaces 120"), "ok   spaces 120, everywhere\n")
		equal(t, "set", larry.do("set gates 2"), "ok   gates 2, everywhere\n")
		equal(t, "track_exit", larry.do(`track_exit "ABC 123"`), "ok   119 of 120 spaces free\n")
		equal(t, "gate crash", larry.do("gate 2 crash"), "ok   gate 2 crashed; its supervisor starts it again\n")
		status := larry.do("status")
		for _, want := range []string{" node          larry\n", " cluster       parking\n", " address       10.0.0.1:7001\n", " ledger        crdt\n", " lag           0 changes\n"} {
			if !strings.Contains(status, want) {
				t.Errorf("status lacks %q:\n%s", want, status)
			}
		}
		if status := larry.do("help"); !strings.Contains(status, " track_entry  record an entry; the gate is a label     track_entry \"ABC 123\" 1\n") {
			t.Errorf("help:\n%s", status)
		}
		for line := range strings.Lines(larry.do("help")) {
			if len(line) > 80 {
				t.Errorf("a line of help is wider than a window: %s", line)
			}
		}
		equal(t, "help gates", larry.do("help gates"), "gates\n  which node runs which gate\n  EPOCH is one more with each change of hands. IN and OUT count what went through the gate's process, on all nodes; track_entry only names a gate.\n  for example: gates\n")
		equal(t, "an empty line", larry.do("  # nothing"), "")
	})
}

func TestJSONAnswers(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry").json()
		if got := larry.do("read"); !strings.HasSuffix(got, `"spaces":{"total":100,"taken":0,"free":100},"vehicles":[]}`+"\n") {
			t.Errorf("read of an empty lot: %s", got)
		}
		untilMinute()
		time.Sleep(123 * time.Millisecond)
		for _, line := range []string{`track_entry "B <&> 2" 2`, "gate 1 enter A1", "set spaces 120", "help gate"} {
			if line != "help gate" {
				equal(t, line, larry.do(line), `{"ok":true}`+"\n")
			}
		}
		status := larry.node.Status()
		equal(t, "read", larry.do("read"), `{"node":"larry","ledger":"crdt","digest":"`+hex(status.Digest)+
			`","spaces":{"total":120,"taken":2,"free":118},"vehicles":[`+
			`{"plate":"A1","gate":1,"node":"larry","since":"2000-01-01T00:01:00.123Z","conflicts":[]},`+
			`{"plate":"B <&> 2","gate":2,"node":"larry","since":"2000-01-01T00:01:00.123Z","conflicts":[]}]}`+"\n")
		if got := larry.do("read --limit 1"); strings.Contains(got, "B <&>") || !strings.Contains(got, `"taken":2`) {
			t.Errorf("read --limit: %s", got)
		}
		equal(t, "spaces", larry.do("spaces"), `{"total":120,"taken":2,"free":118,"over":0}`+"\n")
		larry.do("set gates 2")
		equal(t, "gates", larry.do("gates"), `{"gates":[{"gate":1,"owners":["larry"],"state":"running","epoch":1,"in":1,"out":0},`+
			`{"gate":2,"owners":["larry"],"state":"running","epoch":1,"in":0,"out":0}]}`+"\n")
		equal(t, "members", larry.do("members"), `{"members":[{"name":"larry","addr":"10.0.0.1:7001","status":"alive","self":true}]}`+"\n")
		var s map[string]any
		if err := json.Unmarshal([]byte(larry.do("status")), &s); err != nil {
			t.Fatal(err)
		}
		for field, kind := range map[string]any{
			"node": "", "cluster": "", "addr": "", "pid": 0.0, "ledger": "", "incarnation": "", "version": map[string]any{},
			"digest": "", "lag": 0.0, "queue_depth": 0.0, "uptime_seconds": 0.0,
		} {
			got, ok := s[field]
			delete(s, field)
			if sameKind := jsonKind(got) == jsonKind(kind); !ok || !sameKind {
				t.Errorf("status: %s is %v", field, got)
			}
		}
		if len(s) > 0 {
			t.Errorf("status has more: %v", s)
		}
	})
}

func jsonKind(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case float64:
		return "number"
	case map[string]any:
		return "object"
	}
	return "another"
}

// What a cluster in order never shows, and an early look may.
func TestJSONIsNeverNull(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.FixedZone("elsewhere", 7200))
	for _, c := range []struct {
		doc  any
		want string
	}{
		{gatesOf(nil), `{"gates":[]}`},
		{gatesOf([]node.GateState{{Gate: 1, Epoch: 3}, {Gate: 2, Owners: []string{"a", "b"}, In: 1, Out: 2}}),
			`{"gates":[{"gate":1,"owners":[],"state":"orphaned","epoch":3,"in":0,"out":0},{"gate":2,"owners":["a","b"],"state":"split","epoch":0,"in":1,"out":2}]}`},
		{membersOf(nil), `{"members":[]}`},
		{membersOf([]node.Member{{Member: member.Member{Name: "a", Addr: "h:1", Status: member.Failed}, Reason: "silence"}}),
			`{"members":[{"name":"a","addr":"h:1","status":"failed","self":false}]}`},
		{readingOf("a", node.Reading{Spaces: lot.Spaces{Total: 1, Taken: 2}}, []lot.Vehicle{{
			Plate: "P", Entry: lot.Entry{Gate: 1, Node: "a", Since: at},
			Conflicts: []lot.Entry{{Gate: 2, Node: "b", Since: at}},
		}}), `{"node":"a","ledger":"crdt","digest":"00000000000000000000000000000000","spaces":{"total":1,"taken":2,"free":0},"vehicles":[` +
			`{"plate":"P","gate":1,"node":"a","since":"2026-01-02T01:04:05.678Z","conflicts":[{"gate":2,"node":"b","since":"2026-01-02T01:04:05.678Z"}]}]}`},
		{statusOf(node.Status{}, 7), `{"node":"","cluster":"","addr":"","pid":7,"ledger":"crdt","incarnation":"0000000000000000","version":{},` +
			`"digest":"00000000000000000000000000000000","lag":0,"queue_depth":0,"uptime_seconds":0}`},
		{historyJSON{okJSON{true}, []string{}}, `{"ok":true,"lines":[]}`},
		{commandsJSON(), `{"ok":true,"commands":[]}`},
	} {
		var b strings.Builder
		if err := writeJSON(&b, c.doc); err != nil {
			t.Error(err)
		}
		equal(t, "a document", b.String(), c.want+"\n")
	}
}

func TestWriteFailure(t *testing.T) {
	err := lot.Refuse(lot.Full, `no "space" <here>`)
	for _, c := range []struct {
		opt          Options
		out, remarks string
	}{
		{Options{Format: Table}, "", "error: no \"space\" <here>\n"},
		{Options{Format: Table, Color: true}, "", red.Paint("error:") + " no \"space\" <here>\n"},
		{Options{Format: JSON}, `{"ok":false,"code":"full","error":"no \"space\" <here>"}` + "\n", ""},
	} {
		var out, remarks strings.Builder
		WriteFailure(err, c.opt, &out, &remarks)
		equal(t, "answer", out.String(), c.out)
		equal(t, "remark", remarks.String(), c.remarks)
	}
	for _, code := range []lot.Code{lot.Full, lot.Present, lot.Absent, lot.Range, lot.Unreachable, lot.Unknown, lot.Timeout, lot.Usage, lot.Refused} {
		var out strings.Builder
		WriteFailure(lot.Refuse(code, "x"), Options{Format: JSON}, &out, nil)
		equal(t, "code", out.String(), `{"ok":false,"code":"`+string(code)+`","error":"x"}`+"\n")
	}
	var out strings.Builder
	WriteFailure(errors.New("node: odd"), Options{Format: JSON}, &out, nil)
	equal(t, "no refusal", out.String(), `{"ok":false,"code":"refused","error":"odd"}`+"\n")
}

// Two entries of one plate, made apart, both stay: read tells the earlier one
// as a conflict of the later.
func TestConflicts(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry, gary := l.start("larry"), l.start("gary")
		larry.do("await members 2")
		larry.do("await converged")
		untilMinute()
		l.net.Cut(larry.host, gary.host)
		gary.do(`track_entry "ABC 123" 2`)
		time.Sleep(time.Second)
		larry.do(`track_entry "ABC 123" 1`)
		for _, a := range []*at{larry, gary} {
			a.do("await members 1 1m") // a second may be too short, or just not
		}
		l.net.Heal(larry.host, gary.host)
		for _, a := range []*at{larry, gary} {
			a.do("await members 2 1m")
			a.do("await converged 1m")
		}
		read := larry.do("read")
		_, rows, _ := strings.Cut(read, "SINCE\n")
		rows = regexp.MustCompile(`\d+m?\d*s  also`).ReplaceAllString(rows, "T  also")
		equal(t, "read", rows, " ABC 123   1      larry   00:01:01  T  also gate 2 on gary, 00:01:00\n")
		if !strings.Contains(read, "1 of 100 taken") {
			t.Errorf("a plate counts twice: %s", read)
		}
		_, vehicles, _ := strings.Cut(gary.json().do("read"), `"vehicles":`)
		equal(t, "vehicles", vehicles, `[{"plate":"ABC 123","gate":1,"node":"larry","since":"2000-01-01T00:01:01Z",`+
			`"conflicts":[{"gate":2,"node":"gary","since":"2000-01-01T00:01:00Z"}]}]}`+"\n")
	})
}

func TestGatesLine(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		equal(t, "the first node", GatesLine(larry.node), "gates 1 2 3 4 run here (first node)")
		gary := l.start("gary")
		equal(t, "the second", GatesLine(gary.node), "gates 1 2 3 4 run on larry")
		larry.do("gate 2 move gary")
		equal(t, "of both", GatesLine(gary.node), "gates 1 3 4 run on larry, gate 2 runs here")
	})
}

// What is told fits the screen, as far as words do, and says the same on each.
func TestScreensOfAnyWidth(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		for _, name := range []string{"gary", "harry", "moe-of-the-long-name"} {
			l.start(name)
		}
		larry.do("await members 4")
		larry.do("rebalance")
		for i := range 3 {
			larry.do(fmt.Sprintf(`track_entry "ABCDEFGH %d IJKLM" 1`, i))
		}
		larry.do("await converged")
		squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
		for _, width := range []int{60, 80, 200} {
			for _, c := range Commands() {
				lines := []string{"help " + c.Name}
				if c.run != nil && c.min == 0 && c.max <= 1 && c.Name != "kill-node" {
					lines = append(lines, c.Name)
				}
				for _, line := range append(lines, "read --limit 1", `why "ABCDEFGH 0 IJKLM"`, "diff gary") {
					wide := larry.do(line)
					at := *larry
					at.opt.Width, at.opt.Color = width, true
					narrow := text.StripEscape(at.do(line))
					if squeeze(narrow) != squeeze(wide) && line != "help" && line != "status" { // help leaves out the examples
						t.Errorf("%s on %d columns:\n%s\non any:\n%s", line, width, narrow, wide)
					}
					for row := range strings.Lines(narrow) {
						if n := text.StringWidth(strings.TrimRight(row, "\n")); n > width {
							t.Errorf("%s has a row of %d columns on %d: %s", line, n, width, row)
						}
					}
				}
			}
		}
	})
}

// Colours change nothing but colours, and columns stay aligned under them.
func TestColour(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		l.start("gary")
		larry.do("await members 2")
		larry.do("track_entry 東京 1")
		larry.do("await converged")
		painted := *larry
		painted.opt.Color = true
		escapes := regexp.MustCompile("\x1b\\[[0-9;]*m")
		for _, line := range []string{"read", "gates", "members", "help", "spaces"} {
			plain, colored := larry.do(line), painted.do(line)
			equal(t, line, escapes.ReplaceAllString(colored, ""), plain)
			if strings.Contains(plain, "\x1b") {
				t.Errorf("%s has escapes without colours", line)
			}
			if line != "spaces" && colored == plain {
				t.Errorf("%s has no colours", line)
			}
		}
		if a, b := NodeColor("larry"), NodeColor("larry"); a != b {
			t.Error("a node's colour changes")
		}
	})
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 9 * time.Second: "9s", 67 * time.Second: "1m07s", 3725 * time.Second: "1h02m", 50 * time.Hour: "2d02h",
	} {
		if got := ago(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	now := time.Date(2026, 5, 6, 12, 0, 0, 0, time.UTC)
	for at, want := range map[time.Time]string{
		now.Add(-time.Hour):      "11:00:00",
		now.Add(-24 * time.Hour): "2026-05-05 12:00:00",
		now.AddDate(-1, 0, 0):    "2025-05-06 12:00:00",
	} {
		if got := clockTime(at, now); got != want {
			t.Errorf("%v: %s, want %s", at, got, want)
		}
	}
}
