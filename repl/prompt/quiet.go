package prompt

import (
	"os"

	"golang.org/x/sys/unix"
)

// Quiet keeps a terminal from echoing what is typed, until restore puts it back
// as it was. Enter and signals work as ever, but for Ctrl-Z, which is a
// character: who stopped the program would be left without echo. Where f is no
// terminal it does nothing. restore may be called from any goroutine, and
// repeatedly.
func Quiet(f *os.File) (restore func()) {
	fd := int(f.Fd())
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return func() {}
	}
	quiet := *before
	quiet.Lflag &^= unix.ECHO | unix.ECHONL
	quiet.Cc[unix.VSUSP] = disabledChar
	_ = unix.IoctlSetTermios(fd, setTermios, &quiet) // else it echoes
	return func() { _ = unix.IoctlSetTermios(fd, setTermios, before) }
}
