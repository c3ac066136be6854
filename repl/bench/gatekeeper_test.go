package bench

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parking/repl/bench/wire"
)

// view is how a member sees the gates: "larry gary: larry gary".
func view(at int64, s string) *wire.GatesReply {
	alive, owners, _ := strings.Cut(s, ":")
	v := &wire.GatesReply{At: at, Alive: strings.Fields(alive)}
	for i, o := range strings.Fields(owners) {
		g := &wire.GatesReply_Gate{Gate: uint32(i + 1)}
		if o != "-" {
			g.Owners = strings.Split(o, "+")
		}
		v.Gates = append(v.Gates, g)
	}
	return v
}

func TestAgreed(t *testing.T) {
	names := []string{"gary", "harry"}
	good := "gary harry: gary harry gary"
	for _, tt := range []struct {
		why   string
		other string
		want  bool
	}{
		{"the same", good, true},
		{"another owner", "gary harry: gary gary gary", false},
		{"an orphan", "gary harry: gary - gary", false},
		{"two owners", "gary harry: gary gary+harry gary", false},
		{"one too many alive", "gary harry larry: gary harry gary", false},
		{"one too few alive", "gary: gary harry gary", false},
		{"not ready", "gary harry:", false},
	} {
		at, ok := agreed([]*wire.GatesReply{view(5, good), view(7, tt.other)}, names)
		if ok != tt.want || ok && !at.Equal(time.Unix(0, 7)) {
			t.Errorf("%s: %v at %v", tt.why, ok, at)
		}
	}
	if _, ok := agreed([]*wire.GatesReply{view(5, good), nil}, names); ok {
		t.Error("one has not said anything")
	}
	// A gate of one who is dead runs nowhere, even if all think that it does.
	dead := "gary harry: gary larry gary"
	if _, ok := agreed([]*wire.GatesReply{view(5, dead), view(5, dead)}, names); ok {
		t.Error("a gate runs on larry")
	}
}

// Agreement that does not last does not count.
func TestSettledFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGatekeeper()
		both := []*member{{name: "gary"}, {name: "harry"}}
		see := func(after time.Duration, at int64, what string) {
			time.AfterFunc(after, func() {
				g.mu.Lock()
				defer g.mu.Unlock()
				for _, m := range both {
					g.views[m] = view(at, what)
				}
				close(g.changed)
				g.changed = make(chan struct{})
			})
		}
		see(1*time.Second, 1, "gary harry: gary harry")
		see(1500*time.Millisecond, 2, "gary: gary gary")
		see(3*time.Second, 3, "gary harry: gary gary")
		begin := time.Now()
		at, relapses, err := g.settledFor(t.Context(), both, time.Second)
		if err != nil || relapses != 1 || !at.Equal(time.Unix(0, 3)) || time.Since(begin) != 4*time.Second {
			t.Errorf("at %v after %v, %d relapses, %v", at, time.Since(begin), relapses, err)
		}
	})
}

func TestArrivalsAreToldOnce(t *testing.T) {
	a := arrivals{prefix: "~a", first: 10, seen: make([]bool, 3)}
	for _, number := range []uint64{9, 10, 12, 10, 13} {
		a.came(number, time.Unix(0, int64(number)))
	}
	var numbers []uint64
	for m := range a.parts() {
		if len(m.Numbers) != len(m.At) {
			t.Errorf("%v", m)
		}
		numbers = append(numbers, m.Numbers...)
	}
	if len(numbers) != 2 || numbers[0] != 10 || numbers[1] != 12 {
		t.Errorf("told of %v", numbers)
	}
	for range a.parts() {
		t.Error("told of them twice")
	}
}

func TestValidate(t *testing.T) {
	for want, change := range map[string]func(*Config){
		`there is no workload "jogging"; there are convergence`: func(c *Config) { c.Workloads = []string{"idle", "jogging"} },
		"convergence needs 2 nodes; give --nodes 2 or more":     func(c *Config) { c.Workloads, c.Nodes = []string{"convergence"}, []int{3, 1} },
		"failover starts and ends nodes":                        func(c *Config) { c.Workloads, c.Targets = []string{"failover"}, make([]Target, 3) },
		"convergence needs 2 nodes of the cluster on this host": func(c *Config) { c.Workloads, c.Targets = []string{"convergence"}, make([]Target, 1) },
		"--nodes 101 is not from 1 to 100":                      func(c *Config) { c.Nodes = []int{3, 101} },
		"--nodes 0 is not from 1 to 100":                        func(c *Config) { c.Nodes = []int{0} },
		"--rate 0 is":                                           func(c *Config) { c.Rate = 0 },
		"--batch 100000 is":                                     func(c *Config) { c.Batch = 100_000 },
		"--runs 0 is":                                           func(c *Config) { c.Runs = 0 },
		"--size 60000000 is more than 50M":                      func(c *Config) { c.Sizes = []int{60_000_000} },
		"--duration 0s":                                         func(c *Config) { c.Duration = 0 },
		"--duration 1000h0m0s":                                  func(c *Config) { c.Duration = 1000 * time.Hour },
		"--duration is over before the first entry":             func(c *Config) { c.Rate, c.Duration = 1, time.Second/2 },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}
