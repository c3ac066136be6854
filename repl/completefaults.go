package repl

import (
	"slices"
	"strings"
)

// afterPartition completes partition NODE... | NODE...: each node stands on one
// side.
func afterPartition(c *completion) (out []candidate) {
	for _, n := range present(c) {
		if !slices.Contains(c.args, n.word) {
			out = append(out, n)
		}
	}
	if len(c.args) > 0 && c.args[len(c.args)-1] != "|" {
		out = append(out, candidate{word: "|", about: "the next side"})
	}
	return out
}

// linkNames suggests links once a node and > are typed, and nodes before that.
func linkNames(c *completion) (out []candidate) {
	all := present(c)
	from, _, begun := strings.Cut(c.word, ">")
	sign := ">"
	if one, both := strings.CutSuffix(from, "<"); both {
		from, sign = one, "<>"
	}
	for _, a := range all {
		switch {
		case !begun && len(all) > 1:
			out = append(out, candidate{word: a.word + ">", about: "what " + a.word + " sends", more: true},
				candidate{word: a.word + "<>", about: "both directions", more: true})
		case a.word == from:
			for _, b := range all {
				if b.word != from {
					out = append(out, candidate{word: from + sign + b.word, about: b.about})
				}
			}
		}
	}
	return out
}

var effectNames = options(
	"drop", "30%: that share of the packets is lost",
	"delay", "200ms: all is late by so much",
	"jitter", "50ms: by so much more or less",
	"dup", "5%: that share of the packets comes twice",
	"cut", "nothing gets through")

// afterLink completes link A>B EFFECT...
func afterLink(c *completion) (out []candidate) {
	if len(c.args) == 0 {
		return linkNames(c)
	}
	if last := c.args[len(c.args)-1]; len(c.args) > 1 && last != "cut" && slices.Contains(valued, last) {
		return nil
	}
	for _, e := range effectNames(c) {
		if !slices.Contains(c.args[1:], e.word) {
			out = append(out, e)
		}
	}
	return out
}

// afterHeal completes heal [NODE | A>B]...
func afterHeal(c *completion) []candidate {
	if strings.Contains(c.word, ">") {
		return linkNames(c)
	}
	return present(c)
}
