package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/tidwall/gjson"
)

// A field is what one field of an answer's document must be; see the package's
// comment.
type field struct {
	line  int    // of the script
	path  string // in gjson's syntax
	value any    // as encoding/json decodes it
	text  string // of the whole line, as it is written
	json  int    // where in text the value begins,
	size  int    // and how long it is there
}

// isField reports whether an indented line is about a field, and not words.
func isField(text string) bool {
	return strings.HasPrefix(text, ".") && !strings.HasPrefix(text, anything)
}

var errField = errors.New(`a field is given by its path, = and what it must be, as JSON: .spaces.free = 99 or .code = "full"`)

// newField reads ".PATH = JSON", without blanks around it.
func newField(line int, text string) (field, error) {
	at := equals(text)
	if at < 0 {
		return field{}, errField
	}
	f := field{line: line, path: strings.TrimSpace(text[1:at]), text: text}
	right := strings.TrimLeft(text[at+1:], " \t")
	f.json = len(text) - len(right)
	if f.path == "" || right == "" {
		return field{}, errField
	}
	value := json.NewDecoder(strings.NewReader(right))
	if err := value.Decode(&f.value); err != nil {
		reason := err.Error()
		if errors.Is(err, io.ErrUnexpectedEOF) {
			reason = "it ends too early"
		}
		return field{}, fmt.Errorf("%.40s is no JSON (%s); strings are quoted: .code = \"full\"", right, reason)
	}
	f.size = int(value.InputOffset())
	if rest := fields(right[f.size:]); len(rest) > 0 {
		return field{}, fmt.Errorf("%.40q stands behind the value; a line holds one field", rest[0])
	}
	return f, nil
}

// equals returns where the = is that ends a path, or -1: one outside of
// brackets and quotes.
func equals(text string) int {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case strings.IndexByte("([{", c) >= 0:
			depth++
		case strings.IndexByte(")]}", c) >= 0:
			depth--
		case c == '=' && depth == 0:
			return i
		}
	}
	return -1
}

// checkFields holds a document against what is expected of its fields and
// returns how many held: all, or those before the one that the error is about.
func checkFields(expected []field, document string) (held int, err error) {
	for _, f := range expected {
		if seen, ok := f.holds(document); !ok {
			seen += "\n" + clip(strings.TrimSpace(document))
			return held, &difference{f.line, "the answer is another", f.text, seen}
		}
		held++
	}
	return held, nil
}

// holds reports whether the field is what it must be, and what it is.
func (f *field) holds(document string) (seen string, ok bool) {
	got := gjson.Get(document, f.path)
	if !got.Exists() {
		return "no field ." + f.path, false
	}
	var value any
	if err := json.Unmarshal([]byte(got.Raw), &value); err != nil {
		return "no JSON: " + clip(got.Raw), false
	}
	return "." + f.path + " = " + clip(got.Raw), reflect.DeepEqual(value, f.value)
}

// maxSeen bounds what an error shows of a document, in bytes.
const maxSeen = 600

func clip(s string) string {
	if len(s) <= maxSeen {
		return s
	}
	return strings.ToValidUTF8(s[:maxSeen], "") + " ..."
}
