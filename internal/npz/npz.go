// Package npz reads and writes NumPy's .npz archives and .npy files, typed and in blocks of rows.
//
// A file is opened once (Open), its arrays are listed with their types and shapes, and each is read whole (Float64s,
// Int64s, ...) or as a stream of rows that needs memory for one block only (Rows). Files are written whole or not at all
// (Write), arrays in one piece (Put) or row by row when the number of rows is known (NewEntry).
//
// Nothing a file declares is believed: an array's type and shape must account for the exact bytes of its entry, and an
// entry for bytes that the file has, before memory is allocated for it. Errors name the file and the array.
//
// A loose .npy is mapped into memory and its pages are given back as they have been read; the members of an archive are read as a stream and
// held against its checksum, unless the reading starts in the middle (Rows.Skip).
//
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
package npz

import (
	"math"
	"strconv"
	"strings"
)

// DType is the type of an array's elements.
type DType uint8

// The element types that can be read; Other stands for those that cannot (strings, objects, records, complex numbers).
const (
	Other DType = iota
	Bool
	Int8
	Int16
	Int32
	Int64
	Uint8
	Uint16
	Uint32
	Uint64
	Float16
	Float32
	Float64
	BFloat16 // float32's upper half; NumPy has no such type, .safetensors has
)

// dtypes has one row a DType: NumPy's name and its type code without the byte order.
var dtypes = [...]struct {
	name, code string
	size       int
}{
	Other:   {"other", "", 0},
	Bool:    {"bool", "b1", 1},
	Int8:    {"int8", "i1", 1},
	Int16:   {"int16", "i2", 2},
	Int32:   {"int32", "i4", 4},
	Int64:   {"int64", "i8", 8},
	Uint8:   {"uint8", "u1", 1},
	Uint16:  {"uint16", "u2", 2},
	Uint32:  {"uint32", "u4", 4},
	Uint64:  {"uint64", "u8", 8},
	Float16: {"float16", "f2", 2},
	Float32: {"float32", "f4", 4},
	Float64: {"float64", "f8", 8},

	BFloat16: {"bfloat16", "", 2},
}

// String returns NumPy's name of the type.
func (d DType) String() string { return dtypes[d].name }

// Size returns the bytes of one element, 0 for Other.
func (d DType) Size() int { return dtypes[d].size }

// IsFloat tells whether the elements are floating-point numbers.
func (d DType) IsFloat() bool { return d >= Float16 && d <= BFloat16 }

// IsInteger tells whether the elements are integers (or bool, which counts as 0 and 1).
func (d DType) IsInteger() bool { return d >= Bool && d <= Uint64 }

// Info describes one array of a file.
type Info struct {
	Name    string // key in the archive, without ".npy"; of a loose .npy file its base name without the extension
	DType   DType
	Descr   string // the type as the file spells it, such as "<f4"
	Shape   []int  // empty for a scalar
	Fortran bool   // stored with the first index running fastest; reads always deliver C order
}

// Len returns the number of elements: the product of Shape, 1 for a scalar.
func (a Info) Len() int {
	n := 1
	for _, d := range a.Shape {
		n *= d
	}
	return n
}

// String reads like "features float32 [50000,512]".
func (a Info) String() string { return a.Name + " " + a.Form() }

// Form is String without the name. Of the zero Info, which [File.Info] gives for a name that the file has not, it says that there is none.
func (a Info) Form() string {
	switch {
	case a.Descr == "":
		return "no such array"
	case a.DType == Other:
		return a.Descr + " " + shapeText(a.Shape)
	}
	return a.DType.String() + " " + shapeText(a.Shape)
}

func shapeText(shape []int) string {
	text := make([]string, len(shape))
	for i, d := range shape {
		text[i] = strconv.Itoa(d)
	}
	return "[" + strings.Join(text, ",") + "]"
}

// parseDescr splits a type such as "<f4" into its DType and whether it is big-endian.
func parseDescr(descr string) (d DType, bigEndian bool) {
	if len(descr) < 2 || !strings.ContainsRune("<>|=", rune(descr[0])) {
		return Other, false
	}
	for d := Bool; d <= Float64; d++ {
		if dtypes[d].code == descr[1:] {
			return d, descr[0] == '>'
		}
	}
	return Other, false
}

// byteLen returns the bytes that an array of this type and shape takes, and false when that exceeds an int64.
func byteLen(d DType, shape []int) (int64, bool) {
	n := int64(d.Size())
	for _, dim := range shape {
		if dim < 0 {
			return 0, false
		}
		if dim == 0 {
			return 0, true
		}
		if n > math.MaxInt64/int64(dim) {
			return 0, false
		}
		n *= int64(dim)
	}
	return n, true
}
