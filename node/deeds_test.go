package node_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"parking/lot"
	"parking/lot/crdt"
	"parking/node"
	"parking/node/fault"
	"parking/node/member"
	"parking/node/simnet"
)

// do does what a schedule says, now. What may take time is done beside it.
func (s *sim) do(d deed) {
	up := s.up()
	a, b := up[d.who%len(up)], up[d.whom%len(up)]
	s.sum.deeds[d.what]++
	switch d.what {
	case crash:
		if len(up) > 1 {
			s.crash(a)
		}
	case restart:
		if down := s.down(0, s.size); len(down) > 0 {
			s.launch(down[d.who%len(down)])
		}
	case arrive:
		if down := s.down(s.size, len(s.slots)); len(down) > 0 {
			s.launch(down[d.who%len(down)])
		}
	case leave:
		if len(up) > 2 {
			s.leave(a)
		}
	case unplug:
		s.unplug(a, d.span)
	default:
		n := a.life
		s.doing.Go(func() { s.order(d, n, a, b, up) })
	}
}

// order does what is done at a node's prompt.
func (s *sim) order(d deed, n *lively, a, b *slot, up []*slot) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	gate := lot.GateID(1 + d.gate%4)
	var err error
	what := string(d.what)
	links := make(map[fault.Link]fault.Effect)
	both := func(x, y *slot, e fault.Effect) {
		if x != y {
			links[fault.Link{From: x.name, To: y.name}] = e
			links[fault.Link{From: y.name, To: x.name}] = e
		}
	}
	switch d.what {
	case enter, exit:
		s.pass(ctx, d, n)
		return
	case setSpaces:
		v := 1 + d.value%60
		s.model.set(true, v)
		what += fmt.Sprint(" ", v)
		err = n.SetSpaces(ctx, v)
	case setGates:
		v := 1 + d.value%6
		s.model.set(false, v)
		what += fmt.Sprint(" ", v)
		err = n.SetGates(ctx, v)
	case crashGate:
		what += fmt.Sprint(" ", gate)
		err = n.Crash(ctx, gate)
	case moveGate:
		what += fmt.Sprint(" ", gate, " to ", b.name)
		err = n.Move(ctx, gate, b.name)
	case rebalance:
		_, err = n.Rebalance(ctx)
	case clock:
		what += fmt.Sprint(" of ", b.name, " ", d.span)
		err = n.SetClock(ctx, b.name, d.span, what)
	case freeze:
		what += fmt.Sprint(" ", b.name, " ", d.span)
		over := s.notes(b.name + " stands still") // until then, if who has stopped it dies
		s.mu.Lock()
		s.thawed = append(s.thawed, over)
		s.mu.Unlock()
		_, err = n.Pause(ctx, b.name, d.span, what)
	case mend:
		which := node.Selection{All: true}
		if d.bits%3 > 0 {
			which = node.Selection{Nodes: []string{b.name}}
		}
		what += fmt.Sprint(" ", which)
		_, _, err = n.Mend(ctx, which)
		_, _, _, err2 := n.Heal(ctx, which)
		err = errors.Join(err, err2)
	case partition:
		groups := make([][]string, 2+d.bits>>62%2)
		for i, x := range up {
			side := d.bits >> (2 * i) % uint64(len(groups))
			groups[side] = append(groups[side], x.name)
		}
		groups = slices.DeleteFunc(groups, func(g []string) bool { return len(g) == 0 })
		what += fmt.Sprint(" ", groups)
		_, err = n.Partition(ctx, groups, "partition")
	case oneWay:
		links[fault.Link{From: a.name, To: b.name}] = fault.Effect{Cut: true}
	case isolate:
		for _, x := range up {
			both(b, x, fault.Effect{Cut: true})
		}
	case link:
		links[fault.Link{From: a.name, To: b.name}] = d.effect
	case around:
		for _, x := range up {
			both(b, x, d.effect)
		}
	case everyLink:
		for i, x := range up {
			for _, y := range up[:i] {
				both(x, y, d.effect)
			}
		}
	}
	delete(links, fault.Link{From: a.name, To: a.name})
	if len(links) > 0 {
		what += fmt.Sprint(" ", b.name, " ", links[fault.Link{From: a.name, To: b.name}])
		if len(links) < 8 {
			what += fmt.Sprint(links)
		}
		_, err = n.Inject(ctx, what, links)
	}
	s.say("%s at %s: %v", what, a.name, err)
}

// pass sends a vehicle in or out, and records what the user was told.
func (s *sim) pass(ctx context.Context, d deed, n *lively) {
	x := &told{
		at: n, out: d.what == exit, gate: lot.GateID(1 + d.gate%4), byGate: d.bits%2 == 0,
		only: d.plate >= 0, plate: lot.Plate(fmt.Sprint("ONE ", d.plate)),
	}
	if d.plate < 0 {
		x.plate = lot.Plate(fmt.Sprint("ALL ", -d.plate))
	}
	if err := s.isReady(ctx, n); err != nil {
		return
	}
	if x.ack = max(0, int(d.bits>>16%16)-12); x.ack > 0 {
		ctx = node.WithAck(ctx, x.ack)
	}
	if d.bits>>8%16 > 0 { // now and then one that is not
		x.gate = 1 + (x.gate-1)%lot.GateID(n.Gates())
	}
	pruned := s.prunes()
	x.begin = time.Now()
	s.model.begin(x)
	x.before, x.range0[0], x.wasFull = n.Traces(x.plate), n.Gates(), s.someFull()
	switch {
	case x.byGate && x.out:
		x.err = n.Exit(ctx, x.gate, x.plate)
	case x.byGate:
		x.err = n.Enter(ctx, x.gate, x.plate)
	case x.out:
		_, x.err = n.TrackExit(ctx, x.plate, x.gate)
	default:
		_, x.err = n.TrackEntry(ctx, x.plate, x.gate)
	}
	x.end = time.Now()
	x.after, x.range0[1], x.wasFull = n.Traces(x.plate), n.Gates(), x.wasFull || s.full.Load() >= x.begin.UnixNano()
	s.lab.mu.Lock()
	x.answered = !n.dead && ctx.Err() == nil
	s.lab.mu.Unlock()
	s.model.ended(x)
	if x.accepted() && s.prunes() == pruned {
		s.model.held(x, s.everHad(x))
	}
	s.say("%v", x)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r, _ := errors.AsType[*lot.Refusal](x.err); {
	case !x.answered:
		s.sum.answers["none"]++
	case r != nil:
		s.sum.answers[string(r.Code)]++
	case x.err != nil:
		s.sum.answers[x.err.Error()]++
	default:
		s.sum.answers["ok"]++
	}
}

// everHad returns how many lives, dead ones too, have what x wrote: the dot that
// most have, for it may be that others came at the same time.
func (s *sim) everHad(x *told) (had int) {
	s.lab.mu.Lock()
	all := slices.Clone(s.all)
	s.lab.mu.Unlock()
	by := make(map[crdt.Dot]int)
	for _, n := range all {
		v := n.Version()
		for _, d := range x.made {
			if v.Contains(d) {
				by[d]++
				had = max(had, by[d])
			}
		}
	}
	return had
}

func (s *sim) isReady(ctx context.Context, n *lively) error {
	select {
	case <-n.Ready():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// someFull reports whether some node's lot is full.
func (s *sim) someFull() bool {
	return slices.ContainsFunc(s.living(), func(n *lively) bool { return n.Spaces().Free() == 0 })
}

// stay returns those that run and were not told to go, but x.
func (s *sim) stay(x *slot) (stay []*lively) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.slots {
		if o.up && o != x {
			stay = append(stay, o.life)
		}
	}
	return stay
}

func (s *sim) crash(x *slot) {
	s.lab.mu.Lock()
	x.life.dead = true // whatever it answers from now on, nobody hears
	s.lab.mu.Unlock()
	s.model.dies(x.life, s.stay(x))
	s.goes(x)
	_ = x.life.host.Shutdown()
	s.past.dies(x.life)
	s.lab.crash(x.name)
	s.say("%s crashes", x.name)
}

// leave makes a node leave. What only it has goes with it if it sees nobody, or
// could hand it to nobody and says so.
func (s *sim) leave(x *slot) {
	s.goes(x)
	n := x.life
	s.say("%s leaves", x.name)
	s.doing.Go(func() {
		alone := !n.seesOthers()
		s.lab.leave(x.name)
		alone = alone || !n.seesOthers() || n.warned.count("left before another node had everything") > 0
		if alone {
			s.model.dies(n, s.stay(x))
		}
		s.say("%s has left, alone: %v", x.name, alone)
	})
}

// seesOthers reports whether another node is alive in this one's view.
func (n *lively) seesOthers() bool {
	return slices.ContainsFunc(n.Members(), func(m node.Member) bool { return !m.Self && m.Status == member.Alive })
}

// unplug pulls a host's cable for a while.
func (s *sim) unplug(x *slot, span time.Duration) {
	s.say("%s is unplugged for %v", x.name, span)
	for _, o := range s.up() {
		if o != x {
			s.plug(x.life.host, o.life.host, false)
		}
	}
	host, over := x.life.host, s.notes(x.name+" unplugged")
	time.AfterFunc(span, func() {
		s.replug(host)
		over()
	})
}

func (s *sim) plug(a, b *simnet.Host, in bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in {
		s.net.Heal(a, b)
		delete(s.unplugged, [2]*simnet.Host{a, b})
	} else {
		s.net.Cut(a, b)
		s.unplugged[[2]*simnet.Host{a, b}] = true
	}
}

// replug puts a host's cable in again, nil: all.
func (s *sim) replug(h *simnet.Host) {
	s.mu.Lock()
	pairs := slices.Collect(maps.Keys(s.unplugged))
	s.mu.Unlock()
	for _, p := range pairs {
		if h == nil || p[0] == h {
			s.plug(p[0], p[1], true)
		}
	}
}

// thaw lets all go on that stand still.
func (s *sim) thaw() {
	for _, x := range s.up() {
		x.life.host.Freeze(false)
	}
	s.mu.Lock()
	thawed := s.thawed
	s.thawed = nil
	s.mu.Unlock()
	for _, over := range thawed {
		over()
	}
}

// notes writes a fault that nodes do not know of into the histories of those
// that are ready, and returns what writes its end.
func (s *sim) notes(what string) (over func()) {
	s.mu.Lock()
	s.faults++
	id := s.faults
	s.mu.Unlock()
	write := func(what string, over bool) {
		for _, n := range s.living() {
			select {
			case <-n.Ready():
				n.Notes(id, what, over)
			default:
			}
		}
	}
	write(what, false)
	return func() { write("", true) }
}
