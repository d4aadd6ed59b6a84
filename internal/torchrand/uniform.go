package torchrand

import "math"

// Uniform fills dst as torch.empty(len(dst)).uniform_(from, to): one 32-bit draw an element, its low 24 bits as a
// fraction x of 2^24, and fma(x, to-from, from) in float32 with a single rounding, as PyTorch's AVX2 and AVX-512 builds
// compute it. (Its plain build multiplies and adds with two.) Small and large tensors take the same way.
//
// The bounds are rounded to float32 before anything else, as PyTorch does with its doubles. The result can be to itself.
func (g *Generator) Uniform(dst []float32, from, to float64) {
	low := float32(from)
	width := float32(to) - low
	for i := range dst {
		x := float32(g.Random32()&(1<<24-1)) * (1.0 / (1 << 24)) // both steps exact
		dst[i] = fma32(x, width, low)
	}
}

// fma32 returns x*y + z rounded once, to float32.
//
// Computed in float64 and rounded to float32 it would be rounded twice: where the float64 sum lands on the middle between
// two float32, the second rounding no longer knows on which side of it the exact sum lay. So the float64 sum is rounded
// to odd, which keeps that knowledge in its last bit; with 53 >= 24 + 2 bits the rounding to float32 is then that of the
// exact sum (Boldo and Melquiond 2008).
func fma32(x, y, z float32) float32 {
	product := float64(x) * float64(y) // exact: 24 + 24 bits
	addend := float64(z)
	sum := product + addend
	// Knuth's TwoSum: product + addend = sum + rest, exactly.
	shifted := sum - product
	rest := (product - (sum - shifted)) + (addend - shifted)
	if bits := math.Float64bits(sum); bits&1 == 0 {
		// The exact sum lies between sum and its neighbour on rest's side, whose last bit is odd. With sum infinite or NaN,
		// rest is NaN and neither case holds.
		switch {
		case rest > 0 == (sum > 0) && (rest > 0 || rest < 0):
			sum = math.Float64frombits(bits + 1)
		case rest > 0 || rest < 0:
			sum = math.Float64frombits(bits - 1)
		}
	}
	return float32(sum)
}
