package member

import (
	"bytes"
	"context"
	"log"
	"log/slog"
)

// newLogger returns a logger for libraries that put their level in brackets:
// "[WARN] serf: ...". What they call an error is mostly a peer that died, which
// the node tells in its own words, so levels are lowered by one step.
func newLogger(to *slog.Logger) *log.Logger { return log.New(levels{to}, "", 0) }

type levels struct{ to *slog.Logger }

var byName = map[string]slog.Level{
	"DEBUG": slog.LevelDebug - 4,
	"INFO":  slog.LevelDebug,
	"WARN":  slog.LevelInfo,
	"ERR":   slog.LevelInfo,
	"ERROR": slog.LevelInfo,
}

// unsent begins what memberlist says of a packet that did not get away. While a host
// has no network there are ten of them a second, and the probes that fail say it all.
var unsent = []byte("memberlist: Failed to send ")

func (l levels) Write(p []byte) (int, error) {
	level, text := slog.LevelDebug, bytes.TrimSpace(p)
	if len(text) > 0 && text[0] == '[' {
		if name, rest, ok := bytes.Cut(text[1:], []byte("] ")); ok {
			if known, ok := byName[string(name)]; ok {
				level, text = known, rest
			}
		}
	}
	if bytes.HasPrefix(text, unsent) {
		level = min(level, slog.LevelDebug)
	}
	l.to.Log(context.Background(), level, string(text))
	return len(p), nil
}
