package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"parking/node"
	"parking/node/telemetry"
	"parking/repl"
)

const (
	// webOff is the address of no listener.
	webOff = "off"
	// aliveWithin is how long the node's parts may take to answer /livez.
	// It is less than those who ask wait for, so that the reason reaches them.
	aliveWithin = 1500 * time.Millisecond
	// webConns is how many connections there are at most.
	webConns = 256
	// webWords is how long answers that are under way have when the listener ends.
	webWords = 200 * time.Millisecond
)

// web answers probes, and whoever looks at how the node does, by HTTP. It has a
// listener of its own: gossip is for nodes, this for machines that watch them.
type web struct {
	listener net.Listener
	server   *http.Server
}

// openWeb listens where the settings say so; nil is nowhere. The default's port
// may be another node's of this host: who did not ask for the listener has a node
// without one.
func openWeb(s settings, n *node.Node, at *berth, log *slog.Logger, remark func(string)) (*web, error) {
	if s.Metrics == webOff {
		return nil, nil
	}
	l, err := net.Listen("tcp", s.web.String())
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && !s.given("metrics"):
		remark(fmt.Sprintf("note: no metrics and probes: port %d on %s is in use; give --metrics another, or off", s.web.Port(), s.web.Addr()))
		return nil, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("port %d on %s is in use; give --metrics another, or off", s.web.Port(), s.web.Addr())
	case err != nil:
		return nil, fmt.Errorf("cannot listen on %s: %w; give --metrics an address of this host, or off", s.Metrics, err)
	}
	figures, err := telemetry.New(n, telemetry.Config{Version: built().String(), Process: true, Log: log})
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &web{l, newServer(handler(s, n, at, figures.Handler()))}, nil
}

// newServer returns what answers at the listener. Nobody can hold up others.
func newServer(h http.Handler) *http.Server {
	conns := callers{max: webConns}
	return &http.Server{
		Handler:           h,
		ConnState:         conns.turns,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute, // a profile of the process takes 30 s
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          stdlog.New(io.Discard, "", 0), // what speaks no HTTP is hung up on
	}
}

// page is a path of the listener, and what it is for.
type page struct {
	path, help string
	handler    http.Handler
}

// pages are what the listener has, apart from the list of them.
func pages(s settings, n *node.Node, at *berth, metrics http.Handler) []page {
	all := []page{
		{"/metrics", "what the node does, for Prometheus", metrics},
		{"/livez", "is the process alive", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), aliveWithin)
			defer cancel()
			err := n.Alive(ctx)
			tell(w, err == nil, plainly(err))
		})},
		{"/readyz", "has the node joined and caught up, and does it not leave", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			ready, why := n.Readiness()
			if lost := at.why(); ready && lost != "" {
				ready, why = false, lost
			}
			tell(w, ready, why)
		})},
	}
	if s.Pprof {
		all = append(all, page{"/debug/pprof/", "profiles of the process", http.HandlerFunc(pprof.Index)})
	}
	return all
}

// handler routes requests to the pages.
func handler(s settings, n *node.Node, at *berth, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	var list strings.Builder
	for _, p := range pages(s, n, at, metrics) {
		mux.Handle("GET "+p.path, p.handler)
		fmt.Fprintf(&list, "%-15s %s\n", p.path, p.help)
	}
	if s.Pprof { // but for the command line: it may have the cookie
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { tell(w, true, strings.TrimSpace(list.String())) })
	return mux
}

// tell answers 200, or 503, in words: ok, if there is nothing else to say.
func tell(w http.ResponseWriter, fine bool, words string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if !fine {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if words == "" {
		words = "ok"
	}
	fmt.Fprintln(w, words)
}

// addr returns where the listener is.
func (w *web) addr() string { return w.listener.Addr().String() }

// close ends a listener that was not served.
func (w *web) close() { _ = w.listener.Close() }

// serve answers until ctx ends. It closes the listener.
func (w *web) serve(ctx context.Context) error {
	stopped := make(chan struct{})
	after := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.Background(), webWords)
		defer cancel()
		if w.server.Shutdown(grace) != nil {
			_ = w.server.Close()
		}
	})
	err := w.server.Serve(w.listener)
	if after() {
		return fmt.Errorf("the listener for probes has ended: %w", err)
	}
	<-stopped
	return nil
}

// parseMetrics reads where the listener is to be.
func (s *settings) parseMetrics() error {
	if s.Metrics == webOff {
		return nil
	}
	at := s.Metrics
	if strings.HasPrefix(at, ":") {
		at = "127.0.0.1" + at
	}
	ap, err := netip.ParseAddrPort(at)
	if err != nil {
		return fmt.Errorf("--metrics %.80q is not ADDR:PORT, with an IP address, or off", s.Metrics)
	}
	s.web = ap
	return nil
}

// plainly returns an error's words, or nothing.
func plainly(err error) string {
	if err == nil {
		return ""
	}
	return repl.Plain(err)
}
