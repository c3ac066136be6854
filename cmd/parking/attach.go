package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"parking/node/discover"
	"parking/repl"
	"parking/repl/attach"
)

func attachCommand() *cobra.Command {
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
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			return runAttach(c.Context(), s.terminal, name, s.Cluster)
		},
	}
	c.Flags().SortFlags = false
	c.Flags().String("cluster", "", "`NAME` of the node's cluster, where two nodes have its name")
	addTerminalFlags(c.Flags())
	return c
}

func runAttach(ctx context.Context, t terminal, name, cluster string) error {
	ctx, sig := catch(ctx)
	defer sig.stop()
	c, err := newConsole(t, sig)
	if err != nil {
		return err
	}
	defer c.close()
	e, err := findNode(name, cluster)
	if err != nil {
		return err
	}
	client, err := attach.Dial(ctx, e.Socket)
	if err != nil {
		return sig.exit(fmt.Errorf("%s does not answer: %w", e.Name, err))
	}
	defer client.Close()
	if c.interactive() {
		fmt.Printf("attached to %s %s   cluster %s\nhelp lists commands; quit ends this terminal, not the node\n", e.Name, e.Addr, e.Cluster)
	}
	c.serve(client, e.Name, e.Cluster, nil)
	c.killed = client.Killed
	err = c.run(ctx)
	if errors.Is(err, repl.ErrGone) && client.Killed() {
		err = nil // as was asked
	}
	return sig.exit(c.tell(err))
}

// findNode returns the one running node of that name, or the only one if name
// is empty.
func findNode(name, cluster string) (e discover.Entry, err error) {
	dir, _, err := runtimeDir()
	if err != nil {
		return e, err
	}
	all, err := discover.List(dir)
	if err != nil {
		return e, err
	}
	var fit []discover.Entry
	for _, x := range all {
		if (name == "" || x.Name == name) && (cluster == "" || x.Cluster == cluster) {
			fit = append(fit, x)
		}
	}
	wanted := "node"
	if name != "" {
		wanted += " called " + name
	}
	if cluster != "" {
		wanted += " in the cluster " + cluster
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) > 1 && name == "":
		return e, fmt.Errorf("several nodes run here; say which: %s", listed(fit))
	case len(fit) > 1 && cluster == "" && !oneCluster(fit):
		return e, fmt.Errorf("several nodes are called %s; say which with --cluster: %s", name, listed(fit))
	case len(fit) > 1:
		return e, fmt.Errorf("several nodes are called %s in the cluster %s, with different cookies; end one", name, fit[0].Cluster)
	case len(all) == 0:
		return e, fmt.Errorf("no %s runs here; parking --sname larry starts one", wanted)
	default:
		return e, fmt.Errorf("no %s runs here; there is %s", wanted, listed(all))
	}
}

// oneCluster reports whether all are of one cluster.
func oneCluster(all []discover.Entry) bool {
	return !slices.ContainsFunc(all, func(e discover.Entry) bool { return e.Cluster != all[0].Cluster })
}

// listed names nodes and their clusters.
func listed(all []discover.Entry) string {
	names := make([]string, 0, len(all))
	for _, x := range all {
		names = append(names, x.Name+" (cluster "+x.Cluster+")")
	}
	return strings.Join(names, ", ")
}
