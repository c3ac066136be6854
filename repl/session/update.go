package session

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"

	"github.com/google/renameio/v2"
	"github.com/tidwall/gjson"
)

// edits are lines of a script's file and what stands in their place: any
// number of lines, without their ends.
type edits map[int][]string

// Save writes the script's file anew, at path, with the expectations that
// Config.Update has found to be others. All else of it stays as it is, to the
// byte, and so does the file if nothing is to change. It is refused if the
// file is another than the one that was played.
func (r Report) Save(path string) error {
	if len(r.edits) == 0 {
		return nil
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	switch now, err := os.ReadFile(path); {
	case err != nil:
		return err
	case string(now) != r.source:
		return fmt.Errorf("%s has changed while it was played; nothing is written", path)
	}
	return renameio.WriteFile(path, []byte(r.edits.apply(r.source)), 0o644, renameio.WithExistingPermissions())
}

// Updated returns how many lines of the script Save changes.
func (r Report) Updated() int { return len(r.edits) }

func (e edits) apply(source string) string {
	var b strings.Builder
	n := 0
	for line := range strings.Lines(source) {
		n++
		instead, edited := e[n]
		if !edited {
			b.WriteString(line)
			continue
		}
		end := line[len(strings.TrimRight(line, "\r\n")):]
		for i, l := range instead {
			if i > 0 && end == "" {
				b.WriteString("\n") // the file ends without one
			}
			b.WriteString(l + end)
		}
	}
	return b.String()
}

// words has those of a command's expectations that hold, in order, stay, and
// puts the rows of the answer that lie between in place of those that do not.
func (e edits) words(source []string, expected []expectation, answer string) {
	rows := strings.Split(answer, "\n")
	seen := 0
	var wrong []expectation
	replace := func(upto int) {
		for i, x := range wrong {
			e[x.line] = nil
			if i == 0 {
				e[x.line] = written(source[x.line-1], x.text, rows[seen:upto])
			}
		}
		wrong = nil
	}
	for _, x := range expected {
		m := x.find(rows, seen)
		if m.missing != "" {
			wrong = append(wrong, x)
			continue
		}
		replace(m.first)
		seen = m.next
	}
	replace(len(rows))
}

// written returns rows of an answer as expectations, behind what stands before
// the text of the line that they replace - blanks or, in a page, the mark of a
// quotation - and commented as it is.
func written(line, text string, rows []string) (lines []string) {
	indent := line[:strings.LastIndex(line, text)]
	comment := remark.FindString(text)
	for _, row := range rows {
		if row = steady(row); row != "" {
			lines = append(lines, indent+row+comment)
			comment = ""
		}
	}
	return lines
}

// remark is a comment behind words, with the blanks before it.
var remark = regexp.MustCompile(`\s+#.*$`)

var (
	// named is what differs from run to run, behind its name.
	named = regexp.MustCompile(`^(\s*(?:process|version)\s+|.*\bdigest\s+)(?:[0-9a-f]{4} [0-9a-f]{4}\b|\S+)`)
	// volatile are words that do: times of day, dates, how long something takes
	// or is ago, incarnations and versions, addresses with a port.
	volatile = regexp.MustCompile(`^(?:\d\d:\d\d:\d\d(?:\.\d+)?|\d{4}-\d\d-\d\d|(?:\d+(?:\.\d+)?(?:d|h|ms|µs|ns|m|s))+|(?:[a-z0-9-]+/)?[0-9a-f]{16}(?:=\d+)?|[0-9a-f.:\[\]]+:\d+)$`)
	several  = regexp.MustCompile(`\.\.\.(?:\s+\.\.\.)+(\s|$)`)
	aWord    = regexp.MustCompile(`[^\s\pZ\v\x{85}]+`)
)

// steady returns a row of an answer with ... in place of what differs from run
// to run, and quotes around what would mean something else in a script.
func steady(row string) string {
	row = named.ReplaceAllString(strings.TrimRightFunc(row, unicode.IsSpace), "${1}...")
	first := true
	row = aWord.ReplaceAllStringFunc(row, func(w string) string {
		switch plain := strings.Trim(w, punctuation); {
		case volatile.MatchString(plain), first && isField(w) && plain == "":
			w = anything
		case w[0] == '#', first && (isField(w) || numbers.MatchString(w)):
			w = `"` + w + `"`
		}
		first = false
		return w
	})
	return several.ReplaceAllString(row, "...$1")
}

// fields puts what fields of a document are now in place of what they are to
// be. The error is that of a field that the document does not have.
func (e edits) fields(source []string, expected []field, document string) error {
	for _, f := range expected {
		if _, ok := f.holds(document); ok {
			continue
		}
		now := gjson.Get(document, f.path)
		var value bytes.Buffer
		if !now.Exists() || json.Compact(&value, []byte(now.Raw)) != nil {
			_, err := checkFields([]field{f}, document)
			return err
		}
		line := strings.TrimRight(source[f.line-1], "\r\n")
		at := strings.Index(line, f.text) + f.json
		e[f.line] = []string{line[:at] + value.String() + line[at+f.size:]}
	}
	return nil
}
