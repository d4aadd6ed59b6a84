package half

import (
	"math"
	"testing"
)

// Every one of the 65,536 halves against its definition (IEEE 754-2008, 3.4).
func TestFromBinary16(t *testing.T) {
	for h := range 1 << 16 {
		got := FromBinary16(uint16(h))
		exponent, fraction := h>>10&0x1f, h&0x3ff
		var want float64
		switch {
		case exponent == 0x1f && fraction != 0:
			if got == got {
				t.Fatalf("%04x: %v, want NaN", h, got)
			}
			continue
		case exponent == 0x1f:
			want = math.Inf(1)
		case exponent == 0:
			want = math.Ldexp(float64(fraction), -24)
		default:
			want = math.Ldexp(float64(1024+fraction), exponent-25)
		}
		if h>>15 == 1 {
			want = math.Copysign(want, -1)
		}
		if float64(got) != want || math.Signbit(float64(got)) != math.Signbit(want) {
			t.Fatalf("%04x: %v, want %v", h, got, want)
		}
	}
}

func TestFromBFloat16(t *testing.T) {
	for bits, want := range map[uint16]float32{0x3fc0: 1.5, 0xc020: -2.5, 0x0001: 0x1p-133, 0x7f80: float32(math.Inf(1)), 0x8000: float32(math.Copysign(0, -1))} {
		if got := FromBFloat16(bits); math.Float32bits(got) != math.Float32bits(want) {
			t.Errorf("%04x: %v, want %v", bits, got, want)
		}
	}
	if got := FromBFloat16(0x7fc0); got == got {
		t.Errorf("7fc0: %v, want NaN", got)
	}
}
