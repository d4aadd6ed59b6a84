package npz

import (
	"encoding/binary"
	"fmt"
	"math"

	"nctrain/internal/half"
)

// toLittle swaps the bytes of big-endian elements in place, so that the decoders below know one order only.
func (a *array) toLittle(raw []byte) {
	if !a.bigEndian {
		return
	}
	size := a.DType.Size()
	for i := 0; i+size <= len(raw); i += size {
		for lo, hi := i, i+size-1; lo < hi; lo, hi = lo+1, hi-1 {
			raw[lo], raw[hi] = raw[hi], raw[lo]
		}
	}
}

func decodeFloat64(a *array, dst []float64, raw []byte) error {
	a.toLittle(raw)
	switch a.DType {
	case Float16:
		for i := range dst {
			dst[i] = float64(half.FromBinary16(binary.LittleEndian.Uint16(raw[2*i:])))
		}
	case BFloat16:
		for i := range dst {
			dst[i] = float64(half.FromBFloat16(binary.LittleEndian.Uint16(raw[2*i:])))
		}
	case Float32:
		for i := range dst {
			dst[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])))
		}
	case Float64:
		for i := range dst {
			dst[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
		}
	}
	return nil
}

func decodeFloat32(a *array, dst []float32, raw []byte) error {
	a.toLittle(raw)
	switch a.DType {
	case Float16:
		for i := range dst {
			dst[i] = half.FromBinary16(binary.LittleEndian.Uint16(raw[2*i:]))
		}
	case BFloat16:
		for i := range dst {
			dst[i] = half.FromBFloat16(binary.LittleEndian.Uint16(raw[2*i:]))
		}
	case Float32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
	}
	return nil
}

func decodeInt64(a *array, dst []int64, raw []byte) error {
	a.toLittle(raw)
	le := binary.LittleEndian
	switch a.DType {
	case Bool, Uint8:
		for i := range dst {
			dst[i] = int64(raw[i])
		}
	case Int8:
		for i := range dst {
			dst[i] = int64(int8(raw[i]))
		}
	case Int16:
		for i := range dst {
			dst[i] = int64(int16(le.Uint16(raw[2*i:])))
		}
	case Uint16:
		for i := range dst {
			dst[i] = int64(le.Uint16(raw[2*i:]))
		}
	case Int32:
		for i := range dst {
			dst[i] = int64(int32(le.Uint32(raw[4*i:])))
		}
	case Uint32:
		for i := range dst {
			dst[i] = int64(le.Uint32(raw[4*i:]))
		}
	case Int64, Uint64:
		for i := range dst {
			u := le.Uint64(raw[8*i:])
			if a.DType == Uint64 && u > math.MaxInt64 {
				return fmt.Errorf("value %d is larger than an int64 holds", u)
			}
			dst[i] = int64(u)
		}
	}
	return nil
}

func decodeUint8(_ *array, dst []uint8, raw []byte) error {
	copy(dst, raw)
	return nil
}
