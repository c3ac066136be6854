package node_test

import (
	"fmt"
	"testing"
	"time"

	"parking/node"
)

// Serf forgets a failed member after an hour. Sides that were cut off longer
// and know each other only by --join still find back together, though neither
// side is ever alone.
func TestACutLongerThanSerfRemembers(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("an hour of four nodes")
	}
	inLab(t, func(t *testing.T, l *lab) {
		first := l.start("node-1", func(c *node.Config) { c.Directory = nil })
		for _, name := range []string{"node-2", "node-3", "node-4"} {
			l.start(name, func(c *node.Config) {
				c.Directory, c.Join = nil, []string{first.Addr()}
			})
		}
		l.settled(5 * time.Second)
		left, right := []string{"node-1", "node-2"}, []string{"node-3", "node-4"}
		l.cut(left, right)
		time.Sleep(65 * time.Minute)
		if n := len(first.Members()); n != 2 {
			t.Fatalf("node-1 still knows of %d members: the cut was too short to tell", n)
		}
		l.heal(left, right)
		t.Logf("together %v after the heal", l.eventually(20*time.Second, "each to see each", func() bool { return l.members(4) }))
		l.settled(3 * time.Second)
	})
}

// Nodes that came and went do not count against the streams by which a crash
// is noticed at once.
func TestACrashIsNoticedAtOnceAfterManyHaveLeft(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		l.cluster("larry", "gary")
		for i := range 33 {
			name := fmt.Sprintf("guest-%d", i)
			l.start(name)
			l.leave(name)
		}
		l.start("harry")
		l.settled(5 * time.Second)
		l.crash("larry")
		took := l.eventually(5*time.Second, "the crash to be noticed", func() bool { return l.members(2) })
		if took > 200*time.Millisecond {
			t.Errorf("noticed after %v", took)
		}
	})
}
