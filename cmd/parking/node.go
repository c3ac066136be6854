package main

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"parking/node"
	"parking/node/cookie"
	"parking/node/discover"
	"parking/node/member"
	"parking/repl"
	"parking/repl/attach"
	"parking/repl/prompt"
)

func nodeCommand() *cobra.Command {
	c := &cobra.Command{
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := load(c.Flags())
			if err != nil {
				return err
			}
			if err := s.check(); err != nil {
				return err
			}
			return runNode(c.Context(), s)
		},
	}
	addNodeFlags(c.Flags())
	return c
}

// runNode runs a node and its console until either ends.
func runNode(ctx context.Context, s settings) (err error) {
	ctx, sig := catch(ctx)
	defer sig.stop()
	keys, err := loadKeys(s)
	if err != nil {
		return err
	}
	dir, err := runtimeDir()
	if err != nil {
		return err
	}
	id := discover.ID{Name: s.Name, Cluster: s.Cluster, Fingerprint: keys.Fingerprint()}
	claim, err := discover.ClaimName(dir, id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, claim.Release()) }()

	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: s.level})).With("node", s.Name)
	network, err := listen(s, claim.Port(), log)
	if err != nil {
		return err
	}
	n, err := node.New(config(s, keys, network, &neighbours{claim: claim, dir: dir, id: id}, log))
	if err != nil {
		return errors.Join(err, network.Shutdown())
	}
	socket, err := attach.Listen(claim.Socket())
	if err != nil {
		return errors.Join(fmt.Errorf("no socket for terminals: %w", err), network.Shutdown())
	}

	// The node outlives the console: it leaves when that is done.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var wg sync.WaitGroup
	ended := make(chan error, 1)
	sub := n.Subscribe()
	wg.Go(func() { ended <- n.Run(life) })
	engine := repl.NewEngine(n)
	wg.Go(func() {
		server := attach.Server{Session: engine, Node: s.Name, Cluster: s.Cluster, Die: die}
		if err := server.Serve(life, socket); err != nil {
			log.Error("terminals are not served", "err", err)
		}
	})
	finish := func(err error) error {
		end()
		gone := <-ended
		wg.Wait()
		return sig.exit(errors.Join(err, gone))
	}

	select {
	case <-n.Ready():
	case err := <-ended:
		ended <- nil
		return finish(err)
	case <-ctx.Done():
		return finish(nil)
	}
	greet(s, n, sub)
	c := &console{terminal: s.terminal, session: engine, name: s.Name, die: die, signals: sig}
	consoled := make(chan error, 1)
	work, stop := context.WithCancel(ctx)
	defer stop()
	go func() { consoled <- c.run(work) }()
	select {
	case err := <-consoled:
		return finish(err)
	case err := <-ended: // by itself, which it should not
		ended <- nil
		stop()
		<-consoled
		return finish(err)
	}
}

// die ends the process at once, as kill -9 does, but for the terminal.
func die() {
	prompt.Restore()
	os.Exit(exitKilled)
}

func loadKeys(s settings) (*cookie.Keys, error) {
	secret := s.Cookie
	if secret == "" {
		path, err := expand(s.CookieFile)
		if err != nil {
			return nil, err
		}
		var made bool
		if secret, made, err = cookie.Load(path); err != nil {
			return nil, err
		}
		if made {
			fmt.Fprintf(os.Stderr, "made a cookie in %s\n", path)
		}
	}
	return cookie.Derive(secret)
}

// listen binds the port that was given; else that of the node's last life, if
// it is still free; else a free one.
func listen(s settings, last int, log *slog.Logger) (member.Transport, error) {
	ip := s.addr.AsSlice()
	if s.port == 0 && last != 0 {
		if t, err := member.Listen(ip, last, log); err == nil {
			return t, nil
		}
	}
	t, err := member.Listen(ip, s.port, log)
	if errors.Is(err, member.ErrPortTaken) {
		return nil, fmt.Errorf("port %d on %s is in use; give --bind another, or none for a free one", s.port, s.addr)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", s.Bind, err)
	}
	return t, nil
}

func config(s settings, keys *cookie.Keys, network member.Transport, dir node.Directory, log *slog.Logger) node.Config {
	cfg := node.DefaultConfig()
	cfg.Name, cfg.Cluster, cfg.Keys, cfg.Network, cfg.Directory = s.Name, s.Cluster, keys, network, dir
	cfg.Join = s.Join
	cfg.MustJoin = len(s.Commands) > 0 || s.File != ""
	cfg.Gates = node.Setting{Value: s.Gates, Given: s.given["gates"]}
	cfg.Spaces = node.Setting{Value: s.Spaces, Given: s.given["spaces"]}
	cfg.NoFaults, cfg.Die, cfg.Log = s.NoFaults, die, log
	var seed [16]byte
	_, _ = crand.Read(seed[:]) // never fails
	cfg.Rand = rand.New(rand.NewPCG(binary.LittleEndian.Uint64(seed[:8]), binary.LittleEndian.Uint64(seed[8:])))
	return cfg
}

// neighbours is the runtime directory as the node sees it: its own cluster.
type neighbours struct {
	claim *discover.Claim
	dir   string
	id    discover.ID
	told  map[discover.ID]bool // strangers that were remarked upon
}

// Publish implements node.Directory.
func (d *neighbours) Publish(addr string, incarnation uint64) error {
	return d.claim.Publish(addr, incarnation)
}

// Neighbours implements node.Directory. Strangers are left alone.
func (d *neighbours) Neighbours() (out []node.Neighbour, err error) {
	all, err := discover.List(d.dir)
	for _, e := range all {
		switch {
		case e.ID == d.id:
		case e.Cluster == d.id.Cluster && e.Fingerprint == d.id.Fingerprint:
			out = append(out, node.Neighbour{Name: e.Name, Addr: e.Addr})
		case !d.told[e.ID]:
			if d.told == nil {
				d.told = make(map[discover.ID]bool)
			}
			d.told[e.ID] = true
			what := "with another cookie"
			if e.Cluster != d.id.Cluster {
				what = "in the cluster " + e.Cluster
			}
			fmt.Fprintf(os.Stderr, "note: %s runs on this host %s; left alone\n", e.Name, what)
		}
	}
	return out, err
}

// greet says who this node is and which gates run where. What was worth a
// notice while it joined is said too.
func greet(s settings, n *node.Node, sub *node.Subscription) {
	sub.Close()
	for e := range sub.Events() {
		if e.Kind == node.Notice {
			fmt.Fprintf(os.Stderr, "note: %s\n", e.Reason)
		}
	}
	if len(s.Commands) > 0 || s.File != "" {
		return
	}
	to := os.Stderr
	if s.interactive() {
		to = os.Stdout
	}
	fmt.Fprintf(to, "parking %s   %s %s   cluster %s   ledger %s\n", version, n.Name(), n.Addr(), n.Cluster(), node.Ledger)
	fmt.Fprintln(to, repl.GatesLine(n))
	if s.interactive() {
		fmt.Fprintf(to, "help lists commands; another node: %s\n", another(s))
	}
}

// another is how one starts the next node of this cluster.
func another(s settings) string {
	name := "gary"
	if s.Name == name {
		name = "harry"
	}
	words := []string{"parking --sname", name}
	if s.given["cookie"] {
		words = append(words, "--cookie", s.Cookie)
	}
	if s.given["cookie-file"] {
		words = append(words, "--cookie-file", s.CookieFile)
	}
	if s.given["cluster"] {
		words = append(words, "--cluster", s.Cluster)
	}
	return strings.Join(words, " ")
}
