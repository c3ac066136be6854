package prompt

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync"
	"time"

	goprompt "github.com/c-bata/go-prompt"
)

// maxBacklog is about how many bytes typed ahead are kept, before the
// terminal's own buffer has to.
const maxBacklog = 64 << 10

// lastLook bounds the read of what was typed before a command had the terminal:
// it is there, or the command has read it already.
const lastLook = 20 * time.Millisecond

var errNoKey = errors.New("prompt: no key")

// An outcome is the reason for which go-prompt's Input returned.
type outcome int

const (
	entered outcome = iota // a line is complete
	resized                // the line is to be drawn anew, for another size
	ended                  // the session is over
)

// A lineState is what the keyboard has to know of the line on the screen to
// hand over the next key.
type lineState struct {
	blank     bool // the line is empty, and so is what the menu would make of it
	searching bool // the menu is a search of the history
	found     bool // the menu has an entry
	selected  bool // one of them is selected

	sure string // what Tab adds, before it selects an entry
	size int    // of the line, in bytes
}

// maxTyped bounds the line, in bytes: in the narrowest window it has no more
// rows than go-prompt counts. What is typed beyond is dropped.
const maxTyped = 64 << 10

// A keyboard is go-prompt's ConsoleParser. It queues what was typed and hands
// it over one token at a time, the next one when the last one was drawn.
//
// go-prompt calls Read from a goroutine that it stops when Input returns; the
// other methods may be called from any goroutine.
type keyboard struct {
	tty    *terminal
	events *eventQueue

	mu      sync.Mutex
	changed *sync.Cond // broadcast when one of the fields below changed

	queue   []token
	backlog int // tokens in queue, and their bytes

	current kind // of the token that go-prompt is working on, or worked on last
	busy    bool // it is not drawn yet
	line    lineState

	cols    int     // as go-prompt knows them
	stale   bool    // the terminal's modes, or what is on it, may be another's
	over    bool    // Input is about to return: no key before the next Setup
	outcome outcome // why, if over
	ended   bool    // so is every further one
	closed  bool    // nobody waits for keys any more

	cancel context.CancelFunc // of the command that runs, or nil
	owed   bool               // one more read, of what was typed before it ran
}

func newKeyboard(tty *terminal, events *eventQueue) *keyboard {
	k := &keyboard{tty: tty, events: events}
	k.changed = sync.NewCond(&k.mu)
	return k
}

// Setup prepares for the keys of a line.
func (k *keyboard) Setup() error {
	k.tty.beginLine()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.over, k.busy, k.current, k.stale = false, false, text, false
	return nil
}

// TearDown notes that the line is off the screen. The terminal's modes stay,
// since the next line or a command sets its own.
func (k *keyboard) TearDown() error {
	k.tty.endLine()
	return nil
}

// leastCols is how many columns go-prompt wants to draw at all. In fewer the
// line is drawn awry, until the window is wider.
const leastCols = 8

// GetWinSize returns the window's size, with more rows than it has: go-prompt
// erases the screen when its menu might not fit, and the completer sees to it
// that it does. Where go-prompt finds a window too small it draws nothing that
// the screen could tell from no drawing.
func (k *keyboard) GetWinSize() *goprompt.WinSize {
	_, cols := k.tty.size()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cols = cols
	return &goprompt.WinSize{Row: math.MaxUint16, Col: uint16(max(cols, leastCols))}
}

// Read waits for the next token. After the last one of a line it returns an
// error at once and so lets go-prompt stop its goroutine. If the Run that
// waits for the line was unwound by a panic, nobody will stop the goroutine:
// then Read ends it.
func (k *keyboard) Read() ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		switch {
		case k.closed:
			runtime.Goexit()
		case k.over:
			return nil, errNoKey
		case k.busy:
		case k.current == wakeOpen:
			return k.deliver(wakeClose, tab), nil
		case k.ended:
			return k.leave(ended), nil
		case k.resized():
			return k.leave(resized), nil
		case len(k.queue) > 0:
			return k.deliverTyped(), nil
		case k.events.pending():
			return k.deliver(wakeOpen, backTab), nil
		}
		k.changed.Wait()
	}
}

// deliverTyped hands over the first token of the queue, as the key that means
// to go-prompt what the token means to the user.
func (k *keyboard) deliverTyped() []byte {
	t := k.queue[0]
	if t.kind == enter && k.line.searching && k.line.found && !k.line.selected {
		k.queue[0].kind = accept // Enter takes the best match: select it first
		return k.deliver(key, tab)
	}
	k.queue = k.queue[1:]
	k.backlog -= 1 + len(t.data)
	k.changed.Broadcast()
	switch {
	case t.kind == enter && k.line.searching && !k.line.found:
		return k.deliver(key, ctrlG) // nothing was found, and nothing is run
	case t.kind == text && k.line.size+len(t.data) > maxTyped:
		return k.deliver(key, noKey)
	case t.kind == key && t.data == tab && k.line.sure != "":
		return k.deliver(text, k.line.sure)
	case t.kind == enter || t.kind == accept:
		k.over, k.outcome = true, entered
		return k.deliver(enter, "\r")
	case t.kind == interrupt:
		return k.deliver(interrupt, string(rune(ctrlC)))
	case t.kind == eof && k.line.blank:
		return k.leave(ended)
	case t.kind == eof:
		return k.deliver(key, deleteKey)
	case t.data == ctrlR && k.line.searching:
		return k.deliver(key, tab) // on to the next match
	default:
		return k.deliver(t.kind, t.data)
	}
}

func (k *keyboard) deliver(kind kind, data string) []byte {
	k.current, k.busy = kind, true
	return []byte(data)
}

// leave makes Input return: the key does nothing, but the exit checker, asked
// after each key, sees that the line is over.
func (k *keyboard) leave(why outcome) []byte {
	k.over, k.outcome = true, why
	return k.deliver(leave, noKey)
}

// leaving is go-prompt's exit checker.
func (k *keyboard) leaving(string, bool) bool { return k.stage() == leave }

// stage returns the kind of token that go-prompt is working on.
func (k *keyboard) stage() kind {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.current
}

// waking reports whether the key being drawn is one that nobody typed.
func (k *keyboard) waking() bool {
	s := k.stage()
	return s == wakeOpen || s == wakeClose
}

// why returns why Input is about to return or has returned.
func (k *keyboard) why() outcome {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.outcome
}

// drawn is called when the token handed over last is on the screen.
func (k *keyboard) drawn(line lineState) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.busy, k.line = false, line
	k.changed.Broadcast()
}

// typed queues tokens. It blocks while the backlog is too long. A Ctrl-C
// overtakes and discards what was typed before it, which is what a terminal
// does with it too.
func (k *keyboard) typed(tokens []token) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.backlog > maxBacklog && !k.ended && !k.closed {
		k.changed.Wait()
	}
	for _, t := range tokens {
		if t.kind == interrupt {
			k.discard()
			if k.cancel != nil { // typed as a key before it was a signal
				k.cancel()
				continue
			}
		}
		if last := len(k.queue) - 1; t.kind == text && last >= 0 && k.queue[last].kind == text {
			k.queue[last].data += t.data
			k.backlog += len(t.data)
			continue
		}
		k.queue = append(k.queue, t)
		k.backlog += 1 + len(t.data)
	}
	k.owed = false
	k.changed.Broadcast()
}

func (k *keyboard) discard() { k.queue, k.backlog = nil, 0 }

// turn waits until no command has the terminal, or what was typed before it had
// is to be read, and sets the deadline of the read that is to follow. It returns
// false when there is to be none.
func (k *keyboard) turn(deadline time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.cancel != nil && !k.owed && !k.closed {
		k.changed.Wait()
	}
	if k.owed {
		deadline = time.Now().Add(lastLook)
	}
	k.tty.readUntil(deadline)
	return !k.closed
}

// beginCommand leaves the terminal to a command until endCommand, in its modes:
// the command may want to read it, and what it does not read waits there for the
// next line. Meanwhile Ctrl-C calls cancel. If one was typed since the line was
// complete, or the session is over, that is done at once.
func (k *keyboard) beginCommand(cancel context.CancelFunc) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cancel = cancel
	k.tty.beginCommand()
	// From here on Ctrl-C is a signal. As a key it is in the queue, with the
	// reader, or still in the terminal; then the reader owes a look at it.
	if k.owed = k.tty.pending(); k.owed {
		k.tty.readUntil(time.Now().Add(lastLook))
	} else {
		k.tty.readUntil(time.Unix(0, 0)) // ends a read in progress
	}
	if len(k.queue) > 0 && k.queue[0].kind == interrupt {
		k.discard()
		cancel()
	}
	if k.ended {
		cancel()
	}
}

func (k *keyboard) endCommand() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cancel, k.owed = nil, false
	k.changed.Broadcast()
}

// interrupt cancels the command that runs, if any, and discards what was typed
// ahead.
func (k *keyboard) interrupt() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cancel != nil {
		k.cancel()
		k.tty.discardInput()
		k.discard()
	}
}

// resized reports whether the line has to be drawn anew: for another width,
// which is looked up for each key, as a signal may come late; or because it was
// asked for.
func (k *keyboard) resized() bool {
	_, cols := k.tty.size()
	return cols != k.cols || k.stale
}

// redraw has the line drawn anew, in the terminal's modes for that.
func (k *keyboard) redraw() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stale = true
	k.changed.Broadcast()
}

// wake is called when an event was queued.
func (k *keyboard) wake() {
	k.mu.Lock() // or Read could miss it between its look and its wait
	defer k.mu.Unlock()
	k.changed.Broadcast()
}

// end makes this and every further Input return.
func (k *keyboard) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended = true
	k.changed.Broadcast()
}

// close releases whoever waits in Read, typed or turn.
func (k *keyboard) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	k.changed.Broadcast()
}
