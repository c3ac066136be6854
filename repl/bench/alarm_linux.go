package bench

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// An alarm wakes who waits at the moment that is due, as closely as the system
// can. A timer of Go's wakes a process that sleeps up to a millisecond late,
// since it asks epoll(7) for whole ones: that is more than some of the times
// that are measured. It is one goroutine's.
type alarm struct{ file *os.File }

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("no timer: %w", err)
	}
	return &alarm{os.NewFile(uintptr(fd), "timerfd")}, nil
}

// until blocks until it is that late, and reports whether ctx goes on.
func (a *alarm) until(ctx context.Context, due time.Time) bool {
	wait := time.Until(due)
	if wait <= 0 || ctx.Err() != nil {
		return ctx.Err() == nil
	}
	conn, err := a.file.SyscallConn()
	if err != nil {
		return false
	}
	_ = conn.Control(func(fd uintptr) {
		err = unix.TimerfdSettime(int(fd), 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(wait.Nanoseconds())}, nil)
	})
	if err != nil {
		return false
	}
	stop := context.AfterFunc(ctx, func() { _ = a.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var expirations [8]byte
	_, err = a.file.Read(expirations[:])
	return err == nil && ctx.Err() == nil
}

func (a *alarm) close() { _ = a.file.Close() }
