package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"parking/node"
	"parking/node/discover"
	"parking/node/history"
	"parking/repl"
	"parking/repl/attach"
	"parking/repl/bench"
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
			return runNode(c.Context(), s, strayVariables(c.Root()))
		},
	}
	addNodeFlags(c.Flags())
	return c
}

// runNode claims the node's name and builds the node; then it runs it. Remarks
// are told first.
func runNode(ctx context.Context, s settings, remarks []string) (err error) {
	ctx, sig := catch(ctx)
	defer sig.stop()
	c, err := newConsole(s.terminal, sig)
	if err != nil {
		return err
	}
	defer c.close()
	for _, r := range remarks {
		fmt.Fprintln(c.aside, r)
	}
	keys, err := loadKeys(s, c.aside)
	if err != nil {
		return err
	}
	dir, _, err := runtimeDir()
	if err != nil {
		return err
	}
	id := discover.ID{Name: s.Name, Cluster: s.Cluster, Fingerprint: keys.Fingerprint()}
	claim, err := discover.ClaimName(dir, id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, claim.Release()) }()

	logged := newLogs(c.aside)
	defer logged.close()
	log := slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: s.level})).With("node", s.Name)
	network, err := listen(s, claim.Port(), log)
	if err != nil {
		return err
	}
	near := &neighbours{claim: claim, dir: dir, id: id, notes: c.aside}
	cfg := config(s, keys, network, near, log)
	cfg.History = history.NewDir(filepath.Join(dir, "history"), id.Cluster+"/"+id.Fingerprint)
	n, err := node.New(cfg)
	if err != nil {
		return errors.Join(err, network.Shutdown())
	}
	socket, err := attach.Listen(claim.Socket())
	if err != nil {
		return errors.Join(fmt.Errorf("no socket for terminals: %w", err), network.Shutdown())
	}
	engine := repl.NewEngine(n)
	engine.Restart = restarter{s.Name, near}.restart
	return sig.exit(live(ctx, s, n, engine, socket, c))
}

// shareCores leaves cores to the other nodes of this host: three make a cluster.
// A node that could use them all has threads woken for each other at every
// packet, which is most of what a quiet node costs. GOMAXPROCS in the environment
// rules.
func shareCores() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)/3))
	}
}

// live runs a node and its console until either ends. The node outlives the
// console: it leaves when that is done.
func live(ctx context.Context, s settings, n *node.Node, engine *repl.Engine, socket net.Listener, c *console) (err error) {
	life, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	group, life := errgroup.WithContext(life)
	path, service := bench.Handler(n, versionText())
	server := &attach.Server{
		Session: engine, Node: s.Name, Cluster: s.Cluster, Die: die,
		Beside: map[string]http.Handler{path: service},
	}
	noting, hush := context.WithCancel(context.WithoutCancel(ctx))
	defer hush()
	notes, told := n.Subscribe(), make(chan struct{})
	go func() {
		defer close(told)
		tellNotices(noting, c.aside, notes)
	}()
	group.Go(func() error { return n.Run(life) })
	group.Go(func() error { return server.Serve(life, socket) })

	work, stop := context.WithCancel(ctx)
	defer context.AfterFunc(life, stop)()
	select {
	case <-n.Ready():
		shareCores() // it has been brought its state, at full speed
		if c.interactive() {
			hush() // the prompt tells them from now on
			<-told
			c.greeted = repl.GatesLine(n)
			fmt.Println(greeting(n, s))
		} else if !c.scripted() {
			fmt.Fprintln(c.aside, greeting(n, s))
		}
		c.serve(engine, s.Name, s.Cluster, die)
		err = c.run(work)
	case <-work.Done():
	}
	if life.Err() == nil { // else the node's end is what there is to tell
		err = c.tell(err)
	}
	leave()
	if ended := group.Wait(); ended != nil {
		return ended
	}
	return err
}

// die ends the process at once, as kill -9 does, but for the terminal.
func die() {
	prompt.Restore()
	os.Exit(exitKilled)
}

// lastWords is how long a process that dies may take to say so.
const lastWords = 30 * time.Millisecond

// dieByOrder returns a die for another node's kill-node, which is told: nobody
// at this terminal has asked for it.
func dieByOrder(name string) func() {
	return func() {
		prompt.Restore()
		told := make(chan struct{})
		go func() { // a terminal that has stopped reading does not hold it up
			defer close(told)
			fmt.Fprintf(os.Stderr, "%s was killed by a kill-node of another's\n", name)
		}()
		select {
		case <-told:
		case <-time.After(lastWords):
		}
		os.Exit(exitKilled)
	}
}
