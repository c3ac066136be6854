package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
)

// errNoEnter is the error of a step that nobody let go on.
var errNoEnter = errors.New("standard input has ended before this step; --step wants Enter for each")

// typedAhead is how many Enters may come before they are asked for.
const typedAhead = 64

// enterKey returns what blocks until in has given one more line, or ctx ends.
// A read that is left when nobody needs it any more ends with the process.
func enterKey(in io.Reader) func(ctx context.Context) error {
	lines := make(chan error, typedAhead)
	go func() {
		defer close(lines)
		for r := bufio.NewReader(in); ; {
			_, err := r.ReadSlice('\n')
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			lines <- err
			if err != nil {
				return
			}
		}
	}()
	return func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err, more := <-lines:
			if !more || errors.Is(err, io.EOF) {
				return errNoEnter
			}
			if err != nil {
				err = fmt.Errorf("standard input cannot be read: %w", err)
			}
			return err
		}
	}
}
