package prompt

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestEventsAboveHalfTypedLine(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("half typed")
	s.row("larry> half typed", 17)
	s.send(left + left)
	s.row("larry> half typed", 15)
	var want []string
	for i := range 10 {
		s.order("event \x1b[32m12:00\x1b[0m  + number %d", i)
		want = append(want, fmt.Sprintf("12:00  + number %d", i))
	}
	s.rows(append(want, "larry> half typed")...)
	s.row("larry> half typed", 15)
	s.send("YP")
	s.row("larry> half typYPed", 17)
}

func TestEventsAboveWrappedLine(t *testing.T) {
	for _, n := range []int{50, 53, 54, 120} { // 53 fills a row, and 113 two
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := start(t, 16, 60, "")
			line := strings.Repeat("0123456789", 20)[:n]
			rows := wrap("larry> "+line, 60)
			s.send(line)
			s.rows(rows...)
			for range 3 {
				s.order("event something")
			}
			s.rows(append([]string{"something", "something", "something"}, rows...)...)
			s.send("\x01>") // to the start
			rows = wrap("larry> >"+line, 60)
			s.rows(append([]string{"something", "something", "something"}, rows...)...)
			s.row(rows[0], 8)
			s.order("event more")
			s.rows(append([]string{"something", "something", "something", "more"}, rows...)...)
			s.row(rows[0], 8)
		})
	}
}

func wrap(line string, cols int) (rows []string) {
	for len(line) > cols {
		rows, line = append(rows, line[:cols]), line[cols:]
	}
	return append(rows, line)
}

func TestTypingAmongManyEvents(t *testing.T) {
	s := start(t, 16, 60, "")
	const events = 200
	s.order("burst %d 100", events)
	line := strings.Repeat("gates and ", 20)
	pace := time.NewTicker(10 * time.Millisecond)
	defer pace.Stop()
	for _, r := range line {
		<-pace.C
		s.send(string(r))
	}
	s.send("!")
	var want []string
	for i := range events {
		want = append(want, fmt.Sprintf("event %d", i))
	}
	s.rows(append(want, wrap("larry> "+line+"!", 60)...)...)
	s.send("\r")
	s.reported("exec " + line + "!")
}

// The window changes while one types and events come.
func TestResizeAmongEvents(t *testing.T) {
	s := start(t, 16, 60, "")
	const events = 100
	s.order("burst %d 100", events)
	line := ""
	for i, cols := range []int{40, 30, 70, 100, 60} {
		s.resize(16, cols)
		part := strings.Repeat(fmt.Sprint(i), 20)
		line += part
		for _, r := range part {
			s.send(string(r))
		}
		s.wait("what was typed", func() bool { return strings.Contains(strings.Join(s.vt.all(), ""), line) })
	}
	s.reported(fmt.Sprintf("sent %d", events))
	s.bottom(append([]string{fmt.Sprint("event ", events-1)}, wrap("larry> "+line, 60)...)...)
	var shown []string
	s.mu.Lock()
	for _, row := range s.vt.all() {
		if strings.HasPrefix(row, "event") {
			shown = append(shown, row)
		}
	}
	s.mu.Unlock()
	// What is under way to the terminal as its width changes was drawn for
	// another one: an event may be written over. There were five changes.
	if len(shown) < events-10 {
		t.Errorf("%d of %d events are on the screen: %q", len(shown), events, shown)
	}
	s.send("\r")
	s.executed(line)
}

func TestEventsDuringCommand(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("wait\r")
	s.bottom("waiting")
	s.order("burst %d 5000", maxEvents+37)
	s.reported(fmt.Sprintf("sent %d", maxEvents+37))
	s.send("\x03")
	want := []string{"larry> wait", "waiting", "cancelled", "… 37 events not shown"}
	for i := range maxEvents {
		want = append(want, fmt.Sprintf("event %d", i+37))
	}
	s.rows(append(want, "larry>")...)
	s.order("close")
	s.send("quit\r")
	s.returned(nil)
}

// TestStuckTerminal has a terminal that stops reading while events come.
func TestStuckTerminal(t *testing.T) {
	t.Run("reads on", func(t *testing.T) {
		s := start(t, 16, 300, "")
		resume := s.stick()
		s.order("burst 1500 3000 200")
		s.reported("sent 1500")
		resume()
		s.bottom("event 1499"+strings.Repeat(".", 200), "larry>")
		s.prompt()
		s.wait("events dropped", func() bool {
			return strings.Contains(strings.Join(s.vt.all(), "\n"), "events not shown")
		})
	})
	t.Run("cancelled", func(t *testing.T) {
		s := start(t, 16, 300, "")
		resume := s.stick()
		s.order("burst 1500 3000 200")
		s.reported("sent 1500")
		s.order("cancel")
		s.reported("return context canceled, restored true, leak <nil>")
		resume()
	})
}
