// Package session plays scripted sessions: text files that start real nodes,
// type at their prompts, and fail when an answer is another than expected. A
// script is a demonstration, a test and a document at once.
//
// # The language
//
// Each line of a script is one of these:
//
//	# TEXT                     prose; the first such line is the title
//	start NAME... [FLAG...]    start nodes, each ready before the next
//	restart NAME [FLAG...]     start a node again; one that runs is stopped first
//	NAME> COMMAND              type at the node's prompt; it must succeed
//	! NAME> COMMAND            the same, but the node must refuse
//	   WORD...                 indented: what the answer above must hold
//	   .PATH = JSON            indented: what a field of it must be
//	kill NAME                  end the node by SIGKILL
//	stop NAME                  end the node by SIGTERM; it must leave in good order
//
// Blank lines are kept as they are. Everywhere but in prose, a word that
// begins with # begins a comment. What comes before the first word of start
// that begins with - are names, the rest are flags of these nodes; quotes mean
// nothing there. Names joined by +, as in larry+gary, start at the same moment.
// A restart is with the flags of the last start, unless it has its own. A
// COMMAND is what one can type at a prompt: quit leaves in good order, as the
// end of its input makes a node do, and the node that kill-node names, or that
// runs it, is expected to die. Any other end of a node fails the script. A
// refusal is an answer: a node that ends, or does not answer in time, has not
// refused. Nothing sleeps: NAME> await CONDITION waits.
//
// # Expectations
//
// An expectation holds if its words stand in one line of the answer, as whole
// words, side by side and in this order; other words may come before and after
// them. The word ... stands for any number of words. Words are what blanks
// separate, and are compared without the punctuation . , ; : ( ) and quotes
// around them. The answer is all that the prompt shows for the command:
// answer, warnings, error.
//
// Several expectations hold in the order in which they are written, each in a
// line below that of the one before. One that begins with a range stands for
// one expectation per number: "1-4 larry" for "1 larry" to "4 larry". A word
// in quotes is no range.
//
// What begins with a dot is about a field instead. A command with such an
// expectation is asked for its JSON document. PATH is in the syntax of
// github.com/tidwall/gjson, as in .vehicles.#(plate=="ABC 123").gate; the
// field there must exist and have the value of JSON. Words and fields do not
// mix below one command.
//
// # Pages
//
// In a Markdown file, .md or .markdown, the fenced blocks with the info string
// parking are the script, taken together. The page's first heading is the
// title, and the heading above a block is prose; nothing else of the page is.
//
// # A run
//
// A run has a directory of its own, with a fresh cookie, in which its nodes
// find each other and nobody else; it is gone when the run ends, and so are
// the nodes, however it ends. If the process that plays is killed outright,
// the nodes' input ends with it, at which they leave; the directory stays. A
// step may take 30 seconds, and each node 10 of them to start, unless Config
// says otherwise.
//
// Non-goals: conditions, loops and variables; comparing times, digests or
// anything else that differs from run to run; nodes on other hosts.
package session
