package data

import (
	"bufio"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"nctrain/internal/decimal"
)

// A reader of the numeric arrays of MATLAB v5 files ("MAT-File Level 5", MathWorks' MAT-File Format), which v6 and v7 still
// write; v7 compresses each array with zlib. Written here because no Go module that a registry serves reads them:
// github.com/scigolib/matlab and github.com/florianl/matf were looked at.

// matArray is one numeric array.
type matArray struct {
	class  uint8  // MATLAB's class of the elements
	dims   []int  // first index fastest
	stored uint32 // type of the stored elements, which may be narrower than the class
	raw    []byte // stored elements in the file's byte order, the first of them where fewer were asked for
	order  binary.ByteOrder
}

const (
	matHeaderBytes = 128
	matClassUint8  = 9

	matTypeInt32      = 5
	matTypeUint32     = 6
	matTypeInt8       = 1
	matTypeMatrix     = 14
	matTypeCompressed = 15

	maxMATDims = 32
	maxMATName = 63 // MATLAB's own limit
)

// matSizes gives the bytes of one element of each stored numeric type.
var matSizes = map[uint32]int{1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}

// readMAT reads the named arrays of the file, of images (arrays of four dimensions) only the first limit (0: all). Arrays
// that are not there are absent from the result.
func readMAT(path string, limit int, wanted ...string) (map[string]*matArray, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	defer file.Close()
	r := bufio.NewReaderSize(file, 1<<16)
	order, err := matByteOrder(r)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", path, err)
	}
	found := map[string]*matArray{}
	for len(found) < len(wanted) {
		err := readMATVariable(r, order, func(name string, a *matArray, content io.Reader, size int64) error {
			if !slices.Contains(wanted, name) {
				return nil
			}
			if found[name] != nil {
				return fmt.Errorf("%s: two arrays of this name", name)
			}
			if err := a.load(content, size, limit); err != nil {
				return fmt.Errorf("%s %w", name, err)
			}
			found[name] = a
			return nil
		})
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("data: %s: %w", path, err)
		}
	}
	return found, nil
}

// matByteOrder reads the file header.
func matByteOrder(r io.Reader) (binary.ByteOrder, error) {
	header := make([]byte, matHeaderBytes)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, errors.New("too short for a MATLAB file: download it again")
	}
	if strings.HasPrefix(string(header), "MATLAB 7.3") {
		return nil, errors.New("a MATLAB 7.3 file (HDF5): save it with -v7")
	}
	switch string(header[126:]) {
	case "IM":
		return binary.LittleEndian, nil
	case "MI":
		return binary.BigEndian, nil
	}
	return nil, errors.New("not a MATLAB v5 file: save it with -v7")
}

// matTag is the head of a data element. Elements of up to four bytes may be packed into the head itself.
type matTag struct {
	kind   uint32
	size   int64
	packed []byte
}

func readMATTag(r io.Reader, order binary.ByteOrder) (matTag, error) {
	var b [8]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return matTag{}, err // io.EOF where the element before was the last
	}
	first := order.Uint32(b[:4])
	if size := first >> 16; size != 0 {
		if size > 4 {
			return matTag{}, fmt.Errorf("a small element of %d bytes", size)
		}
		return matTag{first & 0xffff, int64(size), b[4 : 4+size]}, nil
	}
	return matTag{kind: first, size: int64(order.Uint32(b[4:]))}, nil
}

// readMATSmall reads an element of at most most bytes, with the padding to a multiple of eight behind it.
func readMATSmall(r io.Reader, order binary.ByteOrder, kind uint32, most int64) ([]byte, error) {
	tag, err := readMATTag(r, order)
	if err != nil {
		return nil, err
	}
	if tag.kind != kind || tag.size > most {
		return nil, fmt.Errorf("an element of type %d with %d bytes where type %d with at most %d belongs", tag.kind, tag.size, kind, most)
	}
	if tag.packed != nil {
		return tag.packed, nil
	}
	b := make([]byte, (tag.size+7)/8*8)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	return b[:tag.size], nil
}

type matVisitor func(name string, a *matArray, content io.Reader, size int64) error

// readMATVariable reads the next array up to its elements, hands those to visit and skips what visit leaves.
func readMATVariable(r io.Reader, order binary.ByteOrder, visit matVisitor) error {
	tag, err := readMATTag(r, order)
	if err != nil {
		return err
	}
	body := &io.LimitedReader{R: r, N: tag.size}
	switch {
	case tag.packed != nil:
		return fmt.Errorf("an element of type %d in the place of an array", tag.kind)
	case tag.kind == matTypeCompressed:
		err = readMATCompressed(body, order, visit)
	case tag.kind == matTypeMatrix:
		err = readMATMatrix(body, order, visit)
	}
	if err != nil {
		return err
	}
	return skip(body)
}

// readMATCompressed is readMATMatrix of an array in a zlib stream.
func readMATCompressed(body io.Reader, order binary.ByteOrder, visit matVisitor) error {
	unzipped, err := zlib.NewReader(body)
	if err != nil {
		return fmt.Errorf("a compressed array: %w", noEOF(err))
	}
	defer unzipped.Close()
	tag, err := readMATTag(unzipped, order)
	if err != nil {
		return fmt.Errorf("a compressed array: %w", noEOF(err))
	}
	if tag.kind != matTypeMatrix {
		return nil
	}
	content := &io.LimitedReader{R: unzipped, N: tag.size}
	if err := readMATMatrix(content, order, visit); err != nil {
		return err
	}
	if content.N < 8 { // All but padding was read: the checksum at the end is worth meeting.
		if _, err := io.Copy(io.Discard, unzipped); err != nil {
			return fmt.Errorf("a compressed array: %w: download it again", err)
		}
	}
	return nil
}

// skip passes over what is left of an element. A file may end there only if it ends with the element.
func skip(body *io.LimitedReader) error {
	if _, err := io.Copy(io.Discard, body); err != nil {
		return err
	}
	if body.N > 0 {
		return fmt.Errorf("ends %s bytes before the end of an array: download it again", decimal.Grouped(body.N))
	}
	return nil
}

// readMATMatrix reads flags, dimensions and name of an array, and the head of its real elements.
func readMATMatrix(r io.Reader, order binary.ByteOrder, visit matVisitor) error {
	flags, err := readMATSmall(r, order, matTypeUint32, 8)
	if err != nil {
		return fmt.Errorf("flags of an array: %w", noEOF(err))
	}
	if len(flags) != 8 {
		return fmt.Errorf("flags of an array: %d bytes of 8", len(flags))
	}
	dims, err := readMATSmall(r, order, matTypeInt32, 4*maxMATDims)
	if err != nil {
		return fmt.Errorf("dimensions of an array: %w", noEOF(err))
	}
	name, err := readMATSmall(r, order, matTypeInt8, maxMATName)
	if err != nil {
		return fmt.Errorf("name of an array: %w", noEOF(err))
	}
	a := &matArray{class: uint8(order.Uint32(flags)), order: order}
	for ; len(dims) >= 4; dims = dims[4:] {
		a.dims = append(a.dims, int(int32(order.Uint32(dims))))
	}
	tag, err := readMATTag(r, order)
	if err == io.EOF {
		return nil // an array without elements, such as an empty object
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, noEOF(err))
	}
	a.stored = tag.kind
	if tag.packed != nil {
		r = strings.NewReader(string(tag.packed))
	}
	return visit(string(name), a, r, tag.size)
}

// load reads the elements, size bytes of r: all, or those of the first limit images.
func (a *matArray) load(r io.Reader, size int64, limit int) error {
	width, ok := matSizes[a.stored]
	if !ok {
		return fmt.Errorf("is no plain numeric array (element type %d)", a.stored)
	}
	whole := int64(width)
	for _, d := range a.dims {
		if d < 1 || whole > math.MaxUint32/int64(d) { // sizes in these files have 32 bits
			return fmt.Errorf("has impossible dimensions %v", a.dims)
		}
		whole *= int64(d)
	}
	if whole != size || len(a.dims) == 0 {
		return fmt.Errorf("has %s bytes for dimensions %v of %d-byte elements: download it again", decimal.Grouped(size), a.dims, width)
	}
	most := size
	if len(a.dims) == 4 && limit > 0 && limit < a.dims[3] {
		most = size / int64(a.dims[3]) * int64(limit)
	}
	m := readMember("", r, size, most)
	if m.cut != nil {
		return fmt.Errorf("ends after %s of %s bytes (%w): download it again", decimal.Grouped(len(m.content)), decimal.Grouped(size), noEOF(m.cut))
	}
	a.raw = m.content
	return nil
}

// integers returns the loaded elements, which must be whole numbers of at most 32 bits.
func (a *matArray) integers() ([]int64, error) {
	width := matSizes[a.stored]
	out := make([]int64, len(a.raw)/width)
	for i := range out {
		b := a.raw[i*width:]
		var v float64
		switch a.stored {
		case 1:
			v = float64(int8(b[0]))
		case 2:
			v = float64(b[0])
		case 3:
			v = float64(int16(a.order.Uint16(b)))
		case 4:
			v = float64(a.order.Uint16(b))
		case 5:
			v = float64(int32(a.order.Uint32(b)))
		case 6:
			v = float64(a.order.Uint32(b))
		case 7:
			v = float64(math.Float32frombits(a.order.Uint32(b)))
		case 9:
			v = math.Float64frombits(a.order.Uint64(b))
		case 12:
			v = float64(int64(a.order.Uint64(b)))
		case 13:
			v = float64(a.order.Uint64(b))
		}
		if v != math.Trunc(v) || math.Abs(v) > math.MaxUint32 {
			return nil, fmt.Errorf("element %s is %v, no whole number of 32 bits", decimal.Grouped(i), v)
		}
		out[i] = int64(v)
	}
	return out, nil
}
