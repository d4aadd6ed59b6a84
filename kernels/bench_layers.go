package kernels

import (
	"slices"

	"nctrain/internal/philox"
)

// The sizes of SPEC 1 and 2 that layer shapes follow from, beside width and batch.
const (
	imageSize      = 32
	imageChannels  = 3
	layerClasses   = 100
	layerBatches   = 391   // of an epoch of 50,000 images in batches of 128: the ring of losses
	layerSetImages = 10000 // a tenth of CIFAR-100 in memory is past every cache too
)

// LayerShapes are the shapes at which a training step of ResNet-18 (SPEC 1) on 100 classes calls an operation, each once, from the image up.
func LayerShapes(op OpID, width, batch int) []Shape {
	switch op {
	case ConvFprop, ConvWgrad, ConvFpropBN, ConvFpropStats:
		return unique(resNetConvolutions(width, batch))
	case ConvDgrad, ConvDgradAdd:
		return unique(resNetConvolutions(width, batch)[1:]) // nobody wants the gradient of the image
	case BNStats, BNEvalStats, BNForward, BNBackwardStats, BNBackward:
		return unique(resNetActivations(width, batch))
	case ReLUForward, ReLUBackward, Add:
		var out []Shape
		for _, s := range resNetActivations(width, batch) {
			out = append(out, Shape{N: s.Rows() * s.C})
		}
		return unique(out)
	case AvgPoolForward, AvgPoolBackward:
		return []Shape{{N: batch, H: imageSize / 8, W: imageSize / 8, C: 8 * width}}
	case LinearFprop, LinearDgrad, LinearWgrad:
		return []Shape{{N: batch, C: 8 * width, K: layerClasses}}
	case CrossEntropy:
		return []Shape{{N: batch, K: layerClasses, H: layerBatches}}
	case ClassMoments:
		return []Shape{{N: batch, C: 8 * width, K: layerClasses}}
	case Augment:
		return []Shape{{N: batch, H: imageSize, W: imageSize, C: imageChannels, K: max(layerSetImages, batch), Pad: philox.CropPad}}
	case SGD:
		return []Shape{{N: resNetParameters(width)}}
	}
	return []Shape{{N: batch}} // advance
}

// resNetConvolutions are all convolutions of the network, in order.
func resNetConvolutions(width, batch int) []Shape {
	shapes := []Shape{{N: batch, H: imageSize, W: imageSize, C: imageChannels, K: width, R: 3, S: 3, Stride: 1, Pad: 1}}
	c, size := width, imageSize
	for stage := range 4 {
		for unit := range 2 {
			k, stride := width<<stage, 1
			if stage > 0 && unit == 0 {
				stride = 2
			}
			first := Shape{N: batch, H: size, W: size, C: c, K: k, R: 3, S: 3, Stride: stride, Pad: 1}
			size /= stride
			shapes = append(shapes, first, Shape{N: batch, H: size, W: size, C: k, K: k, R: 3, S: 3, Stride: 1, Pad: 1})
			if stride != 1 || c != k {
				shapes = append(shapes, Shape{N: batch, H: first.H, W: first.W, C: c, K: k, R: 1, S: 1, Stride: stride})
			}
			c = k
		}
	}
	return shapes
}

// resNetActivations are the outputs of all convolutions: each goes through batch norm.
func resNetActivations(width, batch int) []Shape {
	var out []Shape
	for _, s := range resNetConvolutions(width, batch) {
		out = append(out, Shape{N: batch, H: s.P(), W: s.Q(), C: s.K})
	}
	return out
}

// resNetTensors are the sizes of all trained tensors: a filter, a scale and a shift a convolution, the linear layer's weight and bias.
func resNetTensors(width int) []int {
	var out []int
	for _, s := range resNetConvolutions(width, 1) {
		out = append(out, s.K*s.R*s.S*s.C, s.K, s.K)
	}
	return append(out, 8*width*layerClasses, layerClasses)
}

// resNetParameters counts all weights.
func resNetParameters(width int) int {
	n := 0
	for _, t := range resNetTensors(width) {
		n += t
	}
	return n
}

// tensorsOf are [Call.Tensors] of a checked or measured call: of sgd the tensors of ResNet-18, as large a part of the call's elements each as it is of the
// network's.
func tensorsOf(op OpID, s Shape) []int {
	if op != SGD {
		return nil
	}
	var ends []int
	const width = 64
	all, before, end := resNetParameters(width), 0, 0
	for _, t := range resNetTensors(width) {
		before += t
		whole := (before*s.N/all + TensorAlign - 1) / TensorAlign * TensorAlign
		if next := min(max(whole, end+TensorAlign), s.N); next > end {
			ends = append(ends, next)
			end = next
		}
	}
	ends[len(ends)-1] = s.N
	return ends
}

func unique(shapes []Shape) []Shape {
	var out []Shape
	for _, s := range shapes {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
