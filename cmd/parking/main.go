// Command parking is a cluster one can hold in one's hands: each process is a
// named node with a prompt. See the README for what to type.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"parking/repl"
)

// Exit codes beside 0 for fine and 1 for what failed. A signal's is 128 and
// its number, a killed node's that of SIGKILL.
const (
	exitFailed = 1
	exitUsage  = 2
	exitKilled = 137
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:]))
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string) int {
	root := program()
	root.SetArgs(args)
	return exitCode(root.ExecuteContext(ctx))
}

// program returns the command that the program is, with its sub-commands.
func program() *cobra.Command {
	root := nodeCommand()
	root.Use = "parking [node] --sname NAME"
	root.Long = "parking runs one node of a cluster and gives a prompt on it.\n" +
		"Start it in several terminals, each with another --sname and the same --cookie.\n" +
		"Every flag can be set by an environment variable and in a file, too: help config tells more."
	root.AddCommand(subcommand(nodeCommand(), "node --sname NAME", "run a node with a prompt (the default)"))
	root.AddCommand(serveCommand(), attachCommand(), demoCommand(), benchCommand(), labCommand(), versionCommand())
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(flagError)
	root.Version = versionText()
	root.SetVersionTemplate("{{.Version}}\n")
	addHelp(root)
	addCompletion(root)
	return root
}

func subcommand(c *cobra.Command, use, short string) *cobra.Command {
	c.Use, c.Short = use, short
	return c
}

// usageError is a wrong flag or sub-command of the program.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// exitError ends the program with that code; what there was to say was said.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// exitCode tells the error and returns the code for it.
func exitCode(err error) int {
	words, code := ending(err)
	if words != "" {
		fmt.Fprintf(os.Stderr, "parking: %s\n", words)
	}
	return code
}

// ending returns what there is to say of what the program ends with, if anything
// is, and the code for it.
func ending(err error) (words string, code int) {
	var said exitError
	var usage *usageError
	switch {
	case err == nil:
		return "", 0
	case errors.As(err, &said):
		return "", int(said)
	case !errors.As(err, &usage):
		return repl.Plain(err), exitFailed
	}
	words = repl.Plain(err)
	if !strings.HasSuffix(words, "?") && !strings.HasSuffix(words, moreHelp) { // else it says already what to do
		words += "; " + moreHelp
	}
	return words, exitUsage
}
