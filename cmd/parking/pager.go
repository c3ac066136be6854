package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
)

// A pager collects an answer and shows it page by page, if it does not fit the
// window.
type pager struct {
	bytes.Buffer
	height int // of the window, in lines; 0: not known
}

// show shows what was collected, through $PAGER or less where that is needed
// and they are there. It returns when the user has seen enough.
func (p *pager) show(ctx context.Context) {
	if p.height > 0 && bytes.Count(p.Bytes(), []byte("\n")) >= p.height {
		command, ok := os.LookupEnv("PAGER")
		if !ok {
			command = "less -R"
		}
		if args := strings.Fields(command); len(args) > 0 {
			cmd := exec.CommandContext(ctx, args[0], args[1:]...)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(p.Bytes()), os.Stdout, os.Stderr
			if cmd.Run() == nil {
				return
			}
		}
	}
	_, _ = os.Stdout.Write(p.Bytes())
}
