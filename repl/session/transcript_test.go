package session

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
)

// heard is what a test's screen got, and when.
type heard struct {
	bytes.Buffer
	times []time.Time
}

func (h *heard) Write(b []byte) (int, error) {
	h.times = append(h.times, time.Now())
	return h.Buffer.Write(b)
}

func TestStepsAreTypedAtTheirPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var screen heard
		began := time.Now()
		tr := &transcript{out: &screen, pace: time.Second}
		if err := tr.step(t.Context(), "larry> ", "read"); err != nil {
			t.Fatal(err)
		}
		if err := tr.enter(); err != nil {
			t.Fatal(err)
		}
		if got, want := screen.String(), "larry> read\n"; got != want {
			t.Errorf("the screen shows %q, want %q", got, want)
		}
		var after []time.Duration
		for _, at := range screen.times {
			after = append(after, at.Sub(began))
		}
		// The prompt, four keys, Enter.
		if want := "[1s 1.05s 1.1s 1.15s 1.2s 1.2s]"; fmt.Sprint(after) != want {
			t.Errorf("it did so after %v, want %v", after, want)
		}
	})
}

func TestTheEndOfARunEndsItsPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		tr := &transcript{out: new(bytes.Buffer), pace: time.Hour}
		_ = tr.step(ctx, "larry> ", strings.Repeat("x", 1000))
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestEventsComeBetweenLinesAndAnswers(t *testing.T) {
	var screen bytes.Buffer
	tr := &transcript{out: &screen}
	tr.event("before")
	_ = tr.step(t.Context(), "larry> ", "gates")
	tr.event("while typed")
	_ = tr.enter()
	tr.event("while waited for")
	fmt.Fprintln(tr, "row 1")
	tr.event("amidst the answer")
	fmt.Fprint(tr, "row 2")
	_ = tr.settle()
	tr.event("after")
	want := "before\nlarry> gates\nwhile typed\nwhile waited for\nrow 1\nrow 2\namidst the answer\nafter\n"
	if screen.String() != want {
		t.Errorf("the screen shows\n%s\nwant\n%s", screen.String(), want)
	}
}

func TestEventsThatWaitAreBounded(t *testing.T) {
	var screen bytes.Buffer
	tr := &transcript{out: &screen}
	_ = tr.step(t.Context(), "", "kill larry")
	for range maxEvents + 2 {
		tr.event("x")
	}
	_ = tr.enter()
	if got := screen.String(); strings.Count(got, "x\n") != maxEvents || !strings.HasSuffix(got, "\n... 2 events not shown\n") {
		t.Errorf("%d lines, the last of them %q", strings.Count(got, "\n"), got[len(got)-30:])
	}
}

func TestLinesOfSeveralNodesStayWhole(t *testing.T) {
	var screen bytes.Buffer
	tr := &transcript{out: &screen}
	var all sync.WaitGroup
	for _, name := range []string{"larry", "gary", "harry"} {
		all.Go(func() {
			for range 200 {
				tr.event(name + " tells")
			}
		})
	}
	for range 200 {
		_ = tr.step(t.Context(), "moe> ", "read")
		_ = tr.enter()
		fmt.Fprintln(tr, "an answer")
		_ = tr.settle()
	}
	all.Wait()
	for line := range strings.Lines(screen.String()) {
		switch line {
		case "larry tells\n", "gary tells\n", "harry tells\n", "moe> read\n", "an answer\n":
		default:
			t.Fatalf("a line is %q", line)
		}
	}
}

func TestScreenAndRecordingTakeTheirOwnColours(t *testing.T) {
	for _, onScreen := range []bool{false, true} {
		file := filepath.Join(t.TempDir(), "x.cast")
		rec, err := Record(RecordConfig{Path: file, Color: !onScreen})
		if err != nil {
			t.Fatal(err)
		}
		var screen bytes.Buffer
		tr := &transcript{out: &screen, color: onScreen, rec: rec}
		_ = tr.step(t.Context(), tr.painter().node("larry", "larry> "), "read")
		_ = tr.enter()
		if err := rec.Close(true); err != nil {
			t.Fatal(err)
		}
		recorded, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(screen.String(), "\x1b["); got != onScreen || text.StripEscape(screen.String()) != "larry> read\n" {
			t.Errorf("the screen shows %q", screen.String())
		}
		if got := bytes.Contains(recorded, []byte(`\u001b[`)); got == onScreen {
			t.Errorf("the recording has %s", recorded)
		}
	}
}

func TestARecordingHasItsOwnClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "x.cast")
		rec, err := Record(RecordConfig{Path: file, Title: "T", Width: 80, Height: 24, Term: "xterm", Shell: "/bin/sh", Pace: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		wait := func(d time.Duration) { time.Sleep(d) }
		tr := &transcript{out: new(bytes.Buffer), pace: time.Hour, rec: rec}
		_ = tr.prose(t.Context(), "Ü") // at 2 s of the recording's, whatever the screen's pace
		wait(time.Second)              // a node is at work
		_ = tr.step(t.Context(), "> ", "ab")
		tr.still(func() { wait(time.Hour) }) // for Enter
		_ = tr.enter()
		_, _ = tr.Write([]byte("half \xc3"))
		_, _ = tr.Write([]byte("\xbc\n"))
		if err := rec.Close(true); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want := `{"version":2,"width":80,"height":24,"timestamp":946684800,"title":"T","env":{"SHELL":"/bin/sh","TERM":"xterm"}}
[2,"o","Ü\r\n"]
[5,"o","> "]
[5.08,"o","a"]
[5.16,"o","b"]
[5.16,"o","\r\n"]
[5.16,"o","half "]
[5.16,"o","ü\r\n"]
`
		if string(got) != want {
			t.Errorf("the recording is\n%s\nwant\n%s", got, want)
		}
	})
}
