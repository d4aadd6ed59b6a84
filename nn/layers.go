package nn

import (
	"nctrain/internal/philox"
	"nctrain/kernels"
	"nctrain/nn/data"
)

// BatchNorm constants of SPEC 1 (PyTorch's defaults).
const (
	bnEps      = 1e-5
	bnMomentum = 0.1
)

// Conv2d is y[n,p,q,k] = sum x[n, p*stride+r-pad, q*stride+s-pad, c] * w[k,r,s,c], with x [N,H,W,C] and w [K,R,S,C], no bias.
func (g *Graph) Conv2d(x, w *Value, stride, pad int) *Value {
	s := kernels.Shape{N: x.Dims[0], H: x.Dims[1], W: x.Dims[2], C: x.Dims[3], K: w.Dims[0], R: w.Dims[1], S: w.Dims[2], Stride: stride, Pad: pad}
	y := newValue(w.Name+".y", kernels.Real, s.N, s.P(), s.Q(), s.K)
	g.emit(kernels.ConvFprop, s, 0, nil, x, w, y)
	g.tape = append(g.tape, taped{y, func(b *backward, dy *Value) {
		dw, done := b.parameterGrad(w)
		b.emit(kernels.ConvWgrad, s, 0, nil, x, dy, dw)
		done()
		if b.differentiable(x) {
			dx := newValue(w.Name+".dx", kernels.Real, x.Dims...)
			b.emit(kernels.ConvDgrad, s, 0, nil, dy, w, dx)
			b.accumulate(x, dx)
		}
	}})
	return y
}

// differentiable reports whether some layer made v: gradients of images are not wanted.
func (b *backward) differentiable(v *Value) bool {
	for _, t := range b.tape {
		if t.output == v {
			return true
		}
	}
	return false
}

// BatchNorm normalises each channel of x [N,H,W,C] by the batch's statistics and updates the running ones, or, where the graph is not training, by the
// running ones.
func (g *Graph) BatchNorm(x *Value, bn *BatchNorm2d) *Value {
	s := shapeNHWC(x)
	name := bn.Weight.Name
	mean := newValue(name+".mean", kernels.Real, s.C)
	invstd := newValue(name+".invstd", kernels.Real, s.C)
	if g.Training {
		g.emit(kernels.BNStats, s, 0, []float64{bnEps, bnMomentum}, x, bn.RunningMean, bn.RunningVar, bn.NumBatches, mean, invstd)
	} else {
		g.emit(kernels.BNEvalStats, s, 0, []float64{bnEps}, bn.RunningMean, bn.RunningVar, mean, invstd)
	}
	y := newValue(name+".y", kernels.Real, x.Dims...)
	g.emit(kernels.BNForward, s, 0, nil, x, mean, invstd, bn.Weight, bn.Bias, nil, y)
	g.tape = append(g.tape, taped{y, func(b *backward, dy *Value) {
		// With both parameters used once, dgamma and dbeta are sums of this layer alone, which bn_backward needs too.
		dgamma, dbeta := bn.Weight.grad, bn.Bias.grad
		if b.grads[bn.Weight] != nil {
			panic("nn: a batch norm used twice in one graph")
		}
		b.grads[bn.Weight], b.grads[bn.Bias] = dgamma, dbeta
		b.emit(kernels.BNBackwardStats, s, 0, nil, dy, nil, x, mean, invstd, dgamma, dbeta)
		dx := newValue(name+".dx", kernels.Real, x.Dims...)
		b.emit(kernels.BNBackward, s, 0, nil, dy, nil, x, mean, invstd, bn.Weight, dgamma, dbeta, dx, nil)
		b.accumulate(x, dx)
	}})
	return y
}

func shapeNHWC(x *Value) kernels.Shape {
	return kernels.Shape{N: x.Dims[0], H: x.Dims[1], W: x.Dims[2], C: x.Dims[3]}
}

// ReLU is y = max(x, 0); dx = dy where y > 0. The mask is y itself, so nothing is saved.
func (g *Graph) ReLU(x *Value) *Value {
	y := newValue(x.Name+".relu", kernels.Real, x.Dims...)
	s := kernels.Shape{N: x.Len()}
	g.emit(kernels.ReLUForward, s, 0, nil, x, y)
	g.tape = append(g.tape, taped{y, func(b *backward, dy *Value) {
		dx := newValue(x.Name+".drelu", kernels.Real, x.Dims...)
		b.emit(kernels.ReLUBackward, s, 0, nil, dy, y, dx)
		b.accumulate(x, dx)
	}})
	return y
}

// Add is y = a + b; the gradient of each is dy.
func (g *Graph) Add(a, b *Value) *Value {
	y := newValue(a.Name+".add", kernels.Real, a.Dims...)
	g.emit(kernels.Add, kernels.Shape{N: a.Len()}, 0, nil, a, b, y)
	g.tape = append(g.tape, taped{y, func(bw *backward, dy *Value) {
		bw.accumulate(a, dy)
		bw.accumulate(b, dy)
	}})
	return y
}

// GlobalAvgPool is y[n,c] = avg_{h,w} x[n,h,w,c].
func (g *Graph) GlobalAvgPool(x *Value) *Value {
	s := shapeNHWC(x)
	y := newValue("features", kernels.Real, s.N, s.C)
	g.emit(kernels.AvgPoolForward, s, 0, nil, x, y)
	g.tape = append(g.tape, taped{y, func(b *backward, dy *Value) {
		dx := newValue("pool.dx", kernels.Real, x.Dims...)
		b.emit(kernels.AvgPoolBackward, s, 0, nil, dy, dx)
		b.accumulate(x, dx)
	}})
	return y
}

// Linear is y[n,k] = sum_c x[n,c]*w[k,c] + bias[k].
func (g *Graph) Linear(x, w, bias *Value) *Value {
	s := kernels.Shape{N: x.Dims[0], C: x.Dims[1], K: w.Dims[0]}
	y := newValue("logits", kernels.Real, s.N, s.K)
	g.emit(kernels.LinearFprop, s, 0, nil, x, w, bias, y)
	g.tape = append(g.tape, taped{y, func(b *backward, dy *Value) {
		dw, doneW := b.parameterGrad(w)
		dbias, doneBias := b.parameterGrad(bias)
		b.emit(kernels.LinearWgrad, s, 0, nil, x, dy, dw, dbias)
		doneW()
		doneBias()
		if b.differentiable(x) {
			dx := newValue("features.dx", kernels.Real, x.Dims...)
			b.emit(kernels.LinearDgrad, s, 0, nil, dy, w, dx)
			b.accumulate(x, dx)
		}
	}})
	return y
}

// Loss is the mean cross-entropy of a batch, which a run stores in the step state's ring.
type Loss struct {
	logits *Value
	node   *node
}

// CrossEntropy is the mean over the batch of logsumexp(logits) - logits[label], stored with the number of correct predictions at the state's slot.
func (g *Graph) CrossEntropy(logits, labels *Value, st *StepState) *Loss {
	s := kernels.Shape{N: logits.Dims[0], K: logits.Dims[1], H: st.slots}
	n := g.emit(kernels.CrossEntropy, s, 0, nil, logits, labels, st.state, st.losses, st.correct, nil)
	return &Loss{logits, n}
}

// Batch reads the next n images of a set in the state's order, [n,H,W,C] normalised, with their labels; augmented by crop and flip where asked.
func (g *Graph) Batch(set *DeviceSet, st *StepState, n int, augment bool) (x, labels *Value) {
	s := kernels.Shape{N: n, H: set.H, W: set.W, C: data.Channels, K: set.N, Pad: philox.CropPad}
	var flags kernels.Flags
	if augment {
		flags = kernels.RandomCropFlip
	}
	x = newValue("x", kernels.Real, n, set.H, set.W, data.Channels)
	labels = newValue("labels", kernels.Int32, n)
	g.emit(kernels.Augment, s, flags, nil, set.images, set.labels, set.order, st.state, set.lut, x, labels)
	return x, labels
}

// Update appends SGD (SPEC 3) on all parameters of a store.
func (g *Graph) Update(p *Parameters, sgd SGD, st *StepState) {
	n := g.emit(kernels.SGD, kernels.Shape{N: p.weights.Len()}, 0, []float64{sgd.Momentum, sgd.WeightDecay}, p.weights, p.grads, p.momentum, st.lr, st.state)
	n.tensors = p.ends
}

// Advance appends the step of the state: the next batch starts n samples on.
func (g *Graph) Advance(st *StepState, n int) {
	g.emit(kernels.Advance, kernels.Shape{N: n}, 0, nil, st.state)
}

// SGD holds the optimiser's settings (SPEC 3); the learning rate is part of the step state.
type SGD struct {
	Momentum, WeightDecay float64
}
