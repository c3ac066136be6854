package repl

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"parking/lot"
)

var (
	digests = regexp.MustCompile(`[0-9a-f]{4} [0-9a-f]{4}\b`)
	lives   = regexp.MustCompile(`/[0-9a-f]{4}\b`)
	pulled  = regexp.MustCompile(`\bpull\b`) // after a heal either may be first
	gaps    = regexp.MustCompile(` {2,}`)
)

// apart starts two nodes, cuts them from each other at a full minute, and waits
// until both know.
func apart(l *lab) (larry, gary *at) {
	larry, gary = l.start("larry"), l.start("gary")
	larry.do(`track_entry "ABC 123" 1`)
	larry.do("await converged")
	gary.do("await converged")
	larry.do("partition larry | gary")
	larry.do("await members 1 30s")
	gary.do("await members 1 30s")
	gary.do("await gates 1 nodes")
	time.Sleep(2 * time.Second)
	untilMinute()
	return larry, gary
}

func TestDiffAnswers(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry, gary := apart(l)
		larry.do("track_entry LARRYS 2")
		time.Sleep(time.Second)
		gary.do(`track_exit "ABC 123"`)
		gary.do("set spaces 7")
		equal(t, "diff", digests.ReplaceAllString(larry.do("diff gary"), "X"), strings.Join([]string{
			"digest X here   X on gary",
			" +   LARRYS     entered by gate 2 on larry 00:01:00  only here",
			" -   ABC 123    left on gary 00:01:01  only on gary",
			" -   spaces 7   set on gary 00:01:01  only on gary",
			" and 4 changes to who runs the gates and what passed them, only on gary",
			"",
		}, "\n"))
		got := regexp.MustCompile(`[0-9a-f]{32}`).ReplaceAllString(gary.json().do("diff larry"), "X")
		equal(t, "as JSON", got, `{"node":"larry","same":false,"digest":"X","digest_there":"X","here":[`+
			`{"plate":"ABC 123","kind":"exit","gate":0,"node":"gary","at":"2000-01-01T00:01:01Z","setting":""},`+
			`{"plate":"","kind":"set","gate":0,"node":"gary","at":"2000-01-01T00:01:01Z","setting":"spaces 7"}],"there":[`+
			`{"plate":"LARRYS","kind":"entry","gate":2,"node":"larry","at":"2000-01-01T00:01:00Z","setting":""}],`+
			`"more_here":0,"more_there":0,"gates_here":4,"gates_there":0,"complete":true}`+"\n")
		for range 25 {
			time.Sleep(time.Second)
			larry.do("track_exit LARRYS")
			larry.do("track_entry LARRYS 1")
		}
		if got := larry.do("diff gary"); strings.Count(got, "only here") != 21 || !strings.Contains(got, "\n and 31 more only here\n") {
			t.Errorf("many:\n%s", got)
		}
		larry.do("heal")
		larry.do("await converged")
		gary.do("await converged")
		equal(t, "healed", digests.ReplaceAllString(larry.do("diff gary"), "X"), "same: digest X on both\n")
		var same diffJSON
		if got := larry.json().do("diff gary"); json.Unmarshal([]byte(got), &same) != nil || !same.Same || !strings.Contains(got, `"here":[],"there":[]`) {
			t.Errorf("healed: %s", got)
		}
		larry.fails("diff moe", lot.Unreachable, "no node is called moe; members lists them")
		larry.fails("diff larry", lot.Usage, "larry is this node; name another, members lists them")
		larry.fails("diff", lot.Usage, "missing argument: diff NODE; for example diff gary")
	})
}

func TestWhyAnswers(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry, gary := apart(l)
		gary.do(`track_exit "ABC 123"`)
		larry.do("track_entry TWICE 3")
		time.Sleep(1500 * time.Millisecond)
		gary.do("track_entry TWICE 2")
		larry.do("heal")
		larry.do("await converged")
		gary.do("await converged")
		show := func(a *at, line string) string {
			return gaps.ReplaceAllString(pulled.ReplaceAllString(lives.ReplaceAllString(a.do(line), "/X"), "event"), "  ")
		}
		equal(t, "a conflict", show(gary, "why TWICE"), strings.Join([]string{
			"TWICE is in the lot on gary",
			" NODE  SEQ  CLOCK  WAY  WHAT",
			" larry/X  8  00:01:00.000  event  entry by gate 3, conflict: in the lot too",
			" gary/X  6  00:01:01.500  own  entry by gate 2, live: the winner",
			"",
		}, "\n"))
		got := show(larry, `why "ABC 123"`)
		lines := strings.Split(got, "\n")
		if len(lines) != 5 || lines[0] != "ABC 123 is not in the lot on larry" ||
			!strings.HasSuffix(lines[2], "  own  entry by gate 1, superseded by gary/X 5") ||
			lines[3] != " gary/X  5  00:01:00.000  event  exit, supersedes larry/X 7" {
			t.Errorf("an exit:\n%s", got)
		}
		gary.do("track_exit TWICE")
		got = regexp.MustCompile(`[0-9a-f]{16}`).ReplaceAllString(gary.json().do("why TWICE"), "X")
		got = pulled.ReplaceAllString(got, "event")
		exit := `{"node":"gary","incarnation":"X","seq":7}`
		if !strings.HasPrefix(got, `{"plate":"TWICE","in":false,"dots":[{"node":"larry","incarnation":"X","seq":8,"at":"2000-01-01T00:01:00Z",`+
			`"clock":"2000-01-01T00:01:00Z+0","kind":"entry","gate":3,"way":"event","state":"superseded","overtaken":false,"supersedes":[],"superseded_by":[`+exit+`]},`) ||
			!strings.HasSuffix(got, `"superseded_by":[]}],"complete":true}`+"\n") {
			t.Errorf("as JSON: %s", got)
		}
		larry.fails("why NONE", lot.Absent, "nothing is known of NONE here; read lists the vehicles")
		larry.fails(`why ""`, lot.Usage, "the plate is empty; it has 1 to 16 printable characters")
	})
}

// A clock that is off shows beside the hybrid one, which follows what was seen.
func TestWhyTellsOfAWrongClock(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry, gary := l.start("larry"), l.start("gary")
		larry.do("clock gary -5m")
		untilMinute()
		larry.do("track_entry ABC 1")
		gary.do("await vehicle ABC")
		gary.do("track_exit ABC")
		got := lives.ReplaceAllString(gary.do("why ABC"), "/X")
		if !strings.Contains(got, "   00:01:00.000+1   own     exit, supersedes larry/X ") || !strings.Contains(got, "; its node's clock said 1999-12-31 23:56:00\n") {
			t.Errorf("a clock five minutes behind:\n%s", got)
		}
	})
}
