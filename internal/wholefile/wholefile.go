// Package wholefile writes files that are either whole or absent.
//
// The bytes go to a temporary name in the destination's own directory, are synced, and take the destination's name by
// rename. Whoever opens the destination, at any moment and after a crash at any moment, finds the old file or the new
// one, never a part.
package wholefile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/google/renameio/v2"
)

// bufferBytes collects small writes; large ones pass through.
const bufferBytes = 1 << 16

// Write creates or replaces the file at path with what fill writes, with permissions perm before umask. Of a link, what it points at is replaced. A device, a pipe and what
// /dev/stdout stands for are written to as it comes: there is nothing to replace, and nothing can be taken back.
//
// When fill or the file system fails, path keeps its former content (or stays absent), the temporary file is removed,
// and the error names path and a way out. An error of fill is wrapped, so errors.Is finds it. A panic in fill leaves
// nothing behind either. The writer is valid only during fill.
func Write(path string, perm os.FileMode, fill func(w io.Writer) error) (err error) {
	path, through, err := destination(path)
	if err != nil {
		return err
	}
	if through {
		return describe(path, writeThrough(path, fill))
	}
	file, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithPermissions(perm))
	if err != nil {
		return describe(path, err)
	}
	defer func() {
		// After a successful replace this does nothing. Its own error matters only when it is the first one.
		if cleanupErr := file.Cleanup(); cleanupErr != nil && err == nil {
			err = describe(path, cleanupErr)
		}
	}()

	if err := fillBuffered(file, fill); err != nil {
		return describe(path, err)
	}
	if err := file.CloseAtomicallyReplace(); err != nil {
		return describe(path, err)
	}
	return syncDirectory(path)
}

// WriteBytes is Write of a content already in memory.
func WriteBytes(path string, perm os.FileMode, content []byte) error {
	return Write(path, perm, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// Check tells whether Write could make a file at path now, for those who compute long before they write. It leaves nothing behind.
func Check(path string) error {
	path, through, err := destination(path)
	if err != nil || through {
		return err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return describe(path, syscall.EISDIR)
	}
	file, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)))
	if err != nil {
		return describe(path, err)
	}
	if err := file.Cleanup(); err != nil {
		return describe(path, err)
	}
	return nil
}

// Sweep removes from dir what writers left there that were killed (kill -9, a power cut) before the rename: the temporary files of the names that ours takes. It is for
// whoever is alone in writing these names; a file that somebody still writes would be lost to them.
func Sweep(dir string, ours func(name string) bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("sweep %s: %w", dir, err)
	}
	for _, e := range entries {
		name := strings.TrimRight(strings.TrimPrefix(e.Name(), "."), "0123456789") // renameio names them .NAMEdigits
		if e.Name()[0] != '.' || len(name) == len(e.Name())-1 || !e.Type().IsRegular() || !ours(name) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("sweep %s: %w", dir, err)
		}
	}
	return nil
}

// destination is where what is written to path goes: past links. through: it is no file that a rename can replace.
func destination(path string) (target string, through bool, err error) {
	entry, err := os.Lstat(path)
	if err != nil {
		return path, false, nil // not there, or the making of it will say what is wrong
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", false, fmt.Errorf("write %s: %w: it is a link to nothing: make what it points at, or remove it", path, syscall.ENOENT)
	case !info.Mode().IsRegular() && !info.IsDir(), ofSystem(path):
		return path, true, nil
	case entry.Mode()&fs.ModeSymlink == 0:
		return path, false, nil
	}
	if target, err = filepath.EvalSymlinks(path); err != nil {
		return "", false, describe(path, err)
	}
	return target, false, nil
}

// ofSystem tells names such as /dev/stdout, behind which may be a file that somebody else has open.
func ofSystem(path string) bool {
	return strings.HasPrefix(filepath.Clean(path), "/dev/") || strings.HasPrefix(filepath.Clean(path), "/proc/")
}

// writeThrough writes to what is there, behind what others have written to it.
func writeThrough(path string, fill func(w io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	if err := fillBuffered(file, fill); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

func fillBuffered(file io.Writer, fill func(w io.Writer) error) error {
	buffered := bufio.NewWriterSize(file, bufferBytes)
	if err := fill(buffered); err != nil {
		return err
	}
	return buffered.Flush()
}

// syncDirectory makes the rename itself survive a power cut. File systems that cannot sync a directory say EINVAL; the
// file is whole there too, so that is no failure.
func syncDirectory(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if errors.Is(err, fs.ErrPermission) {
		return nil // A directory may be writable and searchable without being readable.
	}
	if err != nil {
		return describe(path, err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return describe(path, err)
	}
	return nil
}

// describe turns an error met while writing path into one line that names path rather than the temporary file; nil stays nil.
func describe(path string, err error) error {
	if err == nil {
		return nil
	}
	cause := err
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	switch {
	case errors.As(err, &pathErr) && isOurs(path, pathErr.Path):
		cause = pathErr.Err
	case errors.As(err, &linkErr):
		cause = linkErr.Err
	}
	way := wayOut(path, err)
	if way == "" {
		return fmt.Errorf("write %s: %w", path, cause)
	}
	return fmt.Errorf("write %s: %w: %s", path, cause, way)
}

// isOurs tells whether the path in an error is the destination or its temporary file (renameio names it .NAMEdigits),
// rather than some other file that fill was reading: that one's name must stay in the message.
func isOurs(path, inError string) bool {
	return inError == path || inError == filepath.Dir(path) ||
		filepath.Dir(inError) == filepath.Dir(path) && strings.HasPrefix(filepath.Base(inError), "."+filepath.Base(path))
}

func wayOut(path string, err error) string {
	dir := filepath.Dir(path)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "free some space there or choose another directory"
	case errors.Is(err, syscall.EROFS):
		return "the file system is mounted read-only: choose another directory"
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("make %s writable or choose another directory", dir)
	case errors.Is(err, fs.ErrNotExist):
		if _, statErr := os.Stat(dir); statErr == nil {
			return "no file can be made there: choose another directory" // such as /proc
		}
		return fmt.Sprintf("create the directory %s first", dir)
	case errors.Is(err, syscall.EISDIR), errors.Is(err, fs.ErrExist):
		return "a directory has this name: choose another name"
	}
	return ""
}
