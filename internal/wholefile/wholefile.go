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

// Write creates or replaces the file at path with what fill writes, with permissions perm before umask.
//
// When fill or the file system fails, path keeps its former content (or stays absent), the temporary file is removed,
// and the error names path and a way out. An error of fill is wrapped, so errors.Is finds it. A panic in fill leaves
// nothing behind either. The writer is valid only during fill.
func Write(path string, perm os.FileMode, fill func(w io.Writer) error) (err error) {
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

	buffered := bufio.NewWriterSize(file, bufferBytes)
	if err := fill(buffered); err != nil {
		return describe(path, err)
	}
	if err := buffered.Flush(); err != nil {
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

// describe turns an error met while writing path into one line that names path rather than the temporary file.
func describe(path string, err error) error {
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
