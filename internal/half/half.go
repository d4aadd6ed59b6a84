// Package half widens the 16-bit floating-point numbers of stored arrays and tensors.
package half

import "math"

// FromBinary16 widens an IEEE 754 binary16 (float16) by its bits, exactly: subnormals, infinities and NaN payloads included. (npyio's float16 moves the bits of a
// subnormal without renormalising, which turns 6e-8 into 1e-41.)
func FromBinary16(bits uint16) float32 {
	sign := uint32(bits&0x8000) << 16
	exponent, fraction := uint32(bits>>10&0x1f), uint32(bits&0x3ff)
	switch exponent {
	case 0: // zero and subnormals: fraction * 2^-24, exact in float32
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)*0x1p-24))
	case 0x1f: // infinity and NaN
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

// FromBFloat16 widens a bfloat16, the upper half of a float32's bits.
func FromBFloat16(bits uint16) float32 { return math.Float32frombits(uint32(bits) << 16) }
