package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"parking/repl"
)

func serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve --sname NAME",
		Short: "run a node without a prompt",
		Long: "serve runs a node without a prompt: it reads nothing, logs to stderr, and leaves when it is\n" +
			"told to by a signal. parking attach is a prompt on it.",
		Example: "  parking serve --sname larry --cookie-file /etc/parking/cookie\n" +
			"  parking attach larry",
		Args: func(c *cobra.Command, args []string) error { return unserved(c, noArgs(c, args)) },
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := load(c.Flags())
			if err == nil {
				err = s.check()
			}
			if err != nil {
				return unserved(c, err)
			}
			return runServe(c.Context(), s, strayVariables(c.Root()))
		},
	}
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return unserved(c, flagError(c, err)) })
	addServeFlags(c.Flags())
	return c
}

// unserved tells why no node is run as its log would be formatted, as far as the
// settings that could be read say how.
func unserved(c *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	s, _ := load(c.Flags())
	return s.lastWords(s.logger(os.Stderr), err)
}

// runServe runs a node until a signal ends it or it ends by itself. What goes wrong
// is told as the log is formatted.
func runServe(ctx context.Context, s settings, remarks []string) error {
	ctx, sig := catch(ctx)
	defer sig.stop()
	logged := newLogs(os.Stderr, s.lostLines)
	defer logged.close()
	log := s.logger(logged)
	remark := func(text string) { log.Warn(strings.TrimPrefix(text, "note: ")) }
	for _, r := range remarks {
		remark(r)
	}
	err := served(ctx, s, log, remark)
	if err == nil {
		err = sig.exit(nil)
	}
	return s.lastWords(log, err)
}

// served runs the node, and logs what happens to it.
func served(ctx context.Context, s settings, log *slog.Logger, remark func(text string)) (err error) {
	h, err := hostNode(s, log, remark)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	begin := []any{"version", built().String(), "profile", s.Profile}
	if h.web != nil {
		begin = append(begin, "web", h.web.addr())
	}
	log.Info("starting", begin...)
	var telling sync.WaitGroup
	events, ended := h.Subscribe(), make(chan struct{})
	telling.Go(func() { logEvents(log, events) })
	telling.Go(func() {
		select {
		case <-h.Ready():
			shareCores(s.Profile)
			line := []any{"addr", h.Addr()}
			if joined := others(h.Members()); len(joined) > 0 { // else it says next that the gates run here
				line = append(line, "joined", joined, "gates", repl.GatesLine(h.Node))
			}
			log.Info("ready", line...)
		case <-ended:
		}
	})
	began := make(chan time.Time, 1)
	stays := context.AfterFunc(ctx, func() {
		log.Info("leaving")
		began <- time.Now()
	})
	_, wait := h.start(ctx)
	err = wait()
	close(ended)
	telling.Wait()
	if !stays() && err == nil {
		log.Info("left", "after", time.Since(<-began).Round(time.Millisecond).String())
	}
	return err
}
