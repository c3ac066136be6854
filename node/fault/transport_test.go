package fault_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"parking/node/fault"
	"parking/node/member"
	"parking/node/simnet"
)

// pair is two hosts in virtual time, larry with faults and gary without.
type pair struct {
	larry  *fault.Transport
	gary   *simnet.Host
	faults *fault.Table
	t      *testing.T
}

const oneWay = time.Millisecond

func inPair(t *testing.T, f func(*pair)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1, oneWay)
		larry, _ := n.Host("10.0.0.1", 1)
		gary, _ := n.Host("10.0.0.1", 2)
		table := fault.NewTable()
		w := fault.Wrap(larry, "larry", table, func(addr string) string {
			if addr == gary.Addr() {
				return "gary"
			}
			return ""
		}, rand.New(rand.NewPCG(1, 1)))
		f(&pair{w, gary, table, t})
		for _, h := range []member.Transport{w, gary} {
			if err := h.Shutdown(); err != nil {
				t.Error(err)
			}
		}
	})
}

var (
	there = fault.Link{From: "larry", To: "gary"}
	back  = fault.Link{From: "gary", To: "larry"}
)

func (p *pair) put(e fault.Effect, on ...fault.Link) {
	links := make(map[fault.Link]fault.Effect)
	for _, l := range on {
		links[l] = e
	}
	p.faults.Add(fault.Fault{ID: rand.Uint64(), Links: links})
}

func (p *pair) heal() { p.faults.Remove(func(fault.Fault, fault.Link) bool { return true }) }

// packets sends n packets and returns when each came.
func (p *pair) packets(n int) (after []time.Duration) {
	began := time.Now()
	for i := range n {
		a := member.Address{Addr: p.gary.Addr(), Name: "gary"}
		if i%2 == 1 {
			a.Name = "" // as in a join
		}
		if _, err := p.larry.WriteToAddress([]byte{byte(i)}, a); err != nil {
			p.t.Fatal(err)
		}
	}
	for {
		select {
		case m := <-p.gary.PacketCh():
			after = append(after, m.Timestamp.Sub(began))
		case <-time.After(2 * fault.MaxDelay):
			return after
		}
	}
}

func TestPackets(t *testing.T) {
	const n = 1000
	for _, c := range []struct {
		e           fault.Effect
		least, most int
		from, to    time.Duration
	}{
		{fault.Effect{}, n, n, oneWay, oneWay},
		{fault.Effect{Cut: true}, 0, 0, 0, 0},
		{fault.Effect{Drop: 1}, 0, 0, 0, 0},
		{fault.Effect{Drop: 0.3}, 650, 750, oneWay, oneWay},
		{fault.Effect{Dup: 0.1}, 1070, 1130, oneWay, oneWay},
		{fault.Effect{Delay: time.Second}, n, n, time.Second + oneWay, time.Second + oneWay},
		{fault.Effect{Delay: time.Second, Jitter: time.Second / 2}, n, n, time.Second / 2, 3*time.Second/2 + oneWay},
	} {
		t.Run(c.e.String(), func(t *testing.T) {
			inPair(t, func(p *pair) {
				p.put(c.e, there)
				after := p.packets(n)
				if len(after) < c.least || len(after) > c.most {
					t.Errorf("%d packets came, want %d to %d", len(after), c.least, c.most)
				}
				for _, d := range after {
					if d < c.from || d > c.to {
						t.Fatalf("a packet came after %v, want %v to %v", d, c.from, c.to)
					}
				}
				p.heal()
				if n := len(p.packets(9)); n != 9 {
					t.Errorf("%d of 9 packets came after the heal", n)
				}
			})
		})
	}
}

// What lies on the way back does nothing to packets there.
func TestPacketsOneWay(t *testing.T) {
	inPair(t, func(p *pair) {
		p.put(fault.Effect{Cut: true}, back)
		if n := len(p.packets(9)); n != 9 {
			t.Errorf("%d of 9 packets came", n)
		}
	})
}

// stream dials, and returns both ends.
func (p *pair) stream() (near, far net.Conn) {
	p.t.Helper()
	near, err := p.larry.DialAddressTimeout(member.Address{Addr: p.gary.Addr(), Name: "gary"}, time.Second)
	if err != nil {
		p.t.Fatal(err)
	}
	return near, <-p.gary.StreamCh()
}

// within reads from c for d at most.
func within(c net.Conn, d time.Duration) (string, error) {
	_ = c.SetReadDeadline(time.Now().Add(d))
	defer func() { _ = c.SetReadDeadline(time.Time{}) }()
	b := make([]byte, 100)
	n, err := c.Read(b)
	return string(b[:n]), err
}

func say(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if n, err := c.Write([]byte(s)); n != len(s) || err != nil {
		t.Fatalf("wrote %d of %q: %v", n, s, err)
	}
}

func hears(t *testing.T, c net.Conn, d time.Duration, want string) {
	t.Helper()
	if got, err := within(c, d); got != want || err != nil {
		t.Errorf("read %q, %v; want %q", got, err, want)
	}
}

func hearsNothing(t *testing.T, c net.Conn, d time.Duration) {
	t.Helper()
	began := time.Now()
	if got, err := within(c, d); got != "" || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != d {
		t.Errorf("read %q, %v after %v; want nothing for %v", got, err, time.Since(began), d)
	}
}

// A cut, be it one way only, stops streams both ways, and lets dials time out. A
// stream on which nothing was written here goes on after it, and nothing is lost
// that came meanwhile; another one is reset.
func TestCutStreams(t *testing.T) {
	for _, cut := range [][]fault.Link{{there}, {back}, {there, back}} {
		for _, busy := range []bool{false, true} {
			t.Run(fmt.Sprint(cut, busy), func(t *testing.T) {
				inPair(t, func(p *pair) {
					near, far := p.stream()
					say(t, near, "a")
					hears(t, far, time.Second, "a")
					heard := make(chan string, 1)
					if !busy { // it is being read as the cut comes
						go func() {
							got, err := within(near, time.Hour)
							heard <- fmt.Sprint(got, err)
						}()
						synctest.Wait()
					}
					p.put(fault.Effect{Cut: true}, cut...)
					say(t, far, "b")
					if busy {
						say(t, near, "c")
						hearsNothing(t, near, time.Minute)
					}
					hearsNothing(t, far, time.Minute)
					began := time.Now()
					_, err := p.larry.DialTimeout(p.gary.Addr(), time.Second)
					if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() || time.Since(began) != time.Second {
						t.Errorf("a dial ended with %v after %v", err, time.Since(began))
					}
					p.heal()
					if busy {
						if _, err := within(near, time.Second); !errors.Is(err, syscall.ECONNRESET) {
							t.Errorf("the stream goes on without what was swallowed: %v", err)
						}
						if _, err := within(far, time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
							t.Errorf("the far end: %v", err)
						}
						return
					}
					if got := <-heard; got != "b<nil>" {
						t.Errorf("after the heal came %s", got)
					}
					say(t, near, "d")
					hears(t, far, time.Second, "d")
				})
			})
		}
	}
}

// A reader that waits since before the cut hears of the end when the cut is
// over, whoever writes: the bytes are gone.
func TestAStreamEndsWithTheCutThatSwallowed(t *testing.T) {
	inPair(t, func(p *pair) {
		c, err := p.larry.DialTimeout(p.gary.Addr(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ended := make(chan error, 1)
		go func() {
			_, err := c.Read(make([]byte, 1))
			ended <- err
		}()
		synctest.Wait()
		p.put(fault.Effect{Cut: true}, there)
		for range 2 {
			if _, err := c.Write([]byte("lost")); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Hour)
		p.heal()
		synctest.Wait()
		select {
		case err := <-ended:
			if err == nil {
				t.Error("something was read")
			}
		default:
			t.Error("the reader still waits")
		}
	})
}

// A dial that is under way when the cut is healed gets through.
func TestDialAcrossAHeal(t *testing.T) {
	inPair(t, func(p *pair) {
		p.put(fault.Effect{Cut: true}, there)
		time.AfterFunc(time.Second, p.heal)
		if _, err := p.larry.DialTimeout(p.gary.Addr(), 2*time.Second); err != nil {
			t.Error(err)
		}
	})
}

// A delay lies on all that is written, both ways, as long as it is in force.
// Parts do not overtake each other, and are on their way at once.
func TestSlowStreams(t *testing.T) {
	inPair(t, func(p *pair) {
		near, far := p.stream()
		p.put(fault.Effect{Delay: 300 * time.Millisecond, Jitter: 200 * time.Millisecond}, there)
		p.put(fault.Effect{Delay: time.Second}, back)
		var want bytes.Buffer
		began := time.Now()
		for i := range 100 {
			say(t, near, fmt.Sprint(i, " "))
			fmt.Fprint(&want, i, " ")
		}
		got := make([]byte, want.Len())
		if _, err := io.ReadFull(far, got); err != nil || string(got) != want.String() {
			t.Errorf("%q, %v", got, err)
		}
		if d := time.Since(began); d < 400*time.Millisecond || d > 502*time.Millisecond {
			t.Errorf("a hundred parts took %v", d)
		}
		began = time.Now()
		say(t, far, "x")
		hearsNothing(t, near, 500*time.Millisecond)
		hears(t, near, time.Minute, "x")
		if d := time.Since(began); d < time.Second || d > time.Second+2*oneWay {
			t.Errorf("back it took %v", d)
		}
		p.heal()
		began = time.Now()
		say(t, near, "y")
		hears(t, far, time.Minute, "y")
		say(t, far, "z")
		hears(t, near, time.Minute, "z")
		if d := time.Since(began); d > 2*oneWay {
			t.Errorf("healed, both ways took %v", d)
		}
	})
}

// What is lost on a stream is late, and nothing is missing.
func TestLossOnStreams(t *testing.T) {
	inPair(t, func(p *pair) {
		near, far := p.stream()
		p.put(fault.Effect{Drop: 0.5}, there)
		late := 0
		for i := range 100 {
			began := time.Now()
			say(t, near, fmt.Sprint(i))
			hears(t, far, time.Hour, fmt.Sprint(i))
			if time.Since(began) >= 200*time.Millisecond {
				late++
			}
		}
		if late < 30 || late > 70 {
			t.Errorf("%d of 100 were late, want half", late)
		}
	})
}

// What was written before Close arrives, late; the stream is closed then.
func TestCloseIsLate(t *testing.T) {
	inPair(t, func(p *pair) {
		near, far := p.stream()
		p.put(fault.Effect{Delay: time.Second}, there)
		say(t, near, "bye")
		if err := near.Close(); err != nil {
			t.Error(err)
		}
		if _, err := near.Write([]byte("more")); err == nil {
			t.Error("written after Close")
		}
		if _, err := within(near, time.Minute); err == nil {
			t.Error("read after Close")
		}
		hearsNothing(t, far, 500*time.Millisecond)
		hears(t, far, time.Second, "bye")
		if _, err := within(far, time.Second); !errors.Is(err, io.EOF) {
			t.Errorf("then came %v", err)
		}
	})
}

// A slow stream holds a bounded number of bytes; who writes more waits, for as
// long as the deadline says.
func TestASlowStreamIsBounded(t *testing.T) {
	inPair(t, func(p *pair) {
		near, _ := p.stream()
		p.put(fault.Effect{Delay: time.Second}, there)
		part := make([]byte, 1<<20)
		_ = near.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		wrote := 0
		var err error
		for err == nil && wrote < 100 {
			_, err = near.Write(part)
			wrote++
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || wrote > 6 {
			t.Errorf("%d MB were taken, then %v", wrote, err)
		}
		_ = near.SetWriteDeadline(time.Time{})
		began := time.Now()
		if _, err := near.Write(part); err != nil || time.Since(began) > time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
