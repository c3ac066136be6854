package prompt

import (
	"slices"
	"strings"
	"unicode"

	goprompt "github.com/c-bata/go-prompt"
)

// wordKeys are emacs' keys for words, which go-prompt lacks.
var wordKeys = []goprompt.ASCIICodeBind{
	{ASCIICode: []byte("\x1bb"), Fn: backWord},
	{ASCIICode: []byte("\x1bf"), Fn: forwardWord},
	{ASCIICode: []byte("\x1bd"), Fn: deleteWord},
	{ASCIICode: []byte("\x1b\x7f"), Fn: deleteBackWord},
}

// otherKeys are the bindings of keys that go-prompt knows by name.
var otherKeys = []goprompt.KeyBind{
	{Key: goprompt.ControlLeft, Fn: backWord},
	{Key: goprompt.ControlRight, Fn: forwardWord},
	// The search replaces what is before the cursor: let that be the line.
	{Key: goprompt.ControlR, Fn: goprompt.GoLineEnd},
}

func isWordKey(seq string) bool {
	return slices.ContainsFunc(wordKeys, func(b goprompt.ASCIICodeBind) bool {
		return string(b.ASCIICode) == seq
	})
}

func backWord(b *goprompt.Buffer)       { b.CursorLeft(wordBefore(b)) }
func forwardWord(b *goprompt.Buffer)    { b.CursorRight(wordAfter(b)) }
func deleteBackWord(b *goprompt.Buffer) { b.DeleteBeforeCursor(wordBefore(b)) }

func deleteWord(b *goprompt.Buffer) {
	n := wordAfter(b)
	b.CursorRight(n) // Buffer.Delete counts bytes where this counts runes
	b.DeleteBeforeCursor(n)
}

// wordBefore returns the number of runes from the cursor back to the start of
// a word of letters and digits.
func wordBefore(b *goprompt.Buffer) int {
	before := b.Document().TextBeforeCursor()
	rest := strings.TrimRightFunc(before, notInWord)
	rest = strings.TrimRightFunc(rest, inWord)
	return len([]rune(before)) - len([]rune(rest))
}

// wordAfter returns the number of runes from the cursor to the end of a word.
func wordAfter(b *goprompt.Buffer) int {
	after := b.Document().TextAfterCursor()
	rest := strings.TrimLeftFunc(after, notInWord)
	rest = strings.TrimLeftFunc(rest, inWord)
	return len([]rune(after)) - len([]rune(rest))
}

func inWord(r rune) bool    { return unicode.IsLetter(r) || unicode.IsDigit(r) }
func notInWord(r rune) bool { return !inWord(r) }
