package session

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parking/lot"
	"parking/node/discover"
	"parking/repl"
	"parking/repl/attach"
	"parking/repl/process"
)

// TestMain lets the test binary play a node, as the program does when its first
// argument is node.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "node" {
		os.Exit(fake(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

// fake is a node without a cluster. What it is to --be makes it behave badly.
func fake(args []string) int {
	flags := flag.NewFlagSet("node", flag.ExitOnError)
	name := flags.String("sname", "", "")
	cluster := flags.String("cluster", "", "")
	flags.String("cookie-file", "", "")
	be := flags.String("be", "", "")
	_ = flags.Parse(args)
	if *be == "stillborn" {
		fmt.Fprintln(os.Stderr, "there is no room for me")
		return 1
	}
	if *be == "paired" && !paired(*name) {
		return 1
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	eof := make(chan struct{})
	go func() { defer close(eof); _, _ = io.Copy(io.Discard, os.Stdin) }()
	if *be != "mute" {
		defer serve(*name, *cluster)()
	}
	switch *be {
	case "deaf":
		select {} // the signal is caught, and that is all
	case "rude":
		<-term
		os.Exit(3)
	}
	select {
	case <-term:
		return 143
	case <-eof:
		return 0
	}
}

// paired waits until another node is paired, too.
func paired(name string) bool {
	dir := os.Getenv("PARKING_RUNTIME_DIR")
	if err := os.WriteFile(filepath.Join(dir, name+".pair"), nil, 0o600); err != nil {
		return false
	}
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); time.Sleep(time.Millisecond) {
		if pairs, _ := filepath.Glob(filepath.Join(dir, "*.pair")); len(pairs) > 1 {
			return true
		}
	}
	return false
}

func serve(name, cluster string) (stop func()) {
	id := discover.ID{Name: name, Cluster: cluster, Fingerprint: "05dd294a383e66b9"}
	claim, err := discover.ClaimName(os.Getenv("PARKING_RUNTIME_DIR"), id)
	if err != nil {
		log.Fatal(err)
	}
	socket, err := attach.Listen(claim.Socket())
	if err != nil {
		log.Fatal(err)
	}
	s := attach.Server{Session: prompter{}, Node: name, Cluster: cluster, Die: func() { os.Exit(137) }}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() { defer close(served); _ = s.Serve(ctx, socket) }()
	if err := claim.Publish("127.0.0.1:7946", 42); err != nil {
		log.Fatal(err)
	}
	return func() { cancel(); <-served; _ = claim.Release() }
}

// prompter answers what the tests type, by the first word.
type prompter struct{}

func (prompter) Exec(ctx context.Context, line string, opt repl.Options, out, remarks io.Writer) error {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "":
		return nil
	case "track_entry":
		fmt.Fprintln(remarks, "warning: the lot is over")
		fmt.Fprintln(out, "ok   0 of 3 spaces free")
		return nil
	case "track_exit":
		return lot.Refuse(lot.Absent, "%s is not in the lot", rest)
	case "gates":
		if opt.Format == repl.JSON {
			fmt.Fprintln(remarks, "a remark")
			fmt.Fprintln(out, `{"gates":[{"gate":1,"owners":["larry"]},{"gate":2,"owners":[]}]}`)
			return nil
		}
		name := "larry"
		if opt.Color {
			name = "\x1b[35mlarry\x1b[0m"
		}
		for g := 1; g <= 4; g++ {
			fmt.Fprintf(out, " %d   %s   running\n", g, name)
		}
		return nil
	case "status":
		info, err := os.Stat(process.CookieFile(os.Getenv("PARKING_RUNTIME_DIR")))
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "mode", info.Mode())
		fmt.Fprintln(out, "args", os.Args[1:])
		for _, v := range os.Environ() {
			fmt.Fprintln(out, "env", v)
		}
		return nil
	case "kill-node":
		fmt.Fprintln(out, "ok   dies")
		if rest == "" {
			return repl.ErrDie
		}
		return kill(rest)
	case "rebalance": // a death that nobody asked for
		if err := kill("larry"); err != nil {
			return err
		}
	case "members": // the way to make it crash
		fmt.Fprintln(os.Stderr, "panic: boom")
		os.Exit(2)
	case "spaces": // and to freeze
		if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
			return err
		}
	}
	<-ctx.Done() // await
	return ctx.Err()
}

func kill(name string) error {
	all, err := discover.List(os.Getenv("PARKING_RUNTIME_DIR"))
	for _, e := range all {
		if e.Name == name {
			err = errors.Join(err, syscall.Kill(e.PID, syscall.SIGKILL))
		}
	}
	return err
}

func (prompter) Watch(ctx context.Context, _ repl.Options) func(func(string)) error {
	return func(func(string)) error {
		<-ctx.Done()
		return ctx.Err()
	}
}

func (prompter) Complete(context.Context, string) []repl.Suggestion { return nil }
