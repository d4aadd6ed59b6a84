// Package philox is the counter-based generator Philox-4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as
// easy as 1, 2, 3", SC 2011): random words as a pure function of a key and a counter. Any device and any thread can compute
// the words of any sample on its own, and nothing about threads, batches or resuming can change them.
package philox

import "math/bits"

const (
	multiplier0 = 0xd2511f53
	multiplier1 = 0xcd9e8d57
	weyl0       = 0x9e3779b9 // golden ratio
	weyl1       = 0xbb67ae85 // sqrt(3) - 1
	rounds      = 10
)

// Words returns the four random words of a counter under a key.
func Words(key [2]uint32, counter [4]uint32) [4]uint32 {
	k0, k1 := key[0], key[1]
	c0, c1, c2, c3 := counter[0], counter[1], counter[2], counter[3] // an array would be kept in memory from round to round
	for range rounds {
		high0, low0 := bits.Mul32(multiplier0, c0)
		high1, low1 := bits.Mul32(multiplier1, c2)
		c0, c1, c2, c3 = high1^c1^k0, low1, high0^c3^k1, low0
		k0 += weyl0
		k1 += weyl1
	}
	return [4]uint32{c0, c1, c2, c3}
}

// Key splits a 64-bit seed into a key, the low half first.
func Key(seed uint64) [2]uint32 { return [2]uint32{uint32(seed), uint32(seed >> 32)} }

// CropPad is the zero padding on each side of an image before it is cropped to its own size again.
const CropPad = 4

// Augment returns what the training transform does to a sample in an epoch: the offsets of the crop in the image padded by
// CropPad, each 0..2*CropPad (CropPad: not moved), and whether the crop is then flipped left to right.
//
// It is the reference of the augmentation on every device: counter (sample, epoch, 0, 0), key the seed; word 0 and word 1
// scaled to the nine offsets by floor(word * 9 / 2^32), the flip the lowest bit of word 2.
func Augment(seed uint64, sample, epoch uint32) (row, col int, flip bool) {
	w := Words(Key(seed), [4]uint32{sample, epoch})
	return below(w[0], 2*CropPad+1), below(w[1], 2*CropPad+1), w[2]&1 == 1
}

// below maps a random word to 0..n-1 by its leading digits: floor(word * n / 2^32).
func below(word, n uint32) int {
	high, _ := bits.Mul32(word, n)
	return int(high)
}

// Stream deals the words of one key and one stream number one after the other, for drawing things of unknown extent.
type Stream struct {
	key     [2]uint32
	counter [4]uint32
	words   [4]uint32
	used    int
}

// NewStream returns the words of the counters (0, 0, stream low, stream high), (1, 0, ...), ... under the seed.
func NewStream(seed, stream uint64) *Stream {
	return &Stream{key: Key(seed), counter: [4]uint32{0, 0, uint32(stream), uint32(stream >> 32)}, used: 4}
}

// Uint32 returns the next word.
func (s *Stream) Uint32() uint32 {
	if s.used == 4 {
		s.words = Words(s.key, s.counter)
		s.counter[0]++
		if s.counter[0] == 0 {
			s.counter[1]++
		}
		s.used = 0
	}
	s.used++
	return s.words[s.used-1]
}

// IntN returns a number in 0..n-1. It panics for n < 1.
func (s *Stream) IntN(n int) int {
	if n < 1 {
		panic("philox: IntN of a number under 1")
	}
	return below(s.Uint32(), uint32(n))
}

// Float64 returns a multiple of 2^-32 in [0, 1): the word over 2^32, exactly.
func (s *Stream) Float64() float64 { return float64(s.Uint32()) * 0x1p-32 }
