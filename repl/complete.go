package repl

import "strings"

// A Suggestion is one way in which a line can go on.
type Suggestion struct{ Text, Description string }

// Complete suggests how the line before the cursor can go on. It answers from
// the table alone.
func Complete(before string) (out []Suggestion) {
	fields := strings.Fields(before)
	word := ""
	if !strings.HasSuffix(before, " ") && len(fields) > 0 {
		word = fields[len(fields)-1]
		fields = fields[:len(fields)-1]
	}
	if len(fields) == 1 && canonical(fields[0]) == "help" || len(fields) == 0 && word != "" {
		for _, c := range Commands() {
			if strings.HasPrefix(canonical(c.Name), canonical(word)) {
				out = append(out, Suggestion{c.Name, c.Help})
			}
		}
		return out
	}
	if len(fields) != 1 {
		return nil
	}
	cmd, err := find(fields[0])
	if err != nil {
		return nil
	}
	for _, w := range cmd.Words() {
		if strings.HasPrefix(w, word) {
			out = append(out, Suggestion{Text: w})
		}
	}
	return out
}
