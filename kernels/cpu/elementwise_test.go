package cpu

import (
	"math"
	"testing"
)

// Around the vector lengths (2 to 16) and the tasks' length.
var flatSizes = []int{1, 3, 15, 16, 17, 67, 16384, 16385, 40007}

func TestReLU(t *testing.T) {
	for _, n := range flatSizes {
		x, dy := reals(1, n), reals(2, n)
		y, dx := make([]float64, n), make([]float64, n)
		for i := range x {
			if x[i] > 0 {
				y[i], dx[i] = x[i], dy[i]
			}
		}
		s := Shape{N: int64(n)}
		checkKernel(t, "relu_forward_direct", s, []arg{{name: "x", in: x}, {name: "y", want: y}}, nil, 0)
		checkKernel(t, "relu_backward_direct", s, []arg{{name: "dy", in: dy}, {name: "y", in: y}, {name: "dx", want: dx}}, nil, 0)
	}
}

func TestReLUKeepsNaN(t *testing.T) {
	x := make([]float64, 37)
	x[5], x[36] = math.NaN(), math.NaN()
	args := []arg{{name: "x", in: x}, {name: "y", in: make([]float64, 37), want: x}}
	checkKernel(t, "relu_forward_direct", Shape{N: 37}, args, nil, 0)
}

func TestAdd(t *testing.T) {
	for _, n := range flatSizes {
		a, b := reals(3, n), reals(4, n)
		y, bound := make([]float64, n), make([]float64, n)
		for i := range a {
			y[i] = a[i] + b[i]
			bound[i] = math.Abs(y[i]) // one rounding
		}
		checkKernel(t, "add_direct", Shape{N: int64(n)}, []arg{{name: "a", in: a}, {name: "b", in: b}, {name: "y", want: y, bound: bound}}, nil, 0)
	}
}

func TestSGD(t *testing.T) {
	const lr, momentum, decay = 0.01, 0.9, 5e-4
	for _, n := range flatSizes {
		w, g, buf := reals(5, n), reals(6, n), reals(7, n)
		newW, newBuf := make([]float64, n), make([]float64, n)
		bound := make([]float64, n)
		for i := range w {
			newBuf[i] = momentum*buf[i] + (g[i] + decay*w[i])
			newW[i] = w[i] - lr*newBuf[i]
			// Each of the three scalars is rounded once, each line's products and sums at most twice.
			bound[i] = 4 * (math.Abs(w[i]) + math.Abs(g[i]) + math.Abs(buf[i]))
		}
		state := make([]float64, 8)
		args := []arg{
			{name: "w", in: w, want: newW, bound: bound}, {name: "g", in: g}, {name: "buf", in: buf, want: newBuf, bound: bound},
			{name: "lr", kind: float64Kind, in: []float64{lr}}, {name: "state", kind: int64Kind, in: state},
		}
		checkKernel(t, "sgd_direct", Shape{N: int64(n)}, args, []float64{momentum, decay}, 0)

		state[5] = 12 // a loss was not finite: nothing may change
		args[0].want, args[2].want = nil, nil
		checkKernel(t, "sgd_direct", Shape{N: int64(n)}, args, []float64{momentum, decay}, 0)
	}
}

func TestAdvance(t *testing.T) {
	checkKernel(t, "advance_direct", Shape{N: 128}, []arg{
		{name: "state", kind: int64Kind, in: []float64{7, 3, 384, 2, 47, 0, 0, 0}, want: []float64{8, 4, 512, 2, 47, 0, 0, 0}},
	}, nil, 0)
	checkKernel(t, "advance_direct", Shape{N: 5}, []arg{
		{name: "state", kind: int64Kind, in: []float64{7, 3, 384, 2, 47, 6, 0, 0}, want: []float64{7, 4, 389, 2, 47, 6, 0, 0}},
	}, nil, 0)
}
