package nn

import (
	"cmp"
	"slices"
)

// block is memory that is wanted from one step of a plan to another, inclusive.
type block struct {
	bytes       int
	first, last int // node indices
	offset      int // set by place
}

const blockAlign = 256

// place gives every block an offset such that blocks that live at the same time do not overlap, and returns the total. Largest first, each at the lowest
// offset that is free over its whole life: simple, and within some per cent of the lower bound on networks of this kind (the planner's test says how far).
// Without reuse every block gets memory of its own.
func place(blocks []*block, reuse bool) (total int) {
	order := slices.Clone(blocks)
	slices.SortStableFunc(order, func(a, b *block) int { return cmp.Compare(b.bytes, a.bytes) })
	var placed []*block
	for _, b := range order {
		offset := 0
		for _, p := range placed { // by offset
			if reuse && (p.last < b.first || b.last < p.first) {
				continue
			}
			if p.offset >= offset+b.bytes {
				break
			}
			offset = max(offset, (p.offset+p.bytes+blockAlign-1)/blockAlign*blockAlign)
		}
		b.offset = offset
		i, _ := slices.BinarySearchFunc(placed, b, func(p, b *block) int { return cmp.Compare(p.offset, b.offset) })
		placed = slices.Insert(placed, i, b)
		total = max(total, offset+b.bytes)
	}
	return total
}

// liveBytes is the largest sum of bytes that live at the same time: no placement needs less.
func liveBytes(blocks []*block) int {
	most := 0
	for _, at := range blocks {
		sum := 0
		for _, b := range blocks {
			if b.first <= at.first && at.first <= b.last {
				sum += b.bytes
			}
		}
		most = max(most, sum)
	}
	return most
}
