package prompt

import "golang.org/x/sys/unix"

const (
	getTermios = unix.TCGETS
	setTermios = unix.TCSETS

	disabledChar = 0 // _POSIX_VDISABLE
)
