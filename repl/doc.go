// Package repl is what one types at a node and what it answers: the table of
// commands, the parser, and the rendering as text and JSON.
//
// An Engine runs commands beside its node. A terminal reaches it through a
// Session: in the same process, or over the unix socket that package attach
// serves. A Shell is the terminal's side: it keeps what belongs to one
// terminal - timing, events on or off - and hands everything else on. So a
// prompt, a pipe, a script and an attached terminal all behave alike.
package repl
