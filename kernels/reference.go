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

	// Tolerance of each Out and InOut operand, filled by the reference: how far a float32 result may be off, elementwise, in units of the unit
	// roundoff. The bound of a sum of n products is n * sum|a*b| (Higham 2002, 3.1), plus one for each rounding that follows. nil: exact.
	Tolerance [][]float64
}

// set stores an output and its tolerance.
func (c *RefCall) set(operand, i int, value, tolerance float64) {
	c.Operands[operand][i] = value
	c.Tolerance[operand][i] = tolerance
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

// refConv accumulates out += a*b over all products of a convolution, where index gives for (x element, w element, y element) what plays a, b and
// out; terms is the length of the longest float32 sum.
func refConv(c *RefCall, out int, terms float64, pick func(x, w, y int) (a, b, o int), a, b []float64) {
	s := c.Shape
	sum, mass := c.Operands[out], c.Tolerance[out]
	eachTap(s, func(i, o, t int) {
		for k := range s.K {
			for ch := range s.C {
				ai, bi, oi := pick(i*s.C+ch, (k*s.R*s.S+t)*s.C+ch, o*s.K+k)
				v := a[ai] * b[bi]
				sum[oi] += v
				mass[oi] += math.Abs(v) * terms
			}
		}
	})
}

func refConvFprop(c *RefCall) {
	refConv(c, 2, float64(c.Shape.R*c.Shape.S*c.Shape.C), func(x, w, y int) (int, int, int) { return x, w, y }, c.Operands[0], c.Operands[1])
}

func refConvDgrad(c *RefCall) {
	refConv(c, 2, float64(c.Shape.R*c.Shape.S*c.Shape.K), func(x, w, y int) (int, int, int) { return y, w, x }, c.Operands[0], c.Operands[1])
}

// Partial sums of wgradBlock products, then a sum of the partial sums.
func refConvWgrad(c *RefCall) {
	n := float64(c.Shape.N * c.Shape.P() * c.Shape.Q())
	refConv(c, 2, math.Min(n, wgradBlock)+math.Ceil(n/wgradBlock), func(x, w, y int) (int, int, int) { return x, y, w }, c.Operands[0], c.Operands[1])
}

// bnTerms is the length of a batch-norm sum's float32 part, and the few roundings around it.
func bnTerms(rows int) float64 { return math.Min(float64(rows), bnBlock) + 4 }

func refBNStats(c *RefCall) {
	x, rm, rv := c.Operands[0], c.Operands[1], c.Operands[2]
	eps, momentum := c.Scalars[0], c.Scalars[1]
	m, ch := c.Shape.Rows(), c.Shape.C
	rows, terms := float64(m), bnTerms(m)
	for j := range ch {
		sum, abs := 0.0, 0.0
		for i := range m {
			sum += x[i*ch+j]
			abs += math.Abs(x[i*ch+j])
		}
		mean, meanTol := sum/rows, terms*abs/rows
		ss := 0.0
		for i := range m {
			d := x[i*ch+j] - mean
			ss += d * d
		}
		variance := ss / rows
		// The squares are of differences whose inputs and mean are rounded: relative error of the sum, and of each difference 2 roundings of |x|.
		varTol := terms*variance + 4*math.Sqrt(variance)*abs/rows
		unbiased := ss / math.Max(rows-1, 1)
		c.set(4, j, mean, meanTol)
		invstd := 1 / math.Sqrt(variance+eps)
		c.set(5, j, invstd, invstd*(0.5*varTol/(variance+eps)+4))
		oldMean, oldVar := rm[j], rv[j]
		c.set(1, j, oldMean+momentum*(mean-oldMean), momentum*meanTol+4*(math.Abs(oldMean)+math.Abs(momentum*mean)))
		c.set(2, j, oldVar+momentum*(unbiased-oldVar), momentum*varTol*unbiased/math.Max(variance, math.SmallestNonzeroFloat64)+4*(oldVar+momentum*unbiased))
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
	terms := bnTerms(m)
	for j := range ch {
		var dgamma, dbeta, absGamma, absBeta float64
		for i := j; i < m*ch; i += ch {
			g := bnMasked(c, i)
			v := g * (x[i] - mean[j]) * invstd[j]
			dgamma += v
			dbeta += g
			absGamma += math.Abs(v)
			absBeta += math.Abs(g)
		}
		c.set(5, j, dgamma, (terms+3)*absGamma)
		c.set(6, j, dbeta, terms*absBeta)
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
			sum, abs := 0.0, 0.0
			for i := range hw {
				v := c.Operands[0][(n*hw+i)*ch+j]
				sum += v
				abs += math.Abs(v)
			}
			c.set(1, n*ch+j, sum/float64(hw), float64(hw+2)*abs/float64(hw))
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
	for i := range rows {
		for j := range cols {
			sum, abs := 0.0, 0.0
			for l := range inner {
				v := a(i, l) * b(l, j)
				sum += v
				abs += math.Abs(v)
			}
			terms := float64(inner)
			if bias != nil {
				sum += bias[j]
				abs += math.Abs(bias[j])
				terms++
			}
			c.set(out, i*cols+j, sum, terms*abs)
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
		sum := 0.0
		for _, l := range row {
			sum += math.Exp(l - row[best])
		}
		lse := row[best] + math.Log(sum)
		loss += lse - row[label]
		lossTol += 8 * (math.Abs(lse) + math.Abs(row[label]))
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
			// exp's relative error is its argument's absolute one.
			c.set(5, n*s.K+k, (p-onehot)/float64(s.N), ((8+math.Abs(l-lse))*p+4*onehot)/float64(s.N))
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
