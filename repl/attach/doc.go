// Package attach connects terminals to a running node over a unix socket. The
// socket's permissions guard it: whoever may open it may do what the node's own
// terminal can.
package attach
