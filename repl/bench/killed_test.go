package bench

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"parking/lot/crdt"
	"parking/node/discover"
	"parking/repl/attach"
)

var vehicles = flag.Int("vehicles", 100_000, "in the lot that killed joiners of TestKilledJoiner have joined")

// A joiner that is killed at any point of the transfer of a large lot and
// started again under its name ends equal each time.
func TestKilledJoiner(t *testing.T) {
	cfg := tiny(t)
	o, err := openOwn(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := o.close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	if err := found(t.Context(), o, 1); err != nil {
		t.Fatal(err)
	}
	fillBeyondTheLog(t, o)

	begin := time.Now()
	m := startJoiner(t, o)
	undisturbed := equalOnceReady(t, o, m).Sub(begin)
	leaveInOrder(t, o, m)
	t.Logf("%d vehicles; undisturbed, a joiner is ready %d ms after its start", *vehicles, undisturbed.Milliseconds())

	const times = 10
	for i := range times {
		at := undisturbed * (2*time.Duration(i) + 1) / (2 * times)
		begin := time.Now()
		m := startJoiner(t, o)
		had := lookUntil(t, cfg, m, begin.Add(at))
		if err := m.signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		after := time.Since(begin)
		if err := o.release(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		begin = time.Now()
		m = startJoiner(t, o)
		again := equalOnceReady(t, o, m).Sub(begin)
		t.Logf("killed after %d ms, with %s; ready %d ms after the next start", after.Milliseconds(), had, again.Milliseconds())
		leaveInOrder(t, o, m)
	}
}

// fillBeyondTheLog fills the lot of the only member, and lets so many others
// come and go that its log does not reach back: a joiner is sent the state.
func fillBeyondTheLog(t *testing.T, o *own) {
	t.Helper()
	lot := &trial{cfg: o.cfg, cluster: o, plates: &plates{prefix: "~a"}, size: *vehicles}
	if _, _, err := lot.fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	for first := 0; first < crdt.DefaultLog/2; first += filling {
		for _, out := range []bool{false, true} {
			if _, err := o.all[0].load(t.Context(), "~b", uint64(first), filling, out); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func startJoiner(t *testing.T, o *own) *member {
	t.Helper()
	started, err := o.launch(joiner)
	if err != nil {
		t.Fatal(err)
	}
	return started[0]
}

// equalOnceReady blocks until the joiner is ready, and returns when it was. It
// checks that the joiner has all then, and that it comes to agree with the
// others.
func equalOnceReady(t *testing.T, o *own, m *member) (at time.Time) {
	t.Helper()
	if err := ready(t.Context(), []*member{m}); err != nil {
		t.Fatal(err)
	}
	now, err := m.stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := now.GetTaken(); n != uint64(*vehicles) {
		t.Errorf("the joiner is ready with %d vehicles of %d", n, *vehicles)
	}
	all, err := equal(t.Context(), o.members())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if n := s.GetTaken(); n != uint64(*vehicles) {
			t.Errorf("%s has %d vehicles, loaded were %d", s.GetNode(), n, *vehicles)
		}
	}
	return time.Unix(0, now.GetReady())
}

// leaveInOrder ends the joiner, and blocks until the others have seen it go.
func leaveInOrder(t *testing.T, o *own, m *member) {
	t.Helper()
	if err := m.signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := o.release(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := m.proc.Left(0); err != nil {
		t.Error(err)
	}
	if err := complete(t.Context(), o.members()); err != nil {
		t.Fatal(err)
	}
}

// lookUntil asks a node that starts how many vehicles it has, until that
// moment, and returns what it said last, in words.
func lookUntil(t *testing.T, cfg Config, m *member, end time.Time) (had string) {
	t.Helper()
	ctx, cancel := context.WithDeadline(t.Context(), end)
	defer cancel()
	dirs, err := filepath.Glob(filepath.Join(cfg.Process.Temp, "parking-*"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("the runtime directory is one of %q, %v", dirs, err)
	}
	had = "nobody there to be asked"
	asked := &member{name: m.name}
	defer func() {
		if asked.client != nil {
			asked.client.Close()
		}
	}()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return had
		case <-tick.C:
		}
		if asked.client == nil {
			entries, _ := discover.List(dirs[0])
			i := slices.IndexFunc(entries, func(e discover.Entry) bool { return e.PID == m.proc.PID() })
			if i < 0 {
				continue
			}
			client, err := attach.Dial(ctx, entries[i].Socket)
			if err != nil {
				continue
			}
			if err := asked.reach(t.Context(), client, m.proc.PID()); err != nil {
				t.Fatal(err)
			}
		}
		if now, err := asked.stats(ctx); err == nil {
			had = fmt.Sprintf("%d vehicles", now.GetTaken())
			if now.GetReady() > 0 {
				had += ", ready"
			}
		}
	}
}
