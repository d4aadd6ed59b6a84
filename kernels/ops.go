package kernels

// The slots of the state operand: int64, in device memory, so that a replayed step needs no argument from the host.
const (
	StateStep       = iota // updates done since the start of training
	StateSlot              // where the next loss goes: the batch's number within its epoch
	StateCursor            // the next batch's first index into order
	StateEpoch             // Philox counter word 1
	StateSeed              // Philox key
	StateNonFinite         // 0, or 1 + the step whose loss was not finite: sgd is a no-op from then on
	StateLen        = 8    // elements of the operand
	NormPixelValues = 256  // rows of augment's table
	bnBlock         = 256  // rows that a batch-norm statistic may sum in float32 before it goes on in float64 or pairwise
	wgradBlock      = 4096 // products that a weight gradient may sum in float32 before it starts a new partial sum
)

func dimsX(s Shape) []int       { return []int{s.N, s.H, s.W, s.C} }
func dimsY(s Shape) []int       { return []int{s.N, s.P(), s.Q(), s.K} }
func dimsW(s Shape) []int       { return []int{s.K, s.R, s.S, s.C} }
func dimsChannel(s Shape) []int { return []int{s.C} }
func dimsFlat(s Shape) []int    { return []int{s.N} }
func dimsNC(s Shape) []int      { return []int{s.N, s.C} }
func dimsNK(s Shape) []int      { return []int{s.N, s.K} }
func dimsKC(s Shape) []int      { return []int{s.K, s.C} }
func dimsCC(s Shape) []int      { return []int{s.C, s.C} }
func dimsK(s Shape) []int       { return []int{s.K} }
func dimsSlots(s Shape) []int   { return []int{s.H} }
func dimsOne(Shape) []int       { return []int{1} }
func dimsState(Shape) []int     { return []int{StateLen} }
func dimsLUT(s Shape) []int     { return []int{NormPixelValues, s.C} }

// windowed is how many elements of an image [n,h,w,c] lie in a convolution's windows: of a 1x1 filter with a stride of 2 a quarter.
func windowed(s Shape) int {
	return s.N * reached(s.H, s.P(), s.R, s) * reached(s.W, s.Q(), s.S, s) * s.C
}

// reached counts the places of one dimension that `taps` taps of some output meet.
func reached(extent, outputs, taps int, s Shape) int {
	n := 0
	for at := range extent {
		for tap := range taps {
			if place := at + s.Pad - tap; place >= 0 && place%s.Stride == 0 && place/s.Stride < outputs {
				n++
				break
			}
		}
	}
	return n
}

// ops is the table. Operands stand in the order of a call's buffers, on every device (kernels/cpu/nct.h, kernels/cuda).
var ops = [numOps]Op{
	ConvFprop: {
		Name:    "conv_fprop",
		Formula: "y[n,p,q,k] = sum_{r,s,c} x[n, p*stride+r-pad, q*stride+s-pad, c] * w[k,r,s,c]",
		Operands: []Operand{
			{Name: "x", Dims: dimsX, Moved: windowed}, {Name: "w", Dims: dimsW, Weight: true}, {Name: "y", Role: Out, Dims: dimsY},
		},
		Flop: convFlop, Reference: refConvFprop, Shapes: convShapes, Exact: true,
	},
	ConvDgrad: {
		Name:    "conv_dgrad",
		Formula: "dx[n,h,w,c] = sum_{r,s,k : h = p*stride+r-pad, w = q*stride+s-pad} dy[n,p,q,k] * w[k,r,s,c]",
		Operands: []Operand{
			{Name: "dy", Dims: dimsY}, {Name: "w", Dims: dimsW, Weight: true}, {Name: "dx", Role: Out, Dims: dimsX},
		},
		Flop: convFlop, Reference: refConvDgrad, Shapes: convShapes, Exact: true,
	},
	ConvWgrad: {
		Name:    "conv_wgrad",
		Formula: "dw[k,r,s,c] = sum_{n,p,q} x[n, p*stride+r-pad, q*stride+s-pad, c] * dy[n,p,q,k]",
		Operands: []Operand{
			{Name: "x", Dims: dimsX, Moved: windowed}, {Name: "dy", Dims: dimsY}, {Name: "dw", Role: Out, Dims: dimsW},
		},
		Flop: convFlop, Reference: refConvWgrad, Shapes: convShapes, Exact: true,
	},
	ConvFpropBN: {
		Name:    "conv_fprop_bn",
		Formula: "y = (conv_fprop(x, w) - mean) * (invstd*gamma) + beta [+ residual] [ReLU: max(., 0)]: conv_fprop, bn_forward",
		Operands: []Operand{
			{Name: "x", Dims: dimsX, Moved: windowed}, {Name: "w", Dims: dimsW, Weight: true},
			{Name: "mean", Dims: dimsK}, {Name: "invstd", Dims: dimsK}, {Name: "gamma", Dims: dimsK}, {Name: "beta", Dims: dimsK},
			{Name: "residual", Dims: dimsY, Optional: true}, {Name: "y", Role: Out, Dims: dimsY},
		},
		Flags: ReLU, Fuses: []OpID{ConvFprop, BNForward},
		Flop: convFlop, Reference: refConvFpropBN, Shapes: convShapes,
	},
	ConvFpropStats: {
		Name:    "conv_fprop_stats",
		Formula: "y = conv_fprop(x, w); mean, invstd, running_mean, running_var and num_batches_tracked as bn_stats of y: conv_fprop, bn_stats",
		Operands: []Operand{
			{Name: "x", Dims: dimsX, Moved: windowed}, {Name: "w", Dims: dimsW, Weight: true},
			{Name: "running_mean", Role: InOut, Dims: dimsK}, {Name: "running_var", Role: InOut, Dims: dimsK},
			{Name: "num_batches_tracked", Role: InOut, Type: Int64, Dims: dimsOne},
			{Name: "y", Role: Out, Dims: dimsY}, {Name: "mean", Role: Out, Dims: dimsK}, {Name: "invstd", Role: Out, Dims: dimsK},
		},
		Scalars: []string{"eps", "momentum"}, Fuses: []OpID{ConvFprop, BNStats},
		Flop: convFlop, Reference: refConvFpropStats, Shapes: convShapes,
	},
	ConvDgradAdd: {
		Name: "conv_dgrad_add", Formula: "dx += conv_dgrad(dy, w): conv_dgrad, add",
		Operands: []Operand{
			{Name: "dy", Dims: dimsY}, {Name: "w", Dims: dimsW, Weight: true}, {Name: "dx", Role: InOut, Dims: dimsX, Moved: windowed},
		},
		Fuses: []OpID{ConvDgrad, Add},
		Flop:  convFlop, Reference: refConvDgradAdd, Shapes: convShapes, Exact: true,
	},
	BNStats: {
		Name: "bn_stats",
		Formula: "mean = avg x, var = avg (x-mean)^2, invstd = 1/sqrt(var+eps); running_mean += momentum*(mean-running_mean), " +
			"running_var += momentum*(var*M/(M-1)-running_var), M = N*H*W; num_batches_tracked += 1",
		Operands: []Operand{
			{Name: "x", Dims: dimsX},
			{Name: "running_mean", Role: InOut, Dims: dimsChannel}, {Name: "running_var", Role: InOut, Dims: dimsChannel},
			{Name: "num_batches_tracked", Role: InOut, Type: Int64, Dims: dimsOne},
			{Name: "mean", Role: Out, Dims: dimsChannel}, {Name: "invstd", Role: Out, Dims: dimsChannel},
		},
		Scalars: []string{"eps", "momentum"},
		Flop:    func(s Shape) float64 { return 4 * float64(s.Rows()*s.C) }, Reference: refBNStats, Shapes: bnShapes,
	},
	BNEvalStats: {
		Name:    "bn_eval_stats",
		Formula: "mean = running_mean, invstd = 1/sqrt(running_var+eps)",
		Operands: []Operand{
			{Name: "running_mean", Dims: dimsChannel}, {Name: "running_var", Dims: dimsChannel},
			{Name: "mean", Role: Out, Dims: dimsChannel}, {Name: "invstd", Role: Out, Dims: dimsChannel},
		},
		Scalars: []string{"eps"},
		Flop:    func(s Shape) float64 { return 3 * float64(s.C) }, Reference: refBNEvalStats, Shapes: bnShapes,
	},
	BNForward: {
		Name:    "bn_forward",
		Formula: "y = (x-mean) * (invstd*gamma) + beta [+ residual] [ReLU: max(., 0)]",
		Operands: []Operand{
			{Name: "x", Dims: dimsX}, {Name: "mean", Dims: dimsChannel}, {Name: "invstd", Dims: dimsChannel},
			{Name: "gamma", Dims: dimsChannel}, {Name: "beta", Dims: dimsChannel},
			{Name: "residual", Dims: dimsX, Optional: true}, {Name: "y", Role: Out, Dims: dimsX},
		},
		Flags: ReLU,
		Flop:  func(s Shape) float64 { return 3 * float64(s.Rows()*s.C) }, Reference: refBNForward, Shapes: bnShapes,
	},
	BNBackwardStats: {
		Name:    "bn_backward_stats",
		Formula: "g = dy [ReLU: where y > 0, else 0]; dbeta = sum g, dgamma = sum g*(x-mean)*invstd",
		Operands: []Operand{
			{Name: "dy", Dims: dimsX}, {Name: "y", Dims: dimsX, Optional: true}, {Name: "x", Dims: dimsX},
			{Name: "mean", Dims: dimsChannel}, {Name: "invstd", Dims: dimsChannel},
			{Name: "dgamma", Role: Out, Dims: dimsChannel}, {Name: "dbeta", Role: Out, Dims: dimsChannel},
		},
		Flags: ReLU,
		Flop:  func(s Shape) float64 { return 4 * float64(s.Rows()*s.C) }, Reference: refBNBackwardStats, Shapes: bnShapes,
	},
	BNBackward: {
		Name: "bn_backward",
		Formula: "g = dy [ReLU: where y > 0, else 0]; dx = gamma*invstd * (g - dbeta/M - (x-mean)*invstd*dgamma/M), M = N*H*W; " +
			"[dresidual = g]",
		Operands: []Operand{
			{Name: "dy", Dims: dimsX}, {Name: "y", Dims: dimsX, Optional: true}, {Name: "x", Dims: dimsX},
			{Name: "mean", Dims: dimsChannel}, {Name: "invstd", Dims: dimsChannel}, {Name: "gamma", Dims: dimsChannel},
			{Name: "dgamma", Dims: dimsChannel}, {Name: "dbeta", Dims: dimsChannel},
			{Name: "dx", Role: Out, Dims: dimsX}, {Name: "dresidual", Role: Out, Dims: dimsX, Optional: true},
		},
		Flags: ReLU,
		Flop:  func(s Shape) float64 { return 7 * float64(s.Rows()*s.C) }, Reference: refBNBackward, Shapes: bnShapes,
	},
	ReLUForward: {
		Name: "relu_forward", Formula: "y = max(x, 0)",
		Operands: []Operand{{Name: "x", Dims: dimsFlat}, {Name: "y", Role: Out, Dims: dimsFlat}},
		Flop:     flatFlop(1), Reference: refReLUForward, Shapes: flatShapes, Exact: true,
	},
	ReLUBackward: {
		Name: "relu_backward", Formula: "dx = dy where y > 0, else 0",
		Operands: []Operand{{Name: "dy", Dims: dimsFlat}, {Name: "y", Dims: dimsFlat}, {Name: "dx", Role: Out, Dims: dimsFlat}},
		Flop:     flatFlop(1), Reference: refReLUBackward, Shapes: flatShapes, Exact: true,
	},
	Add: {
		Name: "add", Formula: "y = a + b",
		Operands: []Operand{{Name: "a", Dims: dimsFlat}, {Name: "b", Dims: dimsFlat}, {Name: "y", Role: Out, Dims: dimsFlat}},
		Flop:     flatFlop(1), Reference: refAdd, Shapes: flatShapes, Exact: true,
	},
	AvgPoolForward: {
		Name: "avg_pool_forward", Formula: "y[n,c] = avg_{h,w} x[n,h,w,c]",
		Operands: []Operand{{Name: "x", Dims: dimsX}, {Name: "y", Role: Out, Dims: dimsNC}},
		Flop:     func(s Shape) float64 { return float64(s.Rows() * s.C) }, Reference: refAvgPoolForward, Shapes: poolShapes,
	},
	AvgPoolBackward: {
		Name: "avg_pool_backward", Formula: "dx[n,h,w,c] = dy[n,c] / (H*W)",
		Operands: []Operand{{Name: "dy", Dims: dimsNC}, {Name: "dx", Role: Out, Dims: dimsX}},
		Flop:     func(s Shape) float64 { return float64(s.N * s.C) }, Reference: refAvgPoolBackward, Shapes: poolShapes,
	},
	LinearFprop: {
		Name: "linear_fprop", Formula: "y[n,k] = sum_c x[n,c]*w[k,c] + bias[k]",
		Operands: []Operand{
			{Name: "x", Dims: dimsNC}, {Name: "w", Dims: dimsKC, Weight: true}, {Name: "bias", Dims: dimsK},
			{Name: "y", Role: Out, Dims: dimsNK},
		},
		Flop: linearFlop, Reference: refLinearFprop, Shapes: linearShapes, Exact: true,
	},
	LinearDgrad: {
		Name: "linear_dgrad", Formula: "dx[n,c] = sum_k dy[n,k]*w[k,c]",
		Operands: []Operand{{Name: "dy", Dims: dimsNK}, {Name: "w", Dims: dimsKC, Weight: true}, {Name: "dx", Role: Out, Dims: dimsNC}},
		Flop:     linearFlop, Reference: refLinearDgrad, Shapes: linearShapes, Exact: true,
	},
	LinearWgrad: {
		Name: "linear_wgrad", Formula: "dw[k,c] = sum_n dy[n,k]*x[n,c], dbias[k] = sum_n dy[n,k]",
		Operands: []Operand{
			{Name: "x", Dims: dimsNC}, {Name: "dy", Dims: dimsNK}, {Name: "dw", Role: Out, Dims: dimsKC}, {Name: "dbias", Role: Out, Dims: dimsK},
		},
		Flop: linearFlop, Reference: refLinearWgrad, Shapes: linearShapes, Exact: true,
	},
	CrossEntropy: {
		Name: "cross_entropy",
		Formula: "losses[slot] = avg_n (logsumexp_k logits[n,k] - logits[n,labels[n]]), correct[slot] = #(argmax == label), " +
			"dlogits = (softmax - onehot)/N, slot = state[1] of H; a loss that is not finite sets state[5] = 1 + state[0] unless it is set",
		Operands: []Operand{
			{Name: "logits", Dims: dimsNK}, {Name: "labels", Type: Int32, Dims: dimsFlat},
			{Name: "state", Role: InOut, Type: Int64, Dims: dimsState},
			{Name: "losses", Role: InOut, Type: Float64, Dims: dimsSlots}, {Name: "correct", Role: InOut, Type: Int32, Dims: dimsSlots},
			{Name: "dlogits", Role: Out, Dims: dimsNK, Optional: true},
		},
		Flop: func(s Shape) float64 { return 5 * float64(s.N*s.K) }, Reference: refCrossEntropy, Shapes: crossEntropyShapes,
	},
	ClassMoments: {
		Name: "class_moments",
		Formula: "shift[k] = avg_n x[n] over the rows of class k, where count[k] = 0; d[n] = x[n] - shift[labels[n]]; count[k] += rows of k, sum[k] += sum_n d[n], " +
			"square[k] += sum_n |d[n]|^2 over them; second[i,j] += sum_n d[n,i]*d[n,j] where i <= j; in float64",
		Operands: []Operand{
			{Name: "x", Dims: dimsNC}, {Name: "labels", Type: Int32, Dims: dimsFlat},
			{Name: "count", Role: InOut, Type: Int64, Dims: dimsK}, {Name: "shift", Role: InOut, Type: Float64, Dims: dimsKC},
			{Name: "sum", Role: InOut, Type: Float64, Dims: dimsKC}, {Name: "square", Role: InOut, Type: Float64, Dims: dimsK},
			{Name: "second", Role: InOut, Type: Float64, Dims: dimsCC, Moved: func(s Shape) int { return s.C * (s.C + 1) / 2 }},
		},
		Flop:      func(s Shape) float64 { return float64(s.N) * float64(s.C) * float64(s.C+1) },
		Reference: refClassMoments, Shapes: classMomentShapes, InDouble: true,
	},
	Augment: {
		Name: "augment",
		Formula: "i = order[state[2]+n]; x[n] = lut[images[i]] [RandomCropFlip: after zero padding by Pad, a crop at Philox's offset and a flip " +
			"(SPEC 2: key = seed, counter = (i, epoch, 0, 0))]; labels[n] = set_labels[i].  K is the number of images in the set",
		Operands: []Operand{
			{Name: "images", Type: Uint8, Dims: func(s Shape) []int { return []int{s.K, s.H, s.W, s.C} },
				Moved: func(s Shape) int { return s.Rows() * s.C }},
			{Name: "set_labels", Type: Int32, Dims: dimsK, Moved: func(s Shape) int { return s.N }},
			{Name: "order", Type: Int32, Dims: dimsK, Moved: func(s Shape) int { return s.N }},
			{Name: "state", Type: Int64, Dims: dimsState}, {Name: "lut", Dims: dimsLUT},
			{Name: "x", Role: Out, Dims: dimsX}, {Name: "labels", Role: Out, Type: Int32, Dims: dimsFlat},
		},
		Flags: RandomCropFlip,
		Flop:  func(Shape) float64 { return 0 }, Reference: refAugment, Shapes: augmentShapes, Exact: true,
	},
	SGD: {
		Name: "sgd",
		Formula: "g' = g + weight_decay*w; buf = momentum*buf + g'; w -= lr*buf; nothing where state[5] is set " +
			"(PyTorch's SGD; a zero buf makes its first step buf = g')",
		Operands: []Operand{
			{Name: "w", Role: InOut, Dims: dimsFlat}, {Name: "g", Dims: dimsFlat}, {Name: "buf", Role: InOut, Dims: dimsFlat},
			{Name: "lr", Type: Float64, Dims: dimsOne}, {Name: "state", Type: Int64, Dims: dimsState},
		},
		Scalars: []string{"momentum", "weight_decay"},
		Flop:    flatFlop(6), Reference: refSGD, Shapes: flatShapes,
	},
	Advance: {
		Name:     "advance",
		Formula:  "state[0] += 1 unless state[5] is set; state[1] += 1; state[2] += N",
		Operands: []Operand{{Name: "state", Role: InOut, Type: Int64, Dims: dimsState}},
		Flop:     func(Shape) float64 { return 0 }, Reference: refAdvance, Shapes: []Shape{{N: 1}, {N: 128}}, Exact: true,
	},
}

func init() {
	for id := range ops {
		ops[id].ID = OpID(id)
	}
}

func convFlop(s Shape) float64 { return 2 * float64(s.N*s.P()*s.Q()*s.K) * float64(s.R*s.S*s.C) }

func linearFlop(s Shape) float64 { return 2 * float64(s.N*s.K*s.C) }

func flatFlop(per int) func(Shape) float64 {
	return func(s Shape) float64 { return float64(per * s.N) }
}
