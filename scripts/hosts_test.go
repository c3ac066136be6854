package scripts_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
)

// A record is what was observed: things that are to be the same either way, and
// times that may differ.
type record struct {
	seen  []string
	times []taken
}

type taken struct {
	what string
	d    time.Duration
}

func (r *record) saw(format string, args ...any) {
	r.seen = append(r.seen, fmt.Sprintf(format, args...))
}

func (r *record) took(what string, d time.Duration) { r.times = append(r.times, taken{what, d}) }

// Faults at the prompt tell the truth: nodes on hosts of their own observe the
// same when packet filters cut their links.
func TestHosts(t *testing.T) {
	needHosts(t)
	t.Parallel()
	ways := []way{outside(), inside()}
	records := make([]*record, len(ways))
	t.Run("ways", func(t *testing.T) { // returns when both have ended
		for i, w := range ways {
			t.Run(w.name, func(t *testing.T) {
				t.Parallel()
				c, r := startHosts(t, fmt.Sprint(i)), &record{}
				for _, scenario := range []struct {
					name string
					play func(*testing.T, *hosts, way, *record)
				}{
					{"partition", playPartition}, {"one-way cut", playOneWay}, {"nobody hears larry", playMute},
					{"30 % loss", playLoss}, {"power off", playPowerOff},
				} {
					r.saw("-- %s", scenario.name)
					for _, h := range c.all {
						h.forget()
					}
					scenario.play(t, c, w, r)
					for _, name := range c.running() {
						t.Logf("%s: %s heard of failures: %v", scenario.name, name, c.all[name].failures())
					}
				}
				records[i] = r
			})
		}
	})
	if t.Failed() || slices.Contains(records, nil) {
		return
	}
	a, b := records[0], records[1]
	t.Logf("observed both ways:\n  %s", strings.Join(a.seen, "\n  "))
	for i := range max(len(a.seen), len(b.seen)) {
		if x, y := at(a.seen, i), at(b.seen, i); x != y {
			t.Errorf("the observations differ\n%s: %s\n%s: %s", ways[0].name, x, ways[1].name, y)
		}
	}
	tab := table.NewWriter()
	tab.AppendHeader(table.Row{"", ways[0].name, ways[1].name})
	for i, x := range a.times {
		if i < len(b.times) {
			tab.AppendRow(table.Row{x.what, x.d.Round(time.Millisecond), b.times[i].d.Round(time.Millisecond)})
		}
	}
	t.Logf("times:\n%s", tab.Render())
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "nothing"
}
