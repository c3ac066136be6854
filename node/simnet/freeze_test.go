package simnet

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func pair(t *testing.T) (a, b *Host) {
	t.Helper()
	n := New(1, time.Millisecond)
	a, err := n.Host("10.0.0.1", 7946)
	if err != nil {
		t.Fatal(err)
	}
	b, err = n.Host("10.0.0.2", 7946)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Shutdown(); b.Shutdown() })
	return a, b
}

func (h *Host) waiting() int { return len(h.packets) }

func TestAFrozenHostHoldsWhatIsSentBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		near, err := a.DialTimeout(b.Addr(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		far := <-b.StreamCh()
		b.Freeze(true)
		b.Freeze(true) // twice is once
		a.WriteTo([]byte("in"), b.Addr())
		b.WriteTo([]byte("out"), a.Addr())
		near.Write([]byte("stream"))
		got := make(chan string)
		go func() {
			buf := make([]byte, 6)
			io.ReadFull(far, buf)
			got <- string(buf)
		}()
		_, err = a.DialTimeout(b.Addr(), 5*time.Second)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a dial to a frozen host: %v; it should time out", err)
		}
		if a.waiting()+b.waiting() != 0 {
			t.Error("a packet passed a frozen host")
		}
		select {
		case s := <-got:
			t.Errorf("a frozen host read %q", s)
		default:
		}
		dialled := make(chan error)
		go func() {
			_, err := b.DialTimeout(a.Addr(), time.Minute)
			dialled <- err
		}()
		synctest.Wait()
		b.Freeze(false)
		if s := <-got; s != "stream" {
			t.Errorf("read %q after the thaw", s)
		}
		if err := <-dialled; err != nil {
			t.Errorf("a dial that waited for the thaw: %v", err)
		}
		time.Sleep(2 * time.Millisecond)
		if a.waiting() != 1 || b.waiting() != 1 {
			t.Errorf("%d and %d packets after the thaw, not 1 and 1", a.waiting(), b.waiting())
		}
	})
}

func TestAFrozenHostThatDiesIsDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		near, err := a.DialTimeout(b.Addr(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		b.Freeze(true)
		b.WriteTo([]byte("out"), a.Addr())
		read := make(chan error)
		go func() {
			_, err := near.Read(make([]byte, 1))
			read <- err
		}()
		dialled := make(chan error)
		go func() {
			_, err := a.DialTimeout(b.Addr(), time.Minute)
			dialled <- err
		}()
		synctest.Wait()
		b.Shutdown()
		if err := <-read; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("its open stream read %v", err)
		}
		if err := <-dialled; !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a dial that hung on it: %v", err)
		}
		time.Sleep(time.Second)
		if a.waiting() != 0 {
			t.Error("what it held was sent after its death")
		}
	})
}

func TestAFrozenHostHoldsAsMuchAsABuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		b.Freeze(true)
		for range 3 * queue {
			a.WriteTo([]byte("in"), b.Addr())
		}
		time.Sleep(time.Second)
		b.net.mu.Lock()
		held := len(b.held)
		b.net.mu.Unlock()
		if held > 2*maxHeld {
			t.Errorf("%d packets held", held)
		}
		b.Freeze(false)
		if n := b.waiting(); n != queue {
			t.Errorf("%d packets delivered at the thaw, not the %d a buffer holds", n, queue)
		}
	})
}

func TestAThawLeavesACutAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		near, err := a.DialTimeout(b.Addr(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		far := <-b.StreamCh()
		a.net.Cut(a, b)
		b.Freeze(true)
		near.Write([]byte("x"))
		b.Freeze(false)
		far.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read across a cut: %v", err)
		}
		b.Freeze(true)
		a.net.Heal(a, b)
		far.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read while frozen: %v", err)
		}
		b.Freeze(false)
		far.SetReadDeadline(time.Time{})
		if _, err := far.Read(make([]byte, 1)); err != nil {
			t.Errorf("read after both: %v", err)
		}
	})
}
