package scripts_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// containerPatience bounds every wait for something that is due soon.
const containerPatience = 60 * time.Second

// needDocker skips the test where no containers can be run, and says why. It
// returns how compose is called.
func needDocker(t *testing.T) (compose []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if runtime.GOOS != "linux" {
		t.Skip("containers run in a machine of their own here; the test looks at their processes, and calls their addresses")
	}
	if _, err := exec.LookPath("docker"); err != nil {
		t.Skip("containers need docker, which is missing (Debian: docker.io, docker-compose)")
	}
	if exec.CommandContext(ctx, "docker", "version").Run() != nil {
		t.Skip("no Docker daemon answers; scripts/withdocker go test ./scripts starts one, as root")
	}
	for _, name := range castOfHosts {
		if exec.CommandContext(ctx, "docker", "container", "inspect", name).Run() == nil {
			t.Skipf("there is a container called %s, and this test wants that name", name)
		}
	}
	for _, c := range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		if exec.CommandContext(ctx, c[0], append(c[1:], "version")...).Run() == nil {
			return c
		}
	}
	t.Skip("containers are started by compose, which is missing (Debian: docker-compose)")
	return nil
}

// A composition is the cluster of deploy/compose.yaml.
type composition struct {
	t       *testing.T
	compose []string // the command
	env     []string
	project string
	image   string
	all     map[string]*container
}

// newComposition builds the image, of the program as it is now, and starts
// nothing. All is removed with the test.
func newComposition(t *testing.T) *composition {
	t.Helper()
	compose := needDocker(t)
	project := "parking-test-" + strconv.Itoa(os.Getpid())
	c := &composition{t: t, compose: compose, project: project, image: project}
	c.env = append(os.Environ(), "COMPOSE_PROJECT_NAME="+project, "PARKING_IMAGE="+c.image, "PARKING_COOKIE=limozeen")
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "parking"), "../cmd/parking")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if err := explain(build); err != nil {
		t.Fatal(err)
	}
	if err := explain(exec.CommandContext(t.Context(), "docker", "build", "--tag", c.image, "--file", "../deploy/local.Dockerfile", dir)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), containerPatience)
		defer cancel()
		if t.Failed() {
			out, _ := c.command(ctx, "logs", "--no-color", "--tail=60").CombinedOutput()
			t.Logf("the nodes logged\n%s", out)
		}
		if err := explain(c.command(ctx, "down", "--timeout", "1", "--volumes")); err != nil {
			t.Error(err)
		}
		if err := explain(exec.CommandContext(ctx, "docker", "image", "rm", "--force", c.image)); err != nil {
			t.Error(err)
		}
	})
	return c
}

// under returns the same composition for a part of the test.
func (c *composition) under(t *testing.T) *composition {
	part := *c
	part.t, part.all = t, make(map[string]*container)
	for _, name := range castOfHosts {
		part.all[name] = newContainer(t, name)
	}
	return &part
}

// shell returns how to start a shell in which the cluster can be composed.
func (c *composition) shell() *exec.Cmd {
	sh := exec.CommandContext(c.t.Context(), "bash")
	if c.compose[0] == "docker" { // newer ones are a part of it
		sh.Args = append(sh.Args, "-c", `docker-compose() { docker compose "$@"; }; export -f docker-compose; exec bash`)
	}
	sh.Dir, sh.Env = "..", c.env
	return sh
}

// command returns one of compose.
func (c *composition) command(ctx context.Context, args ...string) *exec.Cmd {
	args = slices.Concat(c.compose[1:], []string{"--file", "../deploy/compose.yaml"}, args)
	cmd := exec.CommandContext(ctx, c.compose[0], args...)
	cmd.Env = c.env
	return cmd
}

// up starts services that do not run.
func (c *composition) up(names ...string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), containerPatience)
	defer cancel()
	if err := explain(c.command(ctx, append([]string{"up", "--detach"}, names...)...)); err != nil {
		c.t.Fatal(err)
	}
}

// network is the name of the containers' network.
const network = "parking"

// running returns the views of the nodes that run.
func (c *composition) running() (all []*viewpoint) {
	for _, name := range castOfHosts {
		if k := c.all[name]; k.inspect("{{.State.Running}}") == "true" {
			all = append(all, &k.viewpoint)
		}
	}
	return all
}

// settle waits until all that run are one cluster again.
func (c *composition) settle() {
	c.t.Helper()
	late := time.After(containerPatience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for all := c.running(); !complete(all); {
		select {
		case <-tick.C:
		case <-late:
			var state strings.Builder
			for _, v := range all {
				fmt.Fprintf(&state, "\n%s sees %s alive; gates %s; has %s", v.name, v.sees(), v.gates(), v.has())
			}
			c.t.Fatalf("after %v they are no cluster%s", containerPatience, state.String())
		}
	}
}
