package main

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"parking/node"
	"parking/node/discover"
	"parking/repl/prompt"
)

// signals turns the process's signals into what the program does about them.
// It is the only place that listens to them.
type signals struct {
	// Interrupt and Resize tick while a prompt has the terminal.
	Interrupt, Resize chan struct{}

	// Hurry is ended by a second signal where patient is set: what is being
	// cleaned up is to be so faster. A third one ends the process.
	Hurry   context.Context
	patient atomic.Bool

	prompting atomic.Bool
	received  atomic.Bool            // a signal has ended ctx
	restore   atomic.Pointer[func()] // puts back what was done to the terminal, beside a prompt's; may be nil
	reason    atomic.Int32           // that signal, if it is why the program ends; or byItself
	stop      func()
}

// sameSignal is how long after the first signal another is the same one: timeout
// and others tell the process, and then its group with it.
const sameSignal = 100 * time.Millisecond

// byItself is the reason of a program that no signal ends.
const byItself = -1

// catch returns a context that the first INT, TERM or HUP ends; a second one
// ends the process at once, but see Hurry. At a prompt, INT ticks instead.
func catch(parent context.Context) (context.Context, *signals) {
	ctx, cancel := context.WithCancel(parent)
	s := &signals{Interrupt: make(chan struct{}, 1), Resize: make(chan struct{}, 1)}
	var hurry context.CancelFunc
	s.Hurry, hurry = context.WithCancel(context.Background())
	// Whoever reads the answers may stop doing so: that fails a command, and is
	// not to kill the node. The programs started from here get the default.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	in := make(chan os.Signal, 4)
	signal.Notify(in, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGWINCH, syscall.SIGCONT)
	if !signal.Ignored(syscall.SIGHUP) { // by nohup
		signal.Notify(in, syscall.SIGHUP)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var first time.Time // when a signal ended ctx
		for sig := range in {
			num, _ := sig.(syscall.Signal)
			switch {
			case num == syscall.SIGWINCH || num == syscall.SIGCONT:
				tick(s.Resize)
			case num == syscall.SIGINT && s.prompting.Load():
				tick(s.Interrupt)
			case num == syscall.SIGQUIT: // Go's own way, in a sane terminal
				s.sane()
				signal.Reset(num)
				_ = syscall.Kill(os.Getpid(), num)
			case s.received.CompareAndSwap(false, true):
				s.reason.CompareAndSwap(0, int32(num))
				cancel()
				first = time.Now()
			case time.Since(first) < sameSignal:
			case num == syscall.SIGHUP: // a terminal that goes says so twice: by its shell, and itself
			case s.patient.Load() && s.Hurry.Err() == nil:
				hurry()
			default:
				s.sane()
				os.Exit(128 + int(num))
			}
		}
	}()
	s.stop = func() {
		signal.Stop(in)
		close(in)
		<-done
		cancel()
		hurry()
	}
	return ctx, s
}

// sane puts the terminal back at once.
func (s *signals) sane() {
	prompt.Restore()
	if restore := s.restore.Load(); restore != nil {
		(*restore)()
	}
}

func tick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// settle notes that the program ends by itself, unless a signal has ended it
// already: one that comes now, or is still on its way, is not the reason.
func (s *signals) settle() { s.reason.CompareAndSwap(0, byItself) }

// ended returns the signal for which the program ends, or 0.
func (s *signals) ended() int { return max(0, int(s.reason.Load())) }

// exit returns the error for the signal that ended the program, or err.
func (s *signals) exit(err error) error {
	if num := s.ended(); num != 0 {
		return exitError(128 + num)
	}
	return err
}

// inBackground has the process go on where the shell has taken its terminal: it
// does so from a node that another has paused. Its prompt waits for fg, and the
// node is not stopped again by what it does to the terminal.
func inBackground() { signal.Ignore(syscall.SIGTTIN, syscall.SIGTTOU) }

// stops is how long a process may take, of which one thread is told first, until
// none of them runs any more.
const stops = 20 * time.Millisecond

// stopOrGoOn returns the node's Signal. What it stops has not locked the runtime
// directory dir, which the others need to let it go on.
func stopOrGoOn(dir string) node.Signal {
	return func(pid int, stop bool) error {
		if !stop {
			return syscall.Kill(pid, syscall.SIGCONT)
		}
		return discover.Alone(dir, func() error {
			err := syscall.Kill(pid, syscall.SIGSTOP)
			time.Sleep(stops)
			return err
		})
	}
}
