package member

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestLevelsOfTheLibraries(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"[ERR] memberlist: Conflicting address for larry": "INFO",
		"[WARN] serf: lost":                     "INFO",
		"[INFO] serf: joined":                   "DEBUG",
		"[DEBUG] memberlist: Stream connection": "DEBUG-4",
		"in no brackets":                        "DEBUG",
		"[ERR] memberlist: Failed to send gossip to 10.0.0.1: write":  "DEBUG",
		"[ERR] memberlist: Failed to send UDP ping: no route to host": "DEBUG",
	} {
		var out bytes.Buffer
		newLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug - 8}))).Print(line)
		if !strings.Contains(out.String(), " level="+want+" ") {
			t.Errorf("%q is logged as %s, want %s", line, out.String(), want)
		}
	}
}
