package gates

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"parking/lot"
)

// counting is a book that counts, refuses exits, panics on the plate BUG, and
// takes its time.
type counting struct {
	n       atomic.Int64
	takes   time.Duration
	crashes atomic.Int64
}

func (c *counting) keeper() *Keeper[int64] {
	return NewKeeper(func(_ lot.GateID, p Passage) (int64, error) {
		time.Sleep(c.takes)
		switch {
		case p.Plate == "BUG":
			panic("a bug in the book")
		case p.Out:
			return 0, lot.NotInLot(p.Plate)
		}
		return c.n.Add(1), nil
	}, func(lot.GateID, string) { c.crashes.Add(1) }, func(lot.GateID, bool) {})
}

func TestAGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counting{}
		k := c.keeper()
		defer k.Close()
		ctx := t.Context()
		if _, err := k.Pass(ctx, 1, Passage{Plate: "A"}); !errors.Is(err, ErrElsewhere) {
			t.Errorf("a gate that does not run answered %v", err)
		}
		if !k.Start(1) || k.Start(1) || !k.Runs(1) || k.Runs(2) {
			t.Error("Start starts once")
		}
		if n, err := k.Pass(ctx, 1, Passage{Plate: "A"}); n != 1 || err != nil {
			t.Errorf("passed with %d, %v", n, err)
		}
		if _, err := k.Pass(ctx, 1, Passage{Plate: "A", Out: true}); !errors.Is(err, lot.Absent) {
			t.Errorf("the book's refusal came as %v", err)
		}
		if !k.Stop(1) || k.Stop(1) || k.Runs(1) {
			t.Error("Stop stops once")
		}
		if _, err := k.Pass(ctx, 1, Passage{Plate: "A"}); !errors.Is(err, ErrElsewhere) {
			t.Errorf("a gate that was stopped answered %v", err)
		}
		k.Close()
		if k.Start(1) {
			t.Error("a gate started after Close")
		}
	})
}

// A panic in the book ends neither the gate nor the others, and whoever asked
// hears of it.
func TestACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counting{}
		k := c.keeper()
		defer k.Close()
		k.Start(1)
		k.Start(2)
		if _, err := k.Pass(t.Context(), 1, Passage{Plate: "BUG"}); !errors.Is(err, ErrCrashed) {
			t.Errorf("the panic came as %v", err)
		}
		if err := k.Crash(t.Context(), 1); err != nil {
			t.Errorf("crash: %v", err)
		}
		for g := lot.GateID(1); g <= 2; g++ {
			if _, err := k.Pass(t.Context(), g, Passage{Plate: "A"}); err != nil {
				t.Errorf("gate %d after the crashes: %v", g, err)
			}
		}
		synctest.Wait() // a crash is told of after the restart
		if n := c.crashes.Load(); n != 2 {
			t.Errorf("told of %d crashes, want 2", n)
		}
	})
}

// A gate that keeps crashing rests; what waits at it gives up in time, and
// what gave up is never carried out.
func TestARestingGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counting{}
		k := c.keeper()
		defer k.Close()
		k.Start(1)
		for range 6 { // the sixth makes it rest
			if err := k.Crash(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		begin := time.Now()
		var wg sync.WaitGroup
		for range 3 * mailbox { // more than may wait
			wg.Go(func() {
				if _, err := k.Pass(ctx, 1, Passage{Plate: "A"}); !errors.Is(err, ErrBusy) {
					t.Errorf("a resting gate answered %v", err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(begin); took > 510*time.Millisecond {
			t.Errorf("gave up after %v", took)
		}
		time.Sleep(5 * time.Second)
		if n := c.n.Load(); n != 0 {
			t.Errorf("%d requests were carried out after they had been given up", n)
		}
		if _, err := k.Pass(t.Context(), 1, Passage{Plate: "A"}); err != nil {
			t.Errorf("after its rest: %v", err)
		}
	})
}

// Gates are stopped and started while many ask: each request is either carried
// out and answered so, or neither.
func TestStopUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counting{takes: time.Millisecond}
		k := c.keeper()
		var wg sync.WaitGroup
		var done atomic.Int64
		for i := range 200 {
			wg.Go(func() {
				time.Sleep(time.Duration(i%50) * time.Millisecond)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%17)*time.Millisecond)
				defer cancel()
				switch _, err := k.Pass(ctx, 1, Passage{Plate: lot.Plate(fmt.Sprint(i))}); {
				case err == nil:
					done.Add(1)
				case !errors.Is(err, ErrElsewhere) && !errors.Is(err, ErrBusy):
					t.Errorf("%v", err)
				}
			})
		}
		for range 10 {
			k.Start(1)
			time.Sleep(4 * time.Millisecond)
			k.Stop(1)
			time.Sleep(time.Millisecond)
		}
		wg.Wait()
		k.Close()
		if did, said := c.n.Load(), done.Load(); did != said || did == 0 {
			t.Errorf("%d were carried out, %d were told so", did, said)
		}
	})
}
