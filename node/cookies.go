package node

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"parking/lot"
	"parking/lot/wire"
	"parking/node/cookie"
)

const (
	// rotationLease is for how long a node lets one rotation alone stage a cookie,
	// since its last step: the node that rotates may have died.
	rotationLease = 30 * time.Second
	// formerFor is for how long the former cookie is accepted by a node that was
	// not told to drop it.
	formerFor = time.Minute
	// stagedFor is for how long a staged cookie is accepted that nobody was seen to
	// use: much longer than a rotation takes. Who uses it then is not of this
	// cluster any more, and a node that went over to it would leave the others.
	stagedFor = 10 * time.Minute
	// severAfter is for how long a connection by a cookie that was dropped may go
	// on: longer than the call that goes by it.
	severAfter = 5 * time.Second
)

// cookies are this node's part in a rotation. The cluster goes from one cookie to
// the next in steps that every node takes before any takes the next: the next
// one is staged, that is accepted beside; all turn to it; the former is dropped.
// So at any moment any two nodes have one in common.
//
// Nothing depends on the node that rotates once the first has turned: who meets
// one that has, and has the same staged, turns too. And no cookie is accepted
// beside the one in use for ever: neither the former nor one to which nobody
// has turned.
type cookies struct {
	n    *Node
	ring *cookie.Ring
	turn chan struct{} // held by who takes a step
	wake chan struct{} // what is due has changed
	owed chan recall   // rotations to be taken back
	busy atomic.Pointer[rotationLock]

	// While turn is held:
	next   string    // the cookie that is staged
	by     string    // who ordered the last rotation
	turned time.Time // when this node took to the cookie in use
	drop   time.Time // when the one beside it is dropped; zero: there is none
	sever  time.Time // when the connections by that are ended; zero: there are none
}

// rotationLock keeps out other rotations.
type rotationLock struct {
	id    uint64
	by    string
	until time.Time
}

func newCookies(n *Node, ring *cookie.Ring) *cookies {
	return &cookies{n: n, ring: ring, turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), owed: make(chan recall, maxRecalls)}
}

// take takes the turn, which the caller gives back.
func (c *cookies) take(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *cookies) give() { <-c.turn }

// underWay returns which node rotates the cookie now.
func (c *cookies) underWay() (by string, ok bool) {
	l := c.busy.Load()
	if l == nil || time.Now().After(l.until) {
		return "", false
	}
	return l.by, true
}

// claim takes or renews the lock for a rotation.
func (c *cookies) claim(id uint64, by string) error {
	if other, ok := c.underWay(); ok && c.busy.Load().id != id {
		return lot.Refuse(lot.Refused, "a rotation started by %s is under way; try again in a moment", other)
	}
	c.busy.Store(&rotationLock{id, by, time.Now().Add(rotationLease)})
	return nil
}

// run turns to a staged cookie when others have, and drops and severs what is
// due, until ctx ends.
func (c *cookies) run(ctx context.Context) {
	due := time.NewTimer(0)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.ring.Ahead():
		case <-c.wake:
		case <-due.C:
		}
		if c.take(ctx) != nil {
			return
		}
		next := c.tick(ctx)
		c.give()
		if next > 0 {
			due.Reset(next)
		}
	}
}

// tick does what is due and returns when to come again, 0 for never.
func (c *cookies) tick(ctx context.Context) (again time.Duration) {
	if keys, ok := c.ring.Seen(); ok {
		if err := c.turnTo(ctx, keys, c.next); err != nil {
			c.n.log.Warn("the new cookie is not kept", "err", err)
		}
	}
	now := time.Now()
	if !c.drop.IsZero() && !now.Before(c.drop) {
		c.dropBeside()
	}
	if !c.sever.IsZero() && !now.Before(c.sever) {
		c.sever = time.Time{}
		if cut := c.ring.Sever(); cut > 0 { // of nodes that have not turned
			c.n.log.Warn("connections by the former cookie were cut", "connections", cut)
		}
	}
	for _, at := range []time.Time{c.drop, c.sever} {
		if !at.IsZero() && (again == 0 || at.Sub(now) < again) {
			again = at.Sub(now)
		}
	}
	return again
}

func (c *cookies) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// follow has gossip and this host's directory go by the ring.
func (c *cookies) follow() {
	var beside []byte
	if keys, _ := c.ring.Beside(); keys != nil {
		beside = keys.Gossip()
	}
	if err := c.n.agent.Keys(c.ring.InUse().Gossip(), beside); err != nil {
		c.n.log.Error("gossip does not follow the cookie", "err", err)
	}
	if d := c.n.cfg.Directory; d != nil {
		if err := d.Accept(c.ring.Fingerprints(), c.ring.Retired()); err != nil {
			c.n.notice("this host's other nodes may not find this one by the new cookie: %v", err)
		}
	}
}

// stage accepts keys beside those in use.
func (c *cookies) stage(keys *cookie.Keys, text string) error {
	if before, staged := c.ring.Beside(); before != nil {
		if before.Fingerprint() == keys.Fingerprint() && staged {
			c.next, c.drop = text, time.Now().Add(stagedFor)
			return nil
		}
		c.dropBeside()
	}
	if err := c.ring.Stage(keys); err != nil {
		return lot.Refuse(lot.Refused, "that is the cookie in use already; give another one")
	}
	c.next, c.drop = text, time.Now().Add(stagedFor)
	c.follow()
	c.poke()
	return nil
}

// turnTo uses keys, which are staged, from now on, and returns why the cookie is
// not kept for the next life.
func (c *cookies) turnTo(ctx context.Context, keys *cookie.Keys, text string) error {
	if !c.ring.Use(keys.Fingerprint()) {
		return nil
	}
	c.next = ""
	c.turned = c.n.cfg.Now()
	c.drop = time.Now().Add(formerFor)
	c.follow()
	c.n.links.renew()
	c.poke()
	err := c.keep(text)
	c.n.log.Info("turned to another cookie", "fingerprint", keys.Fingerprint(), "by", c.by, "kept", err == nil)
	if c.by != c.n.self.Node {
		note := "it is kept in " + c.source()
		if err != nil {
			note = err.Error()
		}
		c.n.notice("%s has rotated the cluster's cookie; %s", c.by, note)
	}
	return err
}

// dropBeside accepts the cookie beside the one in use no more: the former, whose
// holders are told why from now on, or one that was staged in vain.
func (c *cookies) dropBeside() {
	c.next, c.drop = "", time.Time{}
	beside, staged := c.ring.Beside()
	if beside == nil {
		return
	}
	c.ring.Drop(beside.Fingerprint(), cookie.Retirement{At: c.turned, By: c.by})
	if staged {
		c.n.log.Info("a cookie was staged and not used", "fingerprint", beside.Fingerprint())
	}
	c.sever = time.Now().Add(severAfter)
	c.follow()
	c.poke()
}

func (c *cookies) source() string {
	if c.n.cfg.Vault == nil {
		return "its configuration"
	}
	return c.n.cfg.Vault.Source()
}

var errNoVault = errors.New("its next start needs the new cookie")

// keepable says why keep would fail.
func (c *cookies) keepable(text string) error {
	if c.n.cfg.Vault == nil {
		return errNoVault
	}
	return c.n.cfg.Vault.Check(text)
}

// keep puts the cookie where the next life has it from.
func (c *cookies) keep(text string) error {
	if c.n.cfg.Vault == nil {
		return errNoVault
	}
	return c.n.cfg.Vault.Keep(text)
}

// step takes a step of a rotation, as ordered by the node of that name. The
// error of a step that was not taken is a refusal.
func (c *cookies) step(ctx context.Context, by string, req *wire.CookieRequest) (*wire.CookieReply, error) {
	var text string
	var keys *cookie.Keys
	var err error
	switch s := req.GetStep().(type) { // before the turn: it is slow
	case *wire.CookieRequest_Stage:
		text = s.Stage
		keys, err = cookie.Derive(text)
	case *wire.CookieRequest_Use:
		text = s.Use
		keys, err = cookie.Derive(text)
	}
	if err != nil {
		return nil, lot.Refuse(lot.Usage, "%v", err)
	}
	if err := c.take(ctx); err != nil {
		return nil, lot.Refuse(lot.Unreachable, "it did not come to the rotation in time")
	}
	defer c.give()
	id := req.GetRotation()
	reply := &wire.CookieReply{Source: c.source()}
	var kept error
	switch s := req.GetStep().(type) {
	case *wire.CookieRequest_Stage:
		if err := c.claim(id, by); err != nil {
			return nil, err
		}
		if err := c.stage(keys, text); err != nil {
			c.busy.Store(nil)
			return nil, err
		}
		c.by, kept = by, c.keepable(text)
	case *wire.CookieRequest_Use:
		if err := c.claim(id, by); err != nil {
			return nil, err
		}
		c.by = by
		if c.ring.InUse().Fingerprint() == keys.Fingerprint() { // met one that had turned
			kept = c.keep(text)
			break
		}
		if err := c.stage(keys, text); err != nil {
			return nil, err
		}
		kept = c.turnTo(ctx, keys, text)
	case *wire.CookieRequest_Drop:
		if c.ring.InUse().Fingerprint() == s.Drop {
			return nil, lot.Refuse(lot.Refused, "it is in use here still")
		}
		if former, staged := c.ring.Beside(); former != nil && !staged && former.Fingerprint() == s.Drop {
			c.dropBeside()
		}
		c.release(id)
	case *wire.CookieRequest_Forget:
		if keys, staged := c.ring.Beside(); staged && keys.Fingerprint() == s.Forget && c.busy.Load() != nil && c.busy.Load().id == id {
			c.dropBeside()
		}
		c.release(id)
	default:
		return nil, lot.Refuse(lot.Usage, "%s does not know that step of a rotation; give all nodes the same version of parking", c.n.self.Node)
	}
	if reply.Kept = kept == nil; kept != nil {
		reply.Why = kept.Error()
	}
	return reply, nil
}

// release lets other rotations in again.
func (c *cookies) release(id uint64) {
	if l := c.busy.Load(); l != nil && l.id == id {
		c.busy.Store(nil)
	}
}

// accept turns to a cookie for this node alone: one that the others have turned
// to while it was away.
func (c *cookies) accept(ctx context.Context, text string) (fingerprint string, kept error, err error) {
	keys, err := cookie.Derive(text)
	if err != nil {
		return "", nil, lot.Refuse(lot.Usage, "%v", err)
	}
	if err := c.take(ctx); err != nil {
		return "", nil, fmt.Errorf("node: another rotation: %w", err)
	}
	defer c.give()
	if by, ok := c.underWay(); ok {
		return "", nil, lot.Refuse(lot.Refused, "a rotation started by %s is under way; try again in a moment", by)
	}
	if err := c.stage(keys, text); err != nil {
		return "", nil, err
	}
	c.by = c.n.self.Node
	return keys.Fingerprint(), c.turnTo(ctx, keys, text), nil
}
