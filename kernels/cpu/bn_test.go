package cpu

import (
	"math"
	"slices"
	"testing"
)

// Whole vectors, folded rows with and without a rest, channels beyond one tile, one sample a channel.
var bnTestShapes = []Shape{
	{N: 2, H: 8, W: 8, C: 16},
	{N: 1, H: 1, W: 2, C: 3},
	{N: 3, H: 7, W: 5, C: 17},
	{N: 9, H: 16, W: 16, C: 8},
	{N: 5, H: 4, W: 4, C: 130},
	{N: 3, H: 3, W: 1, C: 1029},
	{N: 1, H: 1, W: 1, C: 20},
	{N: 5, H: 33, W: 11, C: 24},
}

// bnData is one layer's random operands and what batch norm makes of them, in float64.
type bnData struct {
	s                             Shape
	rows, c                       int
	x, dy, residual, gamma, beta  []float64
	mean, variance, invstd        []float64 // of x, invstd rounded to float32
	absX, unbiased, center, given []float64 // given: invstd as an operand
}

const bnEps, bnMomentum = 1e-5, 0.1

func newBNData(s Shape) bnData {
	rows, c := int(s.N*s.H*s.W), int(s.C)
	n := rows * c
	x := reals(40, n)
	for i := range x {
		x[i] = float64(float32(3*x[i] + float64(i%c%5) - 2))
	}
	d := bnDataOf(s, x)
	d.dy, d.residual, d.gamma, d.beta = reals(41, n), reals(42, n), reals(43, c), reals(44, c)
	return d
}

// bnDataOf is what batch norm makes of given activations.
func bnDataOf(s Shape, x []float64) bnData {
	d := bnData{s: s, rows: int(s.N * s.H * s.W), c: int(s.C), x: x}
	for _, v := range []*[]float64{&d.mean, &d.variance, &d.invstd, &d.absX, &d.unbiased, &d.center, &d.given} {
		*v = make([]float64, d.c)
	}
	for i, v := range x {
		d.mean[i%d.c] += v / float64(d.rows)
		d.absX[i%d.c] += math.Abs(v) / float64(d.rows)
	}
	for i, v := range x {
		d.variance[i%d.c] += (v - d.mean[i%d.c]) * (v - d.mean[i%d.c]) / float64(d.rows)
	}
	for j := range d.c {
		d.unbiased[j] = d.variance[j] * float64(d.rows) / max(float64(d.rows-1), 1)
		d.invstd[j] = 1 / math.Sqrt(d.variance[j]+bnEps)
		d.center[j], d.given[j] = float64(float32(d.mean[j])), float64(float32(d.invstd[j]))
	}
	return d
}

// A statistic sums at most 256 rows in the precision's own arithmetic.
func (d bnData) terms() float64 { return min(float64(d.rows), 256) + 4 }

// statistics are the operands that bn_stats and conv_fprop_stats write beside y: the running statistics, and mean and invstd of the batch.
func (d bnData) statistics() (running, batch []arg) {
	oldMean, oldVar := reals(45, d.c), reals(46, d.c)
	newMean, newVar := make([]float64, d.c), make([]float64, d.c)
	meanBound, stdBound, newMeanBound, newVarBound := make([]float64, d.c), make([]float64, d.c), make([]float64, d.c), make([]float64, d.c)
	for j := range d.c {
		oldVar[j] = math.Abs(oldVar[j])
		newMean[j] = oldMean[j] + bnMomentum*(d.mean[j]-oldMean[j])
		newVar[j] = oldVar[j] + bnMomentum*(d.unbiased[j]-oldVar[j])
		meanBound[j] = d.terms() * d.absX[j]
		varBound := d.terms()*d.variance[j] + 4*math.Sqrt(d.variance[j])*d.absX[j]
		stdBound[j] = d.invstd[j] * (varBound/(d.variance[j]+bnEps)/2 + 4)
		newMeanBound[j] = bnMomentum*meanBound[j] + 2*math.Abs(newMean[j])
		newVarBound[j] = bnMomentum*varBound*2 + 2*newVar[j]
	}
	return []arg{
			{name: "running_mean", in: oldMean, want: newMean, bound: newMeanBound}, {name: "running_var", in: oldVar, want: newVar, bound: newVarBound},
			{name: "num_batches_tracked", kind: int64Kind, in: []float64{41}, want: []float64{42}},
		}, []arg{
			{name: "mean", want: d.mean, bound: meanBound, slack: 1e-13}, {name: "invstd", want: d.invstd, bound: stdBound, slack: 1e-13},
		}
}

func TestBNStats(t *testing.T) {
	for _, s := range bnTestShapes {
		d := newBNData(s)
		running, batch := d.statistics()
		checkKernel(t, "bn_stats_direct", s, slices.Concat([]arg{{name: "x", in: d.x}}, running, batch), []float64{bnEps, bnMomentum}, 0)

		oldMean, oldVar := running[0].in, running[1].in
		evalStd, evalBound := make([]float64, d.c), make([]float64, d.c)
		for j, v := range oldVar {
			evalStd[j] = 1 / math.Sqrt(v+bnEps)
			evalBound[j] = 2 * evalStd[j]
		}
		checkKernel(t, "bn_eval_stats_direct", s, []arg{
			{name: "running_mean", in: oldMean}, {name: "running_var", in: oldVar}, {name: "mean", want: oldMean},
			{name: "invstd", want: evalStd, bound: evalBound},
		}, []float64{bnEps}, 0)
	}
}

// A mean far from zero must not cost the variance: sums of squares without a shift would leave nothing of it.
func TestBNStatsFarFromZero(t *testing.T) {
	s := Shape{N: 4, H: 32, W: 32, C: 16}
	n := 4 * 32 * 32
	x := make([]float64, n*16)
	for i := range x {
		x[i] = 4096 + float64(i/16%3-1)/64 // exact in float32
	}
	mean, square := 0.0, 0.0
	for i := 0; i < len(x); i += 16 {
		mean += x[i] / float64(n)
	}
	for i := 0; i < len(x); i += 16 {
		square += (x[i] - mean) * (x[i] - mean) / float64(n)
	}
	fill := func(v float64) []float64 {
		f := make([]float64, 16)
		for i := range f {
			f[i] = v
		}
		return f
	}
	invstd := 1 / math.Sqrt(square+bnEps)
	checkKernel(t, "bn_stats_direct", s, []arg{
		{name: "x", in: x}, {name: "running_mean", in: fill(0), want: fill(0.1 * mean), bound: fill(1000)},
		{name: "running_var", in: fill(1), want: fill(0.9 + 0.1*square*float64(n)/float64(n-1)), bound: fill(8)},
		{name: "num_batches_tracked", kind: int64Kind, in: []float64{0}, want: []float64{1}},
		{name: "mean", want: fill(mean), bound: fill(mean), slack: 1e-9}, {name: "invstd", want: fill(invstd), bound: fill(300 * invstd), slack: 1e-9},
	}, []float64{bnEps, bnMomentum}, 0)
}

func TestBNForward(t *testing.T) {
	for _, s := range bnTestShapes {
		d := newBNData(s)
		for _, flags := range []uint32{0, ReLU} {
			for _, residual := range []bool{false, true} {
				y, bound := make([]float64, len(d.x)), make([]float64, len(d.x))
				for i, x := range d.x {
					j := i % d.c
					v := (x - d.center[j]) * d.given[j] * d.gamma[j]
					bound[i] = 4 * (math.Abs(v) + math.Abs(d.beta[j]))
					y[i] = v + d.beta[j]
					if residual {
						y[i] += d.residual[i]
						bound[i] += 2 * math.Abs(d.residual[i])
					}
					if flags&ReLU != 0 {
						y[i] = max(y[i], 0)
					}
				}
				checkKernel(t, "bn_forward_direct", s, []arg{
					{name: "x", in: d.x}, {name: "mean", in: d.center}, {name: "invstd", in: d.given}, {name: "gamma", in: d.gamma}, {name: "beta", in: d.beta},
					{name: "residual", in: d.residual, absent: !residual}, {name: "y", want: y, bound: bound},
				}, nil, flags)
			}
		}
	}
}

func TestBNBackward(t *testing.T) {
	for _, s := range bnTestShapes {
		d := newBNData(s)
		for _, flags := range []uint32{0, ReLU} {
			y := d.residual // any numbers: their signs are the mask
			g := make([]float64, len(d.x))
			dbeta, dgamma := newProducts(d.c), newProducts(d.c)
			for i, v := range d.dy {
				j := i % d.c
				if flags&ReLU == 0 || y[i] > 0 {
					g[i] = v
				}
				dbeta.add(j, g[i])
				dgamma.add(j, g[i]*(d.x[i]-d.center[j])*d.given[j])
			}
			mask := arg{name: "y", in: y, absent: flags == 0}
			checkKernel(t, "bn_backward_stats_direct", s, []arg{
				{name: "dy", in: d.dy}, mask, {name: "x", in: d.x}, {name: "mean", in: d.center}, {name: "invstd", in: d.given},
				dgamma.arg("dgamma", int(d.terms())+3), dbeta.arg("dbeta", int(d.terms())),
			}, nil, flags)

			beta, gamma := reals(47, d.c), reals(48, d.c) // the incoming dbeta and dgamma
			dx, bound := make([]float64, len(d.x)), make([]float64, len(d.x))
			m := float64(d.rows)
			for i := range dx {
				j := i % d.c
				scale, xhat := d.gamma[j]*d.given[j], (d.x[i]-d.center[j])*d.given[j]
				dx[i] = scale * (g[i] - beta[j]/m - xhat*gamma[j]/m)
				bound[i] = 8 * math.Abs(scale) * (math.Abs(g[i]) + math.Abs(beta[j])/m + math.Abs(xhat*gamma[j])/m)
			}
			for _, residual := range []bool{false, true} {
				checkKernel(t, "bn_backward_direct", s, []arg{
					{name: "dy", in: d.dy}, mask, {name: "x", in: d.x}, {name: "mean", in: d.center}, {name: "invstd", in: d.given},
					{name: "gamma", in: d.gamma}, {name: "dgamma", in: gamma}, {name: "dbeta", in: beta},
					{name: "dx", want: dx, bound: bound}, {name: "dresidual", want: g, absent: !residual},
				}, nil, flags)
			}
		}
	}
}

// Outputs so large that they are stored past the caches have the bits of those that are stored by way of them, as they are where they do not begin on a line
// (an odd number of threads); folded rows, and some left over.
func TestBNOfLargeOutputs(t *testing.T) {
	s := Shape{N: 5, H: 163, W: 131, C: 40}
	n := int(s.N * s.H * s.W * s.C)
	x, residual := arg{name: "x", in: reals(49, n)}, arg{name: "residual", in: reals(42, n)}
	perChannel := func(name string) arg { return arg{name: name, in: reals(43, int(s.C))} }
	mean, invstd, gamma, beta := perChannel("mean"), perChannel("invstd"), perChannel("gamma"), perChannel("beta")
	for name, args := range map[string][]arg{
		"bn_forward_direct":  {x, mean, invstd, gamma, beta, residual, {name: "y", want: x.in}},
		"bn_backward_direct": {residual, residual, x, mean, invstd, gamma, gamma, beta, {name: "dx", want: x.in}, {name: "dresidual", want: x.in}},
	} {
		for _, isa := range SupportedISAs() {
			first := runPacked(t, name, isa, 32, 1, s, args, "")
			for i, x := range runPacked(t, name, isa, 32, 2, s, args, "") {
				if !x.guardsIntact() || string(x.bytes) != string(first[i].bytes) {
					t.Errorf("%s %v: %s on lines differs from that beside them, or more was written", name, isa, args[i].name)
				}
			}
		}
	}
}

// dx may take dy's memory, with and without mask and dresidual.
func TestBNBackwardOverDy(t *testing.T) {
	for _, s := range bnTestShapes {
		d := newBNData(s)
		for _, flags := range []uint32{0, ReLU} {
			for _, residual := range []bool{false, true} {
				zeros := make([]float64, len(d.x))
				args := []arg{
					{name: "dy", in: d.dy}, {name: "y", in: d.residual, absent: flags == 0}, {name: "x", in: d.x}, {name: "mean", in: d.center}, {name: "invstd", in: d.given},
					{name: "gamma", in: d.gamma}, {name: "dgamma", in: reals(48, d.c)}, {name: "dbeta", in: reals(47, d.c)},
					{name: "dx", want: zeros}, {name: "dresidual", want: zeros, absent: !residual},
				}
				for _, isa := range SupportedISAs() {
					for _, bits := range []int{32, 64} {
						k, ok := Find("bn_backward_direct", isa, bits)
						if !ok {
							t.Fatal("no bn_backward_direct")
						}
						run := func(over bool) []tensor {
							call, tensors := prepare(t, k, bits, s, args, 0)
							call.Flags = flags
							if over {
								call.Operand[8], tensors[8] = call.Operand[0], tensors[0]
							}
							pool := testPool(t, 2)
							defer pool.Close()
							Run(k, call, pool)
							return tensors
						}
						apart, over := run(false), run(true)
						for _, i := range []int{8, 9} {
							if string(over[i].bytes) != string(apart[i].bytes) {
								t.Fatalf("%v %d bits %+v flags %d: %s differs where dx lies over dy", isa, bits, s, flags, args[i].name)
							}
						}
					}
				}
			}
		}
	}
}

// At most 256 rows are summed in float32, then in double: 200,000 numbers of one sign would err by hundreds of roundoffs in longer chains.
func TestBNBackwardStatsPartialSums(t *testing.T) {
	s := Shape{N: 1, H: 400, W: 500, C: 1}
	dy, x := make([]float64, 200_000), make([]float64, 200_000)
	sum := newProducts(1)
	for i := range dy {
		dy[i], x[i] = float64(float32(1+1e-3*float64(i%7))), 3
		sum.add(0, dy[i])
	}
	checkKernel(t, "bn_backward_stats_direct", s, []arg{
		{name: "dy", in: dy}, {name: "y", absent: true}, {name: "x", in: x}, {name: "mean", in: []float64{2}}, {name: "invstd", in: []float64{1}},
		sum.arg("dgamma", 100), sum.arg("dbeta", 100),
	}, nil, 0)
}

// The fused forms are the unfused sequences, bit for bit.
func TestBNFusedEqualsUnfused(t *testing.T) {
	for _, s := range []Shape{{N: 3, H: 7, W: 5, C: 17}, {N: 2, H: 8, W: 8, C: 64}, {N: 9, H: 3, W: 3, C: 8}} {
		d := newBNData(s)
		flat := Shape{N: int64(len(d.x))}
		for _, isa := range SupportedISAs() {
			for _, bits := range []int{32, 64} {
				run := func(name string, s Shape, flags uint32, args ...arg) []tensor {
					k, ok := Find(name, isa, bits)
					if !ok {
						t.Fatal(name)
					}
					pool, err := NewPool(2)
					if err != nil {
						t.Fatal(err)
					}
					defer pool.Close()
					call, tensors := prepare(t, k, bits, s, args, 0)
					call.Flags = flags
					Run(k, call, pool)
					return tensors
				}
				values := func(x tensor) []float64 {
					v := make([]float64, len(d.x))
					for i := range v {
						v[i] = x.get(i, len(v))
					}
					return v
				}
				equal := func(what string, a, b tensor) {
					t.Helper()
					if string(a.bytes) != string(b.bytes) {
						t.Errorf("%s %v %d bits %+v: fused and unfused differ", what, isa, bits, s)
					}
				}
				out := func() arg { return arg{want: make([]float64, len(d.x))} }
				forward := func(flags uint32, residual bool) tensor {
					return run("bn_forward_direct", s, flags, arg{in: d.x}, arg{in: d.center}, arg{in: d.given}, arg{in: d.gamma}, arg{in: d.beta},
						arg{in: d.residual, absent: !residual}, out())[6]
				}
				added := run("add_direct", flat, 0, arg{in: values(forward(0, false))}, arg{in: d.residual}, out())[2]
				y := run("relu_forward_direct", flat, 0, arg{in: values(added)}, out())[1]
				equal("bn_forward with residual and ReLU", forward(ReLU, true), y)
				equal("bn_forward with residual", forward(0, true), added)

				channel := func() arg { return arg{want: make([]float64, d.c)} }
				backward := func(flags uint32, dy []float64, mask arg, residual arg) []tensor {
					stats := run("bn_backward_stats_direct", s, flags, arg{in: dy}, mask, arg{in: d.x}, arg{in: d.center}, arg{in: d.given}, channel(), channel())
					grads := run("bn_backward_direct", s, flags, arg{in: dy}, mask, arg{in: d.x}, arg{in: d.center}, arg{in: d.given}, arg{in: d.gamma},
						arg{in: d.beta}, arg{in: d.gamma}, out(), residual)
					return []tensor{stats[5], stats[6], grads[8], grads[9]}
				}
				mask := arg{in: values(y)}
				masked := run("relu_backward_direct", flat, 0, arg{in: d.dy}, mask, out())[2]
				fused := backward(ReLU, d.dy, mask, out())
				unfused := backward(0, values(masked), arg{absent: true}, arg{absent: true})
				for i, what := range []string{"dgamma", "dbeta", "dx"} {
					equal("bn_backward with ReLU: "+what, fused[i], unfused[i])
				}
				equal("bn_backward: dresidual", fused[3], masked)
			}
		}
	}
}
