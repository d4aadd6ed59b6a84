package kernels

import (
	"math"

	"nctrain/internal/philox"
)

// RefCall is one call of an operation in float64: what every variant is checked against.
type RefCall struct {
	Shape   Shape
	Flags   Flags
	Scalars []float64

	// Operands in the order of the row, whatever their type; nil where an optional one is absent. In and InOut hold the input; a reference fills
	// Out and changes InOut.
	Operands [][]float64

	// Tolerance of each Out and InOut operand, filled by the reference: how far a result may be off, elementwise, in units of the unit roundoff:
	// of a sum what [total] derives, plus the roundings before and after it. 0: exact.
	Tolerance [][]float64

	// Products of each operand whose elements are sums of products, nil of others: how far a result may be off where the factors of each product are rounded
	// before, elementwise, in units of the roundoff of that ([Precision.ProductEps]); what [total.products] derives.
	Products [][]float64
}

// newRefCall makes room for what a reference fills: outputs that are nil (want[i] says which are wanted), and tolerances. InOut operands are changed
// in place, so the caller hands over copies.
func newRefCall(op *Op, s Shape, flags Flags, scalars []float64, operands [][]float64, want func(i int) bool) *RefCall {
	n := len(op.Operands)
	c := &RefCall{Shape: s, Flags: flags, Scalars: scalars, Operands: make([][]float64, n), Tolerance: make([][]float64, n), Products: make([][]float64, n)}
	copy(c.Operands, operands)
	for i, o := range op.Operands {
		if o.Role == Out && want(i) {
			c.Operands[i] = make([]float64, o.Len(s))
		}
		if o.Role != In && c.Operands[i] != nil {
			c.Tolerance[i] = make([]float64, o.Len(s))
		}
	}
	return c
}

// set stores an output and its tolerance.
func (c *RefCall) set(operand, i int, value, tolerance float64) {
	c.Operands[operand][i] = value
	c.Tolerance[operand][i] = tolerance
}

// total is a sum, and what its rounding error in another order and precision is measured by. The sum is compensated (W. Kahan, CACM 8, 1965), so that its own
// error does not grow with n: in FP64 a variant that sums in blocks would otherwise be nearer the truth than the reference.
type total struct{ sum, lost, abs, squares, n float64 }

func (t *total) add(v float64) {
	term := v - t.lost
	sum := t.sum + term
	t.lost = (sum - t.sum) - term
	t.sum = sum
	t.abs += math.Abs(v)
	t.squares += v * v
	t.n++
}

// deviations is how many units of roundoff, as a multiple of the root of the sum of squares of what is rounded, a tolerance allows. Rounding errors
// lie within one unit and have an rms of 1/sqrt(3), so it is about nine standard deviations.
const deviations = 5

// tolerance of the sum when blocks of at most `block` terms are summed in any order, then the blocks' sums; each term having been rounded
// `roundings` times before.
//
// Each addition rounds its partial sum s_i, and the errors are independent (Higham and Mary 2019, "A new approach to probabilistic rounding error
// analysis", model 2.1), so the sum's error is deviations * sqrt(sum_i s_i^2) units. Over random orders of n terms with sum S and sum of squares Q a partial sum
// of i terms has mean (i/n)S and variance at most (i/n)(1-i/n)Q, whence sum_i s_i^2 = n (S^2/3 + Q/6). Of m blocks of b terms each has S/m and Q/m:
// together b (S^2/(3m) + Q/6); adding them up costs m (S^2/3 + Q/6), storing S^2. Never more than the certain bound n * sum|a*b| (Higham 2002, 3.1).
// The certain bound alone would let products with 10-bit mantissas pass from 500 terms on.
func (t total) tolerance(block int, roundings float64) float64 {
	b := math.Min(t.n, float64(block))
	m := math.Ceil(t.n / b)
	s2, q := t.sum*t.sum, t.squares
	merge := 0.0
	if m > 1 {
		merge = m * (s2/3 + q/6)
	}
	likely := deviations * math.Sqrt(b*(s2/(3*m)+q/6)+merge+s2+roundings*q)
	return math.Min(likely, (b+m+roundings)*t.abs)
}

// products is how far a sum of products may be off where both factors of each are rounded before, in units of that rounding: each product is then off by
// two independent errors of at most one unit of it (and by their product, which [checkRun.bound] adds): the sum's error is never more than 2 * sum|a*b|.
// The errors have an rms of some 0.4 units (of a mantissa m, uniform within 1/m), so that 3 * sqrt(2 * sum (a*b)^2) is seven standard deviations.
func (t total) products() float64 {
	return math.Min(3*math.Sqrt(2*t.squares), 2*t.abs)
}

// eachTap calls f for each pair of an output pixel and an input pixel that some tap (r,s) of a convolution connects: i indexes x's pixels, o y's
// pixels and t the taps.
func eachTap(s Shape, f func(i, o, t int)) {
	p, q := s.P(), s.Q()
	for n := range s.N {
		for oy := range p {
			for ox := range q {
				for r := range s.R {
					for c := range s.S {
						y, x := oy*s.Stride+r-s.Pad, ox*s.Stride+c-s.Pad
						if y >= 0 && y < s.H && x >= 0 && x < s.W {
							f((n*s.H+y)*s.W+x, (n*p+oy)*q+ox, r*s.S+c)
						}
					}
				}
			}
		}
	}
}

// refConv sets out to the sums of a*b over all products of a convolution, where pick gives for (x element, w element, y element) what plays a, b
// and out; block is the longest float32 sum.
func refConv(c *RefCall, out, block int, pick func(x, w, y int) (a, b, o int), a, b []float64) {
	s := c.Shape
	totals := make([]total, len(c.Operands[out]))
	eachTap(s, func(i, o, t int) {
		for k := range s.K {
			for ch := range s.C {
				ai, bi, oi := pick(i*s.C+ch, (k*s.R*s.S+t)*s.C+ch, o*s.K+k)
				totals[oi].add(a[ai] * b[bi])
			}
		}
	})
	c.Products[out] = make([]float64, len(totals))
	for i, t := range totals {
		if t.n > 0 {
			c.set(out, i, t.sum, t.tolerance(block, 1))
			c.Products[out][i] = t.products()
		}
	}
}

func refConvFprop(c *RefCall) {
	refConv(c, 2, c.Shape.R*c.Shape.S*c.Shape.C, func(x, w, y int) (int, int, int) { return x, w, y }, c.Operands[0], c.Operands[1])
}

func refConvDgrad(c *RefCall) {
	refConv(c, 2, c.Shape.R*c.Shape.S*c.Shape.K, func(x, w, y int) (int, int, int) { return y, w, x }, c.Operands[0], c.Operands[1])
}

// Partial sums of wgradBlock products, then a sum of the partial sums.
func refConvWgrad(c *RefCall) {
	refConv(c, 2, wgradBlock, func(x, w, y int) (int, int, int) { return x, y, w }, c.Operands[0], c.Operands[1])
}

// part runs another operation's reference, whose last operand is an output of n elements, on operands of this call.
func (c *RefCall) part(reference func(*RefCall), s Shape, n int, operands ...[]float64) *RefCall {
	out := len(operands)
	part := &RefCall{Shape: s, Flags: c.Flags, Operands: append(operands, make([]float64, n)), Tolerance: make([][]float64, out+1), Products: make([][]float64, out+1)}
	part.Tolerance[out] = make([]float64, n)
	reference(part)
	return part
}

func refConvFpropBN(c *RefCall) {
	n, invstd, gamma := len(c.Operands[7]), c.Operands[3], c.Operands[4]
	conv := c.part(refConvFprop, c.Shape, n, c.Operands[0], c.Operands[1])
	bn := c.part(refBNForward, outputShape(c.Shape), n, append([][]float64{conv.Operands[2]}, c.Operands[2:7]...)...)
	c.Products[7] = make([]float64, n)
	for i, v := range bn.Operands[6] {
		scale := math.Abs(invstd[i%c.Shape.K] * gamma[i%c.Shape.K]) // of the convolution's error
		c.set(7, i, v, conv.Tolerance[2][i]*scale+bn.Tolerance[6][i])
		c.Products[7][i] = conv.Products[2][i] * scale
	}
}

// outputShape is y's shape as batch norm takes it.
func outputShape(s Shape) Shape { return Shape{N: s.N, H: s.P(), W: s.Q(), C: s.K} }

// bn_stats of y as it should be, which may be off by what bn_stats may, and by what y's own errors do.
func refConvFpropStats(c *RefCall) {
	const y, mean, invstd = 5, 6, 7
	conv := c.part(refConvFprop, c.Shape, len(c.Operands[y]), c.Operands[0], c.Operands[1])
	c.Operands[y], c.Tolerance[y], c.Products[y] = conv.Operands[2], conv.Tolerance[2], conv.Products[2]
	ofStats := func(of [][]float64) [][]float64 { return [][]float64{of[y], of[2], of[3], of[4], of[mean], of[invstd]} }
	refBNStats(&RefCall{Shape: outputShape(c.Shape), Scalars: c.Scalars, Operands: ofStats(c.Operands), Tolerance: ofStats(c.Tolerance)})
	ch := c.Shape.K
	m := float64(len(c.Operands[y]) / ch)
	momentum, bessel := c.Scalars[1], m/math.Max(m-1, 1)
	for _, i := range []int{2, 3, mean, invstd} {
		c.Products[i] = make([]float64, ch)
	}
	// Where y_i is off by e_i, of whatever sign, the mean is off by at most avg e, the variance by 2*avg |y_i-mean|*e_i + avg e^2. e is so many of its units, and its
	// square is one of them times the second order, for which products may count on bf16's, the largest.
	for _, e := range []struct {
		of, into [][]float64
		unit     float64
	}{{conv.Tolerance, c.Tolerance, FP32.Eps()}, {conv.Products, c.Products, BF16.ProductEps()}} {
		for j := range ch {
			var shift, spread float64
			for i := j; i < len(c.Operands[y]); i += ch {
				off := e.of[2][i]
				shift += off / m
				spread += (2*math.Abs(c.Operands[y][i]-c.Operands[mean][j])*off + off*off*e.unit) / m
			}
			e.into[2][j] += momentum * shift
			e.into[3][j] += momentum * spread * bessel
			e.into[mean][j] += shift
			e.into[invstd][j] += 0.5 * spread * math.Pow(c.Operands[invstd][j], 3)
		}
	}
}

func refConvDgradAdd(c *RefCall) {
	conv := c.part(refConvDgrad, c.Shape, len(c.Operands[2]), c.Operands[0], c.Operands[1])
	for i, v := range conv.Operands[2] {
		sum := c.Operands[2][i] + v
		c.set(2, i, sum, conv.Tolerance[2][i]+math.Abs(sum))
	}
	c.Products[2] = conv.Products[2]
}

func refBNStats(c *RefCall) {
	x, rm, rv := c.Operands[0], c.Operands[1], c.Operands[2]
	eps, momentum := c.Scalars[0], c.Scalars[1]
	m, ch := c.Shape.Rows(), c.Shape.C
	rows := float64(m)
	for j := range ch {
		var sum, squares total
		for i := range m {
			sum.add(x[i*ch+j])
		}
		mean, meanTol := sum.sum/rows, sum.tolerance(bnBlock, 0)/rows
		meanTol += math.Abs(mean)
		for i := range m {
			d := x[i*ch+j] - mean
			squares.add(d * d)
		}
		variance, besselTimes := squares.sum/rows, rows/math.Max(rows-1, 1)
		// A difference is rounded once and squared; a mean that is off by e adds e^2, because the differences sum to zero: the second order of
		// roundoff, of float32 here. Blocks merged by Chan's formula add delta^2 of means that are rounded: sum w*2*delta*|mean|/rows, and sum
		// w*delta^2/rows <= variance. (E[x^2] - mean^2 is off by mean^2: not allowed.)
		varTol := squares.tolerance(bnBlock, 3)/rows + 2*variance + meanTol*meanTol*FP32.Eps() + 3*math.Sqrt(variance)*math.Abs(mean)
		c.set(4, j, mean, meanTol)
		invstd := 1 / math.Sqrt(variance+eps)
		c.set(5, j, invstd, invstd*(0.5*varTol/(variance+eps)+3))
		oldMean, oldVar, unbiased := rm[j], rv[j], variance*besselTimes
		c.set(1, j, oldMean+momentum*(mean-oldMean), momentum*meanTol+3*(math.Abs(oldMean)+math.Abs(momentum*mean)))
		c.set(2, j, oldVar+momentum*(unbiased-oldVar), momentum*varTol*besselTimes+3*(oldVar+momentum*unbiased))
	}
	c.set(3, 0, c.Operands[3][0]+1, 0)
}

func refBNEvalStats(c *RefCall) {
	for j := range c.Shape.C {
		c.set(2, j, c.Operands[0][j], 0)
		invstd := 1 / math.Sqrt(c.Operands[1][j]+c.Scalars[0])
		c.set(3, j, invstd, 4*invstd)
	}
}

func refBNForward(c *RefCall) {
	x, mean, invstd, gamma, beta, residual := c.Operands[0], c.Operands[1], c.Operands[2], c.Operands[3], c.Operands[4], c.Operands[5]
	for i := range c.Operands[6] {
		j := i % c.Shape.C
		scale := invstd[j] * gamma[j]
		v := (x[i]-mean[j])*scale + beta[j]
		tol := 4 * (math.Abs((x[i]-mean[j])*scale) + math.Abs(beta[j]))
		if residual != nil {
			v += residual[i]
			tol += 2 * math.Abs(residual[i])
		}
		if c.Flags&ReLU != 0 {
			v = math.Max(v, 0)
		}
		c.set(6, i, v, tol)
	}
}

// bnMasked is dy where the forward output let it through.
func bnMasked(c *RefCall, i int) float64 {
	if c.Flags&ReLU != 0 && !(c.Operands[1][i] > 0) {
		return 0
	}
	return c.Operands[0][i]
}

func refBNBackwardStats(c *RefCall) {
	x, mean, invstd := c.Operands[2], c.Operands[3], c.Operands[4]
	m, ch := c.Shape.Rows(), c.Shape.C
	for j := range ch {
		var dgamma, dbeta total
		for i := j; i < m*ch; i += ch {
			g := bnMasked(c, i)
			dgamma.add(g * (x[i] - mean[j]) * invstd[j])
			dbeta.add(g)
		}
		c.set(5, j, dgamma.sum, dgamma.tolerance(bnBlock, 3))
		c.set(6, j, dbeta.sum, dbeta.tolerance(bnBlock, 0))
	}
}

func refBNBackward(c *RefCall) {
	x, mean, invstd, gamma, dgamma, dbeta := c.Operands[2], c.Operands[3], c.Operands[4], c.Operands[5], c.Operands[6], c.Operands[7]
	m := float64(c.Shape.Rows())
	for i := range c.Operands[8] {
		j := i % c.Shape.C
		g := bnMasked(c, i)
		xhat := (x[i] - mean[j]) * invstd[j]
		scale := gamma[j] * invstd[j]
		c.set(8, i, scale*(g-dbeta[j]/m-xhat*dgamma[j]/m),
			8*math.Abs(scale)*(math.Abs(g)+math.Abs(dbeta[j])/m+math.Abs(xhat*dgamma[j])/m))
		if c.Operands[9] != nil {
			c.set(9, i, g, 0)
		}
	}
}

func refReLUForward(c *RefCall) {
	for i, x := range c.Operands[0] {
		c.set(1, i, math.Max(x, 0), 0)
	}
}

func refReLUBackward(c *RefCall) {
	for i, dy := range c.Operands[0] {
		if !(c.Operands[1][i] > 0) {
			dy = 0
		}
		c.set(2, i, dy, 0)
	}
}

func refAdd(c *RefCall) {
	for i, a := range c.Operands[0] {
		b := c.Operands[1][i]
		c.set(2, i, a+b, math.Abs(a+b))
	}
}

func refAvgPoolForward(c *RefCall) {
	hw, ch := c.Shape.H*c.Shape.W, c.Shape.C
	for n := range c.Shape.N {
		for j := range ch {
			var t total
			for i := range hw {
				t.add(c.Operands[0][(n*hw+i)*ch+j])
			}
			mean := t.sum / float64(hw)
			c.set(1, n*ch+j, mean, t.tolerance(hw, 0)/float64(hw)+2*math.Abs(mean)) // and 1/(H*W) and the product with it
		}
	}
}

func refAvgPoolBackward(c *RefCall) {
	hw, ch := c.Shape.H*c.Shape.W, c.Shape.C
	for i := range c.Operands[1] {
		v := c.Operands[0][i/(hw*ch)*ch+i%ch] / float64(hw)
		c.set(1, i, v, 2*math.Abs(v))
	}
}

// refMatmul sets out[i,j] = sum_l a(i,l)*b(l,j) + bias[j].
func refMatmul(c *RefCall, out, rows, cols, inner int, a, b func(i, j int) float64, bias []float64) {
	c.Products[out] = make([]float64, rows*cols)
	for i := range rows {
		for j := range cols {
			var t total
			for l := range inner {
				t.add(a(i, l) * b(l, j))
			}
			c.Products[out][i*cols+j] = t.products()
			if bias != nil {
				t.add(bias[j])
			}
			c.set(out, i*cols+j, t.sum, t.tolerance(inner+1, 1))
		}
	}
}

func refLinearFprop(c *RefCall) {
	s, x, w := c.Shape, c.Operands[0], c.Operands[1]
	refMatmul(c, 3, s.N, s.K, s.C, func(n, i int) float64 { return x[n*s.C+i] }, func(i, k int) float64 { return w[k*s.C+i] }, c.Operands[2])
}

func refLinearDgrad(c *RefCall) {
	s, dy, w := c.Shape, c.Operands[0], c.Operands[1]
	refMatmul(c, 2, s.N, s.C, s.K, func(n, k int) float64 { return dy[n*s.K+k] }, func(k, i int) float64 { return w[k*s.C+i] }, nil)
}

func refLinearWgrad(c *RefCall) {
	s, x, dy := c.Shape, c.Operands[0], c.Operands[1]
	refMatmul(c, 2, s.K, s.C, s.N, func(k, n int) float64 { return dy[n*s.K+k] }, func(n, i int) float64 { return x[n*s.C+i] }, nil)
	refMatmul(c, 3, 1, s.K, s.N, func(_, n int) float64 { return 1 }, func(n, k int) float64 { return dy[n*s.K+k] }, nil)
	c.Products[3] = nil // nothing is multiplied
}

func refCrossEntropy(c *RefCall) {
	logits, labels, state, losses, correct := c.Operands[0], c.Operands[1], c.Operands[2], c.Operands[3], c.Operands[4]
	s := c.Shape
	slot := int(state[StateSlot]) % s.H
	loss, lossTol, hits := 0.0, 0.0, 0.0
	for n := range s.N {
		row, label := logits[n*s.K:(n+1)*s.K], int(labels[n])
		best := 0
		for k, l := range row {
			if l > row[best] {
				best = k
			}
		}
		sum, spread := 0.0, 0.0
		for _, l := range row {
			e := math.Exp(l - row[best])
			sum += e
			if e > 0 {
				spread += e * (row[best] - l)
			}
		}
		lse := row[best] + math.Log(sum)
		loss += lse - row[label]
		// exp's relative error is its argument's absolute one, log's absolute error its argument's relative one.
		lossTol += spread/sum + 2*math.Abs(lse) + math.Abs(row[label]) + 4
		if best == label {
			hits++
		}
		if c.Operands[5] == nil {
			continue
		}
		for k, l := range row {
			p, onehot := math.Exp(l-lse), 0.0
			if k == label {
				onehot = 1
			}
			tol := 2 * math.Abs(p-onehot)
			if p > 0 {
				tol += (6 + math.Abs(lse) + math.Abs(l-lse)) * p
			}
			c.set(5, n*s.K+k, (p-onehot)/float64(s.N), tol/float64(s.N))
		}
	}
	losses[slot], c.Tolerance[3][slot] = loss/float64(s.N), lossTol/float64(s.N)
	correct[slot] = hits
	if (math.IsNaN(loss) || math.IsInf(loss, 0)) && state[StateNonFinite] == 0 {
		state[StateNonFinite] = 1 + state[StateStep]
	}
}

func refAugment(c *RefCall) {
	images, setLabels, order, state, lut := c.Operands[0], c.Operands[1], c.Operands[2], c.Operands[3], c.Operands[4]
	s := c.Shape
	for n := range s.N {
		i := int(order[int(state[StateCursor])+n])
		c.set(6, n, setLabels[i], 0)
		row, col, flip := s.Pad, s.Pad, false
		if c.Flags&RandomCropFlip != 0 {
			row, col, flip = philox.Augment(uint64(state[StateSeed]), uint32(i), uint32(state[StateEpoch]))
		}
		for y := range s.H {
			for x := range s.W {
				sy, sx := y+row-s.Pad, x
				if flip {
					sx = s.W - 1 - x
				}
				sx += col - s.Pad
				for ch := range s.C {
					v := 0
					if sy >= 0 && sy < s.H && sx >= 0 && sx < s.W {
						v = int(images[((i*s.H+sy)*s.W+sx)*s.C+ch])
					}
					c.set(5, ((n*s.H+y)*s.W+x)*s.C+ch, lut[v*s.C+ch], 0)
				}
			}
		}
	}
}

func refSGD(c *RefCall) {
	w, g, buf, lr := c.Operands[0], c.Operands[1], c.Operands[2], c.Operands[3][0]
	if c.Operands[4][StateNonFinite] != 0 {
		return
	}
	momentum, decay := c.Scalars[0], c.Scalars[1]
	for i := range w {
		step := momentum*buf[i] + g[i] + decay*w[i]
		tol := 5 * (math.Abs(momentum*buf[i]) + math.Abs(g[i]) + math.Abs(decay*w[i]))
		c.set(2, i, step, tol)
		c.set(0, i, w[i]-lr*step, lr*tol+2*math.Abs(w[i])+2*math.Abs(lr*step))
	}
}

func refAdvance(c *RefCall) {
	state := c.Operands[0]
	if state[StateNonFinite] == 0 {
		state[StateStep]++
	}
	state[StateSlot]++
	state[StateCursor] += float64(c.Shape.N)
}
