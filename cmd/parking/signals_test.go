package main

import (
	"errors"
	"syscall"
	"testing"
)

// The exit code tells what ended the program first: a signal that was meant
// for a prompt, and is handled when that has ended, changes nothing.
func TestTheReasonForTheEnd(t *testing.T) {
	ended := func(order func(s *signals, interrupt func())) error {
		ctx, s := catch(t.Context())
		defer s.stop()
		order(s, func() {
			if err := syscall.Kill(syscall.Getpid(), syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			<-ctx.Done()
		})
		return s.exit(nil)
	}
	if err := ended(func(s *signals, interrupt func()) { s.settle(); interrupt() }); err != nil {
		t.Errorf("a late signal is the reason: %v", err)
	}
	if err := ended(func(s *signals, interrupt func()) { interrupt(); s.settle() }); !errors.Is(err, exitError(130)) {
		t.Errorf("the first signal is not the reason: %v", err)
	}
}
