package bench

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"parking/repl/bench/wire"
	"parking/repl/process"
)

// lookAfter is how long a look at that many nodes is apart from the next one:
// looking is not to be what keeps them busy.
func lookAfter(nodes int) time.Duration { return time.Duration(max(2, nodes)) * time.Millisecond }

// statsOf asks all members at the same moment.
func statsOf(ctx context.Context, all []*member) ([]*wire.StatsReply, error) {
	out := make([]*wire.StatsReply, len(all))
	index := make(map[*member]int, len(all))
	for i, m := range all {
		index[m] = i
	}
	err := each(all, func(m *member) (err error) {
		out[index[m]], err = m.stats(ctx)
		return err
	})
	return out, err
}

// await looks at the members until what they tell is as wanted, and returns
// that. What names it in the error.
func await(ctx context.Context, all []*member, what string, is func([]*wire.StatsReply) bool) ([]*wire.StatsReply, error) {
	ctx, cancel := process.Limit(ctx, what, patience)
	defer cancel()
	tick := time.NewTicker(lookAfter(len(all)))
	defer tick.Stop()
	var last []*wire.StatsReply
	for {
		now, err := statsOf(ctx, all)
		switch {
		case err != nil && ctx.Err() != nil && last != nil:
			return nil, fmt.Errorf("%w; %s", context.Cause(ctx), told(last))
		case err != nil:
			return nil, err
		case is(now):
			return now, nil
		}
		last = now
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// equal blocks until all members have the same digest.
func equal(ctx context.Context, all []*member) ([]*wire.StatsReply, error) {
	return await(ctx, all, "agreeing on a digest", sameDigest)
}

func sameDigest(all []*wire.StatsReply) bool {
	for _, s := range all {
		if !bytes.Equal(s.GetDigest(), all[0].GetDigest()) {
			return false
		}
	}
	return true
}

// told says how far members are, for an error.
func told(all []*wire.StatsReply) string {
	var out []string
	for _, s := range all {
		out = append(out, fmt.Sprintf("%s has %d vehicles, %d changes, %d to push, digest %x", s.GetNode(), s.GetTaken(), s.GetChanges(), s.GetQueue(), s.GetDigest()[:2]))
	}
	return strings.Join(out, ", ")
}

// usage is what the members have used together.
type usage struct {
	at   time.Time
	sent uint64 // bytes
	cpu  time.Duration
	rss  map[*member]uint64

	each map[*member]usage // the same of one member
}

func used(ctx context.Context, all []*member) (usage, error) {
	stats, err := statsOf(ctx, all)
	if err != nil {
		return usage{}, err
	}
	u := usage{at: time.Now(), rss: make(map[*member]uint64), each: make(map[*member]usage)}
	for i, m := range all {
		cpu, rss, err := m.resources(ctx)
		if err != nil {
			return usage{}, err
		}
		sent := stats[i].GetPackets() + stats[i].GetGossip() + stats[i].GetStreams()
		u.sent, u.cpu, u.rss[m] = u.sent+sent, u.cpu+cpu, rss
		u.each[m] = usage{sent: sent, cpu: cpu}
	}
	return u, nil
}

// costs sets what each of the changes has cost all members, from before till
// after.
func (s *sample) costs(before, after usage, changes int) {
	if changes > 0 {
		s.set("sent per change, all nodes", "B", float64(after.sent-before.sent)/float64(changes))
		s.set("CPU per change, all nodes", "s", (after.cpu-before.cpu).Seconds()/float64(changes))
	}
}

// grown is by how much the memory of the member that grew most grew.
func grown(before, after usage) float64 {
	most := 0.0
	for m, rss := range after.rss {
		most = max(most, float64(rss)-float64(before.rss[m]))
	}
	return most
}
