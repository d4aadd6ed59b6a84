//go:build cuda

package cuda_test

import (
	"encoding/binary"
	"math"
	"testing"

	"nctrain/cudart"
)

// The factors of products are rounded to tf32 to the nearest, ties away from zero, to bf16 to the nearest, ties to even; not finite numbers stay so, and NaN too
// where tf32 has a bit of it.
func TestFactorsAreRounded(t *testing.T) {
	m := openRaw(t)
	const anyNaN = 0
	cases := []struct{ x, tf32, bf16 uint32 }{
		{0x3f801000, 0x3f802000, 0x3f80}, // 1 + 2^-11: a tie of tf32
		{0xbf801000, 0xbf802000, 0xbf80},
		{0x3f800fff, 0x3f800000, 0x3f80}, // just under it
		{0x3f803000, 0x3f804000, 0x3f80}, // the next tie, away from zero too
		{0x3f808000, 0x3f808000, 0x3f80}, // 1 + 2^-8: a tie of bf16, down to even
		{0x3f818000, 0x3f818000, 0x3f82}, // the next, up to even
		{0x3f808001, 0x3f808000, 0x3f81}, // just over a tie
		{0x80000000, 0x80000000, 0x8000}, // -0
		{0x7f7fffff, 0x7f800000, 0x7f80}, // the largest number rounds to infinity
		{0xff800000, 0xff800000, 0xff80}, // -infinity
		{0x7fffffff, anyNaN, anyNaN},
		{0x7fc00000, anyNaN, anyNaN},
		{0xff802000, anyNaN, anyNaN},
		{0xff800001, 0xff800000, anyNaN},
	}
	module := m.load(t, "round_factors")
	defer func() { must(t, module.Close()) }()
	f, err := module.Function("round_factors")
	must(t, err)

	raw := make([]byte, 4*len(cases))
	for i, c := range cases {
		binary.LittleEndian.PutUint32(raw[4*i:], c.x)
	}
	var at [3]cudart.Address
	for i := range at {
		at[i], err = m.arena.Take(1024*i, len(raw))
		must(t, err)
	}
	must(t, m.device.Upload(at[2], raw))
	must(t, m.stream.Launch(f, cudart.Linear(1, len(cases)), cudart.Pointer(at[0]), cudart.Pointer(at[1]), cudart.Pointer(at[2])))
	results := func(from cudart.Address) []byte {
		out := make([]byte, len(raw))
		must(t, m.device.Download(out, from))
		return out
	}
	tf32, bf16 := results(at[0]), results(at[1])
	for i, c := range cases {
		gotTF32 := binary.LittleEndian.Uint32(tf32[4*i:]) &^ 0x1fff // the rest is not read
		pair := binary.LittleEndian.Uint32(bf16[4*i:])
		is := func(got, want, asFloat uint32) bool {
			return got == want || want == anyNaN && math.IsNaN(float64(math.Float32frombits(asFloat)))
		}
		if !is(gotTF32, c.tf32, gotTF32) || !is(pair&0xffff, c.bf16, pair<<16) || pair>>16 != pair&0xffff {
			t.Errorf("%#x is %#x as tf32 and %#x twice as bf16, want %#x and %#x (0: any NaN)", c.x, gotTF32, pair, c.tf32, c.bf16)
		}
	}
}
