package prompt

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	goprompt "github.com/c-bata/go-prompt"
)

// A kind says what a token asks for.
type kind int

const (
	text      kind = iota // printable characters to insert
	key                   // a key that go-prompt knows
	enter                 // the line is complete
	accept                // so it is, with the suggestion selected meanwhile
	interrupt             // Ctrl-C
	eof                   // Ctrl-D
	wakeOpen              // the first of the two keys that cause a drawing
	wakeClose             // the second
	leave                 // Input is to return
)

// A token is one key, or printable characters in a row: what go-prompt takes
// at a time.
type token struct {
	kind kind
	data string
}

const (
	ctrlC = 0x03
	ctrlD = 0x04
	esc   = 0x1b
	del   = 0x7f

	tab       = "\t"
	backTab   = "\x1b[Z"
	deleteKey = "\x1b[3~"
	ctrlG     = "\x07"
	ctrlR     = "\x12"
	noKey     = "\x1b[E" // go-prompt's Ignore

	pasteBegins = "\x1b[200~"
	pasteEnds   = "\x1b[201~"
)

// controls are the control characters that do something, beside Tab, Enter,
// Ctrl-C and Ctrl-D. The others are dropped here, as go-prompt would take
// them for the acceptance of a suggestion.
const controls = "\x01\x02\x05\x06" + ctrlG + "\x08\x0b\x0c\x0e\x10" + ctrlR + "\x15\x17\x7f"

// maxControlString bounds the wait for the end of a control string, such as a
// terminal's answer to a question that somebody else asked.
const maxControlString = 4096

// A tokenizer cuts what the terminal sends into tokens. The zero value is
// ready to use.
type tokenizer struct {
	tail    []byte // the beginning of a character or sequence, to be continued
	pasting bool   // inside a bracketed paste
	lines   bool   // the read has several lines: a paste, where no terminal brackets it
}

// feed returns the tokens that read, the bytes of one read, completes. Text in
// a row is one token.
func (t *tokenizer) feed(read []byte) []token {
	in := append(t.tail, read...)
	t.tail = nil
	t.lines = max(bytes.Count(read, []byte("\r")), bytes.Count(read, []byte("\n"))) > 1
	var out []token
	for len(in) > 0 {
		tok, n := t.next(in)
		if n == 0 {
			t.tail = bytes.Clone(in)
			break
		}
		in = in[n:]
		if tok.kind == text && tok.data == "" {
			continue
		}
		if last := len(out) - 1; tok.kind == text && last >= 0 && out[last].kind == text {
			out[last].data += tok.data
			continue
		}
		out = append(out, tok)
	}
	return out
}

// escapePending reports whether all that is held back is one Esc: the key of
// that name, unless more follows at once.
func (t *tokenizer) escapePending() bool {
	return !t.pasting && len(t.tail) == 1 && t.tail[0] == esc
}

// escape returns the Esc held back as a key. Ctrl-G stands for it, as
// go-prompt's Escape cannot be told from no key at all.
func (t *tokenizer) escape() token {
	t.tail = nil
	return token{key, ctrlG}
}

// next returns the first token of in and its length: 0 if in ends before the
// token does. Bytes that mean nothing come back as empty text.
func (t *tokenizer) next(in []byte) (token, int) {
	switch c := in[0]; {
	case c == ctrlC:
		// Inside a paste too: if its end got lost, this is the way out.
		t.pasting = false
		return token{kind: interrupt}, 1
	case c == '\r' && len(in) > 1 && in[1] == '\n':
		return token{kind: enter}, 2
	case c == '\r' || c == '\n':
		return token{kind: enter}, 1
	case c == esc:
		return t.sequence(in)
	case c == '\t':
		return t.tab(in)
	case c >= ' ' && c != del:
		return printable(in)
	case t.pasting:
		return token{}, 1
	case c == ctrlD:
		return token{kind: eof}, 1
	case strings.IndexByte(controls, c) >= 0:
		return token{key, string(c)}, 1
	default:
		return token{}, 1
	}
}

// tab tells the Tab key from a tab in pasted text, where one space takes its
// place: a tab's width depends on where it stands, which go-prompt cannot
// reckon with.
func (t *tokenizer) tab(in []byte) (token, int) {
	if !t.pasting && !t.lines {
		return token{key, tab}, 1
	}
	n := len(in) - len(bytes.TrimLeft(in, tab))
	return token{text, strings.Repeat(" ", n)}, n
}

// printable returns the text that in begins with, without what is not valid
// UTF-8 or not printable (C1 controls, which a terminal might obey).
func printable(in []byte) (token, int) {
	var data strings.Builder
	n := 0
	for n < len(in) && in[n] >= ' ' && in[n] != del && utf8.FullRune(in[n:]) {
		r, size := utf8.DecodeRune(in[n:])
		n += size
		if !unicode.IsControl(r) && (r != utf8.RuneError || size > 1) {
			data.WriteRune(r)
		}
	}
	return token{text, data.String()}, n
}

// sequence returns the key that an escape sequence stands for, or empty text
// if it is not known or was pasted.
func (t *tokenizer) sequence(in []byte) (token, int) {
	n := sequenceLen(in)
	seq := string(in[:n])
	switch {
	case n == 0:
		return token{}, 0
	case seq == pasteBegins:
		t.pasting = true
	case seq == pasteEnds:
		t.pasting = false
	case t.pasting:
	case n == 1:
		return t.escape(), n
	case goprompt.GetKey([]byte(seq)) != goprompt.NotDefined, isWordKey(seq):
		return token{key, seq}, n
	}
	return token{}, n
}

// sequenceLen returns the length of the escape sequence (ECMA-48) that in
// begins with, or 0 if in ends before the sequence does.
func sequenceLen(in []byte) int {
	if len(in) < 2 {
		return 0
	}
	switch in[1] {
	case '[':
		for i, c := range in[2:] {
			if i == 0 && c == '[' { // the Linux console's F1 to F5
				continue
			}
			if c < ' ' || c > '~' { // broken off: that character stands for itself
				return i + 2
			}
			if c >= '@' {
				return i + 3
			}
		}
		return 0
	case 'O': // a function key
		if len(in) < 3 {
			return 0
		}
		return 3
	case ']', 'P', 'X', '^', '_': // a control string, up to BEL or ESC \
		for i, c := range in[2:] {
			if c == '\a' {
				return i + 3
			}
			if c == esc || c == ctrlC {
				return i + 2 // what ends it is dropped as a sequence of its own
			}
		}
		if len(in) > maxControlString {
			return len(in)
		}
		return 0
	case esc, ctrlC, '\r', '\n':
		return 1 // Esc, and then a key of its own
	default:
		_, size := utf8.DecodeRune(in[1:])
		return 1 + size // Alt and a key
	}
}
