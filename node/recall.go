package node

import (
	"context"
	"slices"
	"time"

	"parking/lot/wire"
)

const (
	// maxRecalls is how many rotations that were not begun are taken back at once.
	maxRecalls = 16
	// recallInterval is how often a node is asked that has not answered.
	recallInterval = 5 * time.Second
)

// A recall is a rotation of this node's that was not begun, to be taken back at
// those that may have staged its cookie.
type recall struct {
	t           *rotating
	fingerprint string
	names       []string  // who has not answered yet
	until       time.Time // then they forget it by themselves
}

// recall has the nodes that were asked to stage a cookie forget it. Those that
// do not answer now are asked again later, if not too many wait for that already.
func (c *cookies) recall(ctx context.Context, t *rotating, fingerprint string) {
	r := recall{t, fingerprint, t.staged(), time.Now().Add(stagedFor)}
	if r.ask(ctx); len(r.names) == 0 {
		return
	}
	select {
	case c.owed <- r:
	default:
	}
}

// ask asks those that have not answered.
func (r *recall) ask(ctx context.Context) {
	req := &wire.CookieRequest{Rotation: r.t.id, Step: &wire.CookieRequest_Forget{Forget: r.fingerprint}}
	got := r.t.ask(ctx, r.names, orderTimeout, req)
	r.names = slices.DeleteFunc(r.names, func(name string) bool { return got[name].err == nil })
}

// recalls asks again and again, until ctx ends.
func (c *cookies) recalls(ctx context.Context) {
	var owed []recall
	for {
		from := c.owed
		if len(owed) == maxRecalls {
			from = nil
		}
		var due <-chan time.Time
		if len(owed) > 0 {
			due = time.After(recallInterval)
		}
		select {
		case <-ctx.Done():
			return
		case r := <-from:
			owed = append(owed, r)
			continue
		case <-due:
		}
		for i := range owed {
			owed[i].ask(ctx)
		}
		owed = slices.DeleteFunc(owed, func(r recall) bool { return len(r.names) == 0 || time.Now().After(r.until) })
	}
}
