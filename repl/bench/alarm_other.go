//go:build !linux

package bench

import (
	"context"
	"time"
)

// An alarm wakes who waits at the moment that is due. It is one goroutine's.
type alarm struct{ timer *time.Timer }

func newAlarm() (*alarm, error) { return &alarm{time.NewTimer(0)}, nil }

// until blocks until it is that late, and reports whether ctx goes on.
func (a *alarm) until(ctx context.Context, due time.Time) bool {
	if wait := time.Until(due); wait > 0 {
		a.timer.Reset(wait)
		select {
		case <-a.timer.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}

func (a *alarm) close() { a.timer.Stop() }
