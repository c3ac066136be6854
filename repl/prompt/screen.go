package prompt

import (
	"strings"

	goprompt "github.com/c-bata/go-prompt"
)

// A screen is go-prompt's ConsoleWriter. It puts the queued events above the
// line, decides what of go-prompt's drawings the terminal gets to see, and
// reports each drawing to the keyboard.
//
// It depends on the order in which go-prompt draws: HideCursor, with the
// cursor at the start of the prompt; the prompt; the line; the menu;
// ShowCursor; Flush. All of this happens in the goroutine that called Run.
type screen struct {
	vt100
	tty     *terminal
	keys    *keyboard
	events  *eventQueue
	menu    *completer
	noColor bool

	strings  int  // written since HideCursor
	marking  bool // the next string is the selected menu entry
	complete bool // ShowCursor was called: the next Flush ends a drawing
	line     lineState
}

// HideCursor begins a drawing, with the events not shown yet.
func (s *screen) HideCursor() {
	s.vt100.HideCursor()
	if lines := s.events.take(); len(lines) > 0 {
		s.EraseDown()
		s.writeLines(lines)
	}
	s.strings, s.line = 0, lineState{}
}

func (s *screen) writeLines(lines []string) {
	for _, line := range lines {
		s.WriteRawStr(line + "\n")
	}
}

// WriteStr writes a piece of a drawing.
func (s *screen) WriteStr(data string) {
	s.strings++
	if s.strings == 2 {
		s.line.blank, s.line.size = data == "", len(data)
	}
	if s.marking {
		// The selection shows without colours, too.
		s.marking = false
		data = ">" + strings.TrimPrefix(data, " ")
	}
	if cut, ok := strings.CutSuffix(data, "\n"); ok && s.keys.stage() == interrupt {
		data = cut + "^C\n"
	}
	s.vt100.WriteStr(data)
}

// SetColor writes a change of colours, unless there are to be none. Bold is
// what go-prompt uses for the selected menu entry, and for nothing else.
func (s *screen) SetColor(fg, bg goprompt.Color, bold bool) {
	if bold {
		s.marking = true
		s.line.selected, s.line.blank = true, false
	}
	if !s.noColor {
		s.vt100.SetColor(fg, bg, false) // bold black would be grey
	}
}

// ShowCursor ends a drawing, but for a Flush.
func (s *screen) ShowCursor() {
	s.vt100.ShowCursor()
	s.complete = true
}

// Flush writes what was drawn to the terminal. It blocks as long as the
// terminal does not take it, until the session ends.
func (s *screen) Flush() error {
	switch {
	case s.keys.stage() == leave && s.keys.why() == resized:
		// go-prompt takes leave of a line that will be drawn again.
		s.buf.Reset()
	case s.keys.stage() == wakeOpen:
		// The other half follows.
	default:
		s.tty.write(s.buf.Bytes())
		s.buf.Reset()
	}
	if s.complete {
		s.complete = false
		s.line.searching, s.line.found, s.line.sure = s.menu.drawn(s.line.selected)
		s.keys.drawn(s.line)
	}
	return nil
}

// backToStart moves the cursor from a place in the line to the start of the
// prompt, after the window got another width: terminals reflow what is on
// them.
func (s *screen) backToStart(place, cols int) {
	s.CursorUp(place / cols)
	s.WriteRawStr("\r")
	s.EraseDown()
}

// showRemaining shows the events still queued, with the cursor on a line of
// its own.
func (s *screen) showRemaining() {
	s.writeLines(s.events.take())
	s.tty.write(s.buf.Bytes())
	s.buf.Reset()
}
