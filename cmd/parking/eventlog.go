package main

import (
	"context"
	"log/slog"

	"parking/node"
	"parking/repl"
)

// logEvents logs the node's events until it has ended. The node logs faults
// itself, where they come into force and are taken back.
func logEvents(log *slog.Logger, events *node.Subscription) {
	for {
		batch, missed := events.Next(context.Background())
		if missed > 0 {
			log.Warn("events were too many to log", "missed", missed)
		}
		if batch == nil {
			return
		}
		for _, e := range batch {
			logEvent(log, e)
		}
	}
}

// logEvent logs one event, in the words that a prompt has for it.
func logEvent(log *slog.Logger, e node.Event) {
	level, attrs := slog.LevelInfo, []slog.Attr(nil)
	switch e.Kind {
	case node.FaultInjected, node.FaultHealed:
		return
	case node.NodeJoined, node.NodeLeft:
		attrs = append(attrs, slog.String("peer", e.Node), slog.Int("alive", e.Count))
	case node.NodeFailed:
		level, attrs = slog.LevelWarn, append(attrs, slog.String("peer", e.Node), slog.Int("alive", e.Count))
	case node.GatesRun:
		attrs = append(attrs, slog.String("owner", e.Node))
	case node.GateCrashed, node.GatesSplit, node.LotOver:
		level = slog.LevelWarn
	case node.SettingSet:
		attrs = append(attrs, slog.String("by", e.Node))
	case node.VehicleCame, node.VehicleLeft:
		level, attrs = slog.LevelDebug, append(attrs, slog.String("by", e.Node))
	case node.StateJoined:
		level = slog.LevelDebug
	case node.Notice:
		level = slog.LevelWarn
	}
	log.LogAttrs(context.Background(), level, repl.EventText(e), attrs...)
}
