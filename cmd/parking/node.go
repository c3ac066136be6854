package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"parking/node"
	"parking/repl"
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
	logged := newLogs(c.aside, s.lostLines)
	defer logged.close()
	h, err := hostNode(s, s.logger(logged), func(text string) { fmt.Fprintln(c.aside, text) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	return sig.exit(live(ctx, s, h, c))
}

// shareCores leaves cores to the other nodes of this host: three make a cluster.
// A node that could use them all has threads woken for each other at every
// packet, which is most of what a quiet node costs. A node of the lan profile has
// its host, or what a container is given of it, for itself. GOMAXPROCS in the
// environment rules.
func shareCores(profile string) {
	if profile == string(node.Laptop) && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)/3))
	}
}

// live runs a node and its console until either ends. The node outlives the
// console: it leaves when that is done.
func live(ctx context.Context, s settings, h *hosted, c *console) (err error) {
	stay, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	noting, hush := context.WithCancel(context.WithoutCancel(ctx))
	defer hush()
	notes, told := h.Subscribe(), make(chan struct{})
	go func() {
		defer close(told)
		tellNotices(noting, c.aside, notes)
	}()
	life, wait := h.start(stay)
	work, stop := context.WithCancel(ctx)
	defer context.AfterFunc(life, stop)()
	select {
	case <-h.Ready():
		shareCores(s.Profile) // it has been brought its state, at full speed
		if c.interactive() {
			hush() // the prompt tells them from now on
			<-told
			c.greeted = repl.GatesLine(h.Node)
			fmt.Println(greeting(h.Node, s))
		} else if !c.scripted() {
			fmt.Fprintln(c.aside, greeting(h.Node, s))
		}
		c.serve(h.engine, s.Name, s.Cluster, die)
		err = c.run(work)
	case <-work.Done():
	}
	if life.Err() == nil { // else the node's end is what there is to tell
		err = c.tell(err)
	}
	leave()
	if ended := wait(); ended != nil {
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
