package scripts_test

import (
	"context"
	"io"
	"regexp"
	"slices"
	"sync"
	"testing"

	"parking/repl"
	"parking/repl/process"
)

// A host is a machine with one node: it has an address and a runtime directory
// of its own, and shares the cookie.
type host struct {
	viewpoint
	*process.Node
	group *process.Group

	mu    sync.Mutex
	heard []failure
}

// A failure is what a node told of another one.
type failure struct{ name, reason string }

// newHost returns the host of a node that was started.
func newHost(t *testing.T, n *process.Node, group *process.Group) *host {
	return &host{Node: n, group: group, viewpoint: viewpoint{t, n.Name, func(line string, out io.Writer) error {
		ctx, cancel := context.WithTimeout(t.Context(), hostPatience)
		defer cancel()
		return n.Client.Exec(ctx, line, repl.Options{Format: repl.JSON}, out, io.Discard)
	}}}
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
