package node_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parking/lot/crdt"
	"parking/node"
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
// Changes go straight to each node in every fourth seed, by gossip in the others.
// In every second seed who is forty changes behind is sent whole states. Of five
// writes one waits for other nodes.
//
// The seed drives the schedule, the network and the nodes. Round i of a seed is
// round 0 of seed+i, with the same flags or -sim.duration=10m. The same seed plays
// the same schedule again; how the goroutines of one moment take turns, and what
// Serf draws, is not in its hands.
func TestSimulation(t *testing.T) {
	for size, long := range map[int]time.Duration{3: 2 * time.Minute, 7: time.Minute, 20: 20 * time.Second} {
		if testing.Short() || raceEnabled {
			long /= 3
		}
		if raceEnabled { // which takes that much longer
			long /= 3
		}
		if *node.SimDuration > 0 {
			long = *node.SimDuration
		}
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			seed := *node.SimSeed
			if s, err := strconv.ParseUint(os.Getenv("PARKING_TEST_SEED"), 10, 64); err == nil && seed == 0 {
				seed = s
			}
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
	full  atomic.Int64 // when some lot was full last, in nanoseconds of Unix time
	doing sync.WaitGroup

	mu        sync.Mutex
	said      []string // since all last agreed
	before    []string // in the stretch before
	unplugged map[[2]*simnet.Host]bool
	thawed    []func() // write that nobody stands still any more
	faults    uint64   // that nodes do not know of
	pruned    int      // how often; under lab.mu
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
	push := node.Gossip
	if l.seed%4 == 3 {
		push = node.Fanout
	}
	keep := crdt.DefaultLog
	if l.seed%2 == 1 {
		keep, s.model.brief = 40, true
	}
	l.tweak = func(n *lively) { n.LookOn(keep, func() { s.full.Store(time.Now().UnixNano()) }) }
	// Quiet times cost what gossip and pulls cost.
	l.setup = func(c *node.Config) { c.Gossip, c.Push = 100*time.Millisecond, push }
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
	life := s.launchAt(x.port, x.name)
	s.mu.Lock()
	x.life, x.up = life, true
	s.mu.Unlock()
	s.say("%s starts", x.name)
}

// prune forgets lives that have ended.
func (s *sim) prune() {
	s.lab.mu.Lock()
	defer s.lab.mu.Unlock()
	s.pruned++
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

func (s *sim) prunes() int {
	s.lab.mu.Lock()
	defer s.lab.mu.Unlock()
	return s.pruned
}

// up returns those that run, or start, and were not told to go.
func (s *sim) up() (up []*slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.slots {
		if x.up {
			up = append(up, x)
		}
	}
	return up
}

// goes notes that a node was told to go.
func (s *sim) goes(x *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x.up = false
}

func (s *sim) down(from, to int) (down []*slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
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

// mend heals everything and returns how long the cluster took to agree then.
func (s *sim) mend() time.Duration {
	s.say("the stretch ends")
	s.replug(nil)
	s.thaw()
	s.doing.Wait()
	s.allReady()
	// What was ordered and is on its way to who could not answer comes first.
	time.Sleep(2 * time.Second)
	s.thaw()
	begin := time.Now()
	for i, x := range s.up() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if i == 0 || x.life.Ails() > 0 { // one order should do, but for those who do not know each other
			resumed, clocks, err := x.life.Mend(ctx, node.Selection{All: true})
			healed, untold, apart, err2 := x.life.Heal(ctx, node.Selection{All: true})
			s.say("healed at %s: %d links, untold %v, apart %v, resumed %v, clocks %v, %v", x.name, len(healed), untold, apart, resumed, clocks, errors.Join(err, err2))
		}
		if err := x.life.SetClock(ctx, x.name, 0, "clock"); err != nil {
			s.t.Errorf("the clock of %s: %v", x.name, err)
		}
		cancel()
	}
	s.awaitAgreement("after all was healed")
	return time.Since(begin) - staysFor
}

// allReady waits until all have started that were started. A pause that was ordered
// may have come into force after all had been let go on.
func (s *sim) allReady() {
	begin := time.Now()
	for _, x := range s.up() {
		for ready := false; !ready; {
			s.thaw()
			select {
			case <-x.life.Ready():
				ready = true
			case <-time.After(500 * time.Millisecond):
				if time.Since(begin) > time.Minute {
					s.t.Fatalf("%s did not become ready\n%s\nthe stretch:\n%s\nwarnings:\n%s", x.name, s.dump(), s.story(), strings.Join(x.life.warned.all, ""))
				}
			}
		}
	}
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
