package node_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"parking/lot/crdt"
	"parking/node"
	"parking/node/member"
)

// A joiner that the log no longer reaches gets the whole state, told as one
// event, and nothing twice.
func TestAJoinerGetsTheWholeState(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		const stay = 3000
		if err := larry.SetSpaces(t.Context(), 2*crdt.DefaultLog); err != nil {
			t.Fatal(err)
		}
		for i := range crdt.DefaultLog { // far more than the log holds
			if _, err := larry.TrackEntry(t.Context(), plate(i), 1); err != nil {
				t.Fatal(err)
			}
			if i >= stay {
				if _, err := larry.TrackExit(t.Context(), plate(i), 1); err != nil {
					t.Fatal(err)
				}
			}
		}
		begin := time.Now()
		gary := l.start("gary")
		t.Logf("ready after %v of virtual time", time.Since(begin))
		if n := gary.Spaces().Taken; n != stay {
			t.Errorf("the joiner is ready with %d vehicles, want %d", n, stay)
		}
		l.settled(2 * time.Second)
		if got := gary.told(node.VehicleCame, node.VehicleLeft); len(got) > 0 {
			t.Errorf("%d single events about a whole state", len(got))
		}
		if got, _ := l.spread(); got["larry"] != 4 {
			t.Errorf("gates run on %v: a joiner takes none", got)
		}
		if _, err := gary.TrackEntry(t.Context(), "AFTER", 1); err != nil {
			t.Error(err)
		}
		l.settled(2 * time.Second)
	})
}

// However many could send it the state, a joiner gets it once.
func TestAJoinerIsSentTheStateOnce(t *testing.T) {
	inLabs(t, 5, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry", "curly")
		moves := make([]node.Movement, 1000)
		const stay = 140_000 // more than the log holds
		for n := 0; n < stay; n += len(moves) {
			for i := range moves {
				moves[i] = node.Movement{Plate: plate(n + i), Gate: 1}
			}
			if _, err := nodes[0].Track(t.Context(), moves...); err != nil {
				t.Fatal(err)
			}
		}
		l.settled(30 * time.Second)
		sent := func() (bytes uint64) {
			for _, n := range nodes {
				bytes += n.Status().Sent.Streams
			}
			return bytes
		}
		before := sent()
		moe := l.start("moe")
		l.settled(5 * time.Second)
		each := float64(sent()-before) / stay
		t.Logf("%.1f bytes for each vehicle", each)
		if each > 20 {
			t.Errorf("%.1f bytes were sent for each vehicle: the state more than once", each)
		}
		if n := moe.Spaces().Taken; n != stay {
			t.Errorf("%d vehicles, want %d", n, stay)
		}
	})
}

// A transfer that breaks off leaves nothing half done, and the next one ends
// it: the sender dies at any moment of it, another has the state too.
func TestABrokenTransfer(t *testing.T) {
	inLabs(t, 8, func(t *testing.T, l *lab) {
		took := l.crowded(crowd)
		harry := l.launch("harry", narrow)
		time.Sleep(time.Duration(l.rand.Int64N(int64(took))))
		if l.rand.IntN(2) == 0 {
			l.crash("larry")
		} else {
			l.cut([]string{"larry"}, []string{"harry"})
			time.AfterFunc(3*time.Second, func() { l.heal([]string{"larry"}, []string{"harry"}) })
		}
		l.await(harry)
		t.Logf("settled after %v", l.settled(20*time.Second))
		if n := harry.Spaces().Taken; n != crowd {
			t.Errorf("%d vehicles, want %d", n, crowd)
		}
	})
}

// A node that starts while another writes more than the log holds is ready with
// what was there before, whatever else comes; it ends equal, and is one that
// takes gates over.
func TestAJoinerUnderLoad(t *testing.T) {
	inLabs(t, 2, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		if err := larry.SetSpaces(t.Context(), 1_000_000); err != nil {
			t.Fatal(err)
		}
		written := 0
		write := func(n int) {
			moves := make([]node.Movement, n)
			for i := range moves {
				moves[i] = node.Movement{Plate: plate(written + i), Gate: 1}
			}
			if _, err := larry.Track(t.Context(), moves...); err != nil {
				t.Fatal(err)
			}
			written += n
		}
		const before = crdt.DefaultLog + 1000
		write(before)
		sent := larry.Status().Sent.Streams
		l.net.SetDelay(20 * time.Millisecond) // so that being brought a state takes some time
		gary := l.launch("gary")
		says := l.asked(gary)
		for larry.Status().Sent.Streams < sent+5*before {
			time.Sleep(time.Millisecond)
		}
		for range 6 { // each time the state on its way has none of it
			write(before)
			time.Sleep(40 * time.Millisecond)
		}
		l.await(gary)
		if n := gary.Spaces().Taken; n < before {
			t.Errorf("gary is ready with %d vehicles of the %d that were there before it", n, before)
		}
		l.settled(10 * time.Second)
		if n := gary.Spaces().Taken; n != written {
			t.Errorf("%d vehicles, want %d", n, written)
		}
		if got := says(); !strings.HasSuffix(got, "joining, catching up from larry, ready") {
			t.Errorf("gary has said: %s", got)
		}
		l.crash("larry")
		l.eventually(5*time.Second, "gary runs the gates", func() bool {
			got, _ := l.spread()
			return got["gary"] == 4
		})
	})
}

// A joiner that dies at any moment of the transfer, several times, and comes
// back under its name, ends equal. What it shows meanwhile is nothing or all.
func TestAJoinerDiesInTheTransfer(t *testing.T) {
	inLabs(t, 12, func(t *testing.T, l *lab) {
		took := l.crowded(crowd)
		port := 8000
		for range 3 {
			harry := l.launchAt(port, "harry", narrow)
			at := time.Duration(l.rand.Int64N(int64(took)))
			for begin := time.Now(); time.Since(begin) < at; time.Sleep(50 * time.Microsecond) {
				if n := harry.Spaces().Taken; n != 0 && n != crowd {
					t.Fatalf("the joiner shows %d vehicles of %d after %v", n, crowd, time.Since(begin))
				}
			}
			l.crash("harry")
			t.Logf("died after %v of %v with %d vehicles", at, took, harry.Spaces().Taken)
			if l.rand.IntN(2) == 0 { // else at once, which the others may not have noticed
				time.Sleep(time.Duration(l.rand.Int64N(int64(time.Second))))
			}
			port += l.rand.IntN(2) // the port that it had, or another
		}
		harry := l.await(l.launchAt(port, "harry", narrow))
		if n := harry.Spaces().Taken; n != crowd {
			t.Errorf("the joiner is ready with %d vehicles, want %d", n, crowd)
		}
		t.Logf("settled after %v", l.settled(20*time.Second))
		if n := harry.Spaces().Taken; n != crowd {
			t.Errorf("%d vehicles, want %d", n, crowd)
		}
	})
}

// crowd is how many vehicles take several messages, as changes too.
const crowd = 30000

// crowded starts larry and gary, whose lot has so many vehicles and a history
// that is longer: a joiner is sent the state, and no events. It returns how long
// gary's join took.
func (l *lab) crowded(stay int) time.Duration {
	l.t.Helper()
	l.mangle(1, 0, 0) // Serf tells late events to those who join
	larry := l.start("larry")
	if err := larry.SetSpaces(l.t.Context(), 2*stay); err != nil {
		l.t.Fatal(err)
	}
	for n := range stay {
		moves := []node.Movement{{Plate: plate(n), Gate: 1}}
		if n < stay/2+1024 {
			moves = append(moves, node.Movement{Plate: "GUEST", Gate: 1}, node.Movement{Plate: "GUEST", Gate: 1, Out: true})
		}
		if _, err := larry.Track(l.t.Context(), moves...); err != nil {
			l.t.Fatal(err)
		}
	}
	begin := time.Now()
	l.start("gary", narrow)
	took := time.Since(begin)
	l.settled(5 * time.Second)
	return took
}

// narrow makes what a node receives on streams that it has opened take its time,
// so that there are moments amid a transfer.
func narrow(c *node.Config) { c.Network = bottleneck{c.Network} }

type bottleneck struct{ member.Transport }

func (b bottleneck) DialAddressTimeout(to member.Address, timeout time.Duration) (net.Conn, error) {
	c, err := b.Transport.DialAddressTimeout(to, timeout)
	if err != nil {
		return nil, err
	}
	return trickle{c}, nil
}

type trickle struct{ net.Conn }

func (c trickle) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b[:min(len(b), 4096)])
	time.Sleep(time.Duration(n) * 20 * time.Nanosecond) // 50 MB/s
	return n, err
}
