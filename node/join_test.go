package node_test

import (
	"strings"
	"testing"
	"time"

	"parking/node"
)

func alone(c *node.Config) { c.Directory = nil }

func joining(addrs ...string) func(*node.Config) {
	return func(c *node.Config) { c.Directory, c.Join = nil, addrs }
}

// larry is known to gary, but not to the directory in which a second larry
// starts and finds gary: that one is turned away.
func TestANameTakenElsewhere(t *testing.T) {
	inLabs(t, 5, func(t *testing.T, l *lab) {
		larry := l.start("larry", alone)
		gary := l.start("gary", func(c *node.Config) { c.Join = []string{larry.Addr()} })
		l.settled(3 * time.Second)
		epochs := l.gateEpochs()
		gary.forget()
		if err := l.refused(l.launch("larry")); !strings.Contains(err.Error(), "a node called larry already") {
			t.Errorf("%v", err)
		}
		time.Sleep(10 * time.Second)
		l.undisturbed(epochs, gary)
	})
}

// Two clusters that have a name in common do not become one when a node finds
// both.
func TestTwoWorldsWithANameInCommon(t *testing.T) {
	inLabs(t, 5, func(t *testing.T, l *lab) {
		larry := l.start("larry", alone)
		second := l.start("larry") // in the directory
		gary := l.start("gary", func(c *node.Config) { c.Join = []string{larry.Addr()} })
		if told := gary.told(node.Notice); len(told) != 1 || !strings.Contains(told[0].Reason, "is called larry, as is the one at") {
			t.Errorf("gary told of the second larry: %+v", told)
		}
		epochs := larry.epochs()
		time.Sleep(time.Minute)
		if told := gary.told(node.Notice); len(told) != 1 {
			t.Errorf("gary goes on telling of the second larry: %+v", told)
		}
		if now := larry.epochs(); now != epochs {
			t.Errorf("gates moved: epochs %s, then %s", epochs, now)
		}
		if told := gary.told(node.NodeJoined, node.NodeFailed, node.GatesRun, node.GatesSplit); len(told) > 0 {
			t.Errorf("gary told %+v", told)
		}
		if len(second.Members()) != 1 || len(second.RunsHere()) != 4 {
			t.Errorf("the second larry sees %v and runs %v", second.Members(), second.RunsHere())
		}
	})
}

// Two nodes of one name join by different members at the same moment: the
// gates of the others are none of their business.
func TestTwoOfOneNameAtOnce(t *testing.T) {
	inLabs(t, 10, func(t *testing.T, l *lab) {
		c := l.cluster("larry", "gary", "harry")
		a := l.launch("bob", joining(c[1].Addr()))
		b := l.launch("bob", joining(c[2].Addr()))
		time.Sleep(20 * time.Second)
		in := 0
		for _, n := range []*lively{a, b} {
			select {
			case err := <-n.done:
				n.done <- err
				if err == nil || !strings.Contains(err.Error(), "called bob already") {
					t.Errorf("bob ended: %v", err)
				}
				l.bury(n)
			default:
				in++
			}
		}
		if in > 1 {
			t.Error("both bobs were let in")
		}
		l.settled(3 * time.Second)
	})
}

// A node that is still looking for its cluster is not one that a joiner
// could rely on: it is no founder's proof that there is no other.
func TestJoiningOneThatIsStillStarting(t *testing.T) {
	inLabs(t, 10, func(t *testing.T, l *lab) {
		larry := l.start("larry", alone, func(c *node.Config) { c.Spaces.Value = 77 })
		if l.rand.IntN(2) == 0 {
			l.start("gary", joining(larry.Addr()))
		}
		time.Sleep(time.Minute)
		epochs := l.gateEpochs()
		silent, err := l.net.Host("10.0.0.9", 9000) // accepts, and never answers
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Shutdown()
		carl := l.launch("carl", joining(silent.Addr(), larry.Addr()))
		zed := l.launch("zed", joining(carl.host.Addr()), func(c *node.Config) {
			if slow := l.rand.IntN(2) == 0; slow {
				c.Now = func() time.Time { return time.Now().Add(-time.Hour) }
			}
		})
		l.await(carl)
		l.await(zed)
		l.settled(8 * time.Second)
		time.Sleep(5 * time.Second)
		l.settled(0)
		if now := l.gateEpochs(); now != epochs {
			t.Errorf("the newcomers moved gates: epochs %s, then %s", epochs, now)
		}
		if n := larry.Spaces().Total; n != 77 {
			t.Errorf("the newcomers changed the spaces to %d", n)
		}
	})
}

// A node whose second seed refuses it, or is not there and has to be, never
// was a member of the first one's cluster.
func TestRefusedByTheSecondSeed(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		c := l.cluster("larry", "gary")
		other := l.start("loner", alone, func(c *node.Config) { c.Keys = keysOf("x") })
		other.dead = true
		epochs := l.gateEpochs()
		c[1].forget()
		err := l.refused(l.launch("bob", joining(c[0].Addr(), other.Addr())))
		if !strings.Contains(err.Error(), "another cookie") {
			t.Errorf("%v", err)
		}
		err = l.refused(l.launch("bob", joining(c[0].Addr(), "10.0.0.1:9999"), func(c *node.Config) { c.MustJoin = true }))
		if !strings.Contains(err.Error(), "cannot reach") {
			t.Errorf("%v", err)
		}
		l.undisturbed(epochs, c[1])
	})
}

// undisturbed fails the test if the cluster's gates moved since, or a witness
// told of any member.
func (l *lab) undisturbed(epochs string, witness *lively) {
	l.t.Helper()
	time.Sleep(3 * time.Second)
	l.settled(0)
	if now := l.gateEpochs(); now != epochs {
		l.t.Errorf("gates moved: epochs %s, then %s", epochs, now)
	}
	if told := witness.told(node.NodeJoined, node.NodeLeft, node.NodeFailed, node.GatesRun); len(told) > 0 {
		l.t.Errorf("%s told %+v", witness.Name(), told)
	}
}
