package scripts_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A tail is a process, and what it writes to its standard error.
type tail struct {
	*exec.Cmd
	mu    sync.Mutex
	lines []string
	ended chan struct{} // closed when it writes no more
}

// follow starts a process, which is gone when the test ends.
func follow(t *testing.T, c *exec.Cmd) *tail {
	t.Helper()
	p := &tail{Cmd: c, ended: make(chan struct{})}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stderr, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		for s := bufio.NewScanner(stderr); s.Scan(); {
			p.mu.Lock()
			p.lines = append(p.lines, s.Text())
			p.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = c.Process.Kill()
		<-p.ended
		_ = c.Wait()
	})
	return p
}

// says waits until it writes what matches, and returns the first group of that.
func (p *tail) says(t *testing.T, what *regexp.Regexp) string {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		p.mu.Lock()
		text := strings.Join(p.lines, "\n")
		p.mu.Unlock()
		if m := what.FindStringSubmatch(text); m != nil {
			return m[1]
		}
		select {
		case <-p.ended:
			t.Fatalf("%s has ended and did not say %s:\n%s", p.Path, what, text)
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("%s did not say %s:\n%s", p.Path, what, text)
		}
	}
}

// patience is how long what should happen soon may take on a busy machine.
const patience = time.Minute

// served is a node without a prompt.
type served struct {
	*tail
	name, web string
}

// serve starts a node and waits until it is ready.
func serve(t *testing.T, dir, name, cluster string) *served {
	t.Helper()
	c := exec.Command(parking, "serve", "--sname", name, "--cluster", cluster, "--cookie", "of-this-test", "--metrics", "127.0.0.1:0", "--log-format", "json", "--log-level", "info")
	c.Env = append(os.Environ(), "PARKING_RUNTIME_DIR="+dir)
	n := &served{tail: follow(t, c), name: name}
	n.web = n.says(t, regexp.MustCompile(`"web":"([^"]+)"`))
	n.says(t, regexp.MustCompile(`"msg":"(ready)"`))
	return n
}

// types runs commands at the node's prompt, and fails if one does.
func (n *served) types(t *testing.T, lines ...string) {
	t.Helper()
	if out, err := n.attach(lines...); err != nil {
		t.Fatalf("%s> %s: %v\n%s", n.name, strings.Join(lines, "; "), err, out)
	}
}

// refuses runs a command that is to fail.
func (n *served) refuses(t *testing.T, line string) {
	t.Helper()
	if out, err := n.attach(line); err == nil {
		t.Fatalf("%s> %s: %s", n.name, line, out)
	}
}

func (n *served) attach(lines ...string) ([]byte, error) {
	args := []string{"attach", n.name}
	for _, l := range lines {
		args = append(args, "-c", l)
	}
	c := exec.Command(parking, args...)
	c.Env = n.Env
	return c.CombinedOutput()
}

// prometheus is one that runs.
type prometheus struct{ addr string }

// startPrometheus has one scrape those nodes.
func startPrometheus(t *testing.T, dir string, nodes []*served) *prometheus {
	t.Helper()
	var targets []string
	for _, n := range nodes {
		targets = append(targets, strconv.Quote(n.web))
	}
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 2s, scrape_timeout: 2s}\nscrape_configs: [{job_name: parking, static_configs: [{targets: [%s]}]}]\n", strings.Join(targets, ", "))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := follow(t, exec.Command("prometheus", "--config.file", config, "--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", "127.0.0.1:0"))
	return &prometheus{p.says(t, regexp.MustCompile(`msg="Listening on" address=(\S+)`))}
}

// sample is an element of an answer.
type sample struct {
	labels map[string]string
	value  float64
}

// ask returns the answer to a query now.
func (p *prometheus) ask(t *testing.T, query string) (out []sample) {
	t.Helper()
	resp, err := http.Get("http://" + p.addr + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if resp.StatusCode == http.StatusServiceUnavailable { // it is still starting
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Error != "" {
		t.Fatalf("%s: %v, %s", query, err, answer.Error)
	}
	for _, r := range answer.Data.Result {
		v, err := strconv.ParseFloat(fmt.Sprint(r.Value[1]), 64)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		out = append(out, sample{r.Metric, v})
	}
	return out
}

// until waits until nothing is wrong. A scrape that takes too long leaves a hole, which
// the next one fills.
func (p *prometheus) until(t *testing.T, wrong func() string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		w := wrong()
		if w == "" {
			return
		}
		if time.Now().After(end) {
			t.Errorf("not within %v: %s", patience, w)
			return
		}
	}
}

// answers waits until each of these queries has that one number for an answer, all
// at once.
func (p *prometheus) answers(t *testing.T, what string, figures map[string]float64) {
	t.Helper()
	p.until(t, func() (wrong string) {
		for query, want := range figures {
			if got := p.ask(t, query); len(got) != 1 || got[0].value != want {
				wrong += fmt.Sprintf("\n%s is %v, want %v", query, got, want)
			}
		}
		if wrong != "" {
			wrong = what + wrong
		}
		return wrong
	})
}
