package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parking/node/discover"
	"parking/repl"
	"parking/repl/attach"
)

// The benchmarks here start real processes on this host and report quantiles:
//
//	go test ./cmd/parking -run '^$' -bench Convergence -benchtime 200x
//	go test ./cmd/parking -run '^$' -bench 'Failover|SimultaneousStart' -benchtime 20x

// realCluster is a set of processes with a runtime directory of their own.
type realCluster struct {
	b    *testing.B
	dir  string
	cmds map[string]*exec.Cmd
	ttys map[string]*attach.Client
}

func newRealCluster(b *testing.B) *realCluster {
	dir, err := os.MkdirTemp("", "pk")
	if err != nil {
		b.Fatal(err)
	}
	c := &realCluster{b: b, dir: dir, cmds: make(map[string]*exec.Cmd), ttys: make(map[string]*attach.Client)}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return c
}

// launch starts the process, which is this binary (see TestMain), and does not
// wait for it.
func (c *realCluster) launch(name string) {
	cmd := exec.Command("parking", "--sname", name, "--cookie", "limozeen")
	cmd.Env = append(os.Environ(), "PARKING_RUNTIME_DIR="+c.dir, "HOME="+c.dir)
	if _, err := cmd.StdinPipe(); err != nil { // stays open, and silent
		c.b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.b.Fatal(err)
	}
	c.cmds[name] = cmd
}

// attach waits until the node is ready.
func (c *realCluster) attach(name string) {
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		all, err := discover.List(c.dir)
		if err != nil {
			c.b.Fatal(err)
		}
		i := slices.IndexFunc(all, func(e discover.Entry) bool { return e.Name == name })
		if i >= 0 {
			if tty, err := attach.Dial(context.Background(), all[i].Socket); err == nil {
				c.ttys[name] = tty
				c.exec(name, "spaces")
				return
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	c.b.Fatalf("%s did not come up", name)
}

func (c *realCluster) exec(name, line string) string {
	var out strings.Builder
	err := c.ttys[name].Exec(context.Background(), line, repl.Options{Format: repl.JSON}, &out, io.Discard)
	if err != nil {
		c.b.Fatalf("%s> %s: %v", name, line, err)
	}
	return out.String()
}

func (c *realCluster) kill(name string) {
	_ = c.cmds[name].Process.Kill()
	_ = c.cmds[name].Wait()
	delete(c.cmds, name)
	c.ttys[name].Close()
	delete(c.ttys, name)
}

func (c *realCluster) close() {
	for name := range c.cmds {
		c.kill(name)
	}
}

var trio = []string{"larry", "gary", "harry"}

func (c *realCluster) startTrio() {
	for i, name := range trio {
		c.launch(name)
		c.attach(name)
		c.exec(name, fmt.Sprintf("await members %d", i+1))
	}
	c.exec("larry", "await members 3")
	c.exec("larry", "await converged")
}

// report gives quantiles in milliseconds.
func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	at := func(q float64) float64 {
		return float64(took[int(q*float64(len(took)-1))].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(at(1), "max-ms")
}

// BenchmarkConvergence measures from typing an entry at one node until two
// others show it.
func BenchmarkConvergence(b *testing.B) {
	c := newRealCluster(b)
	defer c.close()
	c.startTrio()
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		plate := fmt.Sprintf("P%d", i)
		var wg sync.WaitGroup
		for _, name := range trio[1:] {
			wg.Go(func() { c.exec(name, "await vehicle "+plate) })
		}
		begin := time.Now()
		c.exec("larry", "track_entry "+plate+" 1")
		wg.Wait()
		took = append(took, time.Since(begin))
	}
	report(b, took)
}

// BenchmarkFailover measures from kill -9 of the node with all gates until
// both others see every gate running, two and two.
func BenchmarkFailover(b *testing.B) {
	var took []time.Duration
	for b.Loop() {
		c := newRealCluster(b)
		c.startTrio()
		c.exec("larry", `track_entry "ABC 123" 1`)
		c.exec("larry", "await converged")
		begin := time.Now()
		c.kill("larry")
		var wg sync.WaitGroup
		for _, name := range trio[1:] {
			wg.Go(func() { c.exec(name, "await gates 2 nodes") })
		}
		wg.Wait()
		took = append(took, time.Since(begin))
		for _, name := range trio[1:] {
			if owners := c.owners(name); owners["gary"] != 2 || owners["harry"] != 2 {
				b.Fatalf("%s sees gates on %v", name, owners)
			}
			c.exec(name, `await vehicle "ABC 123" 1ms`)
		}
		c.close()
	}
	report(b, took)
}

// BenchmarkSimultaneousStart measures from starting three processes at once
// until all three see every gate with one and the same owner.
func BenchmarkSimultaneousStart(b *testing.B) {
	var took []time.Duration
	for b.Loop() {
		c := newRealCluster(b)
		begin := time.Now()
		for _, name := range trio {
			c.launch(name)
		}
		for _, name := range trio {
			c.attach(name)
		}
		for !c.settled() {
			if time.Since(begin) > 20*time.Second {
				b.Fatal("not settled")
			}
			time.Sleep(2 * time.Millisecond)
		}
		took = append(took, time.Since(begin))
		c.close()
	}
	report(b, took)
}

type gatesReply struct {
	Gates []struct {
		Owners []string `json:"owners"`
	} `json:"gates"`
}

func (c *realCluster) gates(name string) (g gatesReply) {
	if err := json.Unmarshal([]byte(c.exec(name, "gates")), &g); err != nil {
		c.b.Fatal(err)
	}
	return g
}

func (c *realCluster) owners(name string) map[string]int {
	has := make(map[string]int)
	for _, g := range c.gates(name).Gates {
		has[strings.Join(g.Owners, "+")]++
	}
	return has
}

// settled reports whether all nodes see each other and the same single owner
// of each gate.
func (c *realCluster) settled() bool {
	var first string
	for _, name := range trio {
		g := c.gates(name)
		for _, x := range g.Gates {
			if len(x.Owners) != 1 {
				return false
			}
		}
		if all := fmt.Sprint(g); first == "" {
			first = all
		} else if all != first {
			return false
		}
		if strings.Count(c.exec(name, "members"), `"alive"`) != len(trio) {
			return false
		}
	}
	return true
}
