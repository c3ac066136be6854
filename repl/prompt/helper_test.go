package prompt

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// helperEnv makes the test binary the program under the pseudo-terminal.
const helperEnv = "PROMPT_TEST_HELPER"

func TestMain(m *testing.M) {
	if mode, ok := os.LookupEnv(helperEnv); ok {
		os.Exit(helper(mode))
	}
	goleak.VerifyTestMain(m)
}

// A report is written by the helper for the test, one to a line.
type report struct {
	mu sync.Mutex
	f  *os.File
}

func (r *report) printf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.f, format+"\n", args...)
}

// release is how obey ends a command that waits.
var release = make(chan struct{})

// helper runs a prompt whose surroundings the test commands: it reads orders
// from descriptor 3 and writes reports to descriptor 4.
func helper(mode string) (code int) {
	orders, out := os.NewFile(3, "orders"), &report{f: os.NewFile(4, "reports")}
	signal.Ignore(syscall.SIGHUP)
	before, err := unix.IoctlGetTermios(0, getTermios)
	if err != nil {
		out.printf("error %v", err)
		return 1
	}
	ctx, cancel := context.WithCancel(context.Background())
	events := make(chan string)
	go obey(orders, events, cancel, out)
	cfg := Config{
		In: os.Stdin, Out: os.Stdout,
		Prompt: func() string { return "larry> " },
		Color:  30, NoColor: mode == "nocolor",
		Exec:     func(ctx context.Context, line string) bool { return execute(ctx, line, out) },
		Complete: suggest,
		Events:   events, Resize: ticks(syscall.SIGWINCH, syscall.SIGCONT), Interrupt: ticks(syscall.SIGINT),
		History:  NewHistory("say one", `enter "OLD 1" 3`, "say two"),
		Remember: func(line string) { out.printf("remember %s", line) },
	}
	others := goleak.IgnoreCurrent()
	err = run(ctx, cfg, out)
	// A terminal that is gone has no modes to compare.
	after, gone := unix.IoctlGetTermios(0, getTermios)
	restored := gone != nil || *before == *after
	out.printf("return %v, restored %v, leak %v", err, restored, goleak.Find(others))
	return 0
}

// run reports the panic, if any, with which Run ended.
func run(ctx context.Context, cfg Config, out *report) error {
	defer func() {
		if p := recover(); p != nil {
			out.printf("panic %v", p)
		}
	}()
	return Run(ctx, cfg)
}

func obey(orders *os.File, events chan<- string, cancel context.CancelFunc, out *report) {
	in := bufio.NewScanner(orders)
	for in.Scan() {
		order, arg, _ := strings.Cut(in.Text(), " ")
		switch order {
		case "event":
			events <- arg
			out.printf("sent %s", arg)
		case "burst": // number, events per second, length of a tail
			var n, rate, tail int
			fmt.Sscan(arg, &n, &rate, &tail)
			tick := time.NewTicker(time.Second / time.Duration(rate))
			for i := range n {
				<-tick.C
				events <- "event " + strconv.Itoa(i) + strings.Repeat(".", tail)
			}
			tick.Stop()
			out.printf("sent %d", n)
		case "release":
			release <- struct{}{}
		case "cancel":
			cancel()
		case "close":
			close(events)
		case "die":
			Restore()
			Restore()
			os.Exit(7)
		}
	}
}

func execute(ctx context.Context, line string, out *report) (quit bool) {
	out.printf("exec %s", line)
	command, arg, _ := strings.Cut(line, " ")
	switch command {
	case "say":
		fmt.Println("said " + arg)
	case "wait":
		fmt.Println("waiting")
		select {
		case <-ctx.Done():
			fmt.Println("cancelled")
		case <-release:
		}
	case "ask":
		fmt.Println("name?")
		name, _ := bufio.NewReader(os.Stdin).ReadString('\r')
		fmt.Printf("hello %q\n", name)
	case "panic":
		panic("as ordered")
	case "quit":
		return true
	case "nest":
		out.printf("nested %v", Run(ctx, Config{
			In: os.Stdin, Out: os.Stdout,
			Prompt: func() string { return "> " },
			Exec:   func(context.Context, string) bool { return true },
		}))
	}
	return false
}

func suggest(before string) []Suggestion {
	if strings.Count(before, `"`)%2 == 1 {
		return matching(before[strings.LastIndex(before, `"`)+1:], []Suggestion{
			{`ABC 123"`, "in the lot"}, {`ABD 77"`, "in the lot"}, {`XYZ"`, "gone"},
		})
	}
	if strings.HasPrefix(before, "bang") {
		panic("no suggestions")
	}
	return matching(before[strings.LastIndex(before, " ")+1:], []Suggestion{
		{"enter", "a vehicle enters"}, {"exit", "a vehicle leaves"},
		{"gate", "one gate"}, {"gates", "all gates"}, {"help", "this list"},
		{"quit", "leave"}, {"read", "what is in the lot"}, {"say", "something"},
	})
}

func matching(prefix string, all []Suggestion) (some []Suggestion) {
	for _, s := range all {
		if strings.HasPrefix(s.Text, prefix) {
			some = append(some, s)
		}
	}
	return some
}

func ticks(sig ...os.Signal) <-chan struct{} {
	signals, c := make(chan os.Signal, 1), make(chan struct{}, 1)
	signal.Notify(signals, sig...)
	go func() {
		for range signals {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}()
	return c
}
