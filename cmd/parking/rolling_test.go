package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parking/lot"
	"parking/node/discover"
	"parking/repl"
	"parking/repl/attach"
)

// A rolling restart: each of three nodes under load is told to leave, and comes
// back. No acknowledged change is lost, each gate has an owner all the while, and each
// node says truly whether it is to be sent work.
func TestRollingRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("a rolling restart takes a while")
	}
	h := newHost(t)
	names := []string{"larry", "gary", "harry"}
	services, says := make(map[string]*service), make(map[string]func() (string, time.Time))
	for _, name := range names {
		services[name] = h.serve(name, "--ack", "1", "--spaces", "100000").ready()
		says[name] = services[name].asked()
	}
	h.run("attach", "larry", "-c", "await members 3", "-c", "rebalance", "-c", "await gates 3 nodes")

	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	acked := make([]written, len(names))
	for i, name := range names {
		load.Go(func() { h.write(ctx, name, &acked[i]) })
	}
	all := func() (plates []string) {
		for i := range acked {
			plates = append(plates, acked[i].plates()...)
		}
		return plates
	}
	for _, name := range names {
		s := services[name]
		begin := time.Now()
		s.term()
		gone := time.Since(begin)
		got, ready := says[name]()
		if got != "ok, leaving" {
			t.Errorf("%s, which left, has said: %s", name, got)
		}
		if moved := h.moved(services, name+" left"); ready.After(moved) {
			t.Errorf("%s called itself ready at %v, and its gates ran on others at %v", name, ready, moved)
		}
		if !strings.Contains(s.log.String(), `"msg":"left"`) {
			t.Errorf("%s did not leave in good order", name)
		}
		// While it is away, the others are ready; so is it, once it says so.
		for _, other := range names {
			if other != name {
				services[other].wants("/readyz", 200, "ok")
			}
		}
		begin = time.Now()
		before := all()
		services[name] = h.serve(name, "--ack", "1")
		says[name] = services[name].asked()
		services[name].ready()
		if lacking := h.lacks(name, before); len(lacking) > 0 {
			t.Errorf("%s calls itself ready, and lacks %v of what was acknowledged before it was started", name, lacking)
		}
		t.Logf("%s was gone %v after TERM, and ready %v after its start", name, gone, time.Since(begin))
		h.run("attach", name, "-c", "await members 3", "-c", "rebalance", "-c", "await gates 3 nodes")
	}
	stop()
	load.Wait()
	h.run("attach", "larry", "-c", "await converged 20s")
	for _, name := range names {
		if got, _ := says[name](); !regexp.MustCompile(`^((starting|joining|catching up from [a-z ]+|meeting [a-z ]+), )*ok$`).MatchString(got) {
			t.Errorf("%s, which is back, has said: %s", name, got)
		}
	}

	total := len(all())
	for _, name := range names {
		if lacking := h.lacks(name, all()); len(lacking) > 0 {
			t.Errorf("%v were acknowledged, and %s lacks them", lacking, name)
		}
	}
	if total < 100 {
		t.Errorf("%d changes were acknowledged: that is no load", total)
	}
	var report struct {
		Outcome string
		Checks  []struct{ Name, Word, Text string }
	}
	if err := json.Unmarshal([]byte(h.run("attach", "larry", "--format", "json", "-c", "verdict")), &report); err != nil {
		t.Fatal(err)
	}
	if report.Outcome != "kept" {
		t.Errorf("the verdict is %+v", report)
	}
	for _, c := range report.Checks {
		if c.Name == "gates" { // for how long none had an owner is held to in virtual time
			t.Logf("%d acknowledged changes; gates %s: %s", total, c.Word, c.Text)
		}
	}
}

// write enters vehicles at a node, each through a gate or at the node itself, for as
// long as ctx; it goes on where the node is when it comes back. It notes those that
// were acknowledged.
func (h *host) write(ctx context.Context, name string, acked *written) {
	dir := filepath.Join(h.dir, "run")
	for n := 0; ctx.Err() == nil; {
		c, err := h.dial(ctx, dir, name)
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		for ctx.Err() == nil {
			n++
			plate := fmt.Sprintf("%s %d", strings.ToUpper(name), n)
			line := fmt.Sprintf("track_entry %q %d", plate, 1+n%4)
			if n%2 == 0 {
				line = fmt.Sprintf("gate %d enter %q", 1+n/2%4, plate)
			}
			var out bytes.Buffer
			err := c.Exec(context.WithoutCancel(ctx), line, repl.Options{Format: repl.Table}, &out, io.Discard)
			if err == nil {
				acked.add(plate)
			}
			if errors.Is(err, repl.ErrGone) || errors.Is(err, repl.ErrLeaving) {
				break
			}
			if lot.CodeOf(err) == lot.Full {
				h.t.Errorf("%s: %v", line, err)
			}
		}
		c.Close()
	}
}

// written are the vehicles that were acknowledged so far.
type written struct {
	mu  sync.Mutex
	all []string
}

func (w *written) add(plate string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, plate)
}

func (w *written) plates() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.all)
}

// moved waits until one of the nodes has logged that gates run for that reason, and
// returns when the first did.
func (h *host) moved(services map[string]*service, why string) (first time.Time) {
	h.t.Helper()
	for late := time.Now().Add(patience); first.IsZero(); time.Sleep(5 * time.Millisecond) {
		for _, s := range services {
			for _, r := range s.lines(s.log.String()) {
				if r["owner"] == nil || !strings.Contains(fmt.Sprint(r["msg"]), "("+why+")") {
					continue
				}
				at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(r["time"]))
				if err != nil {
					h.t.Fatal(err)
				}
				if first.IsZero() || at.Before(first) {
					first = at
				}
			}
		}
		if time.Now().After(late) {
			h.t.Fatalf("nobody has logged that gates moved, as %s", why)
		}
	}
	return first
}

// lacks reads the lot at a node, and returns which of the vehicles are not in it.
func (h *host) lacks(name string, plates []string) (lacking []string) {
	h.t.Helper()
	var doc struct{ Vehicles []struct{ Plate string } }
	if err := json.Unmarshal([]byte(h.run("attach", name, "--format", "json", "-c", "read")), &doc); err != nil {
		h.t.Fatal(err)
	}
	here := make(map[string]bool, len(doc.Vehicles))
	for _, v := range doc.Vehicles {
		here[v.Plate] = true
	}
	for _, p := range plates {
		if !here[p] {
			lacking = append(lacking, p)
		}
	}
	return lacking
}

func (h *host) dial(ctx context.Context, dir, name string) (*attach.Client, error) {
	all, err := discover.List(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if e.Name == name {
			return attach.Dial(ctx, e.Socket)
		}
	}
	return nil, errors.New("it does not run")
}
