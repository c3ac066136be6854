package main

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"parking/node/discover/dns/dnstest"
)

// A node that joins is alive and not ready, and says what it is at, for as long as it
// takes; one that leaves says so to the end; and one that is cut off from all others
// is alive.
func TestProbesTellTheTruth(t *testing.T) {
	h := newHost(t)
	names, port := dnstest.Start(t), freePort(t)
	names.Be(dnstest.Silent)
	gary := h.serve("gary", "--bind", "127.0.0.1:"+port, "--discover", "none").ready()
	h.run("attach", "gary", "-c", "track_entry EARLY 1")
	larry := h.serve("larry", "--discover", "dns:lot.test:"+port, "--dns-server", names.Addr)
	larry.until("/readyz", func(code int, words string) bool {
		if code == http.StatusOK {
			t.Fatal("larry knows of nobody yet, and calls itself ready")
		}
		return strings.HasPrefix(words, "looking for others")
	})
	larry.wants("/livez", 200, "ok")
	if _, words := larry.probe("/metrics"); !strings.Contains(words, `parking_ready{cluster="parking"} 0`) {
		t.Error("by its metrics larry is ready")
	}
	names.Set("lot.test. A 127.0.0.1")
	names.Be(dnstest.Answer)
	larry.ready()
	if out := h.run("attach", "larry", "-c", "read"); !strings.Contains(out, "EARLY") {
		t.Errorf("larry is ready, and lacks what was there before it:\n%s", out)
	}

	h.run("attach", "larry", "-c", "await members 2", "-c", "isolate larry", "-c", "await members 1 20s")
	larry.wants("/livez", 200, "ok")
	gary.wants("/livez", 200, "ok")
	h.run("attach", "larry", "-c", "heal", "-c", "await members 2 20s")

	says := gary.asked()
	gary.term()
	if said, _ := says(); !strings.HasSuffix(said, "leaving") || strings.Count(said, "leaving") != 1 {
		t.Errorf("gary, which left, has said: %s", said)
	}
}

// A node that nobody answers of those whom it is to join works, and is not ready until
// it has met another.
func TestProbesOfANodeThatFindsNobody(t *testing.T) {
	h := newHost(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes calls, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	larry := h.serve("larry", "--join", silent.Addr().String())
	larry.until("/readyz", func(code int, words string) bool {
		if code != http.StatusServiceUnavailable {
			t.Fatalf("larry answers %d %s, and has joined nobody", code, words)
		}
		return words == "nobody answers of those that it was to join"
	})
	larry.wants("/livez", 200, "ok")
	h.serve("gary").ready()
	larry.ready()
}
