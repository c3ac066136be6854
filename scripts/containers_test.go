package scripts_test

import (
	"archive/tar"
	"context"
	"flag"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
)

var idle = flag.Duration("containers.idle", 2*time.Second, "for how long containers are left alone before their memory is measured")

// imageLimit is what the image may weigh, in bytes.
const imageLimit = 40e6

// figures are what was measured, in the order in which it was.
type figures struct{ table.Writer }

func (f figures) took(what string, d time.Duration) {
	f.AppendRow(table.Row{what, d.Round(time.Millisecond)})
}

func (f figures) weighs(what string, bytes int) {
	f.AppendRow(table.Row{what, strconv.FormatFloat(float64(bytes)/1e6, 'f', 1, 64) + " MB"})
}

// The image, three times.
func TestContainers(t *testing.T) {
	c := newComposition(t)
	t.Run("page", func(t *testing.T) { play(t, "docs/containers.md", c.shell(), containerPatience) })
	if !t.Failed() {
		t.Run("figures", func(t *testing.T) { c.under(t).measure() })
	}
}

// measure tells what the image weighs and how long all takes: what is typed at
// prompts in containers is answered; one is killed, one loses the network and gets it
// back, one is stopped.
func (c *composition) measure() {
	t, f := c.t, figures{table.NewWriter()}
	larry, gary, harry := c.all["larry"], c.all["gary"], c.all["harry"]

	size, err := strconv.Atoi(docker(t, "image", "inspect", "--format", "{{.Size}}", c.image))
	if err != nil {
		t.Fatal(err)
	}
	f.weighs("the image", size)
	if size >= imageLimit {
		t.Errorf("the image has %d bytes", size)
	}

	t.Log("start")
	c.up()
	for _, k := range c.all {
		k.ready(time.Now())
		k.awaits("members 3")
	}
	c.settle()
	c.nothingElse(larry)

	t.Log("walk through")
	larry.do(`track_entry "ABC 123" 1`)
	gary.awaits(`vehicle "ABC 123"`)
	gary.do(`track_exit "ABC 123" 1`)
	gary.do(`track_entry "2FAST4U" 3`)
	larry.awaits("vehicle 2FAST4U", `no vehicle "ABC 123"`)
	harry.do("gate 1 enter HEYYOU")
	for _, k := range c.all {
		k.awaits("converged")
		if got := k.has(); got != "2FAST4U HEYYOU" {
			t.Errorf("%s has %s", k.name, got)
		}
	}
	gary.do("rebalance") // each has a gate that can move
	c.settle()

	t.Log("kill larry")
	moved := []*awaiting{gary.await("gates 2 nodes"), harry.await("gates 2 nodes")}
	ended, begin := larry.ended(), time.Now()
	docker(t, "kill", larry.name)
	f.took("docker kill larry: until his process is gone", (<-ended).Sub(begin))
	for i, k := range []*container{gary, harry} {
		moved[i].holds(begin)
		failed := k.told(`^larry failed \(`)
		f.took("  until for "+k.name+" "+failed.Msg, failed.Time.Sub(begin))
		f.took("  until "+k.name+" sees an owner of each gate", k.told(`\(larry failed\)$`).Time.Sub(begin))
	}
	c.settle()
	gary.do("track_exit 2FAST4U")

	t.Log("start larry")
	begin = time.Now()
	docker(t, "start", larry.name)
	f.took("docker start larry: until he is ready", larry.ready(begin))
	started, err := time.Parse(time.RFC3339Nano, larry.inspect("{{.State.StartedAt}}"))
	if err != nil {
		t.Fatal(err)
	}
	f.took("  of which since his process runs", larry.told("^ready$").Time.Sub(started))
	larry.awaits("members 3", "converged")
	if got := larry.has(); got != "HEYYOU" {
		t.Errorf("larry is back and has %s", got)
	}
	larry.do("rebalance")
	c.settle()

	t.Log("disconnect harry")
	address := harry.address()
	lost := []*awaiting{larry.await("members 2"), gary.await("members 2")}
	alone := harry.await("members 1")
	begin = time.Now()
	docker(t, "network", "disconnect", network, harry.name)
	f.took("network disconnect: until larry calls harry failed", lost[0].holds(begin))
	f.took("network disconnect: until gary does", lost[1].holds(begin))
	f.took("network disconnect: until harry is alone", alone.holds(begin))
	larry.awaits("gates 2 nodes")
	harry.awaits("gates 1 node")
	larry.do("gate 1 enter OUTSIDE")
	harry.do("gate 1 enter INSIDE")

	t.Log("connect harry")
	back := []*awaiting{larry.await("members 3"), gary.await("members 3"), harry.await("members 3")}
	both := []*awaiting{larry.await("vehicle INSIDE"), gary.await("vehicle INSIDE"), harry.await("vehicle OUTSIDE")}
	begin = time.Now()
	docker(t, "network", "connect", "--ip", address, "--alias", network, network, harry.name)
	for i, k := range []*container{larry, gary, harry} {
		f.took("network connect: until "+k.name+" has what the other side admitted", both[i].holds(begin))
		f.took("network connect: until "+k.name+" sees all", back[i].holds(begin))
	}
	c.settle()
	f.took("network connect: until all agree on members, state and gates", time.Since(begin))
	for _, k := range c.all {
		if got := k.has(); got != "HEYYOU INSIDE OUTSIDE" {
			t.Errorf("%s has %s", k.name, got)
		}
	}

	t.Log("give harry another address")
	const other = "10.79.46.99"
	docker(t, "network", "disconnect", network, harry.name)
	docker(t, "network", "connect", "--ip", other, "--alias", network, network, harry.name)
	harry.unready("no address " + address + " any more")
	docker(t, "restart", harry.name)
	begin = time.Now()
	f.took("docker restart with another address: until harry is ready", harry.ready(begin))
	larry.awaits("members 3", "converged")
	f.took("  until larry sees him", time.Since(begin))
	var members struct{ Members []struct{ Name, Addr string } }
	larry.get("members", &members)
	for _, m := range members.Members {
		if m.Name == harry.name && m.Addr != other+":7946" {
			t.Errorf("larry sees harry at %s", m.Addr)
		}
	}
	c.settle()

	t.Log("leave all alone")
	for _, k := range c.all {
		k.healthy()
	}
	select {
	case <-time.After(*idle):
	case <-t.Context().Done():
	}
	total := 0
	for _, name := range castOfHosts {
		k := c.all[name]
		own, file := k.resident()
		f.weighs("memory of "+name+"'s process", own)
		f.weighs("  and of the program's file", file)
		total += own
	}
	f.weighs("memory of all three", total)
	t.Logf("docker stats:\n%s", docker(t, "stats", "--no-stream", "--format", "{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}"))

	t.Log("stop gary")
	begin = time.Now()
	docker(t, "stop", gary.name)
	f.took("docker stop gary", time.Since(begin))
	if code := gary.inspect("{{.State.ExitCode}}"); code != "143" {
		t.Errorf("gary ended with %s", code)
	}
	larry.awaits("gates 2 nodes")
	if got := larry.has(); got != "HEYYOU INSIDE OUTSIDE" {
		t.Errorf("larry has %s", got)
	}
	for _, k := range []*container{larry, gary, harry} {
		lines, err := k.logs()
		if err != nil {
			t.Error(err)
		}
		for _, l := range lines {
			if strings.Contains(l.Msg, "limozeen") {
				t.Errorf("%s logs the cookie: %s", k.name, l.Msg)
			}
		}
	}
	t.Logf("figures:\n%s", f.Render())
}

// nothingElse checks that the program is all there is in a container, that it can
// write nothing but its runtime directory, and that it is nobody of importance.
func (c *composition) nothingElse(k *container) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), containerPatience)
	defer cancel()
	image := exec.CommandContext(ctx, "docker", "export", k.name)
	out, err := image.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := image.Start(); err != nil {
		c.t.Fatal(err)
	}
	defer image.Wait()
	var files []string
	for r := tar.NewReader(out); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			c.t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg && h.Size > 0 {
			files = append(files, h.Name)
		}
	}
	if len(files) != 1 || files[0] != "parking" {
		c.t.Errorf("the container has the files %q", files)
	}
	status, err := os.ReadFile(k.process() + "/status")
	if err != nil {
		c.t.Fatal(err)
	}
	for _, line := range []string{"Uid:\t65532\t65532\t65532\t65532\n", "Gid:\t65532\t65532\t65532\t65532\n", "CapBnd:\t0000000000000000\n", "NoNewPrivs:\t1\n"} {
		if !strings.Contains(string(status), line) {
			c.t.Errorf("the process of %s has not %q:\n%s", k.name, line, status)
		}
	}
}
