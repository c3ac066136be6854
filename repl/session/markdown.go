package session

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"

	"parking/repl"
)

// fence is the info string of a page's fenced blocks that are its session.
const fence = "parking"

// ErrNoSession is the error of a page without a session.
var ErrNoSession = errors.New("the page has no session; it would stand in fenced blocks that begin with ```" + fence)

// isPage reports whether a file is Markdown.
func isPage(file string) bool {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".md", ".markdown":
		return true
	}
	return false
}

// page reads the session in a page's fenced blocks. Of the rest of the page it
// keeps the title, and the headings that blocks stand under.
func (p *parser) page(source []byte) error {
	var heading string // not yet kept
	fences := 0
	at, number := 0, 1 // the line number at that offset
	lineAt := func(offset int) int {
		number += bytes.Count(source[at:offset], []byte("\n"))
		at = offset
		return number
	}
	err := ast.Walk(goldmark.DefaultParser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			heading = plain(n, source)
			if p.script.Title == "" {
				p.script.Title = heading
			}
			return ast.WalkSkipChildren, nil
		case *ast.FencedCodeBlock:
			if string(n.Language(source)) != fence || n.Lines().Len() == 0 {
				return ast.WalkSkipChildren, nil
			}
			first := lineAt(n.Lines().At(0).Start)
			if fences++; fences == 1 && p.script.Title != "" {
				p.prose(first, p.script.Title)
			}
			if len(p.script.lines) > 0 {
				p.add(line{number: first})
			}
			if heading != "" && heading != p.script.Title {
				p.prose(first, heading)
			}
			heading, p.asked = "", nil
			for _, segment := range n.Lines().Sliced(0, n.Lines().Len()) {
				number := lineAt(segment.Start)
				if err := p.line(number, strings.TrimRightFunc(string(segment.Value(source)), unicode.IsSpace)); err != nil {
					return ast.WalkStop, &repl.LineError{Source: p.script.file, Line: number, Err: err}
				}
			}
		}
		return ast.WalkContinue, nil
	})
	if err == nil && fences == 0 {
		err = fmt.Errorf("%s: %w", p.script.file, ErrNoSession)
	}
	return err
}

// plain returns a heading's text, without its markup.
func plain(heading ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(heading, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			b.Write(t.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, b.String()))
}
