package node_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"parking/node"
)

// Each reader sees every event in order and once, whatever the others do, and
// is told just how many it missed.
func TestSubscriptionsReadAtTheirOwnPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := node.NewBus()
		const total = 10_000
		var readers sync.WaitGroup
		for i := range 3 {
			sub := bus.Subscribe()
			readers.Go(func() {
				next := 0
				for {
					events, missed := sub.Next(context.Background())
					if events == nil {
						break
					}
					next += missed
					for _, e := range events {
						if e.Count != next {
							t.Errorf("reader %d: event %d where %d is the next", i, e.Count, next)
						}
						next++
					}
				}
				if next != total {
					t.Errorf("reader %d read or missed %d events of %d", i, next, total)
				}
			})
		}
		for i := range total {
			bus.Emit(node.Event{Count: i})
			if i%100 == 0 && i < total/2 {
				synctest.Wait()
			}
		}
		bus.Close()
		readers.Wait()
		if events, missed := bus.Subscribe().Next(t.Context()); events != nil || missed > 0 {
			t.Error("there are events after the end")
		}
	})
}

func TestNextEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := node.NewBus()
		sub := bus.Subscribe()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan []node.Event)
		go func() {
			events, _ := sub.Next(ctx)
			ended <- events
		}()
		synctest.Wait()
		cancel()
		if events := <-ended; events != nil {
			t.Errorf("%d events", len(events))
		}
		bus.Emit(node.Event{Count: 7})
		if events, _ := sub.Next(ctx); len(events) != 1 || events[0].Count != 7 {
			t.Errorf("what was there is not read: %+v", events)
		}
	})
}

// What an event costs its writer does not depend on how many read.
func BenchmarkEmit(b *testing.B) {
	for _, readers := range []struct {
		name string
		n    int
	}{{"readers=0", 0}, {"readers=1", 1}, {"readers=1000", 1000}} {
		b.Run(readers.name, func(b *testing.B) {
			bus := node.NewBus()
			var subs []*node.Subscription // which do not read
			for range readers.n {
				subs = append(subs, bus.Subscribe())
			}
			for b.Loop() {
				bus.Emit(node.Event{})
			}
			_ = subs
		})
	}
}
