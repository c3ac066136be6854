package scripts_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"parking/lot"
	"parking/repl"
	"parking/repl/process"
)

// A host is a machine with one node: it has an address and a runtime directory
// of its own, and shares the cookie.
type host struct {
	*process.Node
	t     *testing.T
	group *process.Group

	mu    sync.Mutex
	heard []failure
}

// A failure is what a node told of another one.
type failure struct{ name, reason string }

// ask runs a command on the node, and reads what it answers.
func (h *host) ask(line string, answer any) error {
	ctx, cancel := context.WithTimeout(h.t.Context(), hostPatience)
	defer cancel()
	var out bytes.Buffer
	if err := h.Client.Exec(ctx, line, repl.Options{Format: repl.JSON}, &out, io.Discard); err != nil {
		return err
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(out.Bytes(), answer)
}

// do runs a command that must succeed.
func (h *host) do(line string) {
	h.t.Helper()
	if err := h.ask(line, nil); err != nil {
		h.t.Fatalf("%s> %s: %v", h.Name, line, err)
	}
}

// outcome runs a command and returns "ok", or the code of its refusal.
func (h *host) outcome(line string) string {
	err := h.ask(line, nil)
	if err == nil {
		return "ok"
	}
	h.t.Logf("%s> %s: %v", h.Name, line, err)
	return string(lot.CodeOf(err))
}

func (h *host) get(line string, answer any) {
	h.t.Helper()
	if err := h.ask(line, answer); err != nil {
		h.t.Errorf("%s> %s: %v", h.Name, line, err)
	}
}

// sees returns the nodes that this one calls alive.
func (h *host) sees() string {
	var all struct {
		Members []struct{ Name, Status string }
	}
	h.get("members", &all)
	var alive []string
	for _, m := range all.Members {
		if m.Status == "alive" {
			alive = append(alive, m.Name)
		}
	}
	return strings.Join(alive, " ")
}

// gates returns where the gates run as far as this node knows, in their order.
// One that does not run on one node ends with a !.
func (h *host) gates() string {
	var all struct {
		Gates []struct {
			Owners []string
			State  string
		}
	}
	h.get("gates", &all)
	var on []string
	for _, g := range all.Gates {
		where := strings.Join(g.Owners, "+")
		if g.State != "running" {
			where += "!"
		}
		on = append(on, where)
	}
	return strings.Join(on, " ")
}

type reading struct {
	Digest   string
	Vehicles []struct {
		Plate     string
		Conflicts []struct{}
	}
}

func (h *host) read() (r reading) {
	h.t.Helper()
	h.get("read", &r)
	return r
}

func (h *host) digest() string { return h.read().Digest }

// maybe begins plates of vehicles of which nobody was told whether they came.
const maybe = "MAYBE"

// has returns the plates that this node has, with a +1 for each conflict, but
// for the doubtful ones.
func (h *host) has() string {
	var plates []string
	for _, v := range h.read().Vehicles {
		if n := len(v.Conflicts); n > 0 {
			v.Plate += fmt.Sprintf("+%d", n)
		}
		if !strings.HasPrefix(v.Plate, maybe) {
			plates = append(plates, v.Plate)
		}
	}
	return strings.Join(plates, " ")
}

// doubtful returns the plates that came although nobody was told so.
func (h *host) doubtful() (plates []string) {
	for _, v := range h.read().Vehicles {
		if strings.HasPrefix(v.Plate, maybe) {
			plates = append(plates, v.Plate)
		}
	}
	return plates
}

// listen notes whom the node tells to have failed, until it ends.
func (h *host) listen() {
	failed := regexp.MustCompile(`  x (\S+) failed (\(.*?\))`)
	tell := h.Client.Watch(h.t.Context(), repl.Options{Format: repl.Table})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = tell(func(line string) {
			if m := failed.FindStringSubmatch(line); m != nil {
				h.mu.Lock()
				h.heard = append(h.heard, failure{m[1], m[2]})
				h.mu.Unlock()
			}
		})
	}()
	h.t.Cleanup(func() { <-ended }) // the test's context has ended then
}

// failures returns what was told of failures since forget.
func (h *host) failures() []failure {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.heard)
}

// why returns the reason that was told last for which a node failed.
func (h *host) why(name string) string {
	for _, f := range slices.Backward(h.failures()) {
		if f.name == name {
			return f.reason
		}
	}
	return "(it was not told)"
}

func (h *host) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard = nil
}
