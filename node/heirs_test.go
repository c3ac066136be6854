package node_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parking/node"
	"parking/node/member"
	"parking/node/simnet"
)

// podded makes a lab's nodes those of pods: on a network, found by a book.
func podded(l *lab) *book {
	b := &book{}
	b.say(nil, addrs(7001, 9)...)
	l.setup = func(c *node.Config) {
		c.Apart, c.Seeds, c.Profile, c.Gossip = true, b, node.LAN, 0
	}
	return b
}

// vanish takes a node off the network without a word: no packet comes through
// either way, and nobody refuses what is sent to it. appear undoes that.
func (l *lab) vanish(n *lively) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n.dead = true
	l.delist(n.Name())
	for _, o := range l.all {
		if o != n {
			l.net.Cut(n.host, o.host)
		}
	}
	l.gone = append(l.gone, n)
}

func (l *lab) appear(n *lively) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n.dead = false
	for _, o := range l.all {
		if o != n {
			l.net.Heal(n.host, o.host)
		}
	}
	l.gone = slices.DeleteFunc(l.gone, func(g *lively) bool { return g == n })
}

// apart cuts a host that was just opened off from those that have vanished.
func (l *lab) apart(h *simnet.Host) {
	for _, g := range l.gone {
		l.net.Cut(g.host, h)
	}
}

// hasInView reports whether a node has that life of another in view, alive.
func (n *lively) hasInView(other *lively) bool {
	return slices.ContainsFunc(n.Members(), func(m node.Member) bool {
		return m.Name == other.Name() && m.Addr == other.host.Addr() && m.Status == member.Alive
	})
}

// A pod vanishes without a word and comes back under its name with another
// address, long before SWIM rules on its last life. It is a member in the others'
// view at once, has the state, and takes its share of the gates when it is asked
// to; Serf's verdict, when it comes, changes nothing.
func TestAPodThatComesBackElsewhere(t *testing.T) {
	inLabs(t, 10, func(t *testing.T, l *lab) {
		b := podded(l)
		c := l.cluster("larry", "gary", "harry")
		if _, err := c[0].TrackEntry(t.Context(), "BEFORE", 1); err != nil {
			t.Fatal(err)
		}
		l.eventually(time.Second, "equal digests", l.converged)
		l.vanish(c[0])
		time.Sleep(time.Duration(l.rand.Int64N(int64(time.Second))))
		begin := time.Now()
		back := l.start("larry")
		b.say(nil, append(addrs(7002, 2), back.host.Addr())...)
		gary, harry := l.get("gary"), l.get("harry")
		gary.forget()
		took := l.eventually(3*time.Second, "both others to see the new larry", func() bool { return gary.hasInView(back) && harry.hasInView(back) })
		t.Logf("in view after %v, %v since it started", took, time.Since(begin))
		if since := time.Since(begin); since > 4*time.Second {
			t.Errorf("it is in view %v after it started", since)
		}
		if serf := gary.InSerf("larry"); serf.Addr == back.host.Addr() || serf.Status != member.Alive {
			t.Errorf("Serf has ruled already: %+v", serf)
		}
		if !back.has("BEFORE") {
			t.Error("it lacks the state")
		}
		l.eventually(5*time.Second, "one owner of each gate", func() bool { _, ok := l.spread(); return ok })
		if _, err := gary.Rebalance(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.eventually(3*time.Second, "gates on the new larry", func() bool { got, ok := l.spread(); return ok && got["larry"] > 0 })
		if _, err := back.TrackEntry(t.Context(), "AFTER", 1); err != nil {
			t.Fatal(err)
		}
		l.eventually(3*time.Second, "its entry everywhere", func() bool { return gary.has("AFTER") && harry.has("AFTER") })
		if serf := gary.InSerf("larry"); serf.Addr == back.host.Addr() || serf.Status != member.Alive {
			t.Errorf("Serf has ruled already: %+v", serf)
		}
		epochs := l.gateEpochs()
		gary.forget()
		took = l.eventually(30*time.Second, "Serf to admit it", func() bool {
			return gary.InSerf("larry").Addr == back.host.Addr() && harry.InSerf("larry").Addr == back.host.Addr()
		})
		t.Logf("admitted by Serf after %v more", took)
		time.Sleep(35 * time.Second)
		l.settled(0)
		// News of the old life's death may reach memberlist after it has admitted the
		// new one, which refutes it at once.
		got := gary.told(node.NodeFailed, node.NodeJoined, node.NodeLeft)
		if len(got) > 0 && (len(got) != 2 || got[0].Kind != node.NodeFailed || got[1].Kind != node.NodeJoined || got[1].At.Sub(got[0].At) > time.Second) {
			t.Errorf("gary told of %+v when Serf had ruled", got)
		}
		if now := l.gateEpochs(); now != epochs && len(got) == 0 {
			t.Errorf("gates moved when Serf had ruled: epochs %s, then %s", epochs, now)
		}
	})
}

// A second node comes under the name of one that is silent only for a while. The
// first has its name again, its records are kept, and the second ends with a line
// that says why.
func TestANameOfOneThatIsSilent(t *testing.T) {
	inLabs(t, 5, func(t *testing.T, l *lab) {
		podded(l)
		c := l.cluster("larry", "gary", "harry")
		l.vanish(c[0])
		second := l.start("larry")
		if _, err := second.TrackEntry(t.Context(), "SECOND", 1); err != nil {
			t.Fatal(err)
		}
		l.eventually(3*time.Second, "the second larry in view", func() bool { return c[1].hasInView(second) && c[2].hasInView(second) })
		l.mu.Lock()
		l.nodes["larry"] = c[0]
		l.mu.Unlock()
		l.appear(c[0])
		err := error(nil)
		select {
		case err = <-second.done:
			second.done <- err
		case <-time.After(10 * time.Second):
			t.Fatal("the second larry goes on")
		}
		l.mu.Lock()
		second.dead = true
		l.mu.Unlock()
		if err == nil || !strings.Contains(err.Error(), "another node called larry") || !strings.Contains(err.Error(), c[0].host.Addr()) || strings.Contains(err.Error(), "\n") {
			t.Errorf("the second larry ended with %v", err)
		}
		l.settled(10 * time.Second)
		if !c[0].has("SECOND") {
			t.Error("what the second larry recorded is lost")
		}
		time.Sleep(30 * time.Second)
		l.settled(0)
	})
}

// The first comes back when SWIM has ruled and the second is a member: it is told
// in words, and disturbs nobody.
func TestANameThatWasGivenAway(t *testing.T) {
	inLabs(t, 5, func(t *testing.T, l *lab) {
		podded(l)
		c := l.cluster("larry", "gary", "harry")
		l.vanish(c[0])
		second := l.start("larry")
		l.eventually(30*time.Second, "Serf to admit the second", func() bool { return c[1].InSerf("larry").Addr == second.host.Addr() })
		time.Sleep(20 * time.Second)
		l.settled(0)
		epochs := l.gateEpochs()
		l.appear(c[0])
		l.mu.Lock()
		c[0].dead = true // for what is to agree
		l.mu.Unlock()
		l.eventually(10*time.Second, "the first larry to be told", func() bool {
			return c[0].notices("called larry already") > 0 || len(c[0].done) > 0
		})
		time.Sleep(30 * time.Second)
		l.settled(0)
		if now := l.gateEpochs(); now != epochs {
			t.Errorf("gates moved: epochs %s, then %s", epochs, now)
		}
		if n := c[0].notices("called larry already"); n > 3 {
			t.Errorf("it was told %d times", n)
		}
		if len(c[0].done) > 0 {
			return
		}
		if ready, why := c[0].Readiness(); ready || why != "its name is another's, at "+second.host.Addr() {
			t.Errorf("the first is ready: %v, %q", ready, why)
		}
		l.crash("larry")
		l.mu.Lock()
		c[0].dead = false
		l.nodes["larry"] = c[0]
		l.mu.Unlock()
		l.eventually(time.Minute, "the first to be ready again", func() bool { ready, _ := c[0].Readiness(); return ready })
		l.settled(time.Minute)
	})
}

// One that answers keeps its name, however slow it is.
func TestANameOfOneThatIsSlow(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		podded(l)
		l.cluster("larry", "gary", "harry")
		l.net.SetDelay(60 * time.Millisecond)
		for range 10 { // who does not wait for the answer has not been given the name either
			x := l.launch("larry")
			time.Sleep(time.Duration(300+l.rand.IntN(400)) * time.Millisecond)
			x.stop()
			err := <-x.done
			x.done <- err
			l.bury(x)
		}
		err := l.refused(l.launch("larry"))
		if err == nil || !strings.Contains(err.Error(), "called larry") {
			t.Errorf("the second larry was refused with %v", err)
		}
		l.net.SetDelay(time.Millisecond)
		l.settled(5 * time.Second)
		for _, n := range l.all {
			if got := n.told(node.NodeFailed); len(got) > 0 {
				t.Errorf("%s told of %+v", n.Name(), got)
			}
		}
	})
}

// Many pods are lost at once without a word, and come back under their names at
// other addresses before SWIM rules on any of them. All are let in, and none loses
// its name again.
func TestManyPodsThatComeBackAtOnce(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		const many = 12
		b := podded(l)
		b.say(nil, addrs(7001, 3)...)
		c := l.cluster("larry", "gary", "harry")
		pods := names("pod", many)
		for _, name := range pods {
			l.start(name)
		}
		l.settled(30 * time.Second)
		for _, name := range pods {
			l.vanish(l.get(name))
		}
		time.Sleep(300 * time.Millisecond)
		var back []*lively
		for _, name := range pods {
			back = append(back, l.launch(name))
		}
		for _, p := range back {
			l.await(p)
		}
		l.eventually(10*time.Second, "the others to see all of them", func() bool {
			for _, n := range c {
				if slices.ContainsFunc(back, func(p *lively) bool { return !n.hasInView(p) }) {
					return false
				}
			}
			return true
		})
		time.Sleep(40 * time.Second)
		l.settled(20 * time.Second)
		for _, p := range back {
			if len(p.done) > 0 {
				t.Errorf("%s has ended", p.Name())
			}
		}
		for _, n := range c {
			if got := n.warned.count("two nodes of one name"); got > 0 {
				t.Errorf("%s has disowned %d", n.Name(), got)
			}
		}
	})
}
