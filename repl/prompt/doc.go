// Package prompt is the terminal of an interactive prompt: line editing,
// history, completion, and events shown above the line being typed. It knows
// nothing of what the lines mean.
//
// Editing and drawing are go-prompt's, which is driven from outside rather
// than left to its own loop. Run builds one go-prompt Prompt and calls its
// Input once per line, with a ConsoleParser (keyboard) and a ConsoleWriter
// (screen) of its own:
//
//   - A tokenizer cuts what the terminal sends into keys, because go-prompt
//     takes each read for one key. The keyboard hands them over in lock step:
//     the next key only when the last one has been drawn, and after Enter
//     none before the next line begins. So it is always known which key
//     go-prompt is working on, and a paste of many lines loses nothing.
//   - go-prompt moves the cursor to the start of the prompt and hides it
//     before it draws. That is the moment at which the screen slips in queued
//     events: the prompt and the line are then drawn beneath them.
//   - When no key causes a drawing, the keyboard does, with a BackTab and a
//     Tab that cancel out in go-prompt's menu. Nothing is written before both
//     are drawn, so the menu does not flicker.
//   - Input ends for three reasons only: Enter, a change of the window's size
//     (it starts again with the line intact, as it reads the size at its
//     start), and the end of the session.
//
// All output goes through a descriptor of the terminal that is opened anew
// and does not block, so that neither an idle keyboard nor a terminal that
// has stopped reading holds up the end of Run.
//
// Two limits are go-prompt's. A line that wraps where a wide character has
// room for one of its columns only is drawn a column off. A line with more
// rows than the window scrolls at each key, and leaves copies behind.
package prompt
