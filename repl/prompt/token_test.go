package prompt

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestTokenizer(t *testing.T) {
	txt := func(s string) token { return token{text, s} }
	ret, tabKey := token{kind: enter}, token{key, tab}
	for _, test := range []struct {
		name string
		in   string
		want []token
	}{
		{"text", "read 駐車", []token{txt("read 駐車")}},
		{"line ends", "a\rb\nc\r\n", []token{txt("a"), ret, txt("b"), ret, txt("c"), ret}},
		{"control keys", "a\x01\x7f\x03\x04", []token{txt("a"), {key, "\x01"}, {key, "\x7f"}, {kind: interrupt}, {kind: eof}}},
		{"keys without meaning", "a\x00\x11\x13\x16\x1a\x1cb", []token{txt("ab")}},
		{"arrows", "\x1b[A\x1bOB\x1b[1;5C", []token{{key, "\x1b[A"}, {key, "\x1bOB"}, {key, "\x1b[1;5C"}}},
		{"Alt", "\x1bb\x1bx\x1bé", []token{{key, "\x1bb"}}},
		{"Esc before Enter", "\x1b\r", []token{{key, ctrlG}, ret}},
		{"unknown sequences", "a\x1b[99~\x1b[?1;2c\x1bOXb", []token{txt("ab")}},
		{"Linux console", "\x1b[[Bx", []token{{key, "\x1b[[B"}, txt("x")}},
		{"sequence broken off", "\x1b[1\rx", []token{ret, txt("x")}},
		{"terminal's answers", "a\x1b]11;rgb:0/0/0\x07\x1bP1$r0m\x1b\\b", []token{txt("ab")}},
		{"invalid UTF-8 and C1", "a\xffb\u009b31mc", []token{txt("ab31mc")}},
		{"Tab", "ga\t", []token{txt("ga"), tabKey}},
		{"Tabs", "\t\t", []token{tabKey, tabKey}},
		{"pasted tab", "a\t\tb\t\rc\td\r", []token{txt("a  b "), ret, txt("c d"), ret}},
		{"Tab typed ahead", "ga\t2\r", []token{txt("ga"), tabKey, txt("2"), ret}},
		{"paste", "\x1b[200~a\tb\n\x1b[31mc\x01\x04\t\x1b[201~\t", []token{txt("a b"), ret, txt("c "), tabKey}},
		{"Ctrl-C in a paste", "\x1b[200~a\x03\x04", []token{txt("a"), {kind: interrupt}, {kind: eof}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var tok tokenizer
			if got := tok.feed([]byte(test.in)); !slices.Equal(got, test.want) {
				t.Errorf("feed(%q) = %v, want %v", test.in, got, test.want)
			}
			if len(tok.tail) > 0 {
				t.Errorf("left over: %q", tok.tail)
			}
		})
	}
}

func TestTokenizerEscape(t *testing.T) {
	var tok tokenizer
	if got := tok.feed([]byte("a\x1b")); len(got) != 1 || !tok.escapePending() {
		t.Fatalf("feed = %v, Esc pending %v", got, tok.escapePending())
	}
	if got := tok.escape(); got != (token{key, ctrlG}) || tok.escapePending() {
		t.Errorf("escape = %v, Esc pending %v", got, tok.escapePending())
	}
	tok.feed([]byte("\x1b"))
	if got := tok.feed([]byte("[A")); !slices.Equal(got, []token{{key, up}}) {
		t.Errorf("a sequence in two reads: %v", got)
	}
}

// FuzzTokenizer checks that it does not matter how the terminal's bytes fall
// into reads, and that go-prompt never gets what it would garble.
func FuzzTokenizer(f *testing.F) {
	for _, seed := range []string{
		"track_entry \"ABC 123\" 1\n", "\x1b[200~one\ntwo\x1b[201~", "\x1b[A\x1bOB\x1b[1;5C",
		"駐車\xff\xe9", "\x1b]0;x\x07\x1bP\x1b\\", "\x1b\x1b[[A\x03\x1b",
	} {
		f.Add(seed, 3)
	}
	f.Fuzz(func(t *testing.T, in string, cut int) {
		// What a Tab and "\r\n" are does depend on the read.
		in = strings.NewReplacer("\t", "", "\r", "").Replace(in)
		if len(in) > maxControlString || cut < 0 || cut > len(in) {
			return
		}
		var once, twice tokenizer
		want := once.feed([]byte(in))
		got := joinText(append(twice.feed([]byte(in[:cut])), twice.feed([]byte(in[cut:]))...))
		if !slices.Equal(got, want) || once.pasting != twice.pasting || string(once.tail) != string(twice.tail) {
			t.Errorf("cut at %d: %v, in one read: %v", cut, got, want)
		}
		for _, tok := range want {
			if tok.kind == text && (!utf8.ValidString(tok.data) || strings.ContainsFunc(tok.data, unicode.IsControl)) {
				t.Errorf("text %q", tok.data)
			}
			if tok.kind == key && strings.ContainsAny(tok.data, "\x00\x03\x04\r\n") {
				t.Errorf("key %q", tok.data)
			}
		}
	})
}

func joinText(tokens []token) (joined []token) {
	for _, t := range tokens {
		if last := len(joined) - 1; t.kind == text && last >= 0 && joined[last].kind == text {
			joined[last].data += t.data
			continue
		}
		joined = append(joined, t)
	}
	return joined
}
