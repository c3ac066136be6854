package node_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parking/lot"
	"parking/lot/crdt"
	"parking/node"
	"parking/node/fault"
	"parking/node/member"
	"parking/node/simnet"
	"parking/node/verdict"
)

const (
	// roundLasts is how long one cluster lives. Then another is founded: what
	// would otherwise grow is the list of all lives that its nodes ever had.
	roundLasts = 10 * time.Minute
	// mendsWithin is how long a cluster that was healed may take to agree.
	mendsWithin = 30 * time.Second
	// staysFor is how long it must agree then.
	staysFor = 2 * time.Second
	// spares is how many nodes beside its first ones a cluster may have.
	spares = 2
)

// Clusters of 3, 7 and 20 nodes live through random schedules of whatever their
// users and fate may do to them. Whenever all is healed, they are one again: the
// members, the state, one owner for each gate; and the lot is what its users
// were told that it is.
//
// The seed drives the schedule, the network and the nodes. Round i of a seed is
// round 0 of seed+i. The same seed plays the same schedule again; how the
// goroutines of one moment take turns, and what Serf draws, is not in its hands.
func TestSimulation(t *testing.T) {
	for size, long := range map[int]time.Duration{3: 2 * time.Minute, 7: time.Minute, 20: 20 * time.Second} {
		if testing.Short() || raceEnabled {
			long /= 3
		}
		if *node.SimDuration > 0 {
			long = *node.SimDuration
		}
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			seed := *node.SimSeed
			if seed == 0 {
				seed = rand.Uint64()
			}
			begin := time.Now()
			var sum tally
			for left := long; left > 0 && !t.Failed(); left -= roundLasts {
				t.Run(fmt.Sprintf("sim.seed=%d", seed), func(t *testing.T) {
					inBubble(t, seed, func(t *testing.T, l *lab) { newSim(l, size, left < 5*time.Minute).round(min(left, roundLasts), &sum) })
				})
				if *node.SimDuration > 0 {
					t.Logf("-sim.seed=%d after %v: %v", seed, time.Since(begin).Round(time.Second), &sum)
				}
				seed++
			}
			t.Logf("%v in %v", &sum, time.Since(begin).Round(time.Millisecond))
		})
	}
}

// tally is what was done and seen in all rounds.
type tally struct {
	simulated time.Duration
	stretches int
	deeds     map[act]int
	answers   map[string]int
	verdicts  map[verdict.Outcome]int
	mended    []time.Duration
}

func (s *tally) String() string {
	slices.Sort(s.mended)
	at := func(share float64) time.Duration {
		if len(s.mended) == 0 {
			return 0
		}
		return s.mended[int(share*float64(len(s.mended)-1))].Round(time.Millisecond)
	}
	return fmt.Sprintf("%v simulated, %d stretches, mended in %v (p50) %v (p99) %v (worst), deeds %v, answers %v, verdicts %v",
		s.simulated.Round(time.Second), s.stretches, at(0.5), at(0.99), at(1), s.deeds, s.answers, s.verdicts)
}

// sim is a cluster under a schedule.
type sim struct {
	*lab
	size  int
	plan  *schedule
	model *model
	slots []*slot
	sum   *tally
	began time.Time
	doing sync.WaitGroup

	mu        sync.Mutex
	said      []string // since all last agreed
	before    []string // in the stretch before
	unplugged map[[2]*simnet.Host]bool
}

// slot is a name and its port, and the life that it has, if any.
type slot struct {
	name string
	port int
	life *lively // its last one
	up   bool
}

func newSim(l *lab, size int, brief bool) *sim {
	s := &sim{lab: l, size: size, plan: newSchedule(l.seed, size, brief), model: newModel(), unplugged: make(map[[2]*simnet.Host]bool)}
	for i := range size + spares {
		s.slots = append(s.slots, &slot{name: fmt.Sprintf("node-%d", i+1), port: 7001 + i})
	}
	// Quiet times cost what gossip and pulls cost.
	l.setup = func(c *node.Config) { c.Gossip = 100 * time.Millisecond }
	return s
}

// round plays stretches for so long.
func (s *sim) round(long time.Duration, sum *tally) {
	s.began, s.sum = time.Now(), sum
	if sum.deeds == nil {
		sum.deeds, sum.answers, sum.verdicts = make(map[act]int), make(map[string]int), make(map[verdict.Outcome]int)
	}
	defer func() { sum.simulated += time.Since(s.began) }()
	for {
		left := long - time.Since(s.began)
		if left < 3*time.Second {
			return
		}
		s.muster()
		x := s.plan.stretch()
		x.long = min(x.long, left)
		s.play(x)
		took := s.mend()
		sum.mended = append(sum.mended, took)
		sum.stretches++
		if wrong := judge(s); len(wrong) > 0 || s.t.Failed() {
			s.t.Fatalf("%s\nthe stretch:\n%s", strings.Join(wrong, "\n"), s.story())
		}
		s.tidy()
		time.Sleep(min(x.quiet, max(0, long-time.Since(s.began))))
	}
}

func (s *sim) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, fmt.Sprintf("%9.3fs ", time.Since(s.began).Seconds())+fmt.Sprintf(format, args...))
}

func (s *sim) story() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.before, "\n") + "\n---\n" + strings.Join(s.said, "\n")
}

// muster starts whichever of the first nodes do not run, and waits until all do.
func (s *sim) muster() {
	for _, x := range s.slots[:s.size] {
		if !x.up {
			s.launch(x)
			if len(s.living()) > 1 || len(s.all) == 1 {
				s.await(x.life)
			}
		}
	}
	s.awaitAgreement("after the start")
	s.mu.Lock()
	s.before, s.said = s.said, nil
	s.mu.Unlock()
}

// launch starts a node, once its last life has ended.
func (s *sim) launch(x *slot) {
	if x.life != nil {
		err := <-x.life.done
		x.life.done <- err
	}
	s.prune()
	x.life, x.up = s.launchAt(x.port, x.name), true
	s.say("%s starts", x.name)
}

// prune forgets lives that have ended.
func (s *sim) prune() {
	s.lab.mu.Lock()
	defer s.lab.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(n *lively) bool {
		select {
		case err := <-n.done:
			n.done <- err
			return n.dead
		default:
			return false
		}
	})
}

// up returns those that run, or start, and were not told to go.
func (s *sim) up() (up []*slot) {
	for _, x := range s.slots {
		if x.up {
			up = append(up, x)
		}
	}
	return up
}

func (s *sim) down(from, to int) (down []*slot) {
	for _, x := range s.slots[from:to] {
		if !x.up {
			down = append(down, x)
		}
	}
	return down
}

// play does what the schedule says, each deed when its time has come, whatever
// became of those before.
func (s *sim) play(x stretch) {
	begin := time.Now()
	for _, d := range x.deeds {
		if d.at > x.long {
			break
		}
		time.Sleep(time.Until(begin.Add(d.at)))
		s.do(d)
		s.compare()
	}
	time.Sleep(time.Until(begin.Add(x.long)))
}

// compare looks for nodes that have seen the same and are not the same, even if
// they would mend that.
func (s *sim) compare() {
	up := s.up()
	digest, seen := up[0].life.Mark()
	for _, x := range up[1:] {
		if d, v := x.life.Mark(); d != digest && v.Covers(seen) && seen.Covers(v) {
			s.model.mu.Lock()
			s.model.broken("%s and %s have seen the same, and are %v and %v", up[0].name, x.name, digest, d)
			s.model.mu.Unlock()
		}
	}
}

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
	case freeze:
		s.say("%s is frozen for %v", a.name, d.span)
		host := a.life.host
		host.Freeze(true)
		time.AfterFunc(d.span, func() { host.Freeze(false) })
	default:
		s.doing.Go(func() { s.order(d, a, b, up) })
	}
}

// order does what is done at a node's prompt.
func (s *sim) order(d deed, a, b *slot, up []*slot) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	n := a.life
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
	case mend:
		which := node.Selection{All: true}
		if d.bits%3 > 0 {
			which = node.Selection{Nodes: []string{b.name}}
		}
		what += fmt.Sprint(" ", which)
		_, _, _, err = n.Heal(ctx, which)
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
	if d.bits>>8%16 > 0 { // now and then one that is not
		x.gate = 1 + (x.gate-1)%lot.GateID(n.Gates())
	}
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
	x.after, x.range0[1], x.wasFull = n.Traces(x.plate), n.Gates(), x.wasFull || s.someFull()
	s.lab.mu.Lock()
	x.answered = !n.dead && ctx.Err() == nil
	s.lab.mu.Unlock()
	s.model.ended(x)
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
	for _, o := range s.up() {
		if o != x {
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
	x.up = false
	s.lab.crash(x.name)
	s.say("%s crashes", x.name)
}

// leave makes a node leave. What only it has goes with it if it sees nobody, or
// could hand it to nobody and says so.
func (s *sim) leave(x *slot) {
	x.up = false
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
	host := x.life.host
	time.AfterFunc(span, func() { s.replug(host) })
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

// mend heals everything and returns how long the cluster took to agree then.
func (s *sim) mend() time.Duration {
	s.say("the stretch ends")
	s.replug(nil)
	for _, x := range s.up() {
		x.life.host.Freeze(false)
	}
	s.doing.Wait()
	for _, x := range s.up() {
		s.await(x.life)
	}
	// What was ordered and is on its way to who could not answer comes first.
	time.Sleep(2 * time.Second)
	begin := time.Now()
	for i, x := range s.up() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if err := x.life.SetClock(ctx, x.name, 0, "clock"); err != nil {
			s.t.Errorf("the clock of %s: %v", x.name, err)
		}
		if i == 0 || x.life.Ails() > 0 { // one order should do, but for those who do not know each other
			healed, untold, apart, err := x.life.Heal(ctx, node.Selection{All: true})
			s.say("healed at %s: %d links, untold %v, apart %v, %v", x.name, len(healed), untold, apart, err)
		}
		cancel()
	}
	s.awaitAgreement("after all was healed")
	return time.Since(begin) - staysFor
}

// awaitAgreement waits until the cluster is one, and stays so for a while.
func (s *sim) awaitAgreement(when string) {
	begin := time.Now()
	for since := begin; time.Since(since) < staysFor; time.Sleep(50 * time.Millisecond) {
		if _, once := s.spread(); s.members(len(s.living())) && s.converged() && once {
			continue
		}
		since = time.Now()
		if since.Sub(begin) > mendsWithin {
			for _, n := range s.living() {
				told := n.told()
				n.forget()
				n.events = slices.DeleteFunc(told, func(e node.Event) bool { return e.Plate != "" || e.Kind == node.LotOver })
			}
			s.t.Fatalf("not one within %v %s\n%s\nthe stretch:\n%s", mendsWithin, when, s.dump(), s.story())
		}
	}
	s.say("one %v %s", time.Since(begin)-staysFor, when)
}

// judge tells what is wrong with a cluster that agrees: its lot is not what its
// users were told.
func judge(s *sim) []string {
	nodes := s.living()
	now := nodes[0].Lot()
	for _, n := range nodes[1:] {
		if theirs := n.Lot(); !maps.EqualFunc(now, theirs, sameDots) {
			s.t.Errorf("%s and %s have the same digest and other lots: %v, %v", nodes[0].Name(), n.Name(), now, theirs)
		}
	}
	wrong := s.model.agreed(now, nodes[0].Version(), nodes[0].Spaces(), nodes[0].Gates())
	return append(wrong, verdictOn(s, nodes[0])...)
}

// verdictOn tells what the product's own verdict finds broken: it goes by the
// histories of the nodes, and knows nothing of the test.
func verdictOn(s *sim, n *lively) (wrong []string) {
	r, err := n.Verdict(context.Background())
	if err != nil {
		return []string{"no verdict: " + err.Error()}
	}
	for _, c := range r.Checks {
		for _, f := range c.Findings {
			if f.Level == verdict.Breach {
				wrong = append(wrong, fmt.Sprintf("verdict: %s: %s %v", c.Name, f.Text, f.Events))
			}
		}
	}
	s.sum.verdicts[r.Outcome]++
	return wrong
}

func sameDots(a, b []crdt.Dot) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(d crdt.Dot) bool { return !slices.Contains(b, d) })
}

// tidy makes room, and forgets events that nobody asks for.
func (s *sim) tidy() {
	nodes := s.living()
	for _, n := range nodes {
		n.mu.Lock()
		n.events = nil
		n.mu.Unlock()
	}
	plates := slices.Sorted(maps.Keys(nodes[0].Lot()))
	for i, p := range plates[:max(0, len(plates)-10)] {
		n := nodes[i%len(nodes)]
		x := &told{at: n, out: true, plate: p, begin: time.Now(), before: n.Traces(p)}
		s.model.begin(x)
		_, x.err = n.TrackExit(context.Background(), p, 0)
		x.end, x.after, x.answered = time.Now(), n.Traces(p), true
		s.model.ended(x)
	}
}
