package torchrand

import "math"

// wideFrom is the length from which PyTorch draws 64 bits an element: 32 bits modulo a length of their own order of
// magnitude would favour small values.
const wideFrom = math.MaxUint32 / 20

// Randperm returns torch.randperm(n, generator=g): the numbers 0..n-1 in random order.
func (g *Generator) Randperm(n int) []int {
	if n < 0 {
		panic("torchrand: a permutation of a negative length")
	}
	p := make([]int, n)
	if n < wideFrom {
		g.shuffle(p)
	} else {
		g.shuffleWide(p)
	}
	return p
}

// shuffle is Fisher and Yates from the front: position i takes one of the values not yet placed.
func (g *Generator) shuffle(p []int) {
	for i := range p {
		p[i] = i
	}
	for i := 0; i < len(p)-1; i++ {
		j := i + int(uint64(g.Random32())%uint64(len(p)-i))
		p[i], p[j] = p[j], p[i]
	}
}

// shuffleWide is the inside-out form: value i takes one of the first i+1 positions, and what stood there moves to i.
func (g *Generator) shuffleWide(p []int) {
	for i := range p {
		j := int(g.Random64() % uint64(i+1))
		p[i] = p[j]
		p[j] = i
	}
}
