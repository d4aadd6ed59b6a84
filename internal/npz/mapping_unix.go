//go:build unix

package npz

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps the first size bytes of a file; nil where the system does not.
func mapFile(file *os.File, size int64) *mapping {
	if size <= 0 || size > math.MaxInt {
		return nil
	}
	bytes, err := unix.Mmap(int(file.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil
	}
	return &mapping{bytes: bytes}
}

func unmap(bytes []byte) error { return unix.Munmap(bytes) }

// forget gives the pages back; they come again from the file when they are read again. That it fails costs memory only.
func forget(bytes []byte) { _ = unix.Madvise(bytes, unix.MADV_DONTNEED) }
