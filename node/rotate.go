package node

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"parking/lot"
	"parking/lot/wire"
	"parking/node/cookie"
	"parking/node/member"
	"parking/node/peer"
)

const (
	// stageTimeout is how long all nodes together may take to stage a cookie, which
	// stretches it.
	stageTimeout = 5 * time.Second
	// turnTimeout is how long they may take to turn to it and write it down.
	turnTimeout = 5 * time.Second
	// turnTries is how often a node is told to turn that does not answer.
	turnTries = 3
	// inFlight is how long packets may be on their way that the former cookie
	// encrypts.
	inFlight = 200 * time.Millisecond
)

// A Cookie is what a node tells of its cookie: never the secret.
type Cookie struct {
	Fingerprint string   // of the one in use
	Accepted    []string // those of all that are accepted, the one in use first
	Staged      string   // of the next one, if that is accepted already
	Former      string   // of the one before, while that is accepted still
	Source      string   // where the next life has it from
	Rotating    string   // the node that rotates it now, or none
}

// Cookie returns this node's.
func (n *Node) Cookie(ctx context.Context) (c Cookie, err error) {
	if err := n.await(ctx); err != nil {
		return c, err
	}
	c = Cookie{Accepted: n.ring.Fingerprints(), Source: n.cooks.source()}
	c.Fingerprint = c.Accepted[0]
	c.Rotating, _ = n.cooks.underWay()
	if beside, staged := n.ring.Beside(); staged {
		c.Staged = beside.Fingerprint()
	} else if beside != nil {
		c.Former = beside.Fingerprint()
	}
	return c, nil
}

// A Rotation is how the cluster's cookie was changed.
type Rotation struct {
	From, To string // fingerprints
	Nodes    []Rotated
}

// Rotated is how a rotation went at one node.
type Rotated struct {
	Node   string
	Turned bool   // it uses the new cookie
	Kept   bool   // so will its next life
	Source string // where that has its cookie from
	Why    string // it is not turned, or not kept
	Away   bool   // it was not alive in view
}

// RotateCookie has all nodes that are alive in this node's view go over to the
// cookie next, without a connection that is not to be had meanwhile. If next is
// empty a random one is made, which some node must be able to keep. Until the
// first node has turned to it nothing is changed by an error; from then on it
// goes on, whatever ctx says, and the result tells of nodes that missed it. It
// blocks for some seconds at most for each step.
func (n *Node) RotateCookie(ctx context.Context, next string) (r Rotation, err error) {
	if err := n.await(ctx); err != nil {
		return r, err
	}
	made := next == ""
	if made {
		next = cookie.Random()
	}
	keys, err := cookie.Derive(next)
	if err != nil {
		return r, lot.Refuse(lot.Usage, "%v", err)
	}
	r.From, r.To = n.ring.InUse().Fingerprint(), keys.Fingerprint()
	if r.From == r.To {
		return r, lot.Refuse(lot.Refused, "that is the cookie in use already; give another one")
	}
	t := &rotating{n: n, id: rand.Uint64(), answers: make(map[string]answer)}
	stage := &wire.CookieRequest{Rotation: t.id, Step: &wire.CookieRequest_Stage{Stage: next}}
	begun := time.Now()
	err = t.stage(ctx, stage, made)
	if err == nil && (ctx.Err() != nil || time.Since(begun) > rotationLease/2) {
		err = lot.Refuse(lot.Timeout, "the nodes took too long; nothing was changed; try again")
	}
	going, cancel := context.WithTimeout(context.WithoutCancel(ctx), turnTries*turnTimeout+stageTimeout)
	defer cancel()
	if err != nil {
		n.cooks.recall(going, t, r.To)
		return r, err
	}
	t.turn(going, &wire.CookieRequest{Rotation: t.id, Step: &wire.CookieRequest_Use{Use: next}})
	sleep(going, inFlight)
	dropped := t.ask(going, t.staged(), turnTimeout, &wire.CookieRequest{Rotation: t.id, Step: &wire.CookieRequest_Drop{Drop: r.From}})
	for name, a := range dropped {
		if a.err != nil {
			n.log.Info("the former cookie is not dropped yet", "node", name, "err", a.err)
		}
	}
	r.Nodes = t.result()
	return r, nil
}

// rotating is a rotation under way, at the node that ordered it.
type rotating struct {
	n       *Node
	id      uint64
	answers map[string]answer // the last of each node that was asked
}

// answer is a node's to a step.
type answer struct {
	*wire.CookieReply
	err error
}

// staged returns who was asked so far, sorted.
func (t *rotating) staged() (names []string) {
	for name := range t.answers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// living returns who is alive in view now, this node too, sorted.
func (t *rotating) living() (names []string) {
	for _, h := range t.n.view.alive() {
		names = append(names, h.Node)
	}
	slices.Sort(names)
	return names
}

// stage has all living nodes stage the cookie. They are asked after the first of
// them by name has: of several rotations at once, that one lets one through.
func (t *rotating) stage(ctx context.Context, req *wire.CookieRequest, made bool) error {
	for first := true; ; first = false {
		fresh := slices.DeleteFunc(t.living(), func(name string) bool { _, asked := t.answers[name]; return asked })
		if len(fresh) == 0 {
			break
		}
		if first {
			fresh = fresh[:1]
		}
		t.ask(ctx, fresh, stageTimeout, req)
		if err := t.refusal(); err != nil {
			return err
		}
	}
	if made && !slices.ContainsFunc(t.staged(), func(name string) bool { return t.answers[name].GetKept() }) {
		return lot.Refuse(lot.Refused, "no node has a cookie file to keep a new cookie in; put one into a file and give that: cookie rotate FILE")
	}
	return nil
}

// refusal makes one line of the answers to a stage, if one is a refusal.
func (t *rotating) refusal() error {
	var older, gone []string
	for _, name := range t.staged() {
		err := t.answers[name].err
		r, refused := errors.AsType[*lot.Refusal](err)
		switch {
		case err == nil:
		case refused && name == t.n.self.Node:
			return r
		case refused:
			return lot.Refuse(r.Code, "%s: %s; nothing was changed", name, r.Text)
		case connect.CodeOf(err) == connect.CodeUnimplemented:
			older = append(older, name)
		default:
			t.n.log.Info("the cookie is not staged", "node", name, "err", err)
			gone = append(gone, name)
		}
	}
	switch {
	case len(older) > 0:
		return lot.Refuse(lot.Refused, "%s cannot rotate the cookie, being of an older version of parking; nothing was changed; upgrade first", strings.Join(older, " "))
	case len(gone) > 0:
		return lot.Refuse(lot.Unreachable, "%s cannot be reached; nothing was changed; rotate again when members shows it alive and reachable, or failed", strings.Join(gone, " "))
	}
	return nil
}

// turn has them use the cookie, and those too that have come meanwhile. Who does
// not answer is asked again.
func (t *rotating) turn(ctx context.Context, req *wire.CookieRequest) {
	for try := range turnTries {
		var missing []string
		for _, name := range slices.Compact(slices.Sorted(slices.Values(append(t.living(), t.staged()...)))) {
			if a, asked := t.answers[name]; try == 0 || !asked || a.err != nil {
				missing = append(missing, name)
			}
		}
		if len(missing) == 0 {
			return
		}
		t.ask(ctx, missing, turnTimeout, req)
	}
}

// ask has those nodes take a step, at once, and returns their answers.
func (t *rotating) ask(ctx context.Context, names []string, within time.Duration, req *wire.CookieRequest) map[string]answer {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	got := make(map[string]answer, len(names))
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, name := range names {
		wg.Go(func() {
			reply, err := t.n.cookieStep(ctx, name, req)
			mu.Lock()
			defer mu.Unlock()
			got[name] = answer{reply, err}
		})
	}
	wg.Wait()
	switch req.GetStep().(type) {
	case *wire.CookieRequest_Stage, *wire.CookieRequest_Use:
		for name, a := range got {
			t.answers[name] = a
		}
	}
	return got
}

// cookieStep has a node take a step of a rotation. Refusals are its own.
func (n *Node) cookieStep(ctx context.Context, name string, req *wire.CookieRequest) (*wire.CookieReply, error) {
	if name == n.self.Node {
		return n.cooks.step(ctx, name, req)
	}
	k, ok := n.links.to(name)
	if !ok {
		return nil, peer.ErrDial
	}
	reply, err := k.Cookie(ctx, connect.NewRequest(req))
	if err != nil {
		return nil, err
	}
	return reply.Msg, n.answered(reply.Msg.GetVerdict(), nil)
}

// Cookie takes a step of a rotation that the caller has ordered.
func (c *calls) Cookie(ctx context.Context, req *connect.Request[wire.CookieRequest]) (*connect.Response[wire.CookieReply], error) {
	ctx, cancel := context.WithTimeout(ctx, turnTimeout)
	defer cancel()
	reply, err := c.cooks.step(ctx, peer.Caller(ctx).Name, req.Msg)
	if err != nil {
		reply = &wire.CookieReply{Verdict: ruling(0, err)}
	}
	return connect.NewResponse(reply), nil
}

// result tells how it went at each node, those too that were away.
func (t *rotating) result() (all []Rotated) {
	for _, m := range t.n.view.all() {
		a, asked := t.answers[m.Name]
		switch {
		case !asked && m.Status != member.Failed:
		case !asked:
			all = append(all, Rotated{Node: m.Name, Away: true, Why: "it was away"})
		case a.err != nil:
			all = append(all, Rotated{Node: m.Name, Why: "it did not answer"})
		default:
			all = append(all, Rotated{
				Node: m.Name, Turned: true, Kept: a.GetKept(), Source: clipLine(a.GetSource()), Why: clipLine(a.GetWhy()),
			})
		}
	}
	return all
}

// clipLine bounds a line for people that another node sent.
func clipLine(s string) string {
	const most = 300
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return s
}

// AcceptCookie turns this node alone to a cookie: one that the cluster's others
// have turned to while it was away, whom it rejoins then. If text is empty it is
// the one that is by now where this node had its own from. unkept says why the
// next life will not have it, if that is so.
func (n *Node) AcceptCookie(ctx context.Context, text string) (fingerprint string, unkept, err error) {
	if err := n.await(ctx); err != nil {
		return "", nil, err
	}
	if text == "" {
		if n.cfg.Vault == nil {
			return "", nil, lot.Refuse(lot.Usage, "this node has no cookie file; give one: cookie accept FILE")
		}
		if text, err = n.cfg.Vault.Load(); err != nil {
			return "", nil, lot.Refuse(lot.Usage, "%v; give a file: cookie accept FILE", err)
		}
	}
	fingerprint, unkept, err = n.cooks.accept(ctx, text)
	if err == nil {
		n.outdated.Store(false)
		select {
		case n.mended <- struct{}{}: // those that it cannot see are looked for at once
		default:
		}
	}
	return fingerprint, unkept, err
}
