package fault

import (
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"parking/node/member"
)

const (
	// retransmit is how long TCP waits at least before it sends anew what was
	// lost, redial before it tries anew to connect (RFC 6298); each wait is twice
	// the one before.
	retransmit = 200 * time.Millisecond
	redial     = time.Second
	// maxLate bounds the packets that are on their way at once; more are dropped,
	// as a full buffer does.
	maxLate = 1 << 14
)

// A Transport is a node's way to the others, with the faults of a table. Without
// any it hands everything on.
type Transport struct {
	member.Transport
	self  string
	table *Table
	name  func(addr string) string

	mu    sync.Mutex
	rand  *rand.Rand
	late  int // packets on their way
	conns map[*conn]struct{}
	done  chan struct{}
	once  sync.Once
	wg    sync.WaitGroup
}

// Wrap puts the faults of t on what the node called self sends and dials by
// inner. Where only an address is known, name returns which node is there, or
// nothing. What happens to a packet is drawn from r, which the transport owns.
func Wrap(inner member.Transport, self string, t *Table, name func(addr string) string, r *rand.Rand) *Transport {
	return &Transport{
		Transport: inner, self: self, table: t, name: name, rand: r,
		conns: make(map[*conn]struct{}), done: make(chan struct{}),
	}
}

// to returns what the links to and from that node do, in the state s.
func (t *Transport) to(s *state, a member.Address) (out, in Effect) {
	if s.links == nil {
		return out, in
	}
	name := a.Name
	if name == "" {
		name = t.name(a.Addr)
	}
	l := Link{t.self, name}
	return s.links[l], s.links[l.back()]
}

// WriteTo implements member.Transport.
func (t *Transport) WriteTo(b []byte, addr string) (time.Time, error) {
	return t.WriteToAddress(b, member.Address{Addr: addr})
}

// WriteToAddress implements member.Transport. Whatever becomes of the packet,
// it does not block longer than the wrapped one does.
func (t *Transport) WriteToAddress(b []byte, a member.Address) (time.Time, error) {
	e, _ := t.to(t.table.now.Load(), a)
	if e == (Effect{}) {
		return t.Transport.WriteToAddress(b, a)
	}
	now := time.Now()
	if e.Stops() || t.chance(e.Drop) {
		return now, nil
	}
	copies := 1
	if t.chance(e.Dup) {
		copies = 2
	}
	for range copies {
		d := t.delay(e)
		if d == 0 {
			if _, err := t.Transport.WriteToAddress(b, a); err != nil {
				return now, err
			}
			continue
		}
		t.sendLate(slices.Clone(b), a, d)
	}
	return now, nil
}

// sendLate sends a packet after d.
func (t *Transport) sendLate(b []byte, a member.Address, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.late == maxLate || t.ended() {
		return
	}
	t.late++
	t.wg.Go(func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			if e, _ := t.to(t.table.now.Load(), a); !e.Stops() {
				_, _ = t.Transport.WriteToAddress(b, a)
			}
		case <-t.done:
		}
		t.mu.Lock()
		t.late--
		t.mu.Unlock()
	})
}

func (t *Transport) ended() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}

// chance reports whether what happens to that share happens now.
func (t *Transport) chance(share float64) bool {
	if share == 0 {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rand.Float64() < share
}

// delay draws how late a packet is.
func (t *Transport) delay(e Effect) time.Duration {
	if e.Jitter == 0 {
		return e.Delay
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return e.Delay - e.Jitter + time.Duration(t.rand.Int64N(int64(2*e.Jitter)+1))
}

// lateness draws how late a part of a stream is: what is lost is sent anew,
// first after wait.
func (t *Transport) lateness(e Effect, wait time.Duration) time.Duration {
	d := t.delay(e)
	for ; d < MaxDelay && t.chance(e.Drop); wait *= 2 {
		d += wait
	}
	return min(d, 2*MaxDelay)
}

// DialTimeout implements member.Transport.
func (t *Transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(member.Address{Addr: addr}, timeout)
}

// DialAddressTimeout implements member.Transport. A cut in either direction lets
// it time out, as nobody knows whether the other end is dead.
func (t *Transport) DialAddressTimeout(a member.Address, timeout time.Duration) (net.Conn, error) {
	end := time.Now().Add(timeout)
	for {
		s := t.table.now.Load()
		out, in := t.to(s, a)
		if out.Stops() || in.Stops() {
			if !t.wait(s.changed, time.Until(end)) {
				return nil, errDialTimeout
			}
			continue
		}
		if d := t.lateness(out, redial) + t.lateness(in, redial); d > 0 {
			if left := time.Until(end); d >= left {
				t.wait(nil, left)
				return nil, errDialTimeout
			}
			t.wait(nil, d)
		}
		break
	}
	if t.ended() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: net.ErrClosed}
	}
	c, err := t.Transport.DialAddressTimeout(a, max(time.Until(end), time.Millisecond))
	if err != nil {
		return nil, err
	}
	return t.dialled(c, a), nil
}

// wait blocks for d at most, and reports whether something changed.
func (t *Transport) wait(changed <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-changed:
		return true
	case <-timer.C:
	case <-t.done:
	}
	return false
}

// errDialTimeout is what a dial ends with that nobody answers.
var errDialTimeout = &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}

// Shutdown implements member.Transport. It breaks the streams that were
// dialled, too.
func (t *Transport) Shutdown() error {
	t.once.Do(func() {
		t.mu.Lock()
		close(t.done)
		open := slices.Collect(maps.Keys(t.conns))
		t.mu.Unlock()
		for _, c := range open {
			c.end(syscall.ECONNRESET)
		}
	})
	t.wg.Wait()
	return t.Transport.Shutdown()
}
