//go:build unix

package ood

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

const canMap = true

// mapFloats maps n float64 of a file, read-only.
func mapFloats(file *os.File, n int) (rows []float64, unmap func() error, err error) {
	raw, err := unix.Mmap(int(file.Fd()), 0, 8*n, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, err
	}
	return unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(raw))), n), func() error { return unix.Munmap(raw) }, nil
}
