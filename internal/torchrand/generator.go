// Package torchrand draws the numbers of PyTorch's CPU generator, bit for bit: torch.manual_seed, Tensor.uniform_ and
// torch.randperm. With it a network starts from PyTorch's weights and sees PyTorch's batches.
//
// Followed: PyTorch 2.15, aten/src/ATen/core/MT19937RNGEngine.h, TransformationHelper.h, native/TensorFactories.cpp.
package torchrand

const (
	stateWords = 624
	shiftWords = 397
)

// Generator is a Mersenne Twister MT19937 (Matsumoto and Nishimura 1998). It belongs to one goroutine. The zero value is
// not seeded: use New.
type Generator struct {
	state [stateWords]uint32
	next  uint32 // index of the next word of state to hand out; stateWords: a new block is due
}

// New returns torch.Generator().manual_seed(seed). Like PyTorch's engine it sees the low 32 bits of the seed only.
func New(seed uint64) *Generator {
	g := &Generator{next: stateWords}
	g.state[0] = uint32(seed)
	for i := uint32(1); i < stateWords; i++ {
		previous := g.state[i-1]
		g.state[i] = 1812433253*(previous^previous>>30) + i
	}
	return g
}

// Random32 returns the next 32 random bits.
func (g *Generator) Random32() uint32 {
	if g.next == stateWords {
		g.refill()
	}
	y := g.state[g.next]
	g.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// Random64 returns the next 64 random bits, of which the first 32 drawn are the upper ones.
func (g *Generator) Random64() uint64 {
	high := uint64(g.Random32())
	return high<<32 | uint64(g.Random32())
}

func (g *Generator) refill() {
	for i := range g.state {
		y := g.state[i]&0x80000000 | g.state[(i+1)%stateWords]&0x7fffffff
		twist := y >> 1
		if y&1 != 0 {
			twist ^= 0x9908b0df
		}
		g.state[i] = g.state[(i+shiftWords)%stateWords] ^ twist
	}
	g.next = 0
}
