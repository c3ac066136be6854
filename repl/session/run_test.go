package session

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// config returns one under which this test binary plays the nodes.
func config(t *testing.T, out io.Writer) Config {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Exe, cfg.Out = os.Args[0], out
	cfg.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	var err error
	if cfg.Temp, err = os.MkdirTemp("/tmp", "session"); err != nil { // t.TempDir is too long for sockets
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(cfg.Temp) })
	return cfg
}

// run plays a script and checks that it leaves nothing behind.
func run(ctx context.Context, t *testing.T, cfg Config, text string) Report {
	t.Helper()
	s, err := Parse("test.park", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	r := Run(ctx, cfg, s)
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the run took %v", took)
	}
	if left, err := os.ReadDir(cfg.Temp); err != nil || len(left) > 0 {
		t.Errorf("the run left %v, %v", left, err)
	}
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("the run left processes: wait4 = %d, %v", pid, err)
	}
	return r
}

func TestARunReadsLikeATerminal(t *testing.T) {
	var out bytes.Buffer
	r := run(t.Context(), t, config(t, &out), `# One lot.

start larry gary --be good
larry>   track_entry ABC 1   # over
   warning: the lot is over
   0 of 3 spaces free
# Prose between.
gary> gates
   1-4 larry running
! larry> track_exit XYZ
   XYZ is not in the lot
stop gary
larry> quit
`)
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	want := `One lot.

start larry gary --be good
larry> track_entry ABC 1   # over
warning: the lot is over
ok   0 of 3 spaces free
Prose between.
gary> gates
 1   larry   running
 2   larry   running
 3   larry   running
 4   larry   running
larry> track_exit XYZ
error: XYZ is not in the lot
stop gary
larry> quit
`
	if out.String() != want {
		t.Errorf("the transcript is\n%s\nwant\n%s", out.String(), want)
	}
	r.Took = 2060 * time.Millisecond
	if got, want := r.String(), "test: 6 steps, 8 checks, 2.1 s, ok"; got != want {
		t.Errorf("the report is %q, want %q", got, want)
	}
}

func TestColoursDoNotDisturbChecks(t *testing.T) {
	var out bytes.Buffer
	cfg := config(t, &out)
	cfg.Color = true
	r := run(t.Context(), t, cfg, "start larry\nlarry> gates\n 1-4 larry running\n! larry> track_exit X\n error: X is not")
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	if prompt := (painter{true}).node("larry", "larry> ") + "gates\n"; !strings.Contains(out.String(), prompt) {
		t.Errorf("no coloured prompt in %q", out.String())
	}
}

func TestFieldsAreThoseOfTheDocument(t *testing.T) {
	var out bytes.Buffer
	r := run(t.Context(), t, config(t, &out), `start larry
larry> gates # all
   .gates.#.gate = [1.0, 2]
   .gates.#(owners.0=="larry").gate = 1   # so
   .gates.1 = {"owners": [], "gate": 2}
! larry> track_exit XYZ
   .code = "absent"
   .ok = false
`)
	if r.Err != nil || r.Checks != 6 {
		t.Error(r, r.Err)
	}
	if want := "larry> gates # all\na remark\n{\"gates\":[{"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in\n%s", want, out.String())
	}
}

func TestFailures(t *testing.T) {
	const short, grace = 300 * time.Millisecond, 100 * time.Millisecond
	for _, c := range []struct {
		name, script, want string
		step               time.Duration // 0: the default
	}{
		{"another answer", "start larry\nlarry> gates\n  2 larry\n  1 larry\n",
			"test.park:4: the answer is another\n  expected   1 larry\n  seen        1   larry   running\n              2   larry", 0},
		{"a range that ends too early", "start larry\nlarry> gates\n  3-5 larry\n",
			"test.park:3: the answer is another\n  expected   5 larry\n", 0},
		{"another value", "start larry\nlarry> gates\n  .gates.0.gate = 1\n  .gates.1.gate = 3 # not so\n",
			"test.park:4: the answer is another\n  expected   .gates.1.gate = 3 # not so\n  seen       .gates.1.gate = 2\n             {\"gates\":[{", 0},
		{"no such field", "start larry\nlarry> gates\n  .gats = 1\n",
			"test.park:3: the answer is another\n  expected   .gats = 1\n  seen       no field .gats\n             {\"gates\":[{", 0},
		{"another code", "start larry\n! larry> track_exit X\n  .code = \"full\"\n",
			"test.park:3: the answer is another\n  expected   .code = \"full\"\n  seen       .code = \"absent\"\n             {\"ok\":false,", 0},
		{"a group of which one does not start", "start larry+gary --be stillborn\n",
			"test.park:1: larry did not start: exit status 1", 0},
		{"a refusal", "start larry\nlarry> track_exit X\n",
			"test.park:2: the command failed\n  expected   no error\n  seen       error: X is not in the lot", 0},
		{"an unknown command", "start larry\nlarry> trak_exit X\n",
			"test.park:2: the command failed\n  expected   no error\n  seen       error: unknown command trak_exit; did you mean track_exit?", 0},
		{"no refusal", "start larry\n! larry> gates\n",
			"test.park:2: the command did not fail\n  expected   an error\n  seen        1   larry", 0},
		{"no answer", "start larry\nlarry> await converged\n",
			"test.park:2: larry has not answered: a step may take 300ms", short},
		{"no answer is no refusal", "start larry\n! larry> await converged\n",
			"test.park:2: larry has not answered: a step may take 300ms", short},
		{"a death is no refusal", "start larry\n! larry> members\n",
			"test.park:2: larry ended by itself: exit status 2; the last it said:\n  panic: boom", 0},
		{"a death elsewhere", "start larry gary\ngary> rebalance\n",
			"test.park:2: larry ended by itself: signal: killed; it said nothing", short},
		{"no start", "start larry gary --be stillborn\n",
			"test.park:1: larry did not start: exit status 1; the last it said:\n  there is no room for me", 0},
		{"no readiness", "start larry --be mute\n",
			"test.park:1: larry is not ready: a start may take 2s; it said nothing", 0},
		{"a rude leave", "start larry --be rude\nstop larry\n",
			"test.park:2: larry did not leave in good order: exit status 3; it said nothing", 0},
		{"no leave", "start larry --be deaf\nstop larry\n",
			"test.park:2: larry still runs: a step may take 300ms", short},
		{"no leave at the end", "start larry gary --be deaf\n",
			"within 100ms of SIGTERM these did not leave and were killed: larry gary", 0},
		{"a frozen node", "start larry gary\nlarry> spaces\n",
			"test.park:2: larry has not answered: a step may take 300ms", short},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(t, io.Discard)
			cfg.Grace = grace
			if strings.Contains(c.script, "mute") {
				cfg.Start = 2 * time.Second
			}
			if c.step > 0 {
				cfg.Step = c.step
			}
			r := run(t.Context(), t, cfg, c.script)
			if r.Err == nil || !strings.HasPrefix(r.Err.Error(), c.want) {
				t.Errorf("the error is\n%v\nwant\n%s", r.Err, c.want)
			}
			if !strings.HasSuffix(r.String(), ", failed") {
				t.Errorf("the report is %q", r)
			}
		})
	}
}

func TestNodesThatAreMeantToEnd(t *testing.T) {
	for name, script := range map[string]string{
		"by their own command": "start larry\nlarry> kill-node\n  dies\nstart larry\nlarry> kill-node\n",
		"by another's command": "start larry gary\ngary> kill-node larry\nstart larry\nlarry> gates\n",
		"by SIGKILL":           "start larry\nkill larry\nstart larry\nlarry> gates\n",
		"to start again":       "start larry gary --be good\nrestart gary\nkill larry\nrestart larry\nrestart larry --be better\nlarry> gates\n",
		"in good order":        "start larry gary\nstop larry\nstart larry\nlarry> quit\n",
	} {
		t.Run(name, func(t *testing.T) {
			if r := run(t.Context(), t, config(t, io.Discard), script); r.Err != nil {
				t.Error(r.Err)
			}
		})
	}
}

func TestNodesOfAGroupStartTogether(t *testing.T) {
	if r := run(t.Context(), t, config(t, io.Discard), "start larry+gary --be paired\n"); r.Err != nil {
		t.Error(r.Err)
	}
}

func TestARestartKeepsTheFlags(t *testing.T) {
	var out bytes.Buffer
	r := run(t.Context(), t, config(t, &out), `start larry+gary --be good
restart larry
larry> status
   args ... --be good]
kill gary
restart gary --be better
stop gary
restart gary
gary> status
   args ... --be better]
`)
	if r.Err != nil {
		t.Error(r.Err)
	}
	if want := "kill gary\nrestart gary --be better\nstop gary\nrestart gary\n"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in\n%s", want, out.String())
	}
}

func TestNodesAreAlone(t *testing.T) {
	var out bytes.Buffer
	cfg := config(t, &out)
	cfg.Env = append(cfg.Env, "PARKING_JOIN=elsewhere:1", "PARKING_RUNTIME_DIR=/elsewhere", "OTHER=1")
	r := run(t.Context(), t, cfg, "start larry\nlarry> status\n mode -rw------- \n env OTHER=1\n env PARKING_RUNTIME_DIR="+cfg.Temp+" ...")
	if r.Err == nil { // the directory's own name is random: look below
		t.Error("an expectation matched part of a word")
	}
	if got := out.String(); strings.Contains(got, "elsewhere") || !strings.Contains(got, "env PARKING_RUNTIME_DIR="+filepath.Join(cfg.Temp, "parking-")) {
		t.Errorf("the node's environment is\n%s", got)
	}
	if r.Checks != 2 {
		t.Errorf("%d checks held, want those of mode and environment", r.Checks)
	}
}

// signpost is a transcript that tells when a text was written to it.
type signpost struct {
	bytes.Buffer
	text    string
	reached func()
}

func (s *signpost) Write(b []byte) (int, error) {
	n, err := s.Buffer.Write(b)
	if strings.Contains(s.String(), s.text) {
		s.reached()
	}
	return n, err
}

func TestInterrupt(t *testing.T) {
	for name, script := range map[string]string{
		"during a start":   "# now\nstart larry gary harry\n",
		"during an await":  "start larry gary\ngary> await vehicle now\n",
		"of a frozen node": "start larry gary\ngary> spaces # now\n",
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cfg := config(t, &signpost{text: "now\n", reached: cancel})
			r := run(ctx, t, cfg, script)
			if !r.Interrupted() || !strings.HasSuffix(r.String(), ", interrupted") {
				t.Errorf("%v: %v", r, r.Err)
			}
		})
	}
}

var errGone = errors.New("nobody reads")

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errGone }

func TestATranscriptThatNobodyReadsEndsTheRun(t *testing.T) {
	if r := run(t.Context(), t, config(t, brokenPipe{}), "start larry\nlarry> await converged\n"); !errors.Is(r.Err, errGone) {
		t.Error(r.Err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, cfg := range []Config{DefaultConfig(), {Exe: "parking", Temp: "/tmp", Out: io.Discard}} {
		if r := Run(t.Context(), cfg, new(Script)); r.Err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
	cfg := config(t, io.Discard)
	cfg.Exe = filepath.Join(cfg.Temp, "missing")
	r := run(t.Context(), t, cfg, "start larry\n")
	if !errors.Is(r.Err, os.ErrNotExist) || !strings.HasPrefix(r.Err.Error(), "test.park:1: cannot start larry: ") {
		t.Errorf("a missing program gives %v", r.Err)
	}
}
