package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"runtime/debug"

	"golang.org/x/sync/errgroup"

	"parking/node"
	"parking/node/discover"
	"parking/node/history"
	"parking/repl"
	"parking/repl/attach"
	"parking/repl/bench"
)

// hosted is a node with what belongs to it on this host: its name in the runtime
// directory, the socket for terminals, the history of its life, and the listener
// for probes. With a prompt or without, a node is hosted alike.
type hosted struct {
	*node.Node
	cluster string
	log     *slog.Logger
	engine  *repl.Engine
	claim   *discover.Claim
	socket  net.Listener
	berth   *berth
	web     *web // nil: there is none
}

// hostNode claims the node's name and builds the node, which does nothing yet. What
// the user should know meanwhile is remarked upon. Close it.
func hostNode(s settings, log *slog.Logger, remark func(text string)) (_ *hosted, err error) {
	vault, keys, err := openCookie(s, remark)
	if err != nil {
		return nil, err
	}
	debug.FreeOSMemory() // the keys took 19 MiB, which a quiet node would keep for minutes
	dir, _, err := runtimeDir()
	if err != nil {
		return nil, err
	}
	id := discover.ID{Name: s.Name, Cluster: s.Cluster, Fingerprint: keys.Fingerprint()}
	h := &hosted{cluster: s.Cluster, berth: &berth{ip: s.addr, addrs: net.InterfaceAddrs, anew: s.address}, log: log}
	if h.claim, err = discover.ClaimName(dir, id); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	network, err := listen(s, h.claim.Port(), log)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, network.Shutdown())
		}
	}()
	near := &neighbours{claim: h.claim, dir: dir, id: id, remark: remark}
	cfg := config(s, keys, network, near, log)
	cfg.Vault = vault
	cfg.History = history.NewDir(filepath.Join(dir, "history"), id.Cluster) // whatever its cookie, which may be rotated
	if h.Node, err = node.New(cfg); err != nil {
		return nil, err
	}
	if h.web, err = openWeb(s, h.Node, h.berth, log, remark); err != nil {
		return nil, err
	}
	if h.socket, err = attach.Listen(h.claim.Socket()); err != nil {
		return nil, fmt.Errorf("no socket for terminals: %w", err)
	}
	h.engine = repl.NewEngine(h.Node)
	h.engine.Restart = restarter{s.Name, near}.restart
	return h, nil
}

// close gives back what the node has on this host: the name, and the listener
// if the node was never run.
func (h *hosted) close() error {
	if h.web != nil {
		h.web.close()
	}
	return h.claim.Release()
}

// start runs the node, and serves its terminals and probes, until ctx ends and it
// has left. Life ends as soon as the node does, or is to; wait blocks until all has
// ended. Probes are answered to the last, so that they tell that it leaves.
func (h *hosted) start(ctx context.Context) (life context.Context, wait func() error) {
	group, life := errgroup.WithContext(ctx)
	probed, end := context.WithCancel(context.WithoutCancel(ctx))
	path, service := bench.Handler(h.Node, versionText())
	server := &attach.Server{
		Session: h.engine, Node: h.Name(), Cluster: h.cluster, Die: die,
		Beside: map[string]http.Handler{path: service},
	}
	group.Go(func() error {
		defer end()
		return h.Run(life)
	})
	group.Go(func() error { return server.Serve(life, h.socket) })
	group.Go(func() error { return h.berth.watch(life, h.log) })
	if h.web != nil {
		group.Go(func() error { return h.web.serve(probed) })
	}
	return life, group.Wait
}
