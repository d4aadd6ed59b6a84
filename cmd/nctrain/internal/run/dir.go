package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/gofrs/flock"

	"nctrain/internal/wholefile"
)

// lockFile is held by the one process that works on the directory; it holds that process's id, for people.
const lockFile = ".lock"

// contents are the names of a run directory (SPEC 10): what --overwrite removes, and nothing else.
var contents = []string{
	configFile, historyFile, "checkpoints", "state", ncFile, oodFile, scoresFile, cosinesFile, "thumbs", "features", "figures", "report.html", logFile,
}

// Dir is a run directory that this process has locked.
type Dir struct {
	Path string
	lock *flock.Flock
}

// createDir makes and locks a new run directory. An existing one that is not empty is refused, unless overwrite is set and it is an earlier run, which is
// then removed.
func createDir(path string, overwrite bool) (*Dir, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		if errors.Is(err, fs.ErrNotExist) { // a file system that makes no directories, or a link to nowhere
			return nil, fmt.Errorf("run: %s: cannot be made there (%w): choose another --out", path, errors.Unwrap(err))
		}
		return nil, describe(path, err)
	}
	// Where something else lies, not even a lock is left behind.
	if err := empty(path); err != nil && !has(path, lockFile) && !(overwrite && has(path, configFile)) {
		return nil, err
	}
	d, err := lock(path)
	if err != nil {
		return nil, err
	}
	if err := empty(path); err != nil {
		if overwrite {
			err = d.clear()
		}
		if err != nil {
			d.Close()
			return nil, err
		}
	}
	return d, nil
}

// Open locks an existing run directory.
func Open(path string) (*Dir, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, describe(path, err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("run: %s: is a file: name the run's directory", path)
	}
	return lock(path)
}

func lock(path string) (*Dir, error) {
	file := filepath.Join(path, lockFile)
	l := flock.New(file, flock.SetFlag(os.O_CREATE|os.O_RDWR))
	ok, err := l.TryLock()
	if err != nil {
		return nil, describe(path, err)
	}
	if !ok {
		who := "another nctrain"
		if text, err := os.ReadFile(file); err == nil && len(text) > 0 {
			who += fmt.Sprintf(" (process %s)", strings.TrimSpace(string(text)))
		}
		return nil, fmt.Errorf("run: %s: %s works on it: wait until it ends, or choose another directory", path, who)
	}
	// The id is a help for whoever meets the lock; on a full disk the lock is as good without it.
	_ = os.WriteFile(file, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644)
	d := &Dir{Path: path, lock: l}
	if err := d.sweep(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// sweep removes the half-written files of a process that was killed: a state is twice as large as the weights, and a stray file beside config.json
// would make of this directory one that is not empty and not a run. The figures' own are removed when they are drawn again.
func (d *Dir) sweep() error {
	if err := wholefile.Sweep(d.Path, func(name string) bool { return slices.Contains(contents, name) }); err != nil {
		return describe(d.Path, err)
	}
	if !has(d.Path, configFile) {
		return nil // the folders are somebody else's: --resume was given another directory
	}
	for _, folder := range []string{"checkpoints", "state", "thumbs", "features"} {
		path := filepath.Join(d.Path, folder)
		err := wholefile.Sweep(path, func(string) bool { return true })
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return describe(path, err)
		}
	}
	return nil
}

// Close gives the lock back. The file stays: removing it would let two processes lock two files of one name.
func (d *Dir) Close() error { return d.lock.Close() }

// Discard removes a directory in which nothing was begun.
func (d *Dir) Discard() {
	if empty(d.Path) == nil {
		os.Remove(filepath.Join(d.Path, lockFile))
		os.Remove(d.Path)
	}
	d.Close()
}

// empty is an error that says what lies in a directory, beside a lock.
func empty(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return describe(path, err)
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == lockFile })
	if len(entries) == 0 {
		return nil
	}
	if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == configFile }) {
		return fmt.Errorf("run: %s: holds a run already: go on with --resume %s, remove it with --overwrite, or choose another --out", path, path)
	}
	return fmt.Errorf("run: %s: is not empty (%s): choose another --out", path, entries[0].Name())
}

func has(path, name string) bool {
	_, err := os.Stat(filepath.Join(path, name))
	return err == nil
}

// clear removes an earlier run, by the names it has.
func (d *Dir) clear() error {
	if !has(d.Path, configFile) {
		return fmt.Errorf("run: %s: is not empty and holds no run: --overwrite removes runs only; choose another --out", d.Path)
	}
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return describe(d.Path, err)
	}
	for _, e := range entries {
		if e.Name() != lockFile && !slices.Contains(contents, e.Name()) {
			return fmt.Errorf("run: %s: %s lies beside the run and is none of its files: move it away, or choose another --out", d.Path, e.Name())
		}
	}
	// config.json goes last: a directory that was cleared half is still known as a run.
	for _, name := range append(slices.Clone(contents[1:]), configFile) {
		if err := os.RemoveAll(filepath.Join(d.Path, name)); err != nil {
			return describe(d.Path, err)
		}
	}
	return nil
}

func describe(path string, err error) error {
	cause := err
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		cause = pathErr.Err
	}
	way := "choose another directory"
	switch {
	case errors.Is(err, fs.ErrPermission):
		way = "make it writable or choose another directory"
	case errors.Is(err, fs.ErrNotExist):
		way = "name the directory of an earlier run"
	case errors.Is(err, syscall.ENOSPC):
		way = "free some space there or choose another directory"
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		way = "a file has this name: choose another directory"
	}
	return fmt.Errorf("run: %s: %w: %s", path, cause, way)
}
