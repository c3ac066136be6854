package prompt

import (
	"cmp"
	"strings"
	"unicode/utf8"

	goprompt "github.com/c-bata/go-prompt"
	"github.com/mattn/go-runewidth"
)

const (
	maxSuggestions = 10 // shown at a time
	minMenuWidth   = 12 // columns; go-prompt fails to draw a menu in very few
)

// A menu is what go-prompt shows under a line.
type menu struct {
	text      string // the line
	entries   []goprompt.Suggest
	rows      int    // at most, before it scrolls
	separator string // of the word that an entry replaces
	searching bool   // the entries are lines of the history,
	nothing   bool   // or the one entry says that there is none
}

// A completer is go-prompt's Completer. It asks for suggestions, or searches
// the history, and sees to it that the menu fits the window: go-prompt would
// erase the screen otherwise, or fail.
//
// go-prompt calls it after each key, and sometimes in between with an empty
// document whose answer it then does not show. All of this happens in the
// goroutine that called Run.
type completer struct {
	suggest func(textBeforeCursor string) []Suggestion
	keys    *keyboard
	tty     *terminal
	history *History
	prefix  string     // the prompt's text
	adjust  func(menu) // applies the menu's rows and separator
	next    menu       // as answered last
	shown   menu       // as drawn last
	chosen  bool       // with an entry selected
}

// reset forgets the menu, at the start of a line.
func (c *completer) reset() { c.next, c.shown, c.chosen = menu{}, menu{}, false }

// drawn notes that the menu answered last is on the screen, and tells what the
// keyboard has to know of it.
func (c *completer) drawn(selected bool) (searching, found bool, sure string) {
	c.shown, c.chosen = c.next, selected
	if !selected {
		sure = c.shown.sure()
	}
	return c.shown.searching, len(c.shown.entries) > 0 && !c.shown.nothing, sure
}

// sure returns what the word at the end of the line goes on with whichever
// entry is meant, and a blank where there is one only: what Tab adds, as in a
// shell.
func (m *menu) sure() string {
	if m.searching || len(m.entries) == 0 {
		return ""
	}
	word := m.text[strings.LastIndex(m.text, cmp.Or(m.separator, " "))+1:]
	common := m.entries[0].Text
	for _, e := range m.entries[1:] {
		for !strings.HasPrefix(e.Text, common) {
			_, last := utf8.DecodeLastRuneInString(common)
			common = common[:len(common)-last]
		}
	}
	rest, ok := strings.CutPrefix(common, word)
	if ok && len(m.entries) == 1 && !strings.HasSuffix(common, "/") && !strings.HasSuffix(common, ">") {
		rest += " "
	}
	return rest
}

// complete answers go-prompt.
func (c *completer) complete(d goprompt.Document) []goprompt.Suggest {
	c.next = c.choose(d)
	c.adjust(c.next)
	return c.next.entries
}

func (c *completer) choose(d goprompt.Document) menu {
	if c.keys.waking() {
		return c.shown
	}
	key, before := d.LastKeyStroke(), d.TextBeforeCursor()
	switch key {
	case goprompt.Escape: // no key yet: an empty line, or one from the history
		return menu{text: before}
	case goprompt.ControlG:
		return menu{text: before}
	case goprompt.Tab, goprompt.BackTab, goprompt.Up, goprompt.Down:
		// The selection moves in the menu, which therefore must not change.
		if before == c.shown.text && (len(c.shown.entries) > 0 || key != goprompt.Tab) {
			return c.shown
		}
	}
	m := menu{text: before, rows: c.room(d)}
	switch {
	case m.rows == 0:
	case c.searches(key):
		m.searching = true
		m.separator = "\x00" // in no line: an entry replaces all of it
		m.entries, m.nothing = c.found(before)
	case before != "" || key == goprompt.Tab:
		m.separator = openQuote(before)
		m.entries = c.suggested(before)
	}
	return m
}

// searches reports whether the menu is a search of the history after key:
// from Ctrl-R on, while the text searched for is being edited.
func (c *completer) searches(key goprompt.Key) bool {
	switch key {
	case goprompt.ControlR:
		return true
	case goprompt.Tab, goprompt.BackTab, goprompt.Up, goprompt.Down:
		return c.shown.searching
	case goprompt.NotDefined, goprompt.Backspace, goprompt.ControlH, goprompt.ControlW:
		return c.shown.searching && !c.chosen
	}
	return false
}

// room returns how many rows a menu may have: none if the cursor is not on
// the line's last row, where it would cover the rest of the line.
func (c *completer) room(d goprompt.Document) int {
	rows, cols := c.tty.size()
	prefix := runewidth.StringWidth(c.prefix)
	cursor := (prefix + runewidth.StringWidth(d.TextBeforeCursor())) / cols
	last := (prefix + runewidth.StringWidth(d.Text)) / cols
	if cursor != last || cols-prefix < minMenuWidth {
		return 0
	}
	return max(0, min(maxSuggestions, rows-last-1))
}

// found returns the lines of the history that contain part. The first is what
// Enter runs: so it says, as the search looks like a line otherwise.
func (c *completer) found(part string) (entries []goprompt.Suggest, nothing bool) {
	for _, line := range c.history.search(part) {
		about := "history"
		if len(entries) == 0 {
			about = "search: Enter runs this"
		}
		entries = append(entries, goprompt.Suggest{Text: line, Description: about})
	}
	if len(entries) == 0 && part != "" {
		return []goprompt.Suggest{{Text: part, Description: "search: nothing like it in the history"}}, true
	}
	return entries, false
}

func (c *completer) suggested(before string) []goprompt.Suggest {
	var entries []goprompt.Suggest
	for _, s := range c.suggest(before) {
		if runewidth.StringWidth(s.Text) > 0 && harmless(s.Text) && harmless(s.Description) {
			entries = append(entries, goprompt.Suggest(s))
		}
	}
	return entries
}

// adjustPrompt returns a function that prepares p for a menu. go-prompt's
// options are functions of the Prompt and work at any time.
func adjustPrompt(p *goprompt.Prompt) func(menu) {
	return func(m menu) {
		scrollbar := goprompt.DefaultColor
		if len(m.entries) > m.rows {
			scrollbar = indexed + grey
		}
		// None of these options fails.
		_ = goprompt.OptionScrollbarThumbColor(scrollbar)(p)
		_ = goprompt.OptionMaxSuggestion(uint16(max(1, m.rows)))(p)
		_ = goprompt.OptionCompletionWordSeparator(m.separator)(p)
	}
}

// openQuote returns the quote that text leaves open, or "" if none: the
// separator of the word at its end. The quotes are a shell's.
func openQuote(text string) string {
	open, escaped := rune(0), false
	for _, r := range text {
		switch {
		case escaped:
			escaped = false
		case r == '\\' && open != '\'':
			escaped = true
		case open == 0 && (r == '"' || r == '\''):
			open = r
		case r == open:
			open = 0
		}
	}
	if open == 0 {
		return ""
	}
	return string(open)
}
