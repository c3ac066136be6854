package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
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
// until it is told to tell: then it returns what was answered, each change of it, and
// when the last question was asked whose answer was that it is.
func (s *service) asked() (tell func() (said string, ready time.Time)) {
	stop, done := make(chan struct{}), make(chan struct{})
	var said []string
	var ready time.Time
	go func() {
		defer close(done)
		for {
			begun := time.Now()
			code, words := s.probe("/readyz")
			if code == http.StatusOK {
				ready = begun
			}
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
	return func() (string, time.Time) {
		close(stop)
		<-done
		return strings.Join(said, ", "), ready
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
