package node_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parking/lot"
	"parking/node"
	"parking/node/member"
)

// A book is where nodes of a test look for each other, instead of a name in the
// DNS.
type book struct {
	mu    sync.Mutex
	addrs []string
	err   error
	asked []time.Time
}

func (b *book) Seeds(context.Context) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, time.Now())
	return slices.Clone(b.addrs), b.err
}

func (b *book) String() string { return "parking.test" }

func (b *book) say(err error, addrs ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.addrs, b.err = addrs, err
}

// times returns when it was asked since the last call.
func (b *book) times() []time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	asked := b.asked
	b.asked = nil
	return asked
}

// by makes a node look into a book, and nowhere else.
func by(b *book) func(*node.Config) {
	return func(c *node.Config) { c.Apart, c.Seeds = true, b }
}

// notices counts the notices of a node with that in them.
func (n *lively) notices(substr string) (count int) {
	for _, e := range n.told(node.Notice) {
		if strings.Contains(e.Reason, substr) {
			count++
		}
	}
	return count
}

var errNoName = errors.New("parking.test: no such name")

// addrs returns the addresses of that many ports, as the lab gives them.
func addrs(from, n int) (all []string) {
	for port := from; port < from+n; port++ {
		all = append(all, fmt.Sprintf("10.0.0.1:%d", port))
	}
	return all
}

// dials counts the streams that are being opened.
type dials struct {
	member.Transport
	slow func(addr string) bool // which of them are counted

	mu       sync.Mutex
	now, max int
	to       map[string]int
}

func (d *dials) DialAddressTimeout(a member.Address, timeout time.Duration) (net.Conn, error) {
	if d.slow(a.Addr) {
		d.mu.Lock()
		d.now++
		d.max = max(d.max, d.now)
		if d.to == nil {
			d.to = make(map[string]int)
		}
		d.to[a.Addr]++
		d.mu.Unlock()
		defer func() {
			d.mu.Lock()
			d.now--
			d.mu.Unlock()
		}()
	}
	return d.Transport.DialAddressTimeout(a, timeout)
}

func (d *dials) check(t *testing.T, silent []string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.to) != len(silent) {
		t.Errorf("%d of %d were tried", len(d.to), len(silent))
	}
	for addr, n := range d.to {
		if n < 5 || n > 20 {
			t.Errorf("%s was tried %d times in some 6 minutes", addr, n)
		}
	}
	if d.max != 3 {
		t.Errorf("%d were tried at a time, want 3", d.max)
	}
}

// Nodes that start together wait for a name that does not resolve yet, find each
// other by it, and follow it. What is wrong with it is told once.
func TestNodesFindEachOtherByAName(t *testing.T) {
	inLabs(t, 5, func(t *testing.T, l *lab) {
		b := &book{err: errNoName}
		larry, gary, harry := l.launch("larry", by(b)), l.launch("gary", by(b)), l.launch("harry", by(b))
		time.Sleep(5 * time.Second)
		if larry.Addr() != "" {
			t.Error("larry has not waited for the name")
		}
		b.say(nil, addrs(7001, 3)...)
		for _, n := range []*lively{larry, gary, harry} {
			l.await(n)
			if told := n.notices("no such name"); told != 1 {
				t.Errorf("%s told %d times that there is no such name", n.Name(), told)
			}
		}
		l.settled(5 * time.Second)
		mary := l.start("mary", by(b)) // which is not named, and finds those that are
		l.settled(3 * time.Second)
		b.say(errors.New("parking.test: no answer in time"))
		time.Sleep(3 * time.Minute)
		l.settled(0)
		for _, n := range []*lively{larry, mary} {
			if told := n.notices("no answer in time"); told != 1 {
				t.Errorf("%s told %d times that there was no answer", n.Name(), told)
			}
		}
	})
}

// A node that is alone asks about every second, one in company about every five,
// and neither exactly.
func TestHowOftenANameIsAsked(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		b := &book{}
		b.say(nil, addrs(7001, 1)...)
		begin := time.Now()
		larry := l.start("larry", by(b))
		if took := time.Since(begin); took < 2*time.Second || took > 5*time.Second {
			t.Errorf("named alone, it founded after %v, want about 3s", took)
		}
		between := func(least, most time.Duration) {
			t.Helper()
			asked := b.times()
			var all []time.Duration
			for i := range asked[1:] {
				all = append(all, asked[i+1].Sub(asked[i]))
			}
			if low, high := slices.Min(all), slices.Max(all); low < least || high > most || high-low < (most-least)/4 {
				t.Errorf("asked every %v to %v, want %v to %v", low, high, least, most)
			}
		}
		b.times()
		time.Sleep(30 * time.Second)
		between(800*time.Millisecond, 1200*time.Millisecond)
		l.start("gary", func(c *node.Config) { c.Directory, c.Join = nil, []string{larry.Addr()} })
		l.settled(3 * time.Second)
		time.Sleep(2 * time.Second)
		b.times()
		time.Sleep(3 * time.Minute)
		between(4*time.Second, 6*time.Second)
	})
}

// Of many addresses at which nobody answers three are tried at a time, and less
// and less often. A node among them is found nevertheless, and one that comes
// later too.
func TestManyAddressesThatDoNotAnswer(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		l.start("gary", func(c *node.Config) { c.Directory = nil })
		silent := addrs(9000, 30)
		for i := range silent {
			h, err := l.net.Host("10.0.0.1", 9000+i)
			if err != nil {
				t.Fatal(err)
			}
			h.Freeze(true)
		}
		b := &book{}
		b.say(nil, append(silent, "10.0.0.1:7001")...)
		d := &dials{slow: func(addr string) bool { return slices.Contains(silent, addr) }}
		larry := l.start("larry", by(b), func(c *node.Config) {
			d.Transport = c.Network
			c.Network = d
		})
		l.settled(40 * time.Second)
		time.Sleep(5 * time.Minute)
		d.check(t, silent)
		l.start("mary", func(c *node.Config) { c.Directory = nil })
		b.say(nil, append(silent, larry.Addr(), "10.0.0.1:7003")...)
		l.eventually(10*time.Second, "mary to be found", func() bool { return l.members(3) })
	})
}

// A name that does not resolve is waited for, however long: nobody founds a
// cluster beside one that may be there. Who may not wait says why it ends.
func TestANameThatDoesNotResolveIsWaitedFor(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		b := &book{err: errNoName}
		larry := l.launch("larry", by(b))
		ends := l.launch("ends", by(b), func(c *node.Config) { c.MustJoin = true })
		if err := l.refused(ends); !strings.Contains(err.Error(), "nobody to join: parking.test: no such name") {
			t.Errorf("it ended with %v", err)
		}
		time.Sleep(5 * time.Minute)
		if ready, why := larry.Readiness(); ready || larry.Addr() != "" || why != "looking for others: "+errNoName.Error() {
			t.Errorf("after minutes without the name larry is %v, %q", ready, why)
		}
		if told := larry.notices("no such name"); told != 1 {
			t.Errorf("it told %d times that there is no such name", told)
		}
		b.say(nil, addrs(7001, 1)...)
		l.await(larry)
		if ready, why := larry.Readiness(); !ready || len(larry.RunsHere()) != 4 {
			t.Errorf("named alone it is %v, %q and runs gates %v", ready, why, larry.RunsHere())
		}
	})
}

// A node that knows of others and reaches none of them goes to work, and is not
// called ready: they may be the cluster, and it in front of a wall.
func TestWhoReachesNobodyIsNotReady(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		b := &book{}
		b.say(nil, addrs(7001, 2)...)
		larry := l.start("larry", by(b))
		time.Sleep(time.Minute)
		if ready, why := larry.Readiness(); ready || !strings.Contains(why, "nobody answers") {
			t.Errorf("alone it is %v, %q", ready, why)
		}
		l.start("gary", by(b))
		l.settled(30 * time.Second)
		l.eventually(time.Second, "both to be ready", func() bool { return l.allReady("larry", "gary") })

		harry := l.start("harry", func(c *node.Config) { c.Directory, c.Join = nil, []string{"10.0.0.1:9999"} })
		if ready, why := harry.Readiness(); ready || !strings.Contains(why, "nobody answers") {
			t.Errorf("told to join whom it does not reach, it is %v, %q", ready, why)
		}
		b.say(nil, addrs(7001, 3)...)
		l.settled(30 * time.Second)
		l.eventually(time.Second, "harry to be ready", func() bool { return l.allReady("larry", "harry") })
	})
}

// allReady reports whether those nodes are ready for work.
func (l *lab) allReady(names ...string) bool {
	for _, name := range names {
		if ready, _ := l.get(name).Readiness(); !ready {
			return false
		}
	}
	return true
}

// Nodes that cannot reach each other found a cluster each, and record; once the
// name leads to them they are one, nothing is lost, and each gate runs once.
func TestFoundersMerge(t *testing.T) {
	inLabs(t, 10, func(t *testing.T, l *lab) {
		b := &book{addrs: []string{"10.0.0.1:9999"}}
		begin := time.Now()
		l.launch("larry", by(b))
		time.Sleep(time.Duration(l.rand.Int64N(int64(3 * time.Second))))
		l.launch("gary", by(b))
		time.Sleep(time.Duration(l.rand.Int64N(int64(3 * time.Second))))
		l.launch("harry", by(b))
		for _, name := range []string{"larry", "gary", "harry"} {
			n := l.await(l.get(name))
			if name == "larry" {
				if took := time.Since(begin); took < 9*time.Second || took > 11*time.Second {
					t.Errorf("larry founded after %v, want 10s", took)
				}
			}
			if len(n.RunsHere()) != 4 || n.notices("starting alone") != 1 {
				t.Errorf("%s runs gates %v and has told %+v", name, n.RunsHere(), n.told(node.Notice))
			}
			if _, err := n.TrackEntry(t.Context(), lot.Plate("BY "+name), 1); err != nil {
				t.Fatal(err)
			}
		}
		b.say(nil, addrs(7001, 3)...)
		t.Logf("one cluster after %v", l.settled(10*time.Second))
		for _, name := range []string{"larry", "gary", "harry"} {
			if !l.get("gary").has(lot.Plate("BY " + name)) {
				t.Errorf("what %s recorded alone is lost", name)
			}
		}
		epochs := l.gateEpochs()
		time.Sleep(20 * time.Second)
		l.settled(0)
		if now := l.gateEpochs(); now != epochs {
			t.Errorf("gates moved on after they had settled: epochs %s, then %s", epochs, now)
		}
	})
}

// Strangers that the name leads to are told of once, and are neither fatal nor
// disturbed; a taken name is.
func TestStrangersBehindAName(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		b := &book{}
		l.start("moe", func(c *node.Config) { c.Directory, c.Keys = nil, keysOf("x") })
		l.start("curly", func(c *node.Config) { c.Directory, c.Cluster = nil, "elsewhere" })
		b.say(nil, append(addrs(7001, 3), "nonsense", "10.0.0.1:0", "[fd00::1]:7001")...)
		larry := l.start("larry", by(b))
		time.Sleep(2 * time.Minute)
		for _, what := range []string{"another cookie", "another cluster"} {
			if n := larry.notices(what); n != 1 {
				t.Errorf("%q was told %d times: %+v", what, n, larry.told(node.Notice))
			}
		}
		if larry.alive() != 1 || l.get("moe").alive() != 1 {
			t.Error("strangers were joined")
		}
		err := l.refused(l.launch("larry", by(b)))
		if err == nil || !strings.Contains(err.Error(), "called larry") || strings.Contains(err.Error(), "\n") {
			t.Errorf("a second larry was refused with %v", err)
		}
		for _, name := range []string{"moe", "curly"} {
			l.mu.Lock()
			l.nodes[name].dead = true // they are no part of what is to agree
			l.mu.Unlock()
		}
	})
}

// Addresses that no node here could be reached from are said to be that.
func TestANameOfTheOtherFamily(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		b := &book{}
		b.say(nil, "[fd00::1]:7946", "[fd00::2]:7946")
		larry := l.start("larry", by(b))
		if larry.notices("--bind") != 1 {
			t.Errorf("it told %+v", larry.told(node.Notice))
		}
	})
}

// The address of a name stands for several nodes, and leads the first of them back
// to itself. It is told so, once, and finds the others when the address leads there.
func TestANameThatLeadsBack(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		const common = "10.0.0.99:7946"
		b := &book{}
		b.say(nil, common)
		var leads atomic.Value
		leads.Store("10.0.0.1:7001")
		larry := l.start("larry", by(b), func(c *node.Config) { c.Network = balancer{c.Network, common, &leads} })
		time.Sleep(2 * time.Minute)
		if ready, why := larry.Readiness(); !ready {
			t.Errorf("larry is not ready: %q", why)
		}
		if got := larry.notices("leads back to this node"); got != 1 {
			t.Errorf("it was told %d times: %+v", got, larry.told(node.Notice))
		}
		gary := l.start("gary", func(c *node.Config) { c.Directory = nil })
		leads.Store(gary.Addr())
		l.settled(45 * time.Second)
	})
}

// balancer leads what is sent to one address to another.
type balancer struct {
	member.Transport
	common string
	leads  *atomic.Value
}

func (b balancer) DialAddressTimeout(to member.Address, timeout time.Duration) (net.Conn, error) {
	if to.Addr == b.common {
		to.Addr = b.leads.Load().(string)
	}
	return b.Transport.DialAddressTimeout(to, timeout)
}
