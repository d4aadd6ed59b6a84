package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
)

// tier is the kind of numbers that a checked call is made of.
type tier uint8

const (
	integers tier = iota // small integers: every sum is exact in float32, so only the reference's own bits will do
	reals                // what a network really holds
)

func (t tier) String() string { return [...]string{"small integers", "random reals"}[t] }

// inputs are the operands of one call before it, in float64 but representable in the call's precision. Out operands are nil.
type inputs struct {
	op      *Op
	shape   Shape
	p       Precision
	tier    tier
	rng     *rand.Rand
	scalars []float64
	values  [][]float64
}

// newInputs draws a call's inputs: all operands of the row, the optional ones too.
func newInputs(op *Op, s Shape, p Precision, t tier, seed uint64) *inputs {
	in := &inputs{op: op, shape: s, p: p, tier: t, rng: rand.New(rand.NewPCG(seed, uint64(op.ID))), values: make([][]float64, len(op.Operands))}
	in.drawScalars()
	for i := range op.Operands {
		if o := &op.Operands[i]; o.Role != Out {
			in.values[i] = make([]float64, o.Len(s))
			in.draw(o, in.values[i])
		}
	}
	switch op.ID {
	case BNForward, BNBackwardStats, BNBackward:
		in.batchNorm()
	}
	in.round()
	if op.ID == BNBackward {
		in.gradientSums()
		in.round()
	}
	return in
}

// drawScalars sets the notebook's numbers (SPEC 1, 3).
func (in *inputs) drawScalars() {
	if in.op.ID == SGD {
		in.scalars = []float64{0.9, 5e-4} // momentum, weight_decay
		return
	}
	in.scalars = []float64{1e-5, 0.1}[:len(in.op.Scalars)] // eps, momentum
}

func (in *inputs) get(name string) []float64 { return in.values[in.op.Index(name)] }

// round makes every value one that its operand can hold.
func (in *inputs) round() {
	for i, o := range in.op.Operands {
		if o.Type.Size(in.p) == 4 && (o.Type == Real || o.Type == Float32) {
			for j, v := range in.values[i] {
				in.values[i][j] = float64(float32(v))
			}
		}
	}
}

// draw fills one operand by its name. Activations come out of a ReLU, so half of them are zero.
func (in *inputs) draw(o *Operand, v []float64) {
	rng, s := in.rng, in.shape
	fill := func(f func(i int) float64) {
		for i := range v {
			v[i] = f(i)
		}
	}
	normal := func(sd float64) { fill(func(int) float64 { return sd * rng.NormFloat64() }) }
	whole := func(n int) { fill(func(int) float64 { return float64(rng.IntN(n)) }) }
	switch {
	case o.Type == Uint8:
		whole(256)
	case o.Name == "state":
		copy(v, []float64{StateStep: 1000, StateSlot: float64(rng.IntN(2 * max(s.H, 1))), StateCursor: float64(rng.IntN(max(s.K-s.N, 0) + 1)),
			StateEpoch: float64(rng.IntN(400)), StateSeed: float64(rng.Int64N(1 << 52)), StateLen - 1: 17})
	case o.Name == "order":
		for i, at := range rng.Perm(len(v)) {
			v[i] = float64(at)
		}
	case o.Name == "count": // every third class has had no rows
		fill(func(i int) float64 { return float64(i % 3 * (1 + rng.IntN(500))) })
	case o.Name == "labels":
		whole(s.K)
	case o.Name == "set_labels":
		whole(100)
	case o.Type == Int32, o.Type == Int64:
		whole(1000)
	case in.tier == integers && (o.Name == "x" || o.Name == "a" || o.Name == "lut"):
		fill(func(int) float64 { return float64(rng.IntN(7) - 3) })
	case in.tier == integers:
		fill(func(int) float64 { return float64(rng.IntN(5) - 2) })
	case o.Name == "w":
		bound := 1 / math.Sqrt(math.Max(float64(s.C*max(s.R*s.S, 1)), 1))
		fill(func(int) float64 { return bound * (2*rng.Float64() - 1) })
	case o.Name == "dy", o.Name == "g", o.Name == "dx":
		normal(1e-2)
	case o.Name == "lr":
		fill(func(int) float64 { return 0.01 })
	case o.Name == "x" && in.op.ID != ReLUForward && in.op.ID != BNStats, o.Name == "residual", o.Name == "y":
		fill(func(int) float64 { return math.Max(rng.NormFloat64(), 0) })
	case o.Name == "x" && in.op.ID == BNStats:
		in.channels(v)
	case o.Name == "logits":
		normal(3)
	case o.Name == "running_var":
		fill(func(i int) float64 { return math.Max(2*rng.Float64()-0.1, 0) })
	default:
		normal(1)
	}
}

// channels fills x with channels of all kinds: mean zero, a mean some hundred times the deviation (where E[x^2]-E[x]^2 loses everything), tiny ones,
// and one that is always zero.
func (in *inputs) channels(x []float64) {
	c := in.shape.C
	for i := range x {
		v := in.rng.NormFloat64()
		switch i % c % 5 {
		case 1:
			v = 0.5 + 3*v
		case 2:
			v = 100 + v/2
		case 3:
			v *= 1e-3
		case 4:
			v = 0
		}
		x[i] = v
	}
}

// batchNorm makes x, mean, invstd and y those of one layer.
func (in *inputs) batchNorm() {
	x := in.get("x")
	in.channels(x)
	in.round()
	op, s := BNStats.Op(), in.shape
	stats := newRefCall(op, s, 0, []float64{1e-5, 0.1}, [][]float64{x, make([]float64, s.C), make([]float64, s.C), {0}}, always)
	op.Reference(stats)
	copy(in.get("mean"), stats.Operands[4])
	copy(in.get("invstd"), stats.Operands[5])
	if in.op.ID != BNBackwardStats {
		for j := range in.get("gamma") {
			in.get("gamma")[j] = 1 + 0.2*in.rng.NormFloat64()
		}
	}
	if in.op.ID != BNForward {
		for i := range x {
			in.get("y")[i] = math.Max((x[i]-in.get("mean")[i%s.C])*in.get("invstd")[i%s.C]+0.1, 0)
		}
	}
}

// gradientSums makes dgamma and dbeta those of dy and x (of the call without ReLU: any are as good with it).
func (in *inputs) gradientSums() {
	op := BNBackwardStats.Op()
	sums := newRefCall(op, in.shape, 0, nil, [][]float64{in.get("dy"), nil, in.get("x"), in.get("mean"), in.get("invstd")}, always)
	op.Reference(sums)
	copy(in.get("dgamma"), sums.Operands[5])
	copy(in.get("dbeta"), sums.Operands[6])
}

func always(int) bool { return true }

// collapsed makes the rows of a class all but equal, far from zero, and the sums those before the first call.
func collapsed(in *inputs) {
	for _, name := range []string{"count", "shift", "sum", "square", "second"} {
		clear(in.get(name))
	}
	x, labels := in.get("x"), in.get("labels")
	for i := range x {
		x[i] = 10*(1+labels[i/in.shape.C]) + 1e-3*in.rng.NormFloat64()
	}
}

// scenario is a situation of an operation that random numbers do not meet.
type scenario struct {
	name string
	edit func(*inputs)
	// nothing: the call leaves its outputs as they are.
	nothing bool
	// unchecked operands have no defined value in it.
	unchecked []string
	// exactProducts: every precision holds the factors of all products, so that nothing is allowed for their rounding.
	exactProducts bool
}

// farMeans gives y's channels means some hundred times their deviation, where E[y^2]-E[y]^2 loses everything, and to every fifth none.
func farMeans(in *inputs) {
	s, x, w := in.shape, in.get("x"), in.get("w")
	for i := range x {
		x[i] = float64(100 + in.rng.IntN(3))
	}
	clear(w)
	middle := s.R/2*s.S + s.S/2 // the tap that no padding meets: a border that has fewer products would be the deviation
	for k := range s.K {
		for c := range s.C {
			if k%5 != 4 {
				w[(k*s.R*s.S+middle)*s.C+c] = float64(1 + in.rng.IntN(2))
			}
		}
	}
}

// scenarios of an operation, beside the plain call.
func scenarios(op *Op) []scenario {
	set := func(operand string, i int, v float64) func(*inputs) {
		return func(in *inputs) { in.get(operand)[i] = v }
	}
	stopped := set("state", StateNonFinite, 901)
	switch op.ID {
	case ReLUForward, BNForward:
		return []scenario{{name: "a NaN, which must stay one", edit: set("x", 0, math.NaN())}}
	case ConvFpropStats:
		return []scenario{{name: "means far larger than deviations", edit: farMeans, exactProducts: true}}
	case SGD:
		return []scenario{
			{name: "a loss was not finite", edit: stopped, nothing: true},
			{name: "first step", edit: func(in *inputs) { clear(in.get("buf")) }},
		}
	case Advance:
		return []scenario{{name: "a loss was not finite", edit: stopped}}
	case ClassMoments:
		return []scenario{{name: "the first rows of every class, which have collapsed", edit: collapsed}}
	case CrossEntropy:
		lastLogit := func(v float64) func(*inputs) {
			return func(in *inputs) {
				in.get("logits")[in.shape.K-1] = v
				in.get("labels")[0] = float64(in.shape.K - 1)
			}
		}
		hits := []string{"correct"} // whether NaN is the largest is not said
		return []scenario{
			{name: "saturated logits", edit: func(in *inputs) {
				for i := range in.get("logits") {
					in.get("logits")[i] *= 50
				}
			}},
			{name: "all logits equal", edit: func(in *inputs) {
				for i := range in.get("logits") {
					in.get("logits")[i] = 1.5
				}
			}},
			{name: "a NaN logit", edit: lastLogit(math.NaN()), unchecked: hits},
			{name: "an infinite logit", edit: lastLogit(math.Inf(1)), unchecked: hits},
			{name: "an infinite loss", edit: lastLogit(math.Inf(-1))},
			{name: "a NaN logit after an earlier one", unchecked: hits, edit: func(in *inputs) {
				lastLogit(math.NaN())(in)
				stopped(in)
			}},
		}
	}
	return nil
}

// form is one way to call an operation: flags, and which optional operands are there.
type form struct {
	flags  Flags
	absent []int
}

// forms are all of an operation's flags on and off with every optional operand there and not.
func forms(op *Op) []form {
	var optional []int
	for i, o := range op.Operands {
		if o.Optional {
			optional = append(optional, i)
		}
	}
	var out []form
	for flags := Flags(0); flags <= op.Flags; flags++ {
		if flags&^op.Flags != 0 {
			continue
		}
		for mask := range 1 << len(optional) {
			f := form{flags: flags}
			for bit, i := range optional {
				if mask&(1<<bit) != 0 {
					f.absent = append(f.absent, i)
				}
			}
			// The backward ReLU's mask is y.
			if mask := op.Index("y"); flags&ReLU != 0 && mask >= 0 && op.Operands[mask].Role == In && slices.Contains(f.absent, mask) {
				continue
			}
			out = append(out, f)
		}
	}
	return out
}
