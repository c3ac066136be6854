package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"parking/lot"
	"parking/node/discover"
	"parking/repl"
	"parking/repl/attach"
)

// secret is the cookie of the tests' services: nobody is to be told.
const secret = "S3CR3T-of-the-lot"

// service is a node that runs without a prompt.
type service struct {
	*host
	name string
	cmd  *exec.Cmd
	log  output
	done chan struct{}
	web  string // the URL of its probes
}

// serve starts a node without a prompt and waits until its probes are answered,
// not until it is ready.
func (h *host) serve(name string, flags ...string) *service {
	h.t.Helper()
	s := h.serving(name, flags...)
	s.web = "http://" + s.logged("starting", "web")
	return s
}

// serving starts a node without a prompt, with a listener at any port and a log in
// JSON unless the flags say otherwise.
func (h *host) serving(name string, flags ...string) *service {
	h.t.Helper()
	s := &service{host: h, name: name, done: make(chan struct{})}
	s.cmd = exec.Command("parking", append([]string{"serve", "--sname", name, "--metrics", "127.0.0.1:0", "--log-format", "json"}, flags...)...)
	// There is no home, nor a directory to write to, as in a container.
	s.cmd.Dir = "/"
	s.cmd.Env = append(slices.DeleteFunc(slices.Clone(h.env), func(v string) bool { return strings.HasPrefix(v, "HOME=") || strings.HasPrefix(v, "TERM=") }),
		"PARKING_COOKIE="+secret)
	s.cmd.Stderr = &s.log
	if err := s.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func() {
		defer close(s.done)
		_ = s.cmd.Wait()
	}()
	h.t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		<-s.done
		if text := s.log.String(); strings.Contains(text, secret) {
			h.t.Errorf("%s has told the cookie:\n%s", name, text)
		} else if h.t.Failed() {
			h.t.Logf("%s logged\n%s", name, text)
		}
	})
	return s
}

// logLine is a line of a log.
type logLine map[string]any

// lines returns the lines of a log, which must be documents; one that is half
// written is left out.
func (s *service) lines(text string) (all []logLine) {
	s.t.Helper()
	for line := range strings.Lines(text[:strings.LastIndexByte(text, '\n')+1]) {
		var r logLine
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			s.t.Fatalf("%s logged %q: %v", s.name, line, err)
		}
		all = append(all, r)
	}
	return all
}

// logged waits until the log has that message and returns an attribute of it.
func (s *service) logged(message, attr string) (value string) {
	s.t.Helper()
	if !s.log.await(func(text string) bool {
		for _, r := range s.lines(text) {
			if r["msg"] == message {
				value = fmt.Sprint(r[attr])
				return true
			}
		}
		return false
	}) {
		s.t.Fatalf("%s did not log %q", s.name, message)
	}
	return value
}

var probing = &http.Client{Timeout: patience}

// probe asks one of the probes. An answer of code 0 is none.
func (s *service) probe(path string) (code int, words string) {
	r, err := probing.Get(s.web + path)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, err.Error()
	}
	return r.StatusCode, strings.TrimSpace(string(b))
}

// ready waits until the node says that it is.
func (s *service) ready() *service {
	s.t.Helper()
	s.until("/readyz", func(code int, _ string) bool { return code == http.StatusOK })
	return s
}

// until waits until a probe is answered as wanted.
func (s *service) until(path string, is func(code int, words string) bool) {
	s.t.Helper()
	var code int
	var words string
	for late := time.Now().Add(patience); time.Now().Before(late); {
		if code, words = s.probe(path); is(code, words) {
			return
		}
		select {
		case <-s.done:
			s.t.Fatalf("%s has ended: %v", s.name, s.cmd.ProcessState)
		case <-time.After(5 * time.Millisecond):
		}
	}
	s.t.Fatalf("%s answers %s with %d %s", s.name, path, code, words)
}

// asked asks the node whether it is ready, again and again until it is gone, or
// until it is told to tell: then it returns what was answered, each change of it.
func (s *service) asked() (tell func() string) {
	stop, done := make(chan struct{}), make(chan struct{})
	var said []string
	go func() {
		defer close(done)
		for {
			code, words := s.probe("/readyz")
			if (code == http.StatusOK) != (words == "ok") && code != 0 {
				words = fmt.Sprintf("%d %s", code, words)
			}
			if code != 0 && (len(said) == 0 || said[len(said)-1] != words) {
				said = append(said, words)
			}
			select {
			case <-stop:
				return
			case <-s.done:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	return func() string {
		close(stop)
		<-done
		return strings.Join(said, ", ")
	}
}

// wants asks a probe, which must answer so.
func (s *service) wants(path string, code int, words string) {
	s.t.Helper()
	if got, said := s.probe(path); got != code || said != words {
		s.t.Errorf("%s answers %s with %d %q, want %d %q", s.name, path, got, said, code, words)
	}
}

// term tells the node to leave, and waits until it is gone.
func (s *service) term() {
	s.t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	s.ended(143)
}

func (s *service) ended(code int) {
	s.t.Helper()
	select {
	case <-s.done:
	case <-time.After(patience):
		s.t.Fatalf("%s still runs", s.name)
	}
	if got := s.cmd.ProcessState.ExitCode(); got != code {
		s.t.Errorf("%s ended with %d, want %d", s.name, got, code)
	}
}

// A node without a prompt needs no home, no terminal and no directory to write to
// but the one for its socket. It reads nothing, tells in its log what happens, a
// document each line, and leaves when it is told to.
func TestServe(t *testing.T) {
	h := newHost(t)
	larry := h.serve("larry", "--gates", "2").ready()
	larry.wants("/livez", 200, "ok")
	if code, words := larry.probe("/metrics"); code != 200 || !strings.Contains(words, `parking_ready{cluster="parking"} 1`) {
		t.Errorf("/metrics: %d %.300s", code, words)
	}
	if code, words := larry.probe("/"); code != 200 || !strings.Contains(words, "/readyz ") || strings.Contains(words, "pprof") {
		t.Errorf("the list of what there is is answered with %d:\n%s", code, words)
	}
	if code, _ := larry.probe("/debug/pprof/"); code != 404 {
		t.Errorf("profiles nobody asked for are answered with %d", code)
	}
	if out := h.run("attach", "-c", "members"); !strings.Contains(out, "larry") { // without a name: it is the only one
		t.Errorf("members is answered with %q", out)
	}
	gary := h.serve("gary", "--pprof").ready()
	if code, _ := gary.probe("/debug/pprof/cmdline"); code != 200 {
		t.Errorf("profiles are answered with %d", code)
	}
	h.run("attach", "larry", "-c", "await members 2", "-c", "gate 1 crash", "-c", "set spaces 50")
	gary.term()
	larry.logged("gary left", "alive")
	h.run("attach", "larry", "-c", "await members 1")
	_ = larry.cmd.Process.Signal(syscall.SIGTERM)
	larry.ended(143)
	told := make(map[string]int)
	for _, r := range larry.lines(larry.log.String()) {
		told[fmt.Sprint(r["msg"])]++
		if r["node"] != "larry" || r["cluster"] != "parking" || r["time"] == nil || r["level"] == nil {
			t.Errorf("logged without its node, cluster, time or level: %v", r)
		}
	}
	for _, once := range []string{"starting", "ready", "gary joined", "gary left", "gate 1 crashed here (told to crash); started again", "leaving", "left"} {
		if told[once] != 1 {
			t.Errorf("%q was logged %d times: %v", once, told[once], told)
		}
	}
}

// What is typed is left alone; a second signal ends the node at once; and nohup's
// is no signal.
func TestServeAndSignals(t *testing.T) {
	h := newHost(t)
	s := &service{host: h, name: "larry", done: make(chan struct{})}
	s.cmd = exec.Command("sh", "-c", `trap '' HUP; exec parking serve --sname larry --metrics off --log-format json`)
	s.cmd.Env, s.cmd.Stderr = append(h.env, "PARKING_COOKIE="+secret), &s.log
	in, typed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer typed.Close()
	s.cmd.Stdin = in
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.done)
		_ = s.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		<-s.done
	})
	const line = "kill-node\n"
	if _, err := typed.WriteString(line); err != nil {
		t.Fatal(err)
	}
	s.logged("ready", "addr")
	_ = s.cmd.Process.Signal(syscall.SIGHUP)
	h.run("attach", "larry", "-c", "read")
	_ = s.cmd.Process.Signal(syscall.SIGINT)
	s.ended(130)
	left := make([]byte, 100)
	if n, err := in.Read(left); err != nil || string(left[:n]) != line {
		t.Errorf("of what was typed %q is left, %v", left[:n], err)
	}
	in.Close()
}

// Why a node does not start is told in one line, a document where the log is one;
// a port that nobody asked for stops no node.
func TestServeRefuses(t *testing.T) {
	h := newHost(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, c := range []struct {
		flags []string
		code  int
		want  string
	}{
		{[]string{"--metrics", l.Addr().String()}, 1, `"level":"ERROR","msg":"port \d+ on 127.0.0.1 is in use; give --metrics another, or off"`},
		{[]string{"--metrics", l.Addr().String(), "--log-format", "text"}, 1, `^parking: port \d+ on 127.0.0.1 is in use; give --metrics another, or off\n$`},
		{[]string{"--metrics", "9102"}, 2, `--metrics \\"9102\\" is not ADDR:PORT`},
		{[]string{"--metrics", "192.0.2.1:1"}, 1, `cannot listen on 192.0.2.1:1: `},
		{[]string{"--profile", "wan"}, 2, `the profile \\"wan\\" is not laptop or lan`},
		{[]string{"--profile", "wan", "--log-format", "text"}, 2, `^parking: the profile "wan" is not laptop or lan`},
		{[]string{"--log-format", "xml"}, 2, `^parking: the log format "xml" is not text or json`},
		{[]string{"--pod-ip", "pod"}, 2, `--pod-ip \\"pod\\" is not the IP address of a pod`},
		{[]string{"--bind", "eth99:7946"}, 2, `--bind \\"eth99:7946\\" is not an IP address, nor an interface of this host: it has .*lo`},
		{[]string{"--gates", "0"}, 2, `gates`},
		{[]string{"--gates", "few"}, 2, `--gates \\"few\\" is not what it takes`},
		{[]string{"--config", "/nonexistent"}, 1, `cannot read the settings: .*/nonexistent`},
		{[]string{"--sname", ""}, 2, `a node needs a name`},
		{[]string{"-c", "read"}, 2, `-c`},
		{[]string{"moe"}, 2, `serve takes no argument`},
	} {
		s := h.serving("larry", c.flags...)
		s.ended(c.code)
		text := s.log.String()
		if !regexp.MustCompile(c.want).MatchString(text) || strings.Count(text, "\n") != 1 {
			t.Errorf("%v: %q, want one line that matches %s", c.flags, text, c.want)
		}
		if slices.Contains(c.flags, "--log-format") {
			continue
		}
		for _, r := range s.lines(text) {
			if r["level"] != "ERROR" || r["time"] == nil || r["msg"] == nil || r["cluster"] != "parking" {
				t.Errorf("%v: %v has not what a line of the log has", c.flags, r)
			}
		}
	}
}

// A node that joins is alive and not ready, and says what it is at, and so is one that
// has found none of those it was to join; one that leaves says so to the end; and one
// that is cut off from all others is alive.
func TestProbesTellTheTruth(t *testing.T) {
	h := newHost(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes calls, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	larry := h.serve("larry", "--join", silent.Addr().String())
	for _, why := range []string{"joining", "nobody answers of those that it was to join"} {
		larry.until("/readyz", func(code int, words string) bool {
			if code != 503 {
				t.Fatalf("larry answers %d %s, and has joined nobody", code, words)
			}
			return words == why
		})
		larry.wants("/livez", 200, "ok")
	}
	gary := h.serve("gary").ready()
	larry.ready() // it has met another
	h.run("attach", "larry", "-c", "await members 2", "-c", "isolate larry", "-c", "await members 1 20s")
	larry.wants("/livez", 200, "ok")
	gary.wants("/livez", 200, "ok")
	h.run("attach", "larry", "-c", "heal", "-c", "await members 2 20s")

	_ = gary.cmd.Process.Signal(syscall.SIGTERM)
	var last string
	for {
		code, words := gary.probe("/readyz")
		if code == 0 {
			break
		}
		if last = words; code == 200 && gary.log.within(0, func(s string) bool { return strings.Contains(s, `"msg":"left"`) }) {
			t.Error("gary has left, and calls itself ready")
		}
	}
	if last != "leaving" {
		t.Errorf("the last that gary said is %q", last)
	}
	gary.ended(143)
}

// A rolling restart: each of three nodes under load is told to leave, and comes
// back. No acknowledged change is lost, and each gate has an owner all the while.
func TestRollingRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("a rolling restart takes a while")
	}
	h := newHost(t)
	names := []string{"larry", "gary", "harry"}
	services, says := make(map[string]*service), make(map[string]func() string)
	for _, name := range names {
		services[name] = h.serve(name, "--ack", "1", "--spaces", "100000").ready()
		says[name] = services[name].asked()
	}
	h.run("attach", "larry", "-c", "await members 3", "-c", "rebalance", "-c", "await gates 3 nodes")

	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	acked := make([][]string, len(names))
	for i, name := range names {
		load.Go(func() { acked[i] = h.write(ctx, name, i) })
	}
	for _, name := range names {
		s := services[name]
		begin := time.Now()
		s.term()
		gone := time.Since(begin)
		if got := says[name](); got != "ok, leaving" {
			t.Errorf("%s, which left, has said: %s", name, got)
		}
		if !strings.Contains(s.log.String(), `"msg":"left"`) {
			t.Errorf("%s did not leave in good order", name)
		}
		// While it is away, the others are ready; so is it, once it says so.
		for _, other := range names {
			if other != name {
				services[other].wants("/readyz", 200, "ok")
			}
		}
		begin = time.Now()
		services[name] = h.serve(name, "--ack", "1")
		says[name] = services[name].asked()
		services[name].ready()
		t.Logf("%s was gone %v after TERM, and ready %v after its start", name, gone, time.Since(begin))
		h.run("attach", name, "-c", "await members 3", "-c", "rebalance", "-c", "await gates 3 nodes")
	}
	stop()
	load.Wait()
	h.run("attach", "larry", "-c", "await converged 20s")
	for _, name := range names {
		if got := says[name](); !regexp.MustCompile(`^((starting|joining|catching up from [a-z ]+|meeting [a-z ]+), )*ok$`).MatchString(got) {
			t.Errorf("%s, which is back, has said: %s", name, got)
		}
	}

	total := 0
	for _, name := range names {
		var doc struct{ Vehicles []struct{ Plate string } }
		if err := json.Unmarshal([]byte(h.run("attach", name, "--format", "json", "-c", "read")), &doc); err != nil {
			t.Fatal(err)
		}
		here := make(map[string]bool, len(doc.Vehicles))
		for _, v := range doc.Vehicles {
			here[v.Plate] = true
		}
		total = 0
		for _, plates := range acked {
			for _, p := range plates {
				if total++; !here[p] {
					t.Errorf("%s was acknowledged, and %s lacks it", p, name)
				}
			}
		}
	}
	if total < 100 {
		t.Errorf("%d changes were acknowledged: that is no load", total)
	}
	var report struct {
		Outcome string
		Checks  []struct{ Name, Word, Text string }
	}
	if err := json.Unmarshal([]byte(h.run("attach", "larry", "--format", "json", "-c", "verdict")), &report); err != nil {
		t.Fatal(err)
	}
	if report.Outcome != "kept" {
		t.Errorf("the verdict is %+v", report)
	}
	for _, c := range report.Checks {
		if c.Name == "gates" {
			if gap := regexp.MustCompile(`no owner for ([0-9.]+) s`).FindStringSubmatch(c.Text); gap != nil {
				if s, err := strconv.ParseFloat(gap[1], 64); err != nil || s > 1 {
					t.Errorf("gates: %s", c.Text)
				}
			}
			t.Logf("%d acknowledged changes; gates %s: %s", total, c.Word, c.Text)
		}
	}
}

// write enters vehicles at a node, each through a gate or at the node itself, for as
// long as ctx; it goes on where the node is when it comes back. It returns those
// that were acknowledged.
func (h *host) write(ctx context.Context, name string, i int) (acked []string) {
	dir := filepath.Join(h.dir, "run")
	for n := 0; ctx.Err() == nil; {
		c, err := h.dial(ctx, dir, name)
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		for ctx.Err() == nil {
			n++
			plate := fmt.Sprintf("%s %d", strings.ToUpper(name), n)
			line := fmt.Sprintf("track_entry %q %d", plate, 1+n%4)
			if n%2 == 0 {
				line = fmt.Sprintf("gate %d enter %q", 1+n/2%4, plate)
			}
			var out bytes.Buffer
			err := c.Exec(context.WithoutCancel(ctx), line, repl.Options{Format: repl.Table}, &out, io.Discard)
			if err == nil {
				acked = append(acked, plate)
			}
			if errors.Is(err, repl.ErrGone) || errors.Is(err, repl.ErrLeaving) {
				break
			}
			if lot.CodeOf(err) == lot.Full {
				h.t.Errorf("%s: %v", line, err)
			}
		}
		c.Close()
	}
	return acked
}

func (h *host) dial(ctx context.Context, dir, name string) (*attach.Client, error) {
	all, err := discover.List(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if e.Name == name {
			return attach.Dial(ctx, e.Socket)
		}
	}
	return nil, errors.New("it does not run")
}
