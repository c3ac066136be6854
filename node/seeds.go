package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"parking/node/cookie"
)

// Seeds say where nodes of the cluster may be, which changes: a name in the DNS.
type Seeds interface {
	// Seeds returns addresses as IP:PORT, in any order; this node's own may be
	// among them, and nodes of other clusters. The slice is the caller's. It
	// blocks for some seconds at most, and no longer than ctx lives. An error, in
	// one line, says why there is none yet: the node goes on asking.
	Seeds(ctx context.Context) ([]string, error)
	// String names them, for people.
	String() string
}

const (
	// lookInterval is the mean time between two looks at Seeds; a node that is
	// alone looks more often. Both are spread by lookSpread, so that nodes which
	// start together do not go on asking together.
	lookInterval  = 5 * time.Second
	aloneInterval = time.Second
	lookSpread    = 0.2
	// maxSeeds bounds how many addresses count of what Seeds say.
	maxSeeds = 256
	// startPatience is how long a node that starts waits for an answer of those
	// that Seeds name, and selfPatience for others than itself to be named.
	startPatience = 10 * time.Second
	selfPatience  = 3 * time.Second
	// sayAgain is after how long the same trouble with Seeds is told again, when
	// something else has been told meanwhile.
	sayAgain = time.Minute
)

// A look is what Seeds said at one time.
type look struct {
	addrs []string
	err   error
}

// look asks Seeds, unless that is under way.
func (s *seeker) look(ctx context.Context) {
	if s.looking || s.n.cfg.Seeds == nil {
		return
	}
	s.looking = true
	s.running.Go(func() {
		addrs, err := s.n.cfg.Seeds.Seeds(ctx)
		s.looked <- look{addrs, err}
	})
}

// heed takes what Seeds said. An error changes nothing: the addresses that were
// listed last still are.
func (s *seeker) heed(l look) {
	s.looking = false
	mean := lookInterval
	if len(s.n.view.others()) == 0 {
		mean = aloneInterval
	}
	s.nextLook = time.Now().Add(time.Duration(float64(mean) * (1 + lookSpread*(2*s.rand.Float64()-1))))
	if s.trouble = l.err; l.err != nil {
		s.say(l.err.Error() + "; asking again every few seconds")
		if !s.n.isReady() {
			s.n.stage.is("looking for others: " + l.err.Error())
		}
		return
	}
	own := netip.MustParseAddrPort(s.n.addr()).Addr()
	listed, others := s.listed[:0], 0
	for _, text := range l.addrs[:min(len(l.addrs), maxSeeds)] {
		switch a, err := netip.ParseAddrPort(text); {
		case err != nil:
			s.n.log.Debug("not an address", "from", s.n.cfg.Seeds, "text", clip(text))
		case a.Addr().Is4() != own.Is4(): // who is there could not answer
			others++
		default:
			listed = append(listed, a.String())
		}
	}
	slices.Sort(listed)
	s.listed = slices.Compact(listed)
	s.heeded = true
	if s.onlySelf() {
		s.n.alone.Store(false) // those that did not answer are gone
	}
	for addr := range s.places { // those that are named no more are forgotten
		if !slices.Contains(s.listed, addr) && !slices.Contains(s.n.cfg.Join, addr) && !s.trying[addr] {
			delete(s.places, addr)
		}
	}
	if len(s.listed) == 0 && others > 0 {
		s.say(fmt.Sprintf("%s has addresses of the other family only, and this node is at %s; give --bind one like them", s.n.cfg.Seeds, own))
		return
	}
	s.say("")
}

// say tells what is wrong with Seeds when that has changed; nothing, if text is
// empty.
func (s *seeker) say(text string) {
	if text == s.said {
		return
	}
	s.said = text
	if text == "" {
		s.n.log.Info("resolved", "seeds", s.n.cfg.Seeds, "addrs", len(s.listed))
		return
	}
	if when, ok := s.saidAt[text]; ok && time.Since(when) < sayAgain {
		return
	}
	if len(s.saidAt) >= maxTold {
		clear(s.saidAt)
	}
	s.saidAt[text] = time.Now()
	s.n.notice("%s", text)
}

// start seeks until another node is found that is with its cluster already, or
// all that there are start now too, or it is time to found one. Then this node
// does, and goes on looking: what two clusters have recorded merges, and of two
// owners of a gate one stays.
//
// It founds one if Seeds name it and nobody else, or others of whom nobody
// answers; of those it may be that only this node cannot reach them, so that it is
// not ready for work before it has met one. For a name that nobody knows, or no
// server answers for, it waits: that says nothing of who is there. So it does for
// those that have it come again because they rotate their cookie.
func (s *seeker) start(ctx context.Context) error {
	n := s.n
	if n.cfg.Seeds == nil {
		return nil
	}
	n.stage.is("looking for others at " + n.cfg.Seeds.String())
	defer n.stage.is("joining")
	patience := time.NewTimer(startPatience)
	defer patience.Stop()
	var alone *time.Timer // since Seeds name nobody else
	defer func() {
		if alone != nil {
			alone.Stop()
		}
	}()
	late := false
	for !n.met.Load() && (len(n.view.others()) == 0 || !s.done() && !late) {
		var enough <-chan time.Time
		switch {
		case !s.done() || !s.onlySelf():
			if alone != nil {
				alone.Stop()
				alone = nil
			}
		case alone == nil:
			alone = time.NewTimer(selfPatience)
			fallthrough
		default:
			enough = alone.C
		}
		refusal, ok := s.step(ctx, patience.C, enough)
		_, retired := errors.AsType[*cookie.Retirement](refusal)
		switch {
		case errors.Is(refusal, errPassing):
			n.stage.is(awaitingRotation)
			patience.Reset(startPatience)
		case refusal != nil && (retired || !errors.Is(refusal, errStranger)):
			return refusal
		case ctx.Err() != nil:
			return nil
		case ok:
		case s.onlySelf():
			n.log.Info("nobody else is named: founding", "seeds", n.cfg.Seeds)
			return nil
		case n.cfg.MustJoin && s.trouble != nil:
			return fmt.Errorf("node: nobody to join: %w", s.trouble)
		case n.cfg.MustJoin:
			return fmt.Errorf("node: nobody to join: none of those at %s has answered", n.cfg.Seeds)
		case !s.heeded:
			late = true
			patience.Reset(startPatience)
		default:
			n.alone.Store(true)
			n.notice("nobody answers at %s: starting alone, and looking on", n.cfg.Seeds)
			return nil
		}
	}
	return nil
}

// done reports whether Seeds were heeded and all whom they named were tried.
func (s *seeker) done() bool {
	return s.heeded && len(s.trying) == 0 && !slices.ContainsFunc(s.listed, func(addr string) bool {
		return s.unseen(addr) && s.places[addr] == nil
	})
}

// onlySelf reports whether Seeds name this node and nobody else.
func (s *seeker) onlySelf() bool {
	return len(s.listed) > 0 && !slices.ContainsFunc(s.listed, func(addr string) bool { return !s.self(addr) })
}

// self reports whether that is an address of this node, as far as is known: by one
// that stands for several nodes another may answer the next time.
func (s *seeker) self(addr string) bool {
	p := s.places[addr]
	return addr == s.n.addr() || p != nil && p.self
}
