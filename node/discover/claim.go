package discover

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrNameTaken is wrapped by the error of [ClaimName] when a living process
// has the name.
var ErrNameTaken = errors.New("discover: name taken")

// A Claim is a name that this process has in a runtime directory, from
// [ClaimName] until [Claim.Release] or the end of the process. Keep it: a
// claim that nothing refers to any more is given back. Its methods may be
// called by several goroutines at once.
type Claim struct {
	dir     string
	port    int
	started time.Time

	mu    sync.Mutex
	id    ID
	paths paths
	lock  *os.File // nil once released
	entry Entry    // as it was published; without an address before
}

// ClaimName takes a name in dir, which it makes if it is missing, and removes
// what an earlier life of the name has left. The node is not in view yet; see
// [Claim.Publish]. Of any number of claims at once one succeeds; the others'
// error wraps [ErrNameTaken] and says which process has the name. An error
// about the directory wraps [ErrRuntimeDir].
//
// ClaimName, like all that looks into the directory, waits for others doing
// so: for an instant, or 10 seconds when one of them has been stopped midway,
// which is then an error.
func ClaimName(dir string, id ID) (*Claim, error) {
	if err := id.validate(); err != nil {
		return nil, err
	}
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	p := pathsOf(dir, id.stem())
	if len(p.socket) > maxSocketPath {
		return nil, unusable(fmt.Errorf("%s is too long for a socket: %d bytes of %d", p.socket, len(p.socket), maxSocketPath))
	}
	guard, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	defer unlock(guard)
	lock, err := tryLock(p.lock, os.O_RDWR|os.O_CREATE, 0)
	if errors.Is(err, errHeld) {
		return nil, taken(id, p)
	}
	if err != nil {
		return nil, unusable(err)
	}
	p.retire()
	if err := writePID(lock); err != nil {
		os.Remove(p.lock)
		unlock(lock)
		return nil, unusable(err)
	}
	port, _ := p.readPort() // 0 if there is none
	return &Claim{dir: dir, id: id, paths: p, port: port, started: time.Now(), lock: lock}, nil
}

// Port returns the port of the last life of this name, for the next one to
// bind if it is still free, or 0 if it is not known.
func (c *Claim) Port() int { return c.port }

// Socket returns the path at which the node should listen for terminals;
// there is nothing at it yet. Whoever listens sets the permissions, and closes
// the listener before the claim is released.
func (c *Claim) Socket() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paths.socket
}

// Publish puts the node in view, or changes what is seen of it: its address
// as HOST:PORT, at which it must be reachable already, and its incarnation. A
// node publishes before it lists, so that of two nodes at least one sees the
// other.
func (c *Claim) Publish(addr string, incarnation uint64) error {
	if _, err := splitAddr(addr); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	guard, err := lockDir(c.dir)
	if err != nil {
		return err
	}
	defer unlock(guard)
	if err := c.held("publish"); err != nil {
		return err
	}
	c.entry = Entry{ID: c.id, Addr: addr, PID: os.Getpid(), Incarnation: incarnation, Started: c.started.UTC(), Retired: c.entry.Retired}
	return c.write()
}

// held reports whether the claim is still this process's; both locks are held.
func (c *Claim) held(what string) error {
	if c.lock == nil || !stillAt(c.lock, c.paths.lock) {
		return fmt.Errorf("discover: %s %s: the claim has been released, or %s removed", what, c.id.Name, c.paths.lock)
	}
	return nil
}

// write puts the entry in view; both locks are held.
func (c *Claim) write() error {
	data, err := json.Marshal(c.entry)
	if err != nil {
		return fmt.Errorf("discover: publish %s: %w", c.id.Name, err)
	}
	if err := c.paths.writeFile(c.paths.entry, data); err != nil {
		return unusable(err)
	}
	return nil
}

// Become changes the cookie by which the node is known here: its entry and its
// socket go by the new fingerprint from now on, and terminals stay connected.
// retired are the cookies it had before. If a living process has the name under
// that cookie, nothing is changed and the error wraps [ErrNameTaken].
func (c *Claim) Become(fingerprint string, retired []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.id
	id.Fingerprint = fingerprint
	if err := id.validate(); err != nil {
		return err
	}
	retired = retired[max(0, len(retired)-maxRetired):]
	guard, err := lockDir(c.dir)
	if err != nil {
		return err
	}
	defer unlock(guard)
	if err := c.held("become"); err != nil {
		return err
	}
	if fingerprint == c.id.Fingerprint {
		c.entry.Retired = retired
		return c.rewrite()
	}
	p := pathsOf(c.dir, id.stem())
	lock, err := tryLock(p.lock, os.O_RDWR|os.O_CREATE, 0)
	if errors.Is(err, errHeld) {
		return taken(id, p)
	}
	if err != nil {
		return unusable(err)
	}
	p.retire()
	if err := writePID(lock); err != nil {
		os.Remove(p.lock)
		unlock(lock)
		return unusable(err)
	}
	// The socket keeps its listener under another name.
	if err := os.Rename(c.paths.socket, p.socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		os.Remove(p.lock)
		unlock(lock)
		return unusable(err)
	}
	oldPaths, oldLock := c.paths, c.lock
	c.id, c.paths, c.lock = id, p, lock
	c.entry.ID, c.entry.Retired = id, retired
	err = c.rewrite()
	os.Remove(oldPaths.entry)
	os.Remove(oldPaths.lock)
	unlock(oldLock)
	return err
}

// rewrite is write for an entry that is in view.
func (c *Claim) rewrite() error {
	if c.entry.Addr == "" {
		return nil
	}
	return c.write()
}

// Release takes the node out of view and gives its name back; its port stays
// remembered. The name is free even if an error is returned. Releasing twice
// does nothing.
func (c *Claim) Release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lock == nil {
		return nil
	}
	defer func() { unlock(c.lock); c.lock = nil }()
	guard, err := lockDir(c.dir)
	if err != nil {
		return err
	}
	defer unlock(guard)
	// Were the directory emptied meanwhile, its files are another node's.
	if !stillAt(c.lock, c.paths.lock) {
		return nil
	}
	c.paths.retire()
	return os.Remove(c.paths.lock)
}

// taken says who has the name.
func taken(id ID, p paths) error {
	who := "another process"
	if pid, err := p.readPID(); err == nil {
		who = "process " + strconv.Itoa(pid)
	}
	where := "is starting it"
	if e, err := p.readEntry(); err == nil {
		where = "runs it at " + e.Addr
	}
	return fmt.Errorf("%w: %s: %s %s; choose another --sname or end that node", ErrNameTaken, id.Name, who, where)
}

// writePID leaves this process's number in its lock file.
func writePID(lock *os.File) error {
	if err := lock.Truncate(0); err != nil {
		return err
	}
	_, err := lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// readPID returns the number of the process that last held the lock.
func (p paths) readPID() (int, error) {
	data, err := readFile(p.lock)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSuffix(string(data), "\n"))
	if err == nil && pid <= 0 {
		err = fmt.Errorf("discover: %s: pid %d", p.lock, pid)
	}
	return pid, err
}

// readPort returns the port of the last life.
func (p paths) readPort() (int, error) {
	data, err := readFile(p.port)
	if err != nil {
		return 0, err
	}
	return parsePort(strings.TrimSuffix(string(data), "\n"))
}
