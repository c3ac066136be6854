package prompt

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// wideTail fills the second cell of a wide character.
const wideTail = -1

// A vt is the screen of a terminal, so that tests see what a user sees. It
// knows the control sequences that this package and go-prompt write, and
// panics at others.
type vt struct {
	rows, cols int
	lines      []vtLine // those scrolled off, and the screen
	top        int      // index in lines of the screen's first row
	x, y       int      // the cursor; y is a row of the screen
	wrapNext   bool     // the last column is written: the next character wraps

	hidden bool // the cursor
	paste  bool // bracketed paste is on
	colors int  // SGR sequences so far
	tail   []byte
}

type vtLine struct {
	cells   []rune // 0 is blank
	wrapped bool   // the next row continues this one
}

func newVT(rows, cols int) *vt {
	v := &vt{rows: rows, cols: cols}
	v.fill()
	return v
}

func (v *vt) fill() {
	for len(v.lines) < v.top+v.rows {
		v.lines = append(v.lines, vtLine{cells: make([]rune, v.cols)})
	}
}

func (v *vt) line() *vtLine { return &v.lines[v.top+v.y] }

func (v *vt) write(p []byte) {
	in := append(v.tail, p...)
	v.tail = nil
	for len(in) > 0 {
		n := v.step(in)
		if n == 0 {
			v.tail = slices.Clone(in)
			return
		}
		in = in[n:]
	}
}

// step obeys the first character or sequence of in and returns its length, or
// 0 if it is not complete.
func (v *vt) step(in []byte) int {
	switch in[0] {
	case '\r':
		v.x, v.wrapNext = 0, false
	case '\n':
		v.down()
	case '\b':
		v.x, v.wrapNext = max(0, v.x-1), false
	case esc:
		return v.escape(in)
	default:
		if !utf8.FullRune(in) {
			return 0
		}
		r, n := utf8.DecodeRune(in)
		if r < ' ' {
			panic(fmt.Sprintf("control character %q on the screen", r))
		}
		v.put(r)
		return n
	}
	return 1
}

func (v *vt) escape(in []byte) int {
	if len(in) < 2 {
		return 0
	}
	switch in[1] {
	case 'D':
		v.down()
		return 2
	case 'M':
		if v.y == 0 {
			panic("scrolled back")
		}
		v.y--
		return 2
	case '[':
		end := slices.IndexFunc(in[2:], func(b byte) bool { return b >= '@' })
		if end < 0 {
			return 0
		}
		v.control(string(in[2:2+end]), in[2+end])
		return end + 3
	}
	panic(fmt.Sprintf("unknown sequence %q", in[:2]))
}

func (v *vt) control(params string, final byte) {
	n, err := strconv.Atoi(params)
	if err != nil || n == 0 {
		n = 1
	}
	if final != 'm' && final != 'h' && final != 'l' {
		v.wrapNext = false
	}
	switch final {
	case 'A':
		v.y = max(0, v.y-n)
	case 'B':
		v.y = min(v.rows-1, v.y+n)
	case 'C':
		v.x = min(v.cols-1, v.x+n)
	case 'D':
		v.x = max(0, v.x-n)
	case 'H':
		v.x, v.y = 0, 0
	case 'J':
		if params == "2" {
			for y := range v.rows {
				v.lines[v.top+y] = vtLine{cells: make([]rune, v.cols)}
			}
			return
		}
		v.erase()
		for y := v.y + 1; y < v.rows; y++ {
			v.lines[v.top+y] = vtLine{cells: make([]rune, v.cols)}
		}
	case 'K':
		v.erase()
	case 'm':
		v.colors++
	case 'h', 'l':
		switch params {
		case "?25":
			v.hidden = final == 'l'
		case "?2004":
			v.paste = final == 'h'
		default:
			panic(fmt.Sprintf("unknown mode %q", params))
		}
	default:
		panic(fmt.Sprintf("unknown sequence %q%c", params, final))
	}
}

func (v *vt) erase() {
	clear(v.line().cells[v.x:])
	v.line().wrapped = false
}

func (v *vt) put(r rune) {
	w := runewidth.RuneWidth(r)
	if v.wrapNext || v.x+w > v.cols {
		v.line().wrapped = true
		v.x = 0
		v.down()
	}
	v.line().cells[v.x] = r
	if w == 2 {
		v.line().cells[v.x+1] = wideTail
	}
	v.x += w
	if v.x >= v.cols {
		v.x, v.wrapNext = v.cols-1, true
	}
}

// down moves the cursor down a row, and scrolls at the bottom. The column
// stays: a terminal that processes output sends "\r\n" for "\n".
func (v *vt) down() {
	v.wrapNext = false
	if v.y < v.rows-1 {
		v.y++
		return
	}
	v.top++
	v.fill()
}

// resize gives the window another size and reflows its lines, as most
// terminals do.
func (v *vt) resize(rows, cols int) {
	old, at := v.lines, v.top+v.y
	offset := v.x
	for last := len(old) - 1; last > at && strings.TrimSpace(rowText(old[last])) == ""; last-- {
		old = old[:last]
	}
	v.rows, v.cols, v.lines = rows, cols, nil
	cursor := 0
	for i := 0; i < len(old); {
		var cells []rune
		place := -1 // of the cursor in cells
		for {
			if i == at {
				place = len(cells) + offset
			}
			cells = append(cells, old[i].cells...)
			i++
			if !old[i-1].wrapped || i == len(old) {
				break
			}
		}
		n := len(cells)
		for n > 0 && n > place+1 && cells[n-1] == 0 {
			n--
		}
		cells = cells[:n]
		first := len(v.lines)
		for {
			row := make([]rune, cols)
			n := copy(row, cells)
			cells = cells[n:]
			v.lines = append(v.lines, vtLine{cells: row, wrapped: len(cells) > 0})
			if len(cells) == 0 {
				break
			}
		}
		if place >= 0 {
			cursor, v.x = first+place/cols, place%cols
		}
	}
	v.top = max(0, len(v.lines)-rows)
	v.y = cursor - v.top
	v.wrapNext = false
	v.fill()
}

func rowText(l vtLine) string {
	var b strings.Builder
	for _, r := range l.cells {
		switch r {
		case 0:
			b.WriteByte(' ')
		case wideTail:
		default:
			b.WriteRune(r)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// all returns every row there ever was, without blank ones at the end.
func (v *vt) all() []string { return trimRows(v.lines) }

// screen returns the rows in the window, without blank ones at the end.
func (v *vt) screen() []string { return trimRows(v.lines[v.top:]) }

func trimRows(lines []vtLine) []string {
	var rows []string
	for _, l := range lines {
		rows = append(rows, rowText(l))
	}
	for len(rows) > 0 && rows[len(rows)-1] == "" {
		rows = rows[:len(rows)-1]
	}
	return rows
}

// cursorRow returns the text of the row that the cursor is in.
func (v *vt) cursorRow() string { return rowText(*v.line()) }
