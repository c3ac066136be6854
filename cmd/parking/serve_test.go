package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

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
	if code, _ := gary.probe("/debug/pprof/heap"); code != 200 {
		t.Errorf("profiles are answered with %d", code)
	}
	if code, words := gary.probe("/debug/pprof/cmdline"); code != 404 {
		t.Errorf("the command line, which may have a cookie, is answered with %d %q", code, words)
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
