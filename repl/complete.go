package repl

import (
	"strings"
	"time"
)

// A Suggestion is one way in which a line can go on.
type Suggestion struct{ Text, Description string }

// Complete suggests how the line before the cursor can go on. It answers from
// the table alone.
func Complete(before string) (out []Suggestion) {
	args := strings.Fields(before)
	word := ""
	if n := len(args); n > 0 && !strings.HasSuffix(before, " ") {
		word, args = args[n-1], args[:n-1]
	}
	if len(args) == 0 && word == "" {
		return nil // the whole table under an empty line is too much
	}
	for _, s := range after(args) {
		if strings.HasPrefix(canonical(s.Text), canonical(word)) {
			out = append(out, s)
		}
	}
	return out
}

// after returns what can come after these words of a line.
func after(words []string) []Suggestion {
	if len(words) == 0 {
		return commandNames()
	}
	if c, err := find(words[0]); err == nil && c.next != nil {
		return c.next(words[1:])
	}
	return nil
}

func commandNames() (out []Suggestion) {
	for _, c := range Commands() {
		out = append(out, Suggestion{c.Name, c.Help})
	}
	return out
}

// Completion of the arguments of single commands: what can come after args.

// first suggests words for the first argument.
func first(words ...string) func([]string) []Suggestion {
	return nth(0, words...)
}

// nth suggests words for the argument after n others.
func nth(n int, words ...string) func([]string) []Suggestion {
	return func(args []string) (out []Suggestion) {
		if len(args) == n {
			for _, w := range words {
				out = append(out, Suggestion{Text: w})
			}
		}
		return out
	}
}

func afterHelp(args []string) []Suggestion {
	if len(args) == 0 {
		return commandNames()
	}
	return nil
}

func afterAwait(args []string) []Suggestion {
	switch {
	case len(args) == 0:
		return first("converged", "members", "gates", "vehicle", "no")(nil)
	case len(args) == 1 && args[0] == "no":
		return first("vehicle")(nil)
	case len(args) == 2 && args[0] == "gates":
		return first("nodes")(nil)
	}
	return nil
}

func afterWatch(args []string) []Suggestion {
	if len(args) > 0 {
		if _, err := time.ParseDuration(args[0]); err == nil {
			args = args[1:]
		}
	}
	return after(args)
}
