package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// errNoEnter is the error of a step that nobody let go on.
var errNoEnter = errors.New("standard input has ended before this step; --step wants Enter for each")

// enterKey returns what blocks until the next line of r ends, or ctx does. It
// reads ahead by a line; the read that is left when it is needed no more ends
// with the process. Where a terminal echoes the Enter, the cursor goes back to
// the line that was shown.
func enterKey(r io.Reader, echoed bool) func(context.Context) error {
	lines := make(chan error)
	go func() {
		in := bufio.NewReader(r)
		for {
			_, err := in.ReadSlice('\n')
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			lines <- err
			if err != nil {
				return
			}
		}
	}()
	ended := false
	return func(ctx context.Context) error {
		if ended {
			return errNoEnter
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-lines:
			switch {
			case errors.Is(err, io.EOF):
				ended = true
				return errNoEnter
			case err != nil:
				ended = true
				return fmt.Errorf("standard input cannot be read: %w", err)
			case echoed:
				fmt.Fprint(os.Stdout, "\x1b[A")
			}
			return nil
		}
	}
}
