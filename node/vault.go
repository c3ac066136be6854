package node

// A Vault is where this node's next life has its cookie from. Its methods may
// wait for a disk, and are called by one goroutine at a time.
type Vault interface {
	// Source names it to people, in some words: "--cookie", "the file NAME".
	Source() string
	// Check says, in a line, why Keep would fail, and changes nothing.
	Check(cookie string) error
	// Keep puts the cookie there, in place of the one that this node has had from
	// there. The error is one line.
	Keep(cookie string) error
	// Load returns the cookie that is there now.
	Load() (string, error)
}
