package npz

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// deflateMaxRatio is the most that deflate can shrink anything: 258 bytes from two bits and a little more.
const deflateMaxRatio = 1032

// File is an open .npz or .npy file, or another format's (OpenRaw). Its methods may be called from several goroutines at once.
type File struct {
	format string // begins errors
	path   string
	file   *os.File
	mapped *mapping // nil where the file is not mapped
	arrays []*array
}

// array is where one array's bytes lie and how to read them.
type array struct {
	Info
	bigEndian   bool
	headerBytes int64
	dataBytes   int64
	open        func() (io.ReadCloser, error) // from the first byte of the header
	// data are the elements as they lie in the file; nil where they are compressed.
	data io.ReaderAt
	// checksum says that reading to the end through open holds the elements against a checksum.
	checksum bool
}

// ErrPyTorch tells of a file of torch.save, which is a zip archive too.
var ErrPyTorch = errors.New("a file of torch.save, not of numpy.savez")

// Open opens the .npz archive or the .npy file at path (told apart by their first bytes) and checks every array's header
// against the bytes that are there. The caller closes the File.
func Open(path string) (*File, error) {
	return openWith("npz", path, (*File).list)
}

// openWith opens a file and lists its arrays.
func openWith(format, path string, list func(*File) error) (*File, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w: check the path", format, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", format, err)
	}
	f := &File{format: format, path: path, file: file}
	if err := list(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Close releases the file; readers obtained from it end with an error from then on.
func (f *File) Close() error { return errors.Join(f.mapped.close(), f.file.Close()) }

// Path returns the path that Open was given.
func (f *File) Path() string { return f.path }

// Arrays lists the arrays in the file's order.
func (f *File) Arrays() []Info {
	infos := make([]Info, len(f.arrays))
	for i, a := range f.arrays {
		infos[i] = a.Info
	}
	return infos
}

// Info returns the description of an array and whether the file has it.
func (f *File) Info(name string) (Info, bool) {
	for _, a := range f.arrays {
		if a.Name == name {
			return a.Info, true
		}
	}
	return Info{}, false
}

// lookup is Info for readers: an error that lists what the file holds instead.
func (f *File) lookup(name string) (*array, error) {
	held := make([]string, len(f.arrays))
	for i, a := range f.arrays {
		if a.Name == name {
			return a, nil
		}
		held[i] = a.Info.String()
	}
	if len(held) == 0 {
		return nil, f.errorf(name, "no such array: the file holds none")
	}
	return nil, f.errorf(name, "no such array: the file holds %s", strings.Join(held, ", "))
}

func (f *File) errorf(name, format string, args ...any) error {
	return fmt.Errorf("%s: %s: %s: %w", f.format, f.path, name, fmt.Errorf(format, args...))
}

// size of the file in bytes.
func (f *File) size() (int64, error) {
	stat, err := f.file.Stat()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", f.format, err)
	}
	if stat.IsDir() {
		return 0, fmt.Errorf("%s: %s is a directory: name a file", f.format, f.path)
	}
	return stat.Size(), nil
}

// view is the file as its mapping, or itself where it cannot be mapped (a device, another system): bytes are copied out of either.
func (f *File) view(size int64) io.ReaderAt {
	if f.mapped == nil {
		f.mapped = mapFile(f.file, size)
	}
	if f.mapped == nil {
		return f.file
	}
	return f.mapped
}

func (f *File) list() error {
	size, err := f.size()
	if err != nil {
		return err
	}
	start := make([]byte, len(magic))
	n, err := f.file.ReadAt(start, 0)
	if err != nil && err != io.EOF {
		return fmt.Errorf("npz: %w", err)
	}
	if bytes.Equal(start[:n], []byte(magic)) {
		name := strings.TrimSuffix(filepath.Base(f.path), ".npy")
		whole := f.view(size)
		return f.add(name, size, whole, func() (io.ReadCloser, error) {
			return io.NopCloser(io.NewSectionReader(whole, 0, size)), nil
		})
	}
	archive, err := zip.NewReader(f.file, size)
	if err != nil {
		if errors.Is(err, zip.ErrFormat) {
			return fmt.Errorf("npz: %s (%d bytes) is neither a .npz archive nor a .npy array, or was cut short: write it again with numpy.savez or numpy.save", f.path, size)
		}
		return fmt.Errorf("npz: %s: %w", f.path, err)
	}
	for _, entry := range archive.File {
		if path.Base(entry.Name) == "data.pkl" {
			return fmt.Errorf("npz: %s is %w", f.path, ErrPyTorch)
		}
		name, isArray := strings.CutSuffix(entry.Name, ".npy")
		if !isArray {
			continue // NumPy, too, treats other members as no arrays.
		}
		offset, err := f.checkEntry(name, entry, size)
		if err != nil {
			return err
		}
		var data io.ReaderAt
		if entry.Method == zip.Store {
			data = io.NewSectionReader(f.file, offset, int64(entry.UncompressedSize64))
		}
		if err := f.add(name, int64(entry.UncompressedSize64), data, entry.Open); err != nil {
			return err
		}
		f.arrays[len(f.arrays)-1].checksum = true
	}
	return nil
}

// checkEntry holds what the archive's directory says of an entry against the size of the file, and gives where its bytes begin.
func (f *File) checkEntry(name string, entry *zip.File, fileBytes int64) (offset int64, err error) {
	offset, err = entry.DataOffset()
	if err != nil {
		return 0, f.errorf(name, "%w", err)
	}
	packed := entry.CompressedSize64
	if offset > fileBytes || packed > uint64(fileBytes-offset) {
		return 0, f.errorf(name, "needs %d bytes from offset %d, the file ends at %d: it was cut short, write it again", packed, offset, fileBytes)
	}
	size := entry.UncompressedSize64
	switch entry.Method {
	case zip.Store:
		if size != packed {
			return 0, f.errorf(name, "the archive says %d bytes in one place and %d in another: write it again", size, packed)
		}
	case zip.Deflate:
		if size/deflateMaxRatio > packed {
			return 0, f.errorf(name, "claims %d bytes out of %d compressed ones, more than deflate can hold", size, packed)
		}
	default:
		return 0, f.errorf(name, "compressed by method %d: write it again with numpy.savez or numpy.savez_compressed", entry.Method)
	}
	return offset, nil
}

// add reads the header of an array that takes size bytes with it, and checks its shape against that size. whole are those bytes where they are not compressed.
func (f *File) add(name string, size int64, whole io.ReaderAt, open func() (io.ReadCloser, error)) error {
	if _, twice := f.Info(name); twice {
		return f.errorf(name, "two arrays of this name: rename one")
	}
	r, err := open()
	if err != nil {
		return f.errorf(name, "%w", err)
	}
	defer r.Close()
	a := &array{open: open}
	a.Info, a.bigEndian, a.headerBytes, err = readHeader(r)
	a.Name = name
	if err != nil {
		return f.errorf(name, "%w", err)
	}
	a.dataBytes = size - a.headerBytes
	if whole != nil {
		a.data = io.NewSectionReader(whole, a.headerBytes, a.dataBytes)
	}
	if a.DType != Other {
		want, ok := byteLen(a.DType, a.Shape)
		if !ok {
			return f.errorf(name, "impossible shape %s", shapeText(a.Shape))
		}
		if want != a.dataBytes {
			return f.errorf(name, "%s %s takes %d bytes, the entry has %d: write it again", a.DType, shapeText(a.Shape), want, a.dataBytes)
		}
		if !countable(a.Shape) {
			return f.errorf(name, "impossible shape %s", shapeText(a.Shape))
		}
	}
	f.arrays = append(f.arrays, a)
	return nil
}

// countable tells whether the dimensions other than 0 multiply to an int: [0, 2^40, 2^40] takes no bytes and still
// would overflow whoever multiplies its rows out.
func countable(shape []int) bool {
	var positive []int
	for _, d := range shape {
		if d != 0 {
			positive = append(positive, d)
		}
	}
	_, ok := byteLen(Uint8, positive)
	return ok
}
