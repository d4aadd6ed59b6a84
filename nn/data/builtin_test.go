package data

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/image/font/gofont/gobold"
)

// The bits of the built-in sets are part of every result computed from them: they change only on purpose, and are the same on
// every machine (run also with GOAMD64=v3, which fuses products and sums, and on arm64 under qemu).
func TestBuiltInBits(t *testing.T) {
	for _, c := range []struct{ spec, split, want string }{
		{"shapes", Train, "92ac0795ece174c1db8d3be646eaea5ac57b7af3d0c566164a2af32cef83cb83"},
		{"shapes", Test, "b8233c8aa19ffa1fc130e54720119f7e907f788c57437953299ff521aa27d6f6"},
		{"digits", Train, "34746a56b22a5c29ac7724393bfe3867f47803e5562608461858cab46060b099"},
		{"digits", Test, "c58dac3e68eed0c80bdff854dd890b411f981fd4b6d063d17424341c97e1891e"},
	} {
		s := mustOpen(t, c.spec, c.split, Options{Limit: 300})
		sum := sha256.Sum256(s.Images)
		if got := hex.EncodeToString(sum[:]); got != c.want {
			t.Errorf("%s %s: the first 300 images hash to %s, want %s", c.spec, c.split, got, c.want)
		}
	}
}

func TestBuiltInsDoNotDependOnWorkersOrLimit(t *testing.T) {
	many := mustOpen(t, "shapes", Test, Options{Limit: 64})
	before := runtime.GOMAXPROCS(1)
	one := mustOpen(t, "shapes", Test, Options{Limit: 31})
	runtime.GOMAXPROCS(before)
	if !slices.Equal(many.Images[:len(one.Images)], one.Images) {
		t.Error("images differ between one worker and several, or with the limit")
	}
}

func TestBuiltInSizesAndBalance(t *testing.T) {
	if shapes.train != 5000 || digits.train != 2000 { // drawing them all takes a race-instrumented test too long
		t.Errorf("%d shapes and %d digits to train on", shapes.train, digits.train)
	}
	for _, spec := range []string{"shapes", "digits"} {
		s := mustOpen(t, spec, Test, Options{})
		if s.Len() != 1000 || s.Classes != 10 || s.H != 32 || s.W != 32 || s.OneSplit {
			t.Errorf("%s: %d images, %d classes", spec, s.Len(), s.Classes)
		}
		for class, count := range s.ClassCounts() {
			if count != 100 {
				t.Errorf("%s: %d of class %d", spec, count, class)
			}
		}
		seen := map[[sha256.Size]byte]bool{}
		for i := range s.Len() {
			seen[sha256.Sum256(s.Image(i))] = true
		}
		train := mustOpen(t, spec, Train, Options{Limit: 200})
		for i := range train.Len() {
			seen[sha256.Sum256(train.Image(i))] = true
		}
		if len(seen) != 1200 {
			t.Errorf("%s: %d different images of 1,000 test and 200 training ones", spec, len(seen))
		}
	}
}

// A linear model on the pixels stays far under 70 % on the test set of shapes, though it learns its training images: what
// tells the class is the outline, not any pixel. (linear_probe.py does the same with scikit-learn on all images.)
func TestShapesAreNotLinear(t *testing.T) {
	train, test := mustOpen(t, "shapes", Train, Options{Limit: 200}), mustOpen(t, "shapes", Test, Options{Limit: 300})
	w := softmaxRegression(train, 15, 0.001)
	fit, accuracy := w.accuracy(train), w.accuracy(test)
	if accuracy >= 0.70 {
		t.Errorf("a linear model reaches %.1f %% on the test images", 100*accuracy)
	}
	if fit < 0.70 {
		t.Errorf("the linear model fits only %.1f %% of its training images: it proves nothing", 100*fit)
	}
}

// linear is a model of logits w x + b on pixels scaled to -1..1, one row of 3072 weights and a bias a class.
type linear [10][]float64

func pixels(s *Set, i int, x []float64) {
	for j, v := range s.Image(i) {
		x[j] = float64(v)/127.5 - 1
	}
	x[len(x)-1] = 1
}

func (w *linear) logits(x []float64) (z [10]float64) {
	for c, row := range w {
		for j, v := range x {
			z[c] += row[j] * v
		}
	}
	return z
}

func softmaxRegression(s *Set, epochs int, rate float64) *linear {
	x := make([]float64, s.H*s.W*Channels+1)
	var w linear
	for c := range w {
		w[c] = make([]float64, len(x))
	}
	for epoch := range epochs {
		for _, i := range Order(s.Len(), 1, epoch) {
			pixels(s, i, x)
			z := w.logits(x)
			top, sum := slices.Max(z[:]), 0.0
			for c := range z {
				z[c] = math.Exp(z[c] - top)
				sum += z[c]
			}
			for c, row := range w {
				g := z[c] / sum
				if int(s.Labels[i]) == c {
					g--
				}
				g *= rate
				for j, v := range x {
					row[j] -= g * v
				}
			}
		}
	}
	return &w
}

func (w *linear) accuracy(s *Set) float64 {
	x := make([]float64, s.H*s.W*Channels+1)
	right := 0
	for i := range s.Len() {
		pixels(s, i, x)
		z := w.logits(x)
		best := 0
		for c := range z {
			if z[c] > z[best] {
				best = c
			}
		}
		if best == int(s.Labels[i]) {
			right++
		}
	}
	return float64(right) / float64(s.Len())
}

func TestOutlineDistance(t *testing.T) {
	square := polygon{{-1, -1}, {1, -1}, {1, 1}, {-1, 1}}
	hole := polygon{{-0.5, -0.5}, {-0.5, 0.5}, {0.5, 0.5}, {0.5, -0.5}} // the other way round
	for _, c := range []struct {
		outline []polygon
		p       vec
		want    float64
	}{
		{[]polygon{square}, vec{0, 0}, -1},
		{[]polygon{square}, vec{0.75, 0.1}, -0.25},
		{[]polygon{square}, vec{3, 0}, 2},
		{[]polygon{square}, vec{4, 5}, 5},
		{[]polygon{square, hole}, vec{0, 0}, 0.5},
		{[]polygon{square, hole}, vec{0.75, 0}, -0.25},
	} {
		if got := outlineDistance(c.outline, c.p); got != c.want {
			t.Errorf("distance at %v is %v, want %v", c.p, got, c.want)
		}
	}
}

// Each glyph fills a part of its grid and nothing outside; the 0 of Liberation Sans is hollow (Go's own has a dot).
func TestGlyphs(t *testing.T) {
	fonts, err := digitGlyphs()
	if err != nil {
		t.Fatal(err)
	}
	if zero, one := fonts[3][0], fonts[3][1]; zero.distance(vec{}) < 0.2 || one.distance(vec{0.1, 0}) > 0 {
		t.Errorf("distance %v in the middle of 0, %v on the stem of 1", zero.distance(vec{}), one.distance(vec{0.1, 0}))
	}
	for f, digits := range fonts {
		for digit, g := range digits {
			if g.halfWidth <= 0.1 || g.halfWidth > glyphReach {
				t.Errorf("font %d: %d is %v wide", f, digit, 2*g.halfWidth)
			}
			filled := 0
			for _, line := range g.grid {
				for _, d := range line {
					if d < 0 {
						filled++
					}
				}
			}
			if share := float64(filled) / (glyphGrid * glyphGrid); share < 0.05 || share > 0.5 {
				t.Errorf("font %d: %d fills %.2f of its grid", f, digit, share)
			}
			if d := g.distance(vec{5, 5}); d <= 0 {
				t.Errorf("font %d: %d is filled far outside", f, digit)
			}
		}
	}
}

func TestBrokenFontIsAnError(t *testing.T) {
	if _, err := loadDigits(gobold.TTF[:100]); err == nil {
		t.Error("a cut font was accepted")
	}
}

func BenchmarkDraw(b *testing.B) {
	for _, spec := range []string{"shapes", "digits"} {
		b.Run("set="+spec, func(b *testing.B) {
			for b.Loop() {
				mustOpen(b, spec, Test, Options{})
			}
			b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "images/s")
		})
	}
}
