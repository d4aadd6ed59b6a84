package philox

import "testing"

// The known answers of the authors' own library Random123 (tests/kat_vectors, philox4x32 with 10 rounds).
func TestWordsKnownAnswers(t *testing.T) {
	const ones = 0xffffffff
	for _, c := range []struct {
		key           [2]uint32
		counter, want [4]uint32
	}{
		{[2]uint32{}, [4]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[2]uint32{ones, ones}, [4]uint32{ones, ones, ones, ones}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[2]uint32{0xa4093822, 0x299f31d0}, [4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		if got := Words(c.key, c.counter); got != c.want {
			t.Errorf("key %x counter %x: %x, want %x", c.key, c.counter, got, c.want)
		}
	}
}

func TestAugmentIsItsDefinition(t *testing.T) {
	for sample := range uint32(1000) {
		const seed = 47 | 5<<32
		w := Words([2]uint32{47, 5}, [4]uint32{sample, 3, 0, 0})
		row, col, flip := Augment(seed, sample, 3)
		if row != int(uint64(w[0])*9>>32) || col != int(uint64(w[1])*9>>32) || flip != (w[2]%2 == 1) {
			t.Fatalf("sample %d: %d, %d, %v of words %x", sample, row, col, flip, w)
		}
	}
}

// Over many samples every offset and both flips come about equally often: chi-squared with 8 degrees of freedom stays
// under 26.1 with probability 0.999; the draws are fixed, so the test is too.
func TestAugmentIsUniform(t *testing.T) {
	const n = 90_000
	var rows, cols [9]int
	flips := 0
	for sample := range uint32(n) {
		row, col, flip := Augment(47, sample, 1)
		rows[row]++
		cols[col]++
		if flip {
			flips++
		}
	}
	for name, counts := range map[string][9]int{"row": rows, "col": cols} {
		chi2 := 0.0
		for _, c := range counts {
			d := float64(c - n/9)
			chi2 += d * d / (n / 9)
		}
		if chi2 > 26.1 {
			t.Errorf("%s offsets %v: chi-squared %.1f", name, counts, chi2)
		}
	}
	if flips < n/2-500 || flips > n/2+500 { // 3.3 standard deviations of 150
		t.Errorf("%d flips of %d", flips, n)
	}
}

func TestStreamDealsTheCountersInOrder(t *testing.T) {
	s := NewStream(7, 9|1<<32)
	for block := range uint32(3) {
		for i, want := range Words([2]uint32{7, 0}, [4]uint32{block, 0, 9, 1}) {
			if got := s.Uint32(); got != want {
				t.Fatalf("block %d word %d: %x, want %x", block, i, got, want)
			}
		}
	}
	a, b := NewStream(7, 1), NewStream(7, 1)
	for range 100 {
		w := a.Uint32()
		if f := b.Float64(); f != float64(w)/(1<<32) || f < 0 || f >= 1 {
			t.Fatalf("word %x gives %v", w, f)
		}
	}
	if got := NewStream(0, 0).IntN(1000); got != 0x6627e8d5*1000>>32 {
		t.Errorf("IntN gives %d", got)
	}
}

func TestIntNOfTheSmallest(t *testing.T) {
	if got := NewStream(5, 6).IntN(1); got != 0 {
		t.Errorf("IntN(1) gives %d", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a number under 0 was drawn")
		}
	}()
	NewStream(5, 6).IntN(0)
}

// TestStreamCarries: after 2^32 blocks the second word of the counter goes on.
func TestStreamCarries(t *testing.T) {
	s := NewStream(7, 9)
	s.counter[0] = 0xffffffff
	for block, counter := range [][4]uint32{{0xffffffff, 0, 9, 0}, {0, 1, 9, 0}} {
		for i, want := range Words([2]uint32{7, 0}, counter) {
			if got := s.Uint32(); got != want {
				t.Fatalf("block %d word %d: %x, want %x", block, i, got, want)
			}
		}
	}
}

func BenchmarkAugment(b *testing.B) {
	sample := uint32(0)
	for b.Loop() {
		Augment(47, sample, 3)
		sample++
	}
}
