package repl

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"parking/lot"
)

func TestAwaited(t *testing.T) {
	for line, want := range map[string]struct {
		condition string
		within    time.Duration
	}{
		`await converged`:                {"converged", 10 * time.Second},
		`await converged 5s`:             {"converged", 5 * time.Second},
		`await members 3`:                {"members 3", 10 * time.Second},
		`await members 3 1m30s`:          {"members 3", 90 * time.Second},
		`await gates 2 nodes 2s`:         {"gates 2 nodes", 2 * time.Second},
		`await vehicle "2s"`:             {"vehicle 2s", 10 * time.Second},
		`await vehicle '2s' 3s`:          {"vehicle 2s", 3 * time.Second},
		`await no vehicle "1h"`:          {"no vehicle 1h", 10 * time.Second},
		`await no vehicle "ABC 1" 100ms`: {"no vehicle ABC 1", 100 * time.Millisecond},
	} {
		w, err := parse(line)
		if err != nil {
			t.Fatal(err)
		}
		args, within, err := (&call{words: w}).awaited()
		if got := strings.Join(args, " "); err != nil || got != want.condition || within != want.within {
			t.Errorf("%s: %s within %v, %v", line, got, within, err)
		}
	}
}

func TestAwaitRefuses(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		const known = "converged, members N, gates N nodes, vehicle PLATE, no vehicle PLATE"
		for line, want := range map[string]string{
			`await`:                  `missing argument: await CONDITION [DURATION]; for example await members 3 5s`,
			`await sunshine`:         `unknown condition "sunshine"; there are ` + known,
			`await sunshine 2s`:      `unknown condition "sunshine"; there are ` + known,
			`await convergd 5s`:      `unknown condition "convergd"; did you mean converged?`,
			`await converged 5`:      `unknown condition "converged 5"; there are ` + known,
			`await members`:          `missing argument: await members N`,
			`await no vehicle`:       `missing argument: await no vehicle PLATE`,
			`await members many`:     `the number of members is a number, not "many"`,
			`await gates 2 cars`:     `unknown condition "gates 2 cars"; there are ` + known,
			`await vehicle 2s`:       `2s alone is a duration; quote a plate that looks like one: "2s"`,
			`await no vehicle 2s`:    `2s alone is a duration; quote a plate that looks like one: "2s"`,
			`await 2s`:               `2s alone is a duration; quote a plate that looks like one: "2s"`,
			`await vehicle ABC 123`:  `unknown condition "vehicle ABC 123"; quote a plate that has blanks: await vehicle "ABC 123"`,
			`await vehicle ""`:       "the plate is empty; it has 1 to 16 printable characters",
			`await no vehicle A B 1`: `too many arguments: await CONDITION [DURATION]; quote a plate that has blanks, as in "ABC 123"`,
		} {
			larry.fails(line, lot.Usage, want)
		}
	})
}

func TestAwaitTimesOut(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		larry.do("track_entry X 1")
		for line, want := range map[string]string{
			`await members 2 100ms`:           "not within 100ms: members 2; alive: 1 (larry)",
			`await gates 2 nodes 100ms`:       "not within 100ms: gates 2 nodes; larry runs 4",
			`await vehicle "ABC 123" 1s`:      "not within 1s: vehicle ABC 123; ABC 123 is not in the lot on larry",
			`await no vehicle X 1s`:           "not within 1s: no vehicle X; X is in the lot on larry",
			`await no vehicle X 0s`:           "not within 0s: no vehicle X; X is in the lot on larry",
			`await members 2`:                 "not within 10s: members 2; alive: 1 (larry)",
			`await members 2 0s`:              "not within 0s: members 2; alive: 1 (larry)",
			`await vehicle "2s" 10ms`:         "not within 10ms: vehicle 2s; 2s is not in the lot on larry",
			`await gates 1 node 1s # is so`:   "",
			`await vehicle X 1s`:              "",
			`await no vehicle "not there" 1s`: "",
			`await converged`:                 "",
		} {
			if want != "" {
				larry.fails(line, lot.Timeout, want)
			} else if got := larry.do(line); got != "ok   after 0s\n" {
				t.Errorf("%s: %s", line, got)
			}
		}
	})
}

// A condition is seen soon after it holds.
func TestAwaitWakes(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry, gary := l.start("larry"), l.start("gary")
		larry.do("await members 2")
		go func() {
			time.Sleep(3 * time.Second)
			_, _, _ = gary.exec("track_entry X 1")
			time.Sleep(3 * time.Second)
			gary.crash()
		}()
		begin := time.Now()
		larry.do("await vehicle X")
		if took := time.Since(begin); took < 3*time.Second || took > 3500*time.Millisecond {
			t.Errorf("the vehicle was seen after %v", took)
		}
		larry.do("await members 1")
		if took := time.Since(begin); took < 6*time.Second || took > 9*time.Second {
			t.Errorf("the crash was seen after %v", took)
		}
		larry.do("await gates 1 node 2s")
	})
}

// Asking a node that does not answer does not outlast the duration.
func TestAwaitConvergedIsPunctual(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry, gary := l.start("larry"), l.start("gary")
		larry.do("await members 2")
		l.net.Cut(larry.host, gary.host)
		larry.do("track_entry X 1")
		begin := time.Now()
		larry.fails("await converged 300ms", lot.Timeout, "not within 300ms: converged; another digest, or no answer, on gary")
		if took := time.Since(begin); took > 400*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

// On a screen a wait that lasts says what it waits for, once; elsewhere an
// answer is all that is told.
func TestAwaitTellsWhatItWaitsFor(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		for _, opt := range []Options{{Format: Table}, {Format: Table, Width: 60}, {Format: JSON, Width: 60}} {
			var out, remarks strings.Builder
			err := larry.Exec(t.Context(), "await members 2 5s", opt, &out, &remarks)
			if err == nil || lot.CodeOf(err) != lot.Timeout {
				t.Errorf("%+v: %v", opt, err)
			}
			want := ""
			if opt.Width > 0 && opt.Format == Table {
				want = "not yet: alive: 1 (larry); waiting 5s at most, Ctrl-C ends\n"
			}
			equal(t, fmt.Sprintf("%+v", opt), remarks.String(), want)
			equal(t, "answer", out.String(), "")
			remarks.Reset()
			if err := larry.Exec(t.Context(), "await members 1", opt, &out, &remarks); err != nil {
				t.Error(err)
			}
			equal(t, "held at once", remarks.String(), "")
		}
	})
}
