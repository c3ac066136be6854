package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"parking/node/discover"
	"parking/repl/attach"
)

func attachCommand() *cobra.Command {
	var cluster string
	c := &cobra.Command{
		Use:   "attach [NAME]",
		Short: "a prompt on a node that runs on this host",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &usageError{fmt.Errorf("attach takes one name, not %d", len(args))}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			s, err := load(c.Flags())
			if err != nil {
				return err
			}
			if _, err := s.options(false); err != nil {
				return err
			}
			if s.given["cluster"] {
				cluster = s.Cluster
			}
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			return runAttach(c.Context(), s.terminal, name, cluster)
		},
	}
	c.Flags().String("cluster", "", "the node's cluster, where two nodes have the name")
	addTerminalFlags(c.Flags())
	return c
}

func runAttach(ctx context.Context, t terminal, name, cluster string) error {
	ctx, sig := catch(ctx)
	defer sig.stop()
	e, err := findNode(name, cluster)
	if err != nil {
		return err
	}
	client, err := attach.Dial(ctx, e.Socket)
	if err != nil {
		return sig.exit(fmt.Errorf("%s does not answer: %w", e.Name, err))
	}
	defer client.Close()
	c := &console{terminal: t, session: client, name: client.Node, signals: sig}
	return sig.exit(c.run(ctx))
}

// findNode returns the one running node of that name, or the only one if name
// is empty.
func findNode(name, cluster string) (e discover.Entry, err error) {
	dir, err := runtimeDir()
	if err != nil {
		return e, err
	}
	all, err := discover.List(dir)
	if err != nil {
		return e, err
	}
	var fit []discover.Entry
	var others []string
	for _, x := range all {
		if (name == "" || x.Name == name) && (cluster == "" || x.Cluster == cluster) {
			fit = append(fit, x)
		}
		others = append(others, x.Name+" ("+x.Cluster+")")
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) > 1 && name == "":
		return e, fmt.Errorf("several nodes run here, say which: %s", strings.Join(others, ", "))
	case len(fit) > 1 && cluster == "":
		return e, fmt.Errorf("several nodes are called %s, say which with --cluster: %s", name, strings.Join(others, ", "))
	case len(fit) > 1:
		return e, fmt.Errorf("several nodes are called %s in %s, with different cookies; end one", name, cluster)
	case name == "" || len(all) == 0:
		return e, fmt.Errorf("no such node runs here; parking --sname larry starts one")
	}
	return e, fmt.Errorf("no node called %s runs here; there are %s", name, strings.Join(others, ", "))
}
