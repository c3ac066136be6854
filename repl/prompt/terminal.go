package prompt

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	pasteOn  = "\x1b[?2004h"
	pasteOff = "\x1b[?2004l"
	showing  = "\x1b[?25h"
)

// lastWrite bounds how long a terminal that has stopped reading may hold up
// the end of Run.
const lastWrite = 30 * time.Millisecond

// active is the terminal of the Run in progress, for Restore.
var active atomic.Pointer[terminal]

// A terminal is the controlling terminal and its modes. Its methods may be
// called from any goroutine.
type terminal struct {
	fd    int
	file  *os.File // the same descriptor, with deadlines
	saved unix.Termios

	mu       sync.Mutex
	midline  bool // a prompt is on the screen, and the cursor in its line
	hurried  bool // writes give up soon
	stuck    bool // one did
	restored bool // the modes are the saved ones and stay so
}

// openTerminal opens the controlling terminal, which in and out must be too.
// The descriptor is a new one because it must not block, and that is a
// property of the open file: setting it on in would set it on the same file
// in every process that inherited it, the shell's included.
func openTerminal(in, out *os.File) (*terminal, error) {
	for _, f := range []*os.File{in, out} {
		if f == nil {
			return nil, fmt.Errorf("%w: no file", ErrNotTerminal)
		}
		// Only the controlling terminal tells its foreground process group.
		if _, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrNotTerminal, f.Name(), err)
		}
	}
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("prompt: open /dev/tty: %w", err)
	}
	t := &terminal{fd: fd, file: os.NewFile(uintptr(fd), "/dev/tty")}
	saved, err := unix.IoctlGetTermios(fd, getTermios)
	if err == nil {
		err = t.file.SetDeadline(time.Time{}) // fails where terminals cannot be polled
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prompt: /dev/tty: %w", err), t.file.Close())
	}
	t.saved = *saved
	if !active.CompareAndSwap(nil, t) {
		return nil, errors.Join(ErrRunning, t.file.Close())
	}
	return t, nil
}

// size returns the window's rows and columns, or the customary ones while a
// new pseudo-terminal has none.
func (t *terminal) size() (rows, cols int) {
	ws, err := unix.IoctlGetWinsize(t.fd, unix.TIOCGWINSZ)
	if err != nil || ws.Row == 0 || ws.Col == 0 {
		return 24, 80
	}
	return int(ws.Row), int(ws.Col)
}

// beginLine sets the modes for editing: every key is a byte.
func (t *terminal) beginLine() {
	m := t.edited()
	t.setMode(&m, true)
}

// endLine notes that the cursor has left the prompt's line.
func (t *terminal) endLine() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.midline = false
}

// beginCommand sets the modes for a command: as for editing, but Ctrl-C is a
// signal. It flushes nothing (NOFLSH), or output already written would be
// lost. Ctrl-Z and Ctrl-\ stay bytes: neither stops nor kills the node.
func (t *terminal) beginCommand() {
	m := t.edited()
	m.Lflag |= unix.ISIG | unix.NOFLSH
	m.Cc[unix.VINTR] = ctrlC
	m.Cc[unix.VSUSP] = disabledChar
	m.Cc[unix.VQUIT] = disabledChar
	t.setMode(&m, false)
}

// readUntil sets the deadline of reads, also of one in progress. Its error is
// that of a closed file, which the read will return.
func (t *terminal) readUntil(deadline time.Time) { _ = t.file.SetReadDeadline(deadline) }

// pending reports whether something was typed that is not read yet.
func (t *terminal) pending() bool {
	n, err := unix.IoctlGetInt(t.fd, inputSize)
	return err == nil && n > 0
}

// discardInput drops what was typed and not read yet.
func (t *terminal) discardInput() { _ = flushInput(t.fd) }

// edited returns the saved modes, changed for editing. Output processing is
// on, as go-prompt expects "\n" to begin a line.
func (t *terminal) edited() unix.Termios {
	m := t.saved
	m.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP |
		unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	m.Oflag |= unix.OPOST | unix.ONLCR
	m.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.IEXTEN | unix.ISIG
	m.Cflag &^= unix.CSIZE | unix.PARENB
	m.Cflag |= unix.CS8
	m.Cc[unix.VMIN] = 1
	m.Cc[unix.VTIME] = 0
	return m
}

// background reports whether the terminal is another job's: the shell has taken it
// from a process that was stopped, and gives it back by fg. Until then its modes and
// what is on it are not ours.
func (t *terminal) background() bool {
	front, err := unix.IoctlGetInt(t.fd, unix.TIOCGPGRP)
	return err == nil && front != unix.Getpgrp()
}

func (t *terminal) setMode(m *unix.Termios, midline bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.restored || t.background() {
		return
	}
	t.midline = midline
	// An error means that the terminal is gone, which its reader finds out.
	_ = unix.IoctlSetTermios(t.fd, setTermios, m)
}

// write blocks until the terminal has taken p or, after hurry, for a short
// time at most. Other errors are dropped: the reader finds out when the
// terminal is gone.
func (t *terminal) write(p []byte) {
	t.mu.Lock()
	skip := len(p) == 0 || t.stuck || t.restored || t.background()
	if t.hurried {
		t.setWriteDeadline()
	}
	t.mu.Unlock()
	if skip {
		return
	}
	if _, err := t.file.Write(p); errors.Is(err, os.ErrDeadlineExceeded) {
		t.mu.Lock()
		t.stuck = true
		t.mu.Unlock()
	}
}

// hurry makes the write in progress, and those to come, give up soon.
func (t *terminal) hurry() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hurried = true
	t.setWriteDeadline()
}

func (t *terminal) setWriteDeadline() {
	_ = t.file.SetWriteDeadline(time.Now().Add(lastWrite))
}

// restore puts the saved modes back, for good.
func (t *terminal) restore() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.restored {
		return
	}
	t.restored = true
	if t.background() {
		return
	}
	_ = unix.IoctlSetTermios(t.fd, setTermios, &t.saved)
	reset := pasteOff + showing
	if t.midline {
		reset += "\x1b[J\n" // away with the menu, and on to a line of its own
	}
	t.setWriteDeadline()
	_, _ = t.file.WriteString(reset)
}

// close restores the terminal and ends a read in progress.
func (t *terminal) close() {
	t.restore()
	active.CompareAndSwap(t, nil)
	_ = t.file.Close()
}
