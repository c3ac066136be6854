package history

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
)

const (
	// keptLives and keptBytes bound what is kept of lives that have ended, of all
	// clusters that share the directory.
	keptLives = 64
	keptBytes = 256 << 20
	// extent is how much a segment's file grows at once.
	extent = 1 << 20
	// spare is what histories leave free on their disk, be it a small one of memory:
	// for sockets, claims and cookies, without which a node cannot live.
	spare = 4 << 20
)

// errFull is why a segment does not grow.
var errFull = fmt.Errorf("history: no more than %d MiB are free", spare>>20)

// Dir is an archive in a directory of this host. Segments are files that are
// mapped into memory: what was written to them is there when the process is not.
type Dir struct {
	path  string
	group string // of those that belong together
	spare uint64 // bytes that are left free
}

// NewDir returns the archive at path, which is made when it is first written to.
// Of the lives in it, those of the same cluster belong together.
func NewDir(path, cluster string) *Dir {
	sum := sha256.Sum256([]byte(cluster))
	return &Dir{path, hex.EncodeToString(sum[:6]), spare}
}

// A file is called GROUP-NODE-INCARNATION.NUMBER.
var fileName = regexp.MustCompile(`^([0-9a-f]{12})-([a-z0-9-]{1,32})-([0-9a-f]{16})\.([0-9]{1,9})$`)

func (d *Dir) file(life Life, number uint64) string {
	return filepath.Join(d.path, fmt.Sprintf("%s-%s-%016x.%d", d.group, life.Node, life.Incarnation, number))
}

// Begin implements Archive.
func (d *Dir) Begin(life Life, number uint64) (Segment, error) {
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	if number == 0 {
		d.prune()
	}
	if number >= 2 {
		os.Remove(d.file(life, number-2))
	}
	f, err := os.OpenFile(d.file(life, number), os.O_RDWR|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	// A lock says that the life goes on; it ends with the process.
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	var b []byte
	if err == nil {
		b, err = syscall.Mmap(int(f.Fd()), 0, SegmentSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("history: %s: %w", f.Name(), err)
	}
	return &fileSegment{file: f, spare: d.spare, b: b}, nil
}

type fileSegment struct {
	file  *os.File
	spare uint64
	size  int
	b     []byte
}

var zeros [extent]byte

// Room implements Segment. The room is written to before it is mapped memory's
// turn: where a disk is full, that is an error, and not a signal.
func (s *fileSegment) Room(n int) error {
	for s.size < n {
		var disk syscall.Statfs_t
		if err := syscall.Fstatfs(int(s.file.Fd()), &disk); err != nil {
			return fmt.Errorf("history: %w", err)
		}
		if disk.Bavail*uint64(disk.Bsize) < s.spare+extent {
			return errFull
		}
		if _, err := s.file.WriteAt(zeros[:], int64(s.size)); err != nil {
			_ = s.file.Truncate(int64(s.size)) // what was written of it is of no use
			return fmt.Errorf("history: %w", err)
		}
		s.size += extent
	}
	return nil
}

func (s *fileSegment) Bytes() []byte { return s.b }

func (s *fileSegment) Close() error {
	return errors.Join(syscall.Munmap(s.b), s.file.Close())
}

// stored is a segment's file.
type stored struct {
	path   string
	group  string
	life   Life
	number int
	size   int64
	at     int64 // when it was last changed
}

// list returns the segments in the directory, the latest first.
func (d *Dir) list() (out []stored, err error) {
	files, err := os.ReadDir(d.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, f := range files {
		m := fileName.FindStringSubmatch(f.Name())
		info, err := f.Info()
		if m == nil || err != nil || !info.Mode().IsRegular() {
			continue
		}
		incarnation, _ := strconv.ParseUint(m[3], 16, 64)
		number, _ := strconv.Atoi(m[4])
		out = append(out, stored{
			path: filepath.Join(d.path, f.Name()), group: m[1], life: Life{m[2], incarnation},
			number: number, size: info.Size(), at: info.ModTime().UnixNano(),
		})
	}
	slices.SortFunc(out, func(a, b stored) int { return cmp.Compare(b.at, a.at) })
	return out, err
}

// prune removes the segments of lives that have ended, but for the latest.
func (d *Dir) prune() {
	all, _ := d.list()
	lives := make(map[Life]bool)
	var size int64
	for _, s := range all {
		lives[s.life] = true
		if size += s.size; len(lives) <= keptLives && size <= keptBytes {
			continue
		}
		if f, err := os.OpenFile(s.path, os.O_RDWR|syscall.O_NOFOLLOW, 0); err == nil {
			if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
				os.Remove(s.path)
			}
			f.Close()
		}
	}
}

// Stored implements Archive. The lives that go on are there, too, up to about
// now.
func (d *Dir) Stored(but Life) (out []Stored, err error) {
	all, err := d.list()
	all = slices.DeleteFunc(all, func(s stored) bool { return s.group != d.group || s.life == but })
	slices.SortFunc(all, func(a, b stored) int {
		return cmp.Or(cmp.Compare(a.life.Node, b.life.Node), cmp.Compare(a.life.Incarnation, b.life.Incarnation), cmp.Compare(a.number, b.number))
	})
	for _, s := range all {
		b, alive, failed := readSegment(s.path)
		if failed != nil {
			continue // pruned meanwhile
		}
		if n := len(out); n == 0 || out[n-1].Life != s.life {
			out = append(out, Stored{Life: s.life})
		}
		last := &out[len(out)-1]
		last.Segments, last.Alive = append(last.Segments, b), last.Alive || alive
	}
	return out, err
}

// readSegment reads what was written of a segment, and whether its life goes on.
func readSegment(path string) (b []byte, alive bool, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	alive = errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
	head := make([]byte, headSize)
	if _, err := io.ReadFull(f, head); err != nil {
		return nil, false, err
	}
	n := written(head)
	if n < headSize || n > SegmentSize {
		return nil, false, errMalformed
	}
	b = make([]byte, n)
	copy(b, head)
	_, err = io.ReadFull(f, b[headSize:])
	return b, alive, err
}
