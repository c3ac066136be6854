package session

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/mattn/go-runewidth"
)

// A still is a recording as a picture: the whole transcript, as a terminal
// shows it.
type still struct {
	file  *renameio.PendingFile // takes the place of an older one when it is whole
	title string
	text  strings.Builder
	full  bool // what comes now is left out
}

func newStill(cfg RecordConfig) (form, error) {
	path := cfg.Path
	if file, err := filepath.EvalSymlinks(path); err == nil {
		path = file // the link stays
	}
	file, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o644), renameio.WithExistingPermissions())
	if err != nil {
		return nil, err
	}
	return &still{file: file, title: cfg.Title}, nil
}

// maxStill bounds a picture's text, in bytes.
const maxStill = 1 << 20

func (p *still) write(_ time.Duration, s string) error {
	switch {
	case p.full:
	case p.text.Len()+len(s) > maxStill:
		p.full = true
		p.text.WriteString("\x1b[0m\n... and more than a picture holds\n")
	default:
		p.text.WriteString(s)
	}
	return nil
}

func (p *still) close(passed bool) error {
	defer func() { _ = p.file.Cleanup() }() // what is not in place
	if !passed {
		return errors.New("what has not passed is not drawn")
	}
	if _, err := p.file.Write(render(p.title, p.text.String())); err != nil {
		return err
	}
	return p.file.CloseAtomicallyReplace()
}

// What a picture is drawn with. The font is whatever the reader's system has;
// textLength makes its columns as wide as they are here.
const (
	columns = 100 // at most; longer lines are wrapped
	cell    = 8.4 // pixels from column to column
	leading = 19  // and from line to line
	margin  = 16
	ground  = "#12151c"
	ink     = "#d4d9e2"
)

// palette are the 16 basic colours, readable on ground.
var palette = [16]string{
	"#5c6370", "#e8616b", "#8cc570", "#e2b655", "#64a8f0", "#c98ae6", "#4fc1cc", "#d4d9e2",
	"#7f8795", "#ff7f88", "#a9dc8f", "#f5cf78", "#8cc2ff", "#dfa9f5", "#77dbe4", "#ffffff",
}

// render draws a coloured text as SVG.
func render(title, text string) []byte {
	rows, width := wrap(text)
	var b bytes.Buffer
	w, h := 2*margin+int(float64(width)*cell+0.5), 2*margin+leading*len(rows)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%d" role="img">`+"\n", w, h, h)
	fmt.Fprintf(&b, "<title>%s</title>\n", escaped(title))
	// Blanks count: some renderers go by one, some by the other.
	b.WriteString("<style>text{white-space:pre}</style>\n")
	fmt.Fprintf(&b, `<rect x="0.5" y="0.5" width="%d" height="%d" rx="8" fill="%s" stroke="#3a414e"/>`+"\n", w-1, h-1, ground)
	fmt.Fprintf(&b, `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" fill="%s">`+"\n", ink)
	for i, row := range rows {
		if len(row) == 0 {
			continue
		}
		n := 0
		for _, s := range row {
			n += runewidth.StringWidth(s.text)
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" textLength="%.1f" lengthAdjust="spacingAndGlyphs" xml:space="preserve">`, margin, margin+14+leading*i, float64(n)*cell)
		for _, s := range row {
			if attrs := s.look.attributes(); attrs != "" {
				fmt.Fprintf(&b, "<tspan%s>%s</tspan>", attrs, escaped(s.text))
			} else {
				b.WriteString(escaped(s.text))
			}
		}
		b.WriteString("</text>\n")
	}
	b.WriteString("</g>\n</svg>\n")
	return b.Bytes()
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

// A span is text of one look.
type span struct {
	text string
	look look
}

// wrap returns the lines of a coloured text, and how many columns the widest
// has.
func wrap(text string) (rows [][]span, width int) {
	var l look
	for line := range strings.Lines(text) {
		var row []span
		n := 0
		for i, part := range split(strings.TrimRight(line, "\r\n")) {
			if i%2 == 1 {
				l.set(part)
				continue
			}
			for part != "" {
				head := runewidth.Truncate(part, columns-n, "")
				if head == "" { // the line is full
					rows, row, n = append(rows, row), nil, 0
					continue
				}
				row, part = append(row, span{head, l}), part[len(head):]
				n += runewidth.StringWidth(head)
				width = max(width, n)
			}
		}
		rows = append(rows, row)
	}
	return rows, width
}

// sgr is what sets colours: "select graphic rendition".
var sgr = regexp.MustCompile(`\x1b\[([0-9;]*)m`)

// split returns a line's texts and, in between, the numbers that set colours.
func split(line string) (parts []string) {
	at := 0
	for _, m := range sgr.FindAllStringSubmatchIndex(line, -1) {
		parts = append(parts, line[at:m[0]], line[m[2]:m[3]])
		at = m[1]
	}
	return append(parts, line[at:])
}

// A look is how text looks.
type look struct {
	fill                           string // "": as all the rest
	bold, faint, italic, underline bool
}

// set does what a sequence of numbers says.
func (l *look) set(numbers string) {
	codes := strings.Split(numbers, ";")
	for len(codes) > 0 {
		n, _ := strconv.Atoi(codes[0]) // none is 0
		used := 1
		switch {
		case n == 0:
			*l = look{}
		case n == 1:
			l.bold = true
		case n == 2:
			l.faint = true
		case n == 3:
			l.italic = true
		case n == 4:
			l.underline = true
		case n == 22:
			l.bold, l.faint = false, false
		case n == 23:
			l.italic = false
		case n == 24:
			l.underline = false
		case n >= 30 && n <= 37:
			l.fill = palette[n-30]
		case n >= 90 && n <= 97:
			l.fill = palette[n-90+8]
		case n == 39:
			l.fill = ""
		case (n == 38 || n == 48) && len(codes) >= 3 && codes[1] == "5":
			if i, err := strconv.Atoi(codes[2]); err == nil && n == 38 {
				l.fill = indexed(i)
			}
			used = 3
		case (n == 38 || n == 48) && len(codes) >= 5 && codes[1] == "2":
			used = 5
		}
		codes = codes[used:]
	}
}

// indexed returns one of the 256 colours: the basic ones, a cube of 6x6x6, and
// greys.
func indexed(i int) string {
	level := func(n int) int {
		if n == 0 {
			return 0
		}
		return 55 + 40*n
	}
	switch {
	case i < 0 || i > 255:
		return ""
	case i < 16:
		return palette[i]
	case i < 232:
		i -= 16
		return fmt.Sprintf("#%02x%02x%02x", level(i/36), level(i/6%6), level(i%6))
	}
	return fmt.Sprintf("#%02[1]x%02[1]x%02[1]x", 8+10*(i-232))
}

func (l look) attributes() string {
	var b strings.Builder
	if l.fill != "" {
		fmt.Fprintf(&b, ` fill="%s"`, l.fill)
	}
	if l.bold {
		b.WriteString(` font-weight="bold"`)
	}
	if l.faint {
		b.WriteString(` fill-opacity="0.65"`)
	}
	if l.italic {
		b.WriteString(` font-style="italic"`)
	}
	if l.underline {
		b.WriteString(` text-decoration="underline"`)
	}
	return b.String()
}
