package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// A pager collects an answer and shows it page by page, if it does not fit the
// window.
type pager struct {
	bytes.Buffer
	height int // of the window, in lines; 0: not known
}

// show shows what was collected, through $PAGER or less where that is needed
// and they are there. It returns when the user has seen enough, or ctx ends.
func (p *pager) show(ctx context.Context) {
	if p.height > 0 && bytes.Count(p.Bytes(), []byte("\n")) >= p.height && p.page(ctx) {
		return
	}
	_, _ = os.Stdout.Write(p.Bytes())
}

// page reports whether there was a pager to show it.
func (p *pager) page(ctx context.Context) bool {
	command, ok := os.LookupEnv("PAGER")
	if !ok {
		command = "less -R"
	}
	args := strings.Fields(command)
	if len(args) == 0 {
		return false
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(p.Bytes()), os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it may have modes to restore
	cmd.WaitDelay = time.Second
	if cmd.Start() != nil {
		return false
	}
	_ = cmd.Wait() // it has told its errors itself
	return true
}
