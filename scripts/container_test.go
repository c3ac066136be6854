package scripts_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A container is one with a node of its own. It is asked from within, by the
// program that is all it has.
type container struct {
	viewpoint
	t *testing.T
}

func newContainer(t *testing.T, name string) *container {
	return &container{t: t, viewpoint: viewpoint{t, name, func(line string, out io.Writer) error {
		ctx, cancel := context.WithTimeout(t.Context(), containerPatience)
		defer cancel()
		c := exec.CommandContext(ctx, "docker", "exec", name, "/parking", "attach", "--format", "json", "-c", line)
		var answer bytes.Buffer
		c.Stdout = io.MultiWriter(out, &answer)
		if err := explain(c); err != nil {
			return fmt.Errorf("%w%s", err, answer.String())
		}
		return nil
	}}}
}

// explain runs a command. Its error has what the command said on stderr.
func explain(c *exec.Cmd) error {
	var said strings.Builder
	c.Stderr, c.WaitDelay = &said, time.Second
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(c.Args, " "), err, strings.TrimSpace(said.String()))
	}
	return nil
}

// docker runs docker, which must succeed, and returns what it prints.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), containerPatience)
	defer cancel()
	var out strings.Builder
	c := exec.CommandContext(ctx, "docker", args...)
	c.Stdout = &out
	if err := explain(c); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String())
}

// inspect returns what a template makes of all that docker knows of the container.
func (c *container) inspect(template string) string {
	c.t.Helper()
	return docker(c.t, "inspect", "--format", template, c.name)
}

// An awaiting is a terminal on which await was typed.
type awaiting struct {
	t    *testing.T
	done chan time.Time // when it returned
	err  error          // of it, then
}

// await types await on a terminal of its own, which is open when this returns.
func (c *container) await(condition string) *awaiting {
	c.t.Helper()
	line := fmt.Sprintf("await %s %v", condition, containerPatience)
	cmd := exec.CommandContext(c.t.Context(), "docker", "exec", c.name, "/parking", "attach", "-c", "help quit", "-c", line)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	answers := bufio.NewReader(out)
	_, open := answers.ReadString('\n') // the help: the terminal is there
	w := &awaiting{t: c.t, done: make(chan time.Time, 1)}
	go func() {
		_, _ = io.Copy(io.Discard, answers)
		err := errors.Join(open, cmd.Wait())
		now := time.Now()
		if err != nil {
			w.err = fmt.Errorf("%s> %s: %w: %s", c.name, line, err, said.String())
		}
		w.done <- now
	}()
	return w
}

// holds blocks until what is awaited does, and returns how long that was after
// begin.
func (w *awaiting) holds(begin time.Time) time.Duration {
	w.t.Helper()
	end := <-w.done
	if w.err != nil {
		w.t.Fatal(w.err)
	}
	return end.Sub(begin)
}

// awaits is await and holds in one.
func (c *container) awaits(conditions ...string) {
	c.t.Helper()
	for _, condition := range conditions {
		c.do(fmt.Sprintf("await %s %v", condition, containerPatience))
	}
}

// address returns the container's address on the network of the others, or "" if
// it has none.
func (c *container) address() string {
	c.t.Helper()
	return c.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")
}

// probe returns what a probe of the node says: a status and a line.
func (c *container) probe(ctx context.Context, path string) (status int, words string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.address()+":9102"+path, nil)
	if err != nil {
		return 0, "", err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	return answer.StatusCode, strings.TrimSpace(string(b)), err
}

// ready waits until the node's probe is green, and returns how long that was after
// begin.
func (c *container) ready(begin time.Time) time.Duration {
	c.t.Helper()
	c.until("ready", func(ctx context.Context) (bool, string) {
		status, words, err := c.probe(ctx, "/readyz")
		return err == nil && status == http.StatusOK, fmt.Sprint(status, " ", words, ", ", err)
	})
	return time.Since(begin)
}

// unready waits until the node's probe is red, for such a reason.
func (c *container) unready(why string) {
	c.t.Helper()
	c.until("red: "+why, func(ctx context.Context) (bool, string) {
		status, words, err := c.probe(ctx, "/readyz")
		return err == nil && status == http.StatusServiceUnavailable && strings.Contains(words, why), fmt.Sprint(status, " ", words, ", ", err)
	})
}

// healthy waits until Docker's own check is green.
func (c *container) healthy() {
	c.t.Helper()
	c.until("healthy", func(context.Context) (bool, string) {
		health := c.inspect("{{.State.Health.Status}}")
		return health == "healthy", health
	})
}

// until waits until it holds, or fails with what is told instead.
func (c *container) until(what string, holds func(context.Context) (ok bool, instead string)) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), containerPatience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, instead := holds(ctx)
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			c.t.Fatalf("%s is not %s: %s", c.name, what, instead)
		}
	}
}

// A logged is a line of what a node logs.
type logged struct {
	Time time.Time
	Msg  string
}

// logs returns what the node has logged, all its lives. A line that is not JSON is
// an error.
func (c *container) logs() (all []logged, err error) {
	out, err := exec.CommandContext(c.t.Context(), "docker", "logs", c.name).CombinedOutput()
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(out)) {
		var l logged
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			return nil, fmt.Errorf("%s logs %q: %w", c.name, line, err)
		}
		all = append(all, l)
	}
	return all, nil
}

// told returns the last line that the node has logged and that matches. It waits
// for one: Docker has a line a little after the node has written it.
func (c *container) told(pattern string) (last logged) {
	c.t.Helper()
	want := regexp.MustCompile(pattern)
	c.until("heard to say "+pattern, func(context.Context) (bool, string) {
		all, err := c.logs()
		if err != nil {
			return false, err.Error()
		}
		for _, l := range slices.Backward(all) {
			if want.MatchString(l.Msg) {
				last = l
				return true, ""
			}
		}
		return false, fmt.Sprintf("it has logged %d lines", len(all))
	})
	return last
}

// process returns the directory of what the kernel tells of the node's process.
func (c *container) process() string {
	c.t.Helper()
	return "/proc/" + c.inspect("{{.State.Pid}}")
}

// ended returns a channel that has the time at which the node's process is gone.
func (c *container) ended() <-chan time.Time {
	c.t.Helper()
	process, ended := c.process(), make(chan time.Time, 1)
	if _, err := os.Stat(process); err != nil {
		c.t.Fatalf("%s has no process here: %v", c.name, err)
	}
	ctx := c.t.Context()
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			if _, err := os.Stat(process); err != nil {
				ended <- time.Now()
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				ended <- time.Time{}
				return
			}
		}
	}()
	return ended
}

// resident returns the memory of the node's process in bytes: its own, and what it
// has of the program's file.
func (c *container) resident() (own, file int) {
	c.t.Helper()
	b, err := os.ReadFile(c.process() + "/status")
	if err != nil {
		c.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
		switch {
		case name == "RssAnon" && err == nil:
			own = n << 10
		case name == "RssFile" && err == nil:
			file = n << 10
		}
	}
	if own == 0 || file == 0 {
		c.t.Fatalf("the process of %s has no memory:\n%s", c.name, b)
	}
	return own, file
}
