package kernels

import (
	"fmt"
	"slices"
)

// arenaAlign is a multiple of every vector and of a GPU's widest transaction.
const arenaAlign = 256

// span is a free piece of an arena.
type span struct{ offset, bytes int }

// arena hands out pieces of one range of addresses, first fit. It never touches the memory itself.
type arena struct {
	size int
	free []span      // by offset, never adjacent
	used map[int]int // offset to bytes
}

func newArena(size int) *arena {
	return &arena{size: size, free: []span{{0, size}}, used: map[int]int{}}
}

func alignUp(n, to int) int { return (n + to - 1) / to * to }

func (a *arena) alloc(bytes int) (offset int, err error) {
	if bytes <= 0 {
		return 0, fmt.Errorf("arena: asked for %d bytes", bytes)
	}
	want := alignUp(bytes, arenaAlign)
	for i, s := range a.free {
		if s.bytes < want {
			continue
		}
		if s.bytes == want {
			a.free = slices.Delete(a.free, i, i+1)
		} else {
			a.free[i] = span{s.offset + want, s.bytes - want}
		}
		a.used[s.offset] = want
		return s.offset, nil
	}
	left, largest := 0, 0
	for _, s := range a.free {
		left += s.bytes
		largest = max(largest, s.bytes)
	}
	return 0, fmt.Errorf("out of device memory: asked for %d MiB, %d of %d MiB are free (largest piece %d MiB): use a smaller batch or width",
		mib(bytes), mib(left), mib(a.size), mib(largest))
}

func mib(bytes int) int { return (bytes + 1<<20 - 1) >> 20 }

// release gives a piece back; it panics where offset is not the start of one.
func (a *arena) release(offset int) {
	bytes, ok := a.used[offset]
	if !ok {
		panic(fmt.Sprintf("kernels: free of what the arena did not hand out (offset %d)", offset))
	}
	delete(a.used, offset)
	i, _ := slices.BinarySearchFunc(a.free, offset, func(s span, o int) int { return s.offset - o })
	a.free = slices.Insert(a.free, i, span{offset, bytes})
	if i+1 < len(a.free) && a.free[i].offset+a.free[i].bytes == a.free[i+1].offset {
		a.free[i].bytes += a.free[i+1].bytes
		a.free = slices.Delete(a.free, i+1, i+2)
	}
	if i > 0 && a.free[i-1].offset+a.free[i-1].bytes == a.free[i].offset {
		a.free[i-1].bytes += a.free[i].bytes
		a.free = slices.Delete(a.free, i, i+1)
	}
}
