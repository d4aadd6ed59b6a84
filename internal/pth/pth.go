// Package pth reads what PyTorch's torch.save writes, and runs nothing of it.
//
// A .pth is a zip archive of stored entries: NAME/data.pkl is a pickle of the object, NAME/data/KEY the raw bytes of each tensor's storage, little-endian.
// A pickle is a program. This one is read by a closed machine (machine.go): the opcodes that torch.save writes by default, and calls of the few functions
// that make tensors and dictionaries; whatever else a pickle names is refused by its name. PyTorch's torch.load(weights_only=True) draws the same line.
//
// Nothing is allocated on the word of the file: entries are held against the file's size, storages against their entries, tensors against their storages,
// and all tensors together against the file.
package pth

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// maxPickleBytes is far above what a ResNet-18 with optimiser and histories takes (some 100 KB); the machine's memory is a small multiple of it.
const maxPickleBytes = 4 << 20

// File is an open .pth. Its tensors can be read until it is closed.
type File struct {
	path    string
	file    *os.File
	size    int64
	folder  string // of the archive, with its slash
	entries map[string]*zip.File
	root    any
}

// Sniff tells by a file's first bytes whether it is torch.save's, in the zip format or in the one that came before it.
func Sniff(start []byte) bool {
	return isZip(start) || isLegacy(start)
}

func isZip(start []byte) bool { return strings.HasPrefix(string(start), "PK\x03\x04") }

// isLegacy: the old format opens with a pickle of the number 0x1950a86a20f9469cfc6c.
func isLegacy(start []byte) bool {
	return strings.HasPrefix(string(start), "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19")
}

// Open reads the pickle of a .pth and checks all that it says; tensors stay in the file until they are asked for. The caller closes the File.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("pth: %w: check the path", err)
	}
	if err != nil {
		return nil, fmt.Errorf("pth: %w", err)
	}
	f := &File{path: path, file: file}
	if err := f.read(); err != nil {
		file.Close()
		return nil, fmt.Errorf("pth: %s: %w", path, err)
	}
	return f, nil
}

// Close releases the file.
func (f *File) Close() error { return f.file.Close() }

// Root is the saved object: nil, bool, int64, float64, string, [Tuple], *[List], *[Dict] or *[Tensor], and these within each other. It may hold itself.
func (f *File) Root() any { return f.root }

func (f *File) read() error {
	stat, err := f.file.Stat()
	if err != nil {
		return err
	}
	f.size = stat.Size()
	start := make([]byte, 16)
	n, err := f.file.ReadAt(start, 0)
	if err != nil && err != io.EOF {
		return err
	}
	if isLegacy(start[:n]) {
		return errors.New("is in the format that torch.save wrote before PyTorch 1.6: save it again, torch.save(torch.load(F, weights_only=True), F2)")
	}
	archive, err := zip.NewReader(f.file, f.size)
	if err != nil {
		return fmt.Errorf("%d bytes that are no whole archive of torch.save (%w): copy or save it again", f.size, err)
	}
	if err := f.index(archive); err != nil {
		return err
	}
	if order, ok := f.entries["byteorder"]; ok {
		text, err := f.content(order)
		if err != nil {
			return err
		}
		if string(text) != "little" {
			return fmt.Errorf("byteorder %.16q, only \"little\" can be read: save it again on a little-endian machine", text)
		}
	}
	pickle := f.entries["data.pkl"]
	if pickle.UncompressedSize64 > maxPickleBytes {
		return fmt.Errorf("data.pkl: %d bytes, at most %d are read: save the state_dict() alone", pickle.UncompressedSize64, maxPickleBytes)
	}
	program, err := f.content(pickle)
	if err != nil {
		return err
	}
	if f.root, err = newMachine(program, f).run(); err != nil {
		return fmt.Errorf("data.pkl: %w", err)
	}
	return nil
}

// index finds the archive's folder and holds every entry of it against the size of the file.
func (f *File) index(archive *zip.Reader) error {
	f.entries = map[string]*zip.File{}
	found := false
	for _, entry := range archive.File {
		folder, name := path.Split(entry.Name)
		if name != "data.pkl" {
			continue
		}
		if found {
			return errors.New("two entries data.pkl: save it again")
		}
		f.folder, found = folder, true
	}
	if !found {
		return errors.New("no data.pkl in the archive: it was not written by torch.save")
	}
	for _, entry := range archive.File {
		name, ours := strings.CutPrefix(entry.Name, f.folder)
		if !ours {
			continue
		}
		if _, twice := f.entries[name]; twice {
			return fmt.Errorf("two entries %.80q: save it again", name)
		}
		offset, err := entry.DataOffset()
		switch size := entry.UncompressedSize64; {
		case err != nil:
			return fmt.Errorf("%.80q: %w", name, err)
		case entry.Method != zip.Store || size != entry.CompressedSize64:
			return fmt.Errorf("%.80q is compressed, which torch.save never does: save it again", name)
		case offset > f.size || size > uint64(f.size-offset):
			return fmt.Errorf("%.80q needs %d bytes from offset %d, the file ends at %d: copy it again", name, size, offset, f.size)
		}
		f.entries[name] = entry
	}
	if _, script := f.entries["constants.pkl"]; script {
		return errors.New("is a TorchScript program, which holds code: save the model's state_dict() instead")
	}
	return nil
}

// content reads an entry whole; the archive's checksum is verified.
func (f *File) content(entry *zip.File) ([]byte, error) {
	name := strings.TrimPrefix(entry.Name, f.folder)
	r, err := entry.Open()
	if err != nil {
		return nil, fmt.Errorf("%.80q: %w", name, err)
	}
	defer r.Close()
	content := make([]byte, entry.UncompressedSize64)
	if _, err = io.ReadFull(r, content); err == nil {
		_, err = io.Copy(io.Discard, r) // the checksum is compared at the end
	}
	if err != nil {
		return nil, fmt.Errorf("%.80q: %w: it was changed or damaged after it was saved; copy or save it again", name, err)
	}
	return content, nil
}

// storage finds the entry of a storage of n elements.
func (f *File) storage(typ DType, key string, n int64) (*storage, error) {
	entry, ok := f.entries["data/"+key]
	if !ok {
		return nil, fmt.Errorf("the storage data/%.80s is not in the archive: it was cut short; copy it again", key)
	}
	if n < 0 || n > f.size || uint64(n*typ.size()) != entry.UncompressedSize64 {
		return nil, fmt.Errorf("a storage of %d %s elements, data/%.80s holds %d bytes: save it again", n, typ, key, entry.UncompressedSize64)
	}
	return &storage{file: f, entry: entry, typ: typ, n: n}, nil
}
