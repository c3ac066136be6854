package prompt

import (
	"bytes"
	"fmt"
	"strings"

	goprompt "github.com/c-bata/go-prompt"
)

// vt100 is the part of go-prompt's ConsoleWriter that only spells out control
// sequences. go-prompt's own cannot be used, as nobody else can read its
// buffer.
type vt100 struct {
	buf bytes.Buffer
}

func (w *vt100) printf(format string, args ...any) { fmt.Fprintf(&w.buf, format, args...) }

// move writes the sequence that moves the cursor n times, ahead or, if n is
// negative, back.
func (w *vt100) move(n int, ahead, back byte) {
	switch {
	case n > 0:
		w.printf("\x1b[%d%c", n, ahead)
	case n < 0:
		w.printf("\x1b[%d%c", -n, back)
	}
}

func (w *vt100) WriteRaw(data []byte)    { w.buf.Write(data) }
func (w *vt100) WriteRawStr(data string) { w.buf.WriteString(data) }
func (w *vt100) Write(data []byte)       { w.WriteStr(string(data)) }
func (w *vt100) WriteStr(data string) {
	w.buf.WriteString(strings.ReplaceAll(data, "\x1b", "?"))
}

func (w *vt100) EraseScreen()      { w.printf("\x1b[2J") }
func (w *vt100) EraseUp()          { w.printf("\x1b[1J") }
func (w *vt100) EraseDown()        { w.printf("\x1b[J") }
func (w *vt100) EraseStartOfLine() { w.printf("\x1b[1K") }
func (w *vt100) EraseEndOfLine()   { w.printf("\x1b[K") }
func (w *vt100) EraseLine()        { w.printf("\x1b[2K") }

func (w *vt100) ShowCursor()             { w.printf(showing) }
func (w *vt100) HideCursor()             { w.printf("\x1b[?25l") }
func (w *vt100) CursorGoTo(row, col int) { w.printf("\x1b[%d;%dH", row, col) }
func (w *vt100) CursorUp(n int)          { w.move(n, 'A', 'B') }
func (w *vt100) CursorDown(n int)        { w.move(n, 'B', 'A') }
func (w *vt100) CursorForward(n int)     { w.move(n, 'C', 'D') }
func (w *vt100) CursorBackward(n int)    { w.move(n, 'D', 'C') }
func (w *vt100) AskForCPR()              { w.printf("\x1b[6n") }
func (w *vt100) SaveCursor()             { w.printf("\x1b[s") }
func (w *vt100) UnSaveCursor()           { w.printf("\x1b[u") }
func (w *vt100) ScrollDown()             { w.printf("\x1bD") }
func (w *vt100) ScrollUp()               { w.printf("\x1bM") }

// The title is the user's: it is neither set nor, as go-prompt would at the
// end of each line, cleared.
func (w *vt100) SetTitle(string) {}
func (w *vt100) ClearTitle()     {}

// indexed is added to the number of one of the terminal's 256 colours, which
// go-prompt hands through without looking at it.
const indexed goprompt.Color = 256

func (w *vt100) SetColor(fg, bg goprompt.Color, bold bool) {
	w.printf("\x1b[0")
	if bold {
		w.printf(";1")
	}
	w.color(fg, 30)
	w.color(bg, 40)
	w.printf("m")
}

// color writes the SGR parameters for a colour. base is that of the first dark
// one; the bright ones are 60 further, the 256 behind 8 more.
func (w *vt100) color(c goprompt.Color, base int) {
	switch {
	case c >= indexed:
		w.printf(";%d;5;%d", base+8, c-indexed)
	case c >= goprompt.DarkGray:
		w.printf(";%d", base+60+int(c-goprompt.DarkGray))
	case c != goprompt.DefaultColor:
		w.printf(";%d", base+int(c-goprompt.Black))
	}
}
