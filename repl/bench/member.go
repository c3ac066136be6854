package bench

import (
	"context"
	"fmt"
	"io"
	"syscall"
	"time"

	"connectrpc.com/connect"
	gopsutil "github.com/shirou/gopsutil/v4/process"

	"parking/repl"
	"parking/repl/attach"
	"parking/repl/bench/wire"
	"parking/repl/bench/wire/wireconnect"
	"parking/repl/process"
)

// A member is a node of the cluster that is measured.
type member struct {
	name string

	proc   *process.Node // nil: it runs anyway
	client *attach.Client
	calls  wireconnect.BenchClient
	ps     *gopsutil.Process
}

// reach makes the member one that can be asked.
func (m *member) reach(ctx context.Context, client *attach.Client, pid int) (err error) {
	m.client = client
	m.calls = wireconnect.NewBenchClient(client.HTTP(), attach.BaseURL, connect.WithReadMaxBytes(1<<22),
		connect.WithAcceptCompression("gzip", nil, nil)) // it never leaves this host
	if m.ps, err = gopsutil.NewProcessWithContext(ctx, int32(pid)); err != nil {
		return fmt.Errorf("cannot measure the process of %s: %w", m.name, err)
	}
	return nil
}

// connect blocks until a node that was started is ready.
func (m *member) connect(ctx context.Context) error {
	if err := m.proc.Connect(ctx); err != nil {
		return err
	}
	return m.reach(ctx, m.proc.Client, m.proc.PID())
}

// fails says whose call failed. That the context ended is the error then.
func (m *member) fails(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case m.proc != nil && m.proc.Gone():
		return m.proc.Ended("ended by itself")
	case connect.CodeOf(err) == connect.CodeUnimplemented:
		return fmt.Errorf("%s is a version of parking that cannot be measured; restart it with this one", m.name)
	}
	return fmt.Errorf("%s: %w", m.name, plain(err))
}

// load records entries of that many plates, or exits of those that are in, and
// returns how many.
func (m *member) load(ctx context.Context, prefix string, first uint64, count int, out bool) (moved int, err error) {
	reply, err := m.calls.Load(ctx, connect.NewRequest(&wire.LoadRequest{Prefix: prefix, First: first, Count: uint32(count), Out: out}))
	if err != nil {
		return 0, m.fails(ctx, err)
	}
	return int(reply.Msg.GetMoved()), nil
}

func (m *member) stats(ctx context.Context) (*wire.StatsReply, error) {
	reply, err := m.calls.Stats(ctx, connect.NewRequest(&wire.StatsRequest{}))
	if err != nil {
		return nil, m.fails(ctx, err)
	}
	return reply.Msg, nil
}

// exec types a line at the node's prompt.
func (m *member) exec(ctx context.Context, line string) error {
	return m.fails(ctx, m.client.Exec(ctx, line, repl.Options{Format: repl.JSON}, io.Discard, io.Discard))
}

// signal sends the member, which must be one that was started here, a signal.
func (m *member) signal(s syscall.Signal) error { return m.proc.Signal(s) }

// frozen stops the member, which others cannot tell from a cable that is cut,
// does something meanwhile, and lets the member go on, however that ended.
func (m *member) frozen(do func() error) (err error) {
	if err := m.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	defer func() {
		if thawed := m.signal(syscall.SIGCONT); err == nil {
			err = thawed
		}
	}()
	return do()
}

// resources are what the process has used and uses.
func (m *member) resources(ctx context.Context) (cpu time.Duration, rss uint64, err error) {
	times, err := m.ps.TimesWithContext(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("cannot measure the process of %s: %w", m.name, err)
	}
	memory, err := m.ps.MemoryInfoWithContext(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("cannot measure the process of %s: %w", m.name, err)
	}
	return time.Duration((times.User + times.System) * float64(time.Second)), memory.RSS, nil
}
