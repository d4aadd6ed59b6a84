package npz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"codeberg.org/sbinet/npyio/npy"
)

const (
	magic = "\x93NUMPY"
	// A header of ours is some 128 bytes, and NumPy itself refuses to evaluate more than 10,000; records with many named
	// fields are the longest kind.
	maxHeaderBytes = 1 << 16
	// The data of an array starts at a multiple of this many bytes from the start of its .npy, so that it can be mapped.
	headerAlign = 64
)

var errNotNPY = errors.New("does not start as a NumPy array")

// readHeader parses the header at the start of r and returns what it says and its length in bytes.
func readHeader(r io.Reader) (info Info, bigEndian bool, length int64, err error) {
	prefix := make([]byte, 10, 12) // magic, version, and version 1's length in two bytes
	if _, err := io.ReadFull(r, prefix); err != nil {
		return info, false, 0, fmt.Errorf("%w (%w)", errNotNPY, err)
	}
	if string(prefix[:6]) != magic {
		return info, false, 0, errNotNPY
	}
	var dictBytes int64
	switch major := prefix[6]; major {
	case 1:
		dictBytes = int64(binary.LittleEndian.Uint16(prefix[8:]))
	case 2, 3:
		prefix = prefix[:12]
		if _, err := io.ReadFull(r, prefix[10:]); err != nil {
			return info, false, 0, fmt.Errorf("header: %w", err)
		}
		dictBytes = int64(binary.LittleEndian.Uint32(prefix[8:]))
		prefix[6] = 2 // Version 3 is version 2 in UTF-8, a difference only for field names of records.
	default:
		return info, false, 0, fmt.Errorf("NumPy format version %d is not known here (1, 2 and 3 are)", major)
	}
	if dictBytes > maxHeaderBytes {
		return info, false, 0, fmt.Errorf("a header of %d bytes", dictBytes)
	}
	header := make([]byte, len(prefix)+int(dictBytes))
	copy(header, prefix)
	if _, err := io.ReadFull(r, header[len(prefix):]); err != nil {
		return info, false, 0, fmt.Errorf("header: %w", err)
	}
	parsed, err := parseHeader(header)
	if err != nil {
		return info, false, 0, err
	}
	info.Descr = strings.Trim(parsed.Descr.Type, `'"`)
	info.Shape, info.Fortran = parsed.Descr.Shape, parsed.Descr.Fortran
	info.DType, bigEndian = parseDescr(info.Descr)
	return info, bigEndian, int64(len(header)), nil
}

// parseHeader is npyio's parser, which panics on some malformed dictionaries.
func parseHeader(header []byte) (parsed npy.Header, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("malformed header")
		}
	}()
	r, err := npy.NewReader(bytes.NewReader(header))
	if err != nil {
		return parsed, fmt.Errorf("malformed header (%s)", strings.TrimPrefix(err.Error(), "npy: "))
	}
	return r.Header, nil
}

// formatHeader writes the header that numpy.save would write for the array, byte for byte.
func formatHeader(descr string, shape []int) []byte {
	dims := make([]string, len(shape))
	for i, d := range shape {
		dims[i] = fmt.Sprint(d)
	}
	tuple := strings.Join(dims, ", ")
	if len(shape) == 1 {
		tuple += ","
	}
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, tuple)
	if len(shape) > 0 {
		// Room for the first dimension to grow to 21 digits in place, as NumPy leaves it.
		dict += strings.Repeat(" ", 21-len(dims[0]))
	}
	const fixed = len(magic) + 2 + 2
	pad := headerAlign - (fixed+len(dict)+1)%headerAlign // 1..64: NumPy pads a full line rather than none
	dict += strings.Repeat(" ", pad) + "\n"

	header := make([]byte, 0, fixed+len(dict))
	header = append(header, magic...)
	header = append(header, 1, 0)
	header = binary.LittleEndian.AppendUint16(header, uint16(len(dict)))
	return append(header, dict...)
}
