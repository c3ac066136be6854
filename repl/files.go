package repl

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"parking/lot"
)

// maxFiles is how many files of a directory are looked at.
const maxFiles = 1000

// A File is one that the path being typed can go on to.
type File struct {
	Path string // it begins as what was typed; a directory's ends in /
	Dir  bool
}

// Files returns the files whose paths begin with what was typed, sorted. Those
// whose names begin with a dot are left out unless that was typed. expand
// resolves ~; nil: nothing does. What is no directory is not opened: a pipe
// would block.
func Files(typed string, expand func(string) (string, error)) []File {
	parent, base := filepath.Split(typed)
	dir, err := parent, error(nil)
	if expand != nil {
		dir, err = expand(parent)
	}
	if err != nil {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(dir, "."), os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	var found []File
	entries, _ := f.ReadDir(maxFiles) // what was read before an error, too
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), base) || base == "" && e.Name()[0] == '.' {
			continue
		}
		file := File{Path: parent + e.Name(), Dir: e.IsDir()}
		if file.Dir {
			file.Path += "/"
		}
		found = append(found, file)
	}
	slices.SortFunc(found, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return found
}

// OpenCommands opens a file of commands, called name. A pipe, or another file
// that one may have to wait for, is opened only if waits says so. The error is
// a refusal.
func OpenCommands(name, path string, waits bool) (*os.File, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
	case info.IsDir():
		err = syscall.EISDIR
	case !waits && !info.Mode().IsRegular():
		err = errors.New("it is no regular file")
	}
	var f *os.File
	if err == nil {
		f, err = os.Open(path)
	}
	if cause, ok := errors.AsType[*fs.PathError](err); ok {
		err = cause.Err
	}
	if err != nil {
		return nil, lot.Refuse(lot.Usage, "cannot read the commands in %q: %v", name, err)
	}
	return f, nil
}
