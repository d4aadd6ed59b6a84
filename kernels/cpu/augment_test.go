package cpu

import (
	"math/rand/v2"
	"testing"
)

// philox is Philox-4x32-10 by its paper's definition (Salmon et al. 2011), independent of the kernel's.
func philox(counter [4]uint32, key [2]uint32) [4]uint32 {
	for round := uint32(0); round < 10; round++ {
		k0, k1 := key[0]+round*0x9E3779B9, key[1]+round*0xBB67AE85
		left := uint64(counter[0]) * 0xD2511F53
		right := uint64(counter[2]) * 0xCD9E8D57
		counter = [4]uint32{uint32(right>>32) ^ counter[1] ^ k0, uint32(right), uint32(left>>32) ^ counter[3] ^ k1, uint32(left)}
	}
	return counter
}

// The known answers of Random123 (kat_vectors): the test's own generator is right.
func TestPhiloxKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0}, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		if got := philox(c.counter, c.key); got != c.want {
			t.Errorf("philox(%x, %x) = %x, want %x", c.counter, c.key, got, c.want)
		}
	}
}

func TestAugment(t *testing.T) {
	const seed, epoch, cursor, images = 47 + 5<<32, 9, 3, 11
	for _, s := range []Shape{{N: 6, H: 8, W: 8, C: 3, K: images, Pad: 4}, {N: 7, H: 5, W: 7, C: 1, K: images, Pad: 2}} {
		for _, flags := range []uint32{0, RandomCropFlip} {
			rng := rand.New(rand.NewPCG(8, 1))
			h, w, c := int(s.H), int(s.W), int(s.C)
			set, labels, order := make([]float64, images*h*w*c), make([]float64, images), make([]float64, images)
			for i := range set {
				set[i] = float64(rng.IntN(256))
			}
			for i, p := range rng.Perm(images) {
				labels[i], order[i] = float64(100+i), float64(p)
			}
			lut := reals(9, 256*c)
			x, outLabels := make([]float64, int(s.N)*h*w*c), make([]float64, s.N)
			for n := range outLabels {
				i := int(order[cursor+n])
				outLabels[n] = labels[i]
				words := philox([4]uint32{uint32(i), epoch, 0, 0}, [2]uint32{uint32(seed % (1 << 32)), uint32(seed >> 32)})
				positions := uint64(2*s.Pad + 1)
				top, left := int(uint64(words[0])*positions>>32)-int(s.Pad), int(uint64(words[1])*positions>>32)-int(s.Pad)
				flip := words[2]&1 == 1
				if flags == 0 {
					top, left, flip = 0, 0, false
				}
				for r := range h {
					for q := range w {
						from := q
						if flip {
							from = w - 1 - q
						}
						for ch := range c {
							value := 0
							if y, z := r+top, from+left; y >= 0 && y < h && z >= 0 && z < w {
								value = int(set[((i*h+y)*w+z)*c+ch])
							}
							x[((n*h+r)*w+q)*c+ch] = lut[value*c+ch]
						}
					}
				}
			}
			checkKernel(t, "augment_direct", s, []arg{
				{name: "images", kind: uint8Kind, in: set}, {name: "set_labels", kind: int32Kind, in: labels}, {name: "order", kind: int32Kind, in: order},
				{name: "state", kind: int64Kind, in: []float64{0, 0, cursor, epoch, seed, 0, 0, 0}}, {name: "lut", in: lut},
				{name: "x", want: x}, {name: "labels", kind: int32Kind, want: outLabels},
			}, nil, flags)
		}
	}
}
