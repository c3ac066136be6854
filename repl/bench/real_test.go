package bench

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	gopsutil "github.com/shirou/gopsutil/v4/process"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"parking/node"
	"parking/node/cookie"
	"parking/node/discover"
	status "parking/node/member"
	"parking/repl"
	"parking/repl/attach"
	"parking/repl/process"
)

// TestMain lets the test binary play a node, as the program does when its first
// argument is node.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "node" {
		if err := play(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// play runs a real node until it is told to leave, or its input ends.
func play(args []string) error {
	flags := flag.NewFlagSet("node", flag.ExitOnError)
	name := flags.String("sname", "", "")
	cluster := flags.String("cluster", "", "")
	file := flags.String("cookie-file", "", "")
	spaces := flags.Int("spaces", 100, "")
	_ = flags.Parse(args)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()

	secret, _, err := cookie.Load(*file)
	if err != nil {
		return err
	}
	keys, err := cookie.Derive(secret)
	if err != nil {
		return err
	}
	dir := os.Getenv("PARKING_RUNTIME_DIR")
	claim, err := discover.ClaimName(dir, discover.ID{Name: *name, Cluster: *cluster, Fingerprint: keys.Fingerprint()})
	if err != nil {
		return err
	}
	cfg := node.DefaultConfig()
	if cfg.Network, err = status.Listen(net.IPv4(127, 0, 0, 1), 0, cfg.Log); err != nil {
		return err
	}
	cfg.Name, cfg.Cluster, cfg.Keys = *name, *cluster, keys
	cfg.Directory = &directory{claim, dir, *name}
	cfg.Spaces = node.Setting{Value: *spaces, Given: true}
	var seed [8]byte
	_, _ = rand.Read(seed[:])
	cfg.Rand = mathrand.New(mathrand.NewPCG(binary.LittleEndian.Uint64(seed[:]), 0))
	n, err := node.New(cfg)
	if err != nil {
		return err
	}
	socket, err := attach.Listen(claim.Socket())
	if err != nil {
		return err
	}
	path, service := Handler(n, "test")
	server := &attach.Server{
		Session: repl.NewEngine(n), Node: *name, Cluster: *cluster, Die: func() { os.Exit(137) },
		Beside: map[string]http.Handler{path: service},
	}
	group, life := errgroup.WithContext(ctx)
	group.Go(func() error { return n.Run(life) })
	group.Go(func() error { return server.Serve(life, socket) })
	return errors.Join(group.Wait(), claim.Release())
}

// directory is the runtime directory as the node sees it. Nobody else is in it.
type directory struct {
	*discover.Claim
	dir, name string
}

func (*directory) Accept(_, _ []string) error { return nil }

func (d *directory) Neighbours() (out []node.Neighbour, err error) {
	all, err := discover.List(d.dir)
	for _, e := range all {
		if e.Name != d.name {
			out = append(out, node.Neighbour{Name: e.Name, Addr: e.Addr})
		}
	}
	return out, err
}

// tiny is a configuration by which little is measured, soon. Its directory must
// be empty when the test ends, and none of its nodes may be left.
func tiny(t *testing.T, workloads ...string) Config {
	t.Helper()
	temp, err := os.MkdirTemp("/tmp", "bench") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Workloads = workloads
	cfg.Process = process.Config{Exe: os.Args[0], Env: os.Environ(), Temp: temp}
	cfg.Program = "test"
	cfg.Duration, cfg.Rate, cfg.Batch, cfg.Times, cfg.Sizes = 500*time.Millisecond, 200, 16, 1, []int{300}
	cfg.Quiet, cfg.Idle, cfg.Broken, cfg.Lasts = 50*time.Millisecond, 100*time.Millisecond, 300*time.Millisecond, 50*time.Millisecond
	t.Cleanup(func() {
		if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
			t.Errorf("there is left %v, %v", left, err)
		}
		os.RemoveAll(temp)
	})
	return cfg
}

func TestEveryWorkload(t *testing.T) {
	cfg := tiny(t, Names()...)
	cfg.UnderLoad = 100
	told := 0
	r, err := Run(t.Context(), cfg, func(_ *Report, _ *Result) { told++ })
	if err != nil {
		t.Fatal(err)
	}
	if told != len(Names()) || len(r.Results) != told {
		t.Errorf("%d results of %d were told", told, len(r.Results))
	}
	for _, x := range r.Results {
		if !x.measured() || x.Nodes != 3 || len(x.samples) != 1 || len(x.Versions) > 0 {
			t.Errorf("%s: %+v", x.Workload, x)
		}
		for _, n := range x.numbers() {
			if n.Median < 0 {
				t.Errorf("%s: %s is %v", x.Workload, n.Name, n.Median)
			}
		}
		for _, d := range x.distributions() {
			if most := d.Quantiles["max"].Median; most <= 0 || most < d.Quantiles["p50"].Median || most > patience.Seconds() {
				t.Errorf("%s: %s took %v at most", x.Workload, d.Name, most)
			}
		}
	}
	if d := r.Results[0].distributions(); len(d) != 2 || d[0].Count != 100 || d[1].Count != 100 {
		t.Errorf("of 100 entries there were told %+v", d)
	}
	dir := t.TempDir()
	if err := r.WritePlots(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "convergence-3-nodes-latency.svg")); err != nil {
		t.Error(err)
	}
}

// A sweep has a result at each point, and a picture.
func TestSweep(t *testing.T) {
	cfg := tiny(t, "idle")
	cfg.Nodes, cfg.Sizes, cfg.Runs = []int{1, 2}, []int{0, 100}, 2
	r, err := Run(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	var at []string
	for _, x := range r.Results {
		at = append(at, fmt.Sprint(x.Nodes, x.Size, len(x.samples)))
	}
	if want := []string{"1 0 2", "1 100 2", "2 0 2", "2 100 2"}; !slices.Equal(at, want) {
		t.Errorf("nodes, size and runs were %q, want %q", at, want)
	}
	dir := t.TempDir()
	if err := r.WritePlots(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"idle-by-nodes.svg", "idle-by-size.svg"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(b), "sent per node") {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
}

// What was measured until an interruption is told, and nothing is left.
func TestInterrupted(t *testing.T) {
	cfg := tiny(t, "convergence", "throughput")
	cfg.Duration = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var r *Report
	ended := make(chan error, 1)
	go func() {
		var err error
		r, err = Run(ctx, cfg, nil)
		ended <- err
	}()
	awaitEntries(t, awaitNodes(t, cfg, 3)[0])
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
	if !r.Interrupted || len(r.Results) != 1 || r.Results[0].distributions()[0].Count == 0 {
		t.Errorf("there is told %+v", r)
	}
}

// A node that stands still is told of while it does and after, and is not left
// behind if that is interrupted.
func TestFreeze(t *testing.T) {
	for _, interrupted := range []bool{false, true} {
		cfg := tiny(t, "freeze")
		if interrupted {
			cfg.Duration = 2 * time.Second
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var r *Report
		ended := make(chan error, 1)
		go func() {
			var err error
			r, err = Run(ctx, cfg, nil)
			ended <- err
		}()
		nodes := awaitNodes(t, cfg, 3)
		i := slices.IndexFunc(nodes, func(e discover.Entry) bool { return e.Name == cast[2] })
		awaitFrozen(t, nodes[i])
		if interrupted {
			cancel()
		}
		if err := <-ended; interrupted != errors.Is(err, context.Canceled) || interrupted != (err != nil) {
			t.Fatalf("interrupted %v: %v", interrupted, err)
		}
		for _, n := range nodes {
			if err := syscall.Kill(n.PID, 0); err == nil {
				t.Errorf("interrupted %v: %s still runs", interrupted, n.Name)
			}
		}
		x := r.Results[0]
		var told []string
		for _, d := range x.distributions() {
			if d.Count == int64(cfg.entries()) {
				told = append(told, d.Name)
			}
		}
		for _, n := range x.numbers() {
			told = append(told, n.Name)
		}
		want := []string{
			"visible on the others, all running", "recorded at its own, all running",
			"visible on the others, one stands still", "recorded at its own, one stands still",
			"memory that the busiest of the others grew by, all running",
			"memory that the busiest of the others grew by, one stands still",
			"from its thaw until it has all",
		}
		if interrupted {
			want = []string{want[0], want[1], want[4]}
		}
		if !slices.Equal(told, want) {
			t.Errorf("interrupted %v: it told in full %q, want %q", interrupted, told, want)
		}
	}
}

// awaitFrozen blocks until a node stands still.
func awaitFrozen(t *testing.T, e discover.Entry) {
	t.Helper()
	ps, err := gopsutil.NewProcess(int32(e.PID))
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(patience); time.Now().Before(until); <-tick.C {
		if status, err := ps.Status(); err != nil {
			break
		} else if slices.Contains(status, gopsutil.Stop) {
			return
		}
	}
	t.Errorf("%s does not stand still", e.Name)
}

// awaitNodes blocks until so many nodes are published, and returns their
// processes.
func awaitNodes(t *testing.T, cfg Config, count int) (found []discover.Entry) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(patience); time.Now().Before(until); <-tick.C {
		dirs, _ := filepath.Glob(filepath.Join(cfg.Process.Temp, "parking-*"))
		if len(dirs) != 1 {
			continue
		}
		if found, _ = discover.List(dirs[0]); len(found) == count {
			return found
		}
	}
	t.Fatalf("there are %d nodes", len(found))
	return nil
}

// awaitEntries blocks until a node has some.
func awaitEntries(t *testing.T, e discover.Entry) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(patience); time.Now().Before(until); <-tick.C {
		client, err := attach.Dial(t.Context(), e.Socket)
		if err != nil {
			continue
		}
		m := &member{name: e.Name}
		var taken uint64
		if err := m.reach(t.Context(), client, e.PID); err == nil {
			if s, err := m.stats(t.Context()); err == nil {
				taken = s.GetTaken()
			}
		}
		client.Close()
		if taken >= 100 {
			return
		}
	}
	t.Errorf("%s has no entries", e.Name)
}

// A cluster that runs is measured, and has what it had before, whether or not
// the bench is interrupted.
func TestAttached(t *testing.T) {
	cfg := tiny(t, "convergence", "throughput", "gates", "idle")
	group, err := process.Open(cfg.Process)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := group.Close(context.Background(), patience); err != nil {
			t.Error(err)
		}
	}()
	nodes, err := group.Start([]string{"ann", "bob"}, []string{"--spaces", "1000000"})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if err := n.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	typed := func(line string) string {
		var out strings.Builder
		if err := nodes[0].Client.Exec(t.Context(), line, repl.Options{Format: repl.JSON}, &out, io.Discard); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return out.String()
	}
	for _, line := range []string{"await members 2", `track_entry "ABC 123" 1`, "await converged"} {
		typed(line)
	}
	entries := awaitNodes(t, cfg, 2)
	for _, e := range entries {
		cfg.Targets = append(cfg.Targets, Target{e.Name, e.Socket, e.PID})
	}
	for _, interrupted := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		if interrupted {
			cfg.Workloads, cfg.Duration = []string{"throughput"}, time.Minute
			go func() {
				awaitEntries(t, entries[0])
				cancel()
			}()
		}
		r, err := Run(ctx, cfg, nil)
		if interrupted != (err != nil) || interrupted != r.Interrupted || len(r.Results) != len(cfg.Workloads) {
			t.Errorf("interrupted %v: %v, %+v", interrupted, err, r)
		}
		typed("await converged")
		if all := typed("read"); !strings.Contains(all, `"taken":1,`) || !strings.Contains(all, "ABC 123") {
			t.Errorf("interrupted %v: the lot has now %.300s", interrupted, all)
		}
		cancel()
	}
	cfg.Workloads = []string{"failover"}
	if err := cfg.Validate(); err == nil {
		t.Error("nodes of a running cluster are to be killed")
	}
}

// A node that ends by itself fails the bench, in words.
func TestANodeIsLost(t *testing.T) {
	cfg := tiny(t, "convergence")
	cfg.Duration = time.Minute
	ended := make(chan error, 1)
	go func() {
		_, err := Run(t.Context(), cfg, nil)
		ended <- err
	}()
	victim := awaitNodes(t, cfg, 3)[2]
	awaitEntries(t, victim)
	if err := syscall.Kill(victim.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), victim.Name) {
		t.Errorf("%s was killed, and the error is %v", victim.Name, err)
	}
}
