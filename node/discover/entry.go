package discover

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// An ID is what is unique among the nodes of a runtime directory.
type ID struct {
	Name        string `json:"name"`        // 1 to 32 of a-z, 0-9 and -
	Cluster     string `json:"cluster"`     // 1 to 32 of the same
	Fingerprint string `json:"fingerprint"` // of the cookie: 16 hexadecimal digits
}

// An Entry is what a living node tells of itself.
type Entry struct {
	ID
	Addr        string    `json:"addr"` // HOST:PORT at which peers reach it
	Socket      string    `json:"-"`    // path of the unix socket on which it serves terminals
	PID         int       `json:"pid"`
	Incarnation uint64    `json:"incarnation,string"` // drawn anew at each start
	Started     time.Time `json:"started"`
	Retired     []string  `json:"retired,omitempty"` // fingerprints of cookies that this node had, and has not any more
}

// maxRetired bounds how many of those an entry tells.
const maxRetired = 4

var (
	word        = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
	fingerprint = regexp.MustCompile(`^[0-9a-f]{16}$`)
	hostChars   = regexp.MustCompile(`^[A-Za-z0-9.:%_-]{1,255}$`)
	stemChars   = regexp.MustCompile(`^[a-z0-9-]{1,32}-[0-9a-f]{8}$`)
)

// maxFile bounds what is read of any file, in bytes; an entry has some 300.
const maxFile = 4096

// maxSocketPath is the longest path of a unix socket, in bytes: macOS has room
// for 103, Linux for four more, and one is left for the name that the socket
// has while it is made.
const maxSocketPath = 102

// validate reports what is wrong with an ID.
func (id ID) validate() error {
	switch {
	case !word.MatchString(id.Name):
		return fmt.Errorf("discover: name %.40q: use 1 to 32 of a-z, 0-9 and -", id.Name)
	case !word.MatchString(id.Cluster):
		return fmt.Errorf("discover: cluster %.40q: use 1 to 32 of a-z, 0-9 and -", id.Cluster)
	case !fingerprint.MatchString(id.Fingerprint):
		return fmt.Errorf("discover: fingerprint %.40q: want 16 hexadecimal digits", id.Fingerprint)
	}
	return nil
}

// stem returns the name that the files of a node share. It is short, since it
// becomes part of a socket's path, and starts with what a person looks for.
func (id ID) stem() string {
	sum := sha256.Sum256([]byte(id.Cluster + "/" + id.Fingerprint + "/" + id.Name))
	return id.Name + "-" + hex.EncodeToString(sum[:4])
}

// splitAddr returns the port of an address that can be printed and dialled.
func splitAddr(addr string) (port int, err error) {
	host, digits, err := net.SplitHostPort(addr)
	if err != nil || !hostChars.MatchString(host) {
		return 0, fmt.Errorf("discover: address %.80q: want HOST:PORT", addr)
	}
	return parsePort(digits)
}

func parsePort(digits string) (int, error) {
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || port == 0 {
		return 0, fmt.Errorf("discover: port %.20q: want 1 to 65535", digits)
	}
	return int(port), nil
}

// decode returns the entry that stands under stem. It accepts nothing that
// Publish would not have written there, except for unknown fields.
func decode(stem string, data []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(data, &e); err != nil {
		return Entry{}, fmt.Errorf("discover: entry %s: %w", stem, err)
	}
	if err := e.validate(); err != nil {
		return Entry{}, err
	}
	if _, err := splitAddr(e.Addr); err != nil {
		return Entry{}, err
	}
	if e.PID <= 0 {
		return Entry{}, fmt.Errorf("discover: entry %s: pid %d", stem, e.PID)
	}
	if len(e.Retired) > maxRetired || slices.ContainsFunc(e.Retired, func(f string) bool { return !fingerprint.MatchString(f) }) {
		return Entry{}, fmt.Errorf("discover: entry %s: retired cookies", stem)
	}
	if e.stem() != stem {
		return Entry{}, fmt.Errorf("discover: entry %s is that of %s", stem, e.stem())
	}
	return e, nil
}

// paths are where the files of one node are.
type paths struct{ stem, lock, entry, socket, port, temp string }

func pathsOf(dir, stem string) paths {
	base := filepath.Join(dir, stem)
	return paths{stem, base + ".lock", base + ".json", base + ".sock", base + ".port", base + ".tmp"}
}

// readEntry returns the node's entry, whether or not it is alive.
func (p paths) readEntry() (Entry, error) {
	data, err := readFile(p.entry)
	if err != nil {
		return Entry{}, err
	}
	e, err := decode(p.stem, data)
	e.Socket = p.socket
	return e, err
}

// readFile reads a small regular file. It does not follow a symbolic link and
// never waits.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("discover: %s is not a small regular file", path)
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// writeFile puts data at path, so that a reader sees it whole or not at all.
// It is not synced: what it says does not outlive the processes it is about.
func (p paths) writeFile(path string, data []byte) error {
	// Whatever is there was left by an earlier life, and might be a link.
	if err := os.Remove(p.temp); err != nil && !os.IsNotExist(err) {
		return err
	}
	f, err := os.OpenFile(p.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(p.temp, path)
	}
	if err != nil {
		os.Remove(p.temp)
	}
	return err
}
