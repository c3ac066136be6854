package node

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"parking/node/member"
)

const (
	// rejoinInterval is how often a node looks whom it knows of and does not see.
	rejoinInterval = 2 * time.Second
	// maxGreets is how many are greeted at once.
	maxGreets = 3
	// enterTimeout bounds the join of a node that was greeted, state and all.
	enterTimeout = 30 * time.Second
	// maxBackoff is how long an address from Seeds at which nobody answers is left
	// alone at most. The first time it is rejoinInterval.
	maxBackoff = 30 * time.Second
)

// A seeker joins those that this node should see and does not: whom it was told
// to join, its neighbours, who has called it, and who is where Seeds say. It
// greets a few at once and joins one after the other. All of it is Run's until
// the node is ready, then its own goroutine's.
type seeker struct {
	n    *Node
	rand *rand.Rand // for look

	places  map[string]*place // in Join and Seeds at which one was tried, by address
	wanted  []string          // addresses to try now
	trying  map[string]bool   // those that are being greeted
	greeted chan attempt
	next    time.Time // when it is time to look who is not in view
	running sync.WaitGroup

	listed   []string // the addresses in the latest answer of Seeds
	heeded   bool     // there was an answer
	trouble  error    // why there was none the last time
	looked   chan look
	looking  bool
	nextLook time.Time
	mirrored bool                 // that Seeds lead back here was told
	said     string               // what is wrong with Seeds
	saidAt   map[string]time.Time // when that was told
}

// A place is an address at which a node was looked for.
type place struct {
	name  string // who answered there last; empty if nobody did
	self  bool   // it was this node
	fails int    // how often in a row it was in vain
	next  time.Time
}

// An attempt is how it went to greet somebody.
type attempt struct {
	addr string
	h    *greeted // nil after an error
	err  error
}

func newSeeker(n *Node, random *rand.Rand) *seeker {
	return &seeker{
		n: n, rand: random,
		places: make(map[string]*place), trying: make(map[string]bool), saidAt: make(map[string]time.Time),
		greeted: make(chan attempt, maxGreets), looked: make(chan look, 1),
	}
}

// run goes on until ctx ends.
func (s *seeker) run(ctx context.Context) {
	s.next = time.Now().Add(rejoinInterval)
	for ctx.Err() == nil {
		_, _ = s.step(ctx, nil, nil) // a refusal was told
	}
}

// close waits for what is under way, whose context has ended.
func (s *seeker) close() {
	s.running.Wait()
	for len(s.greeted) > 0 {
		if a := <-s.greeted; a.h != nil {
			a.h.Close()
		}
	}
}

// step does what is due, and blocks until something has happened: an answer
// came, or it is time. It reports false if one of the two channels ticked, and
// returns the refusal of a node that was reached.
func (s *seeker) step(ctx context.Context, late, enough <-chan time.Time) (refusal error, ok bool) {
	now := time.Now()
	if !now.Before(s.nextLook) {
		s.look(ctx)
	}
	if s.n.isReady() && !now.Before(s.next) {
		s.next = now.Add(rejoinInterval)
		s.want(s.missing())
	}
	s.want(s.due(now))
	for len(s.wanted) > 0 && len(s.trying) < maxGreets {
		addr := s.wanted[0]
		s.wanted = s.wanted[1:]
		if s.n.inView(addr) {
			continue // came with another one
		}
		s.trying[addr] = true
		s.running.Go(func() {
			h, err := s.n.greet(ctx, addr)
			s.greeted <- attempt{addr, h, err}
		})
	}
	tick := time.NewTimer(time.Until(s.soonest(now)))
	defer tick.Stop()
	select {
	case <-ctx.Done():
	case <-tick.C:
	case l := <-s.looked:
		s.heed(l)
	case a := <-s.greeted:
		return s.take(ctx, a), true
	case <-late:
		return nil, false
	case <-enough:
		return nil, false
	}
	return nil, true
}

// soonest returns when the next thing is due that nobody will tell of.
func (s *seeker) soonest(now time.Time) time.Time {
	at := now.Add(rejoinInterval)
	if s.n.isReady() && s.next.Before(at) {
		at = s.next
	}
	if s.n.cfg.Seeds != nil && !s.looking && s.nextLook.Before(at) {
		at = s.nextLook
	}
	return at
}

// want adds addresses to try.
func (s *seeker) want(addrs []string) {
	for _, addr := range addrs {
		if !s.trying[addr] && !slices.Contains(s.wanted, addr) {
			s.wanted = append(s.wanted, addr)
		}
	}
}

// take joins a node that was greeted, and remembers how it went. It returns a
// refusal.
func (s *seeker) take(ctx context.Context, a attempt) error {
	delete(s.trying, a.addr)
	p := s.place(a.addr)
	err := a.err
	if a.h != nil {
		defer a.h.Close()
		p.name, p.self = a.h.name, a.h.self
		if m, known := s.n.view.find(a.h.name); !known || m.Incarnation != a.h.life || m.Status != member.Alive {
			within, cancel := context.WithTimeout(ctx, enterTimeout)
			err = s.n.enter(within, a.h)
			cancel()
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil
	case err == nil:
		p.fails = 0
	case errors.Is(err, errPassing):
		s.n.log.Info("not joined yet", "addr", a.addr, "err", err)
		p.fails = 1
	case errors.Is(err, errRefused):
		s.n.leftAlone(a.addr, err)
		p.fails = 30 // it will not change its mind soon
	default:
		s.n.log.Info("not joined", "addr", a.addr, "err", err)
		p.fails = min(p.fails+1, 30)
	}
	wait := maxBackoff
	if p.fails < 5 && !p.self {
		wait = min(wait, rejoinInterval<<max(0, p.fails-1))
	}
	p.next = time.Now().Add(wait)
	if p.self && !s.mirrored && s.onlySelf() {
		s.mirrored = true
		s.n.notice("%s leads back to this node, by %s; if that stands for several nodes, give a name that has the addresses of each, as a headless Service has", s.n.cfg.Seeds, a.addr)
	}
	if errors.Is(err, errRefused) {
		return err
	}
	return nil
}

// place returns what is known of an address, and remembers it while Join or
// Seeds name it.
func (s *seeker) place(addr string) *place {
	p := s.places[addr]
	if p == nil {
		p = &place{}
		if slices.Contains(s.n.cfg.Join, addr) || slices.Contains(s.listed, addr) {
			s.places[addr] = p
		}
	}
	return p
}

// due returns the addresses from Seeds that should be tried, new ones first.
func (s *seeker) due(now time.Time) (addrs []string) {
	var again []string
	for _, addr := range s.listed {
		switch p := s.places[addr]; {
		case !s.unseen(addr):
		case p == nil:
			addrs = append(addrs, addr)
		case !now.Before(p.next):
			again = append(again, addr)
		}
	}
	return append(addrs, again...)
}

// unseen reports whether a node that may be at that address is not in view.
// One that is in view as failed is looked for elsewhere.
func (s *seeker) unseen(addr string) bool {
	if addr == s.n.addr() || s.n.inView(addr) {
		return false
	}
	p := s.places[addr]
	if p == nil || p.name == "" || p.self {
		return true
	}
	m, known := s.n.view.find(p.name) // whoever answered there last
	return !known || m.Status != member.Alive
}

// missing returns the addresses of others that should be in view and are not.
func (s *seeker) missing() (addrs []string) {
	for _, addr := range s.n.cfg.Join {
		if !s.unseen(addr) || s.self(addr) && time.Now().Before(s.places[addr].next) {
			continue
		}
		addrs = append(addrs, addr)
	}
	if s.n.cfg.Directory != nil && !s.n.cfg.Apart {
		neighbours, err := s.n.cfg.Directory.Neighbours()
		if err != nil {
			s.n.log.Debug("neighbours not listed", "err", err)
		}
		for _, nb := range neighbours {
			if !s.n.inView(nb.Addr) {
				addrs = append(addrs, nb.Addr)
			}
		}
	}
	return append(addrs, s.n.callers.take(s.n.inView)...)
}

// inView reports whether a member has that address.
func (n *Node) inView(addr string) bool {
	return slices.ContainsFunc(n.view.all(), func(m Member) bool { return m.Addr == addr })
}
