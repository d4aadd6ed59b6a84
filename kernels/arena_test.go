package kernels

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// Random allocations never overlap, and what is all given back is one free piece again.
func TestArenaNeverOverlaps(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	a := newArena(1 << 20)
	owner := make([]int, a.size/arenaAlign)
	type piece struct{ offset, bytes, id int }
	var held []piece
	mark := func(p piece, from, to int) {
		for i := p.offset / arenaAlign; i < (p.offset+alignUp(p.bytes, arenaAlign))/arenaAlign; i++ {
			if owner[i] != from {
				t.Fatalf("piece %d at %d: block %d belongs to %d", p.id, p.offset, i, owner[i])
			}
			owner[i] = to
		}
	}
	for id := 1; id < 5000; id++ {
		if len(held) > 0 && rng.IntN(2) == 0 {
			i := rng.IntN(len(held))
			mark(held[i], held[i].id, 0)
			a.release(held[i].offset)
			held = append(held[:i], held[i+1:]...)
			continue
		}
		bytes := 1 + rng.IntN(40000)
		if offset, err := a.alloc(bytes); err == nil {
			p := piece{offset, bytes, id}
			mark(p, 0, id)
			held = append(held, p)
		}
	}
	for _, p := range held {
		a.release(p.offset)
	}
	if len(a.free) != 1 || a.free[0] != (span{0, a.size}) {
		t.Fatalf("after everything is given back: free %v, want one piece of %d", a.free, a.size)
	}
}

func TestArenaSaysWhatWasAskedAndWhatFits(t *testing.T) {
	a := newArena(8 << 20)
	_, err := a.alloc(9 << 20)
	if err == nil || !strings.Contains(err.Error(), "asked for 9 MiB, 8 of 8 MiB are free") {
		t.Fatalf("error %v", err)
	}
}
