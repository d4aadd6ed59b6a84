package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"nctrain/internal/philox"
)

// The references are what every kernel is held against, so they are held against something else: cases worked by hand, finite differences, adjointness.

// refer runs a reference on operands by name and gives all of them after it.
func refer(id OpID, s Shape, flags Flags, scalars []float64, operands map[string][]float64) map[string][]float64 {
	op := id.Op()
	values := make([][]float64, len(op.Operands))
	for i, o := range op.Operands {
		values[i] = slices.Clone(operands[o.Name])
	}
	c := newRefCall(op, s, flags, scalars, values, always)
	op.Reference(c)
	out := map[string][]float64{}
	for i, o := range op.Operands {
		out[o.Name] = c.Operands[i]
	}
	return out
}

func randoms(rng *rand.Rand, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	return v
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func near(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d elements, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= tolerance*math.Max(1, math.Abs(want[i]))) {
			t.Fatalf("%s[%d] = %v, want %v", what, i, got[i], want[i])
		}
	}
}

// gradientByDifferences is d loss / d v by central differences.
func gradientByDifferences(v []float64, loss func() float64) []float64 {
	const h = 1e-5
	g := make([]float64, len(v))
	for i, old := range v {
		v[i] = old + h
		up := loss()
		v[i] = old - h
		g[i] = (up - loss()) / (2 * h)
		v[i] = old
	}
	return g
}

// differences holds for smooth functions of unit size to some h^2 + roundoff/h.
const differences = 1e-8

var gradientShapes = []Shape{
	{N: 2, H: 4, W: 5, C: 2, K: 3, R: 3, S: 3, Stride: 1, Pad: 1},
	{N: 1, H: 5, W: 4, C: 3, K: 2, R: 3, S: 3, Stride: 2, Pad: 1},
	{N: 2, H: 4, W: 3, C: 2, K: 2, R: 1, S: 1, Stride: 2, Pad: 0},
}

func TestReferenceConvolutionGradients(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, s := range gradientShapes {
		x, w := randoms(rng, s.N*s.H*s.W*s.C), randoms(rng, s.K*s.R*s.S*s.C)
		dy := randoms(rng, s.N*s.P()*s.Q()*s.K)
		loss := func() float64 {
			return dot(dy, refer(ConvFprop, s, 0, nil, map[string][]float64{"x": x, "w": w})["y"])
		}
		dx := refer(ConvDgrad, s, 0, nil, map[string][]float64{"dy": dy, "w": w})["dx"]
		dw := refer(ConvWgrad, s, 0, nil, map[string][]float64{"x": x, "dy": dy})["dw"]
		near(t, s.String()+": dx", dx, gradientByDifferences(x, loss), differences)
		near(t, s.String()+": dw", dw, gradientByDifferences(w, loss), differences)
		// Linear in each, so <dy, A x> is <A^T dy, x> and <B^T dy, w> to roundoff.
		near(t, s.String()+": adjoints", []float64{dot(dx, x), dot(dw, w)}, []float64{loss(), loss()}, 1e-13)
	}
}

// One pixel under one tap: where it lands says that the window is read unflipped, with the padding above and left.
func TestReferenceConvolutionByHand(t *testing.T) {
	s := Shape{N: 1, H: 3, W: 3, C: 1, K: 2, R: 3, S: 3, Stride: 1, Pad: 1}
	x, w := make([]float64, 9), make([]float64, 18)
	x[1*3+1] = 5     // the middle
	w[0*9+0*3+2] = 7 // k=0, r=0, s=2: reads the pixel up and to the right, so the middle is seen from down and left of it
	w[1*9+2*3+1] = 3 // k=1, r=2, s=1: reads the pixel below, so from above
	want := make([]float64, 18)
	want[(2*3+0)*2+0] = 35
	want[(0*3+1)*2+1] = 15
	near(t, "y", refer(ConvFprop, s, 0, nil, map[string][]float64{"x": x, "w": w})["y"], want, 0)

	// Stride 2 over a 4x4 ramp with a window of ones: sums of the 2x2, 2x3, 3x2 and 3x3 pixels inside.
	s = Shape{N: 1, H: 4, W: 4, C: 1, K: 1, R: 3, S: 3, Stride: 2, Pad: 1}
	x, w = make([]float64, 16), make([]float64, 9)
	for i := range x {
		x[i] = float64(i)
	}
	for i := range w {
		w[i] = 1
	}
	near(t, "y", refer(ConvFprop, s, 0, nil, map[string][]float64{"x": x, "w": w})["y"],
		[]float64{0 + 1 + 4 + 5, 1 + 2 + 3 + 5 + 6 + 7, 4 + 5 + 8 + 9 + 12 + 13, 5 + 6 + 7 + 9 + 10 + 11 + 13 + 14 + 15}, 0)
}

func TestReferenceLinearGradients(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	s := Shape{N: 3, C: 5, K: 4}
	x, w, bias, dy := randoms(rng, 15), randoms(rng, 20), randoms(rng, 4), randoms(rng, 12)
	loss := func() float64 {
		return dot(dy, refer(LinearFprop, s, 0, nil, map[string][]float64{"x": x, "w": w, "bias": bias})["y"])
	}
	backward := refer(LinearWgrad, s, 0, nil, map[string][]float64{"x": x, "dy": dy})
	near(t, "dx", refer(LinearDgrad, s, 0, nil, map[string][]float64{"dy": dy, "w": w})["dx"], gradientByDifferences(x, loss), differences)
	near(t, "dw", backward["dw"], gradientByDifferences(w, loss), differences)
	near(t, "dbias", backward["dbias"], gradientByDifferences(bias, loss), differences)

	y := refer(LinearFprop, Shape{N: 1, C: 2, K: 2}, 0, nil, map[string][]float64{"x": {1, 2}, "w": {3, 4, 5, 6}, "bias": {100, 200}})["y"]
	near(t, "y", y, []float64{111, 217}, 0)
}

// bn_backward's dx goes through the statistics: the differences are taken of bn_stats and bn_forward together.
func TestReferenceBatchNormGradients(t *testing.T) {
	for _, flags := range []Flags{0, ReLU} {
		rng := rand.New(rand.NewPCG(3, uint64(flags)))
		s := Shape{N: 2, H: 3, W: 2, C: 3}
		n := s.Rows() * s.C
		x, residual, dy := randoms(rng, n), randoms(rng, n), randoms(rng, n)
		gamma, beta := randoms(rng, s.C), randoms(rng, s.C)
		stats := func() map[string][]float64 {
			return refer(BNStats, s, 0, []float64{1e-5, 0.1}, map[string][]float64{
				"x": x, "running_mean": make([]float64, s.C), "running_var": make([]float64, s.C), "num_batches_tracked": {0}})
		}
		forward := func() []float64 {
			st := stats()
			return refer(BNForward, s, flags, nil, map[string][]float64{
				"x": x, "mean": st["mean"], "invstd": st["invstd"], "gamma": gamma, "beta": beta, "residual": residual})["y"]
		}
		y := forward()
		if flags == ReLU && !slices.Contains(y, 0) {
			t.Fatal("the ReLU never acts")
		}
		st := stats()
		in := map[string][]float64{"dy": dy, "y": y, "x": x, "mean": st["mean"], "invstd": st["invstd"], "gamma": gamma}
		sums := refer(BNBackwardStats, s, flags, nil, in)
		in["dgamma"], in["dbeta"] = sums["dgamma"], sums["dbeta"]
		backward := refer(BNBackward, s, flags, nil, in)

		loss := func() float64 { return dot(dy, forward()) }
		near(t, "dx", backward["dx"], gradientByDifferences(x, loss), 10*differences)
		near(t, "dresidual", backward["dresidual"], gradientByDifferences(residual, loss), differences)
		near(t, "dgamma", sums["dgamma"], gradientByDifferences(gamma, loss), differences)
		near(t, "dbeta", sums["dbeta"], gradientByDifferences(beta, loss), differences)
	}
}

func TestReferenceBatchNormByHand(t *testing.T) {
	// 1, 2, 3, 6: mean 3, variance 14/4, unbiased 14/3.
	got := refer(BNStats, Shape{N: 2, H: 2, W: 1, C: 1}, 0, []float64{0.5, 0.1}, map[string][]float64{
		"x": {1, 2, 3, 6}, "running_mean": {10}, "running_var": {1}, "num_batches_tracked": {41}})
	near(t, "mean", got["mean"], []float64{3}, 1e-15)
	near(t, "invstd", got["invstd"], []float64{0.5}, 1e-15)
	near(t, "running_mean", got["running_mean"], []float64{9.3}, 1e-15)
	near(t, "running_var", got["running_var"], []float64{0.9 + 0.1*14/3}, 1e-15)
	near(t, "num_batches_tracked", got["num_batches_tracked"], []float64{42}, 0)

	got = refer(BNEvalStats, Shape{N: 1, H: 1, W: 1, C: 2}, 0, []float64{0.25}, map[string][]float64{"running_mean": {7, 8}, "running_var": {0, 3.75}})
	near(t, "mean", got["mean"], []float64{7, 8}, 0)
	near(t, "invstd", got["invstd"], []float64{2, 0.5}, 1e-15)
}

// The statistics are those of y, and may be off by what an y does to them that is off as far as it may be.
func TestReferenceConvolutionStatistics(t *testing.T) {
	got := refer(ConvFpropStats, Shape{N: 2, H: 2, W: 1, C: 1, K: 1, R: 1, S: 1, Stride: 1}, 0, []float64{0.5, 0.1}, map[string][]float64{
		"x": {1, 2, 3, 6}, "w": {2}, "running_mean": {10}, "running_var": {1}, "num_batches_tracked": {41}})
	near(t, "y", got["y"], []float64{2, 4, 6, 12}, 0)
	near(t, "mean", got["mean"], []float64{6}, 1e-15)
	near(t, "invstd", got["invstd"], []float64{1 / math.Sqrt(14.5)}, 1e-15)
	near(t, "running_mean", got["running_mean"], []float64{9.6}, 1e-15)
	near(t, "running_var", got["running_var"], []float64{0.9 + 0.1*56/3}, 1e-15)
	near(t, "num_batches_tracked", got["num_batches_tracked"], []float64{42}, 0)

	rng := rand.New(rand.NewPCG(8, 1))
	s := Shape{N: 2, H: 6, W: 5, C: 8, K: 4, R: 3, S: 3, Stride: 1, Pad: 1}
	scalars := []float64{1e-5, 0.1}
	x, w := randoms(rng, s.Rows()*s.C), randoms(rng, s.K*s.R*s.S*s.C)
	running := [][]float64{randoms(rng, s.K), {1, 1, 1, 1}, {0}}
	call := func(op OpID, s Shape, operands ...[]float64) *RefCall {
		for _, r := range running {
			operands = append(operands, slices.Clone(r))
		}
		c := newRefCall(op.Op(), s, 0, scalars, operands, always)
		op.Op().Reference(c)
		return c
	}
	want := call(ConvFpropStats, s, x, w)
	for name, off := range map[string][][]float64{"sums": want.Tolerance, "products": want.Products} {
		unit := map[string]float64{"sums": FP32.Eps(), "products": BF16.ProductEps()}[name]
		worst := 0.0
		for _, signs := range []func(i int) float64{
			func(int) float64 { return 1 },
			func(i int) float64 { return math.Copysign(1, want.Operands[5][i]-want.Operands[6][i%s.K]) },
			func(i int) float64 { return -math.Copysign(1, want.Operands[5][i]-want.Operands[6][i%s.K]) },
		} {
			y := slices.Clone(want.Operands[5])
			for i := range y {
				y[i] += signs(i) * off[5][i] * unit
			}
			stats := call(BNStats, outputShape(s), y)
			for i, from := range map[int]int{2: 1, 3: 2, 6: 4, 7: 5} {
				for j, v := range stats.Operands[from] {
					share := math.Abs(v-want.Operands[i][j]) / (off[i][j] * unit)
					worst = math.Max(worst, share)
				}
			}
		}
		if worst < 0.9 || worst > 1.2 { // the second order of invstd's root goes beyond
			t.Errorf("y off by its %s: the statistics come to %.2f of what they may be off", name, worst)
		}
	}
}

func TestReferenceElementwiseAndPooling(t *testing.T) {
	flat := Shape{N: 4}
	near(t, "relu", refer(ReLUForward, flat, 0, nil, map[string][]float64{"x": {-1, 0, 2, -0.5}})["y"], []float64{0, 0, 2, 0}, 0)
	near(t, "relu's gradient", refer(ReLUBackward, flat, 0, nil, map[string][]float64{"dy": {1, 2, 3, 4}, "y": {0, 0, 2, 1e-30}})["dx"], []float64{0, 0, 3, 4}, 0)
	near(t, "add", refer(Add, flat, 0, nil, map[string][]float64{"a": {1, 2, 3, 4}, "b": {10, 20, 30, 40}})["y"], []float64{11, 22, 33, 44}, 0)

	rng := rand.New(rand.NewPCG(4, 1))
	s := Shape{N: 2, H: 3, W: 2, C: 2}
	x, dy := randoms(rng, 24), randoms(rng, 4)
	pool := func() []float64 { return refer(AvgPoolForward, s, 0, nil, map[string][]float64{"x": x})["y"] }
	dx := refer(AvgPoolBackward, s, 0, nil, map[string][]float64{"dy": dy})["dx"]
	near(t, "avg_pool's gradient", dx, gradientByDifferences(x, func() float64 { return dot(dy, pool()) }), differences)
	near(t, "avg_pool's adjoint", []float64{dot(dx, x)}, []float64{dot(dy, pool())}, 1e-14)
	near(t, "avg_pool", refer(AvgPoolForward, Shape{N: 1, H: 1, W: 2, C: 2}, 0, nil, map[string][]float64{"x": {1, 10, 3, 30}})["y"], []float64{2, 20}, 0)
}

func TestReferenceCrossEntropy(t *testing.T) {
	s := Shape{N: 3, K: 4, H: 5}
	rng := rand.New(rand.NewPCG(5, 1))
	logits := randoms(rng, 12)
	in := map[string][]float64{
		"logits": logits, "labels": {1, 3, 0}, "state": {17, 7, 0, 0, 0, 0, 0, 0}, "losses": {1, 2, 3, 4, 5}, "correct": {9, 9, 9, 9, 9}}
	loss := func() float64 { return refer(CrossEntropy, s, 0, nil, in)["losses"][2] }
	got := refer(CrossEntropy, s, 0, nil, in)
	near(t, "dlogits", got["dlogits"], gradientByDifferences(logits, loss), differences)
	for _, i := range []int{0, 1, 3, 4} {
		if got["losses"][i] != in["losses"][i] || got["correct"][i] != 9 {
			t.Errorf("slot %d changed", i)
		}
	}

	// p = 1/4, 3/4 and the other way round.
	hand := func(flag float64, logits ...float64) map[string][]float64 {
		return refer(CrossEntropy, Shape{N: 2, K: 2, H: 1}, 0, nil, map[string][]float64{
			"logits": logits, "labels": {0, 0}, "state": {17, 0, 0, 0, 0, flag, 0, 0}, "losses": {0}, "correct": {0}})
	}
	ln3 := math.Log(3)
	got = hand(0, 0, ln3, 1000+ln3, 1000)
	near(t, "loss", got["losses"], []float64{(math.Log(4) + math.Log(4.0/3)) / 2}, 1e-13)
	near(t, "correct", got["correct"], []float64{1}, 0)
	near(t, "dlogits", got["dlogits"], []float64{-3. / 8, 3. / 8, -1. / 8, 1. / 8}, 1e-13)
	near(t, "correct of equal logits, where the first counts", hand(0, 5, 5, 1, 2)["correct"], []float64{1}, 0)
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		if got := hand(0, 0, 1, 0, bad); got["state"][StateNonFinite] != 18 || !(math.IsNaN(got["losses"][0]) || math.IsInf(got["losses"][0], 0)) {
			t.Errorf("logit %v: loss %v, state %v", bad, got["losses"], got["state"])
		}
	}
	if got := hand(4, 0, 1, 0, math.NaN()); got["state"][StateNonFinite] != 4 {
		t.Errorf("the first loss that was not finite is forgotten: %v", got["state"])
	}
}

// The augmentation again, the long way: pad, cut, mirror.
func TestReferenceAugment(t *testing.T) {
	const h, w, c, set, pad, seed, epoch, cursor = 5, 6, 2, 7, 4, 47, 3, 2
	s := Shape{N: 4, H: h, W: w, C: c, K: set, Pad: pad}
	rng := rand.New(rand.NewPCG(6, 1))
	images, labels, order, lut := make([]float64, set*h*w*c), make([]float64, set), make([]float64, set), make([]float64, 256*c)
	for i := range images {
		images[i] = float64(rng.IntN(256))
	}
	for i, at := range rng.Perm(set) {
		labels[i], order[i] = float64(10*i), float64(at)
	}
	for i := range lut {
		lut[i] = float64(i/c) + 1000*float64(i%c)
	}
	in := map[string][]float64{"images": images, "set_labels": labels, "order": order, "lut": lut,
		"state": {StateCursor: cursor, StateEpoch: epoch, StateSeed: seed, StateLen - 1: 0}}
	plain, cropped := refer(Augment, s, 0, nil, in), refer(Augment, s, RandomCropFlip, nil, in)
	flips := 0
	for n := range s.N {
		i := int(order[cursor+n])
		if plain["labels"][n] != labels[i] || cropped["labels"][n] != labels[i] {
			t.Fatalf("labels of row %d: %v and %v, want %v", n, plain["labels"][n], cropped["labels"][n], labels[i])
		}
		padded := make([][w + 2*pad][c]float64, h+2*pad)
		for y := range h {
			for x := range w {
				for ch := range c {
					padded[y+pad][x+pad][ch] = images[((i*h+y)*w+x)*c+ch]
				}
			}
		}
		row, col, flip := philox.Augment(seed, uint32(i), epoch)
		for y := range h {
			for x := range w {
				for ch := range c {
					at := ((n*h+y)*w+x)*c + ch
					if got, want := plain["x"][at], padded[pad+y][pad+x][ch]+1000*float64(ch); got != want {
						t.Fatalf("plain image %d at %d,%d: %v, want %v", i, y, x, got, want)
					}
					cut := x
					if flip {
						cut = w - 1 - x
					}
					if got, want := cropped["x"][at], padded[row+y][col+cut][ch]+1000*float64(ch); got != want {
						t.Fatalf("cropped image %d (offset %d,%d, flip %v) at %d,%d: %v, want %v", i, row, col, flip, y, x, got, want)
					}
				}
			}
		}
		if flip {
			flips++
		}
	}
	if flips == 0 || flips == s.N {
		t.Errorf("%d of %d images are mirrored: the test wants both kinds", flips, s.N)
	}
}

func TestReferenceUpdates(t *testing.T) {
	in := map[string][]float64{"w": {1, -2}, "g": {0.5, 0.25}, "buf": {0, 0}, "lr": {0.1}, "state": make([]float64, StateLen)}
	scalars := []float64{0.9, 0.01}
	first := refer(SGD, Shape{N: 2}, 0, scalars, in)
	near(t, "buf", first["buf"], []float64{0.51, 0.23}, 1e-15)
	near(t, "w", first["w"], []float64{0.949, -2.023}, 1e-15)
	in["w"], in["buf"] = first["w"], first["buf"]
	second := refer(SGD, Shape{N: 2}, 0, scalars, in)
	near(t, "buf", second["buf"], []float64{0.9*0.51 + 0.5 + 0.00949, 0.9*0.23 + 0.25 - 0.02023}, 1e-15)
	near(t, "w", second["w"], []float64{0.949 - 0.096849, -2.023 - 0.043677}, 1e-15)
	in["state"][StateNonFinite] = 3
	stopped := refer(SGD, Shape{N: 2}, 0, scalars, in)
	near(t, "w once a loss was not finite", stopped["w"], in["w"], 0)
	near(t, "buf once a loss was not finite", stopped["buf"], in["buf"], 0)

	advance := func(flag float64) []float64 {
		return refer(Advance, Shape{N: 32}, 0, nil, map[string][]float64{"state": {10, 3, 96, 7, 47, flag, 0, 5}})["state"]
	}
	near(t, "state", advance(0), []float64{11, 4, 128, 7, 47, 0, 0, 5}, 0)
	near(t, "state once a loss was not finite", advance(9), []float64{10, 4, 128, 7, 47, 9, 0, 5}, 0)
}

// What total allows is met by sums in float32 with room to spare, and not by sums that lose four bits.
func TestToleranceOfASum(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 1))
	for _, positive := range []bool{false, true} {
		for _, n := range []int{1, 2, 10, 100, 1000, 5000} {
			worst, worstRough := 0.0, 0.0
			for range 200 {
				var exact total
				var sum, rough float32
				for range n {
					a, b := float32(rng.NormFloat64()), float32(rng.NormFloat64())
					if positive {
						a, b = float32(math.Abs(float64(a))), float32(math.Abs(float64(b)))
					}
					exact.add(float64(a) * float64(b))
					sum += a * b
					rough += a * b
					rough = math.Float32frombits((math.Float32bits(rough) + 1<<3) &^ (1<<4 - 1)) // 20 bits
				}
				bound := exact.tolerance(n, 1) * FP32.Eps()
				worst = math.Max(worst, math.Abs(float64(sum)-exact.sum)/bound)
				worstRough = math.Max(worstRough, math.Abs(float64(rough)-exact.sum)/bound)
			}
			if worst > 1 || worst < 0.05 {
				t.Errorf("%d terms (positive %v): float32 sums come to %.3f of the bound, want 0.05 to 1", n, positive, worst)
			}
			if worstRough < 1 {
				t.Errorf("%d terms (positive %v): sums in 20 bits come to %.3f of the bound, want more than 1", n, positive, worstRough)
			}
		}
	}
}
