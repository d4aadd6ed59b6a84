package cpu

import (
	"math"
	"testing"
)

// The layer kinds of a ResNet in small, and sizes that nothing divides.
var convTestShapes = []Shape{
	{N: 2, H: 8, W: 8, C: 16, K: 16, R: 3, S: 3, Stride: 1, Pad: 1},
	{N: 1, H: 7, W: 5, C: 3, K: 8, R: 3, S: 3, Stride: 1, Pad: 1},
	{N: 3, H: 9, W: 9, C: 17, K: 13, R: 3, S: 3, Stride: 1, Pad: 1},
	{N: 1, H: 1, W: 1, C: 5, K: 7, R: 3, S: 3, Stride: 1, Pad: 1},
	{N: 2, H: 4, W: 4, C: 72, K: 33, R: 3, S: 3, Stride: 1, Pad: 1},
	{N: 2, H: 8, W: 7, C: 16, K: 20, R: 3, S: 3, Stride: 2, Pad: 1},
	{N: 1, H: 7, W: 8, C: 9, K: 5, R: 1, S: 1, Stride: 2, Pad: 0},
	{N: 1, H: 6, W: 5, C: 2, K: 3, R: 2, S: 5, Stride: 3, Pad: 3},
}

// convProducts calls f with the flat indices of every product x*w of a convolution and of the output it belongs to.
func convProducts(s Shape, f func(x, w, y int)) {
	n, h, w, c, k, r, sw := int(s.N), int(s.H), int(s.W), int(s.C), int(s.K), int(s.R), int(s.S)
	p, q := s.outputs()
	for b := range n {
		for op := range p {
			for oq := range q {
				for ok := range k {
					for fr := range r {
						for fs := range sw {
							ih, iw := op*int(s.Stride)+fr-int(s.Pad), oq*int(s.Stride)+fs-int(s.Pad)
							if ih < 0 || ih >= h || iw < 0 || iw >= w {
								continue
							}
							for ch := range c {
								f(((b*h+ih)*w+iw)*c+ch, ((ok*r+fr)*sw+fs)*c+ch, ((b*p+op)*q+oq)*k+ok)
							}
						}
					}
				}
			}
		}
	}
}

func (s Shape) outputs() (p, q int) {
	return int((s.H+2*s.Pad-s.R)/s.Stride + 1), int((s.W+2*s.Pad-s.S)/s.Stride + 1)
}

// products adds a*b to out, and |a*b| to mass, from which the bound of a sum of n products follows: n * eps * sum|a*b| (Higham 2002, 3.1).
type products struct{ out, mass []float64 }

func newProducts(n int) products { return products{make([]float64, n), make([]float64, n)} }

func (p products) add(i int, v float64) {
	p.out[i] += v
	p.mass[i] += math.Abs(v)
}

func (p products) arg(name string, terms int) arg {
	bound := make([]float64, len(p.mass))
	for i, m := range p.mass {
		bound[i] = float64(terms) * m
	}
	return arg{name: name, want: p.out, bound: bound}
}

func TestConv(t *testing.T) {
	for _, s := range convTestShapes {
		p, q := s.outputs()
		x, w := reals(20, int(s.N*s.H*s.W*s.C)), reals(21, int(s.K*s.R*s.S*s.C))
		dy := reals(22, int(s.N)*p*q*int(s.K))
		y, dx, dw := newProducts(len(dy)), newProducts(len(x)), newProducts(len(w))
		convProducts(s, func(ix, iw, iy int) {
			y.add(iy, x[ix]*w[iw])
			dx.add(ix, dy[iy]*w[iw])
			dw.add(iw, x[ix]*dy[iy])
		})
		for _, out := range []products{y, dx, dw} {
			requireNonZero(t, out.out)
		}
		checkKernel(t, "conv_fprop_direct", s, []arg{{name: "x", in: x}, {name: "w", in: w}, y.arg("y", int(s.R*s.S*s.C))}, nil, 0)
		checkKernel(t, "conv_dgrad_direct", s, []arg{{name: "dy", in: dy}, {name: "w", in: w}, dx.arg("dx", int(s.R*s.S*s.K))}, nil, 0)
		checkKernel(t, "conv_wgrad_direct", s, []arg{{name: "x", in: x}, {name: "dy", in: dy}, dw.arg("dw", int(s.N)*p*q+1)}, nil, 0)
	}
}

// A weight gradient sums at most 4096 products in float32, then in double: 40,000 products of one sign would err by thousands of roundoffs in one chain.
func TestConvWgradPartialSums(t *testing.T) {
	s := Shape{N: 4, H: 100, W: 100, C: 1, K: 1, R: 1, S: 1, Stride: 1}
	x, dy := make([]float64, 40000), make([]float64, 40000)
	for i := range x {
		x[i], dy[i] = float64(float32(1+1e-3*float64(i%7))), float64(float32(1+1e-3*float64(i%5)))
	}
	dw := newProducts(1)
	for i := range x {
		dw.add(0, x[i]*dy[i])
	}
	a := dw.arg("dw", 1)
	a.bound[0] = 400 * dw.mass[0]
	checkKernel(t, "conv_wgrad_direct", s, []arg{{name: "x", in: x}, {name: "dy", in: dy}, a}, nil, 0)
}

func requireNonZero(t *testing.T, values []float64) {
	t.Helper()
	for _, v := range values {
		if v != 0 {
			return
		}
	}
	t.Fatal("the reference is zero everywhere: the comparison would say nothing")
}

// linearProducts is a linear layer and its gradients in float64: y = x w^T + bias [n,k], dx [n,c], dw [k,c], dbias [k].
func linearProducts(n, c, k int, x, w, bias, dy []float64) (y, dx, dw, dbias products) {
	y, dx, dw, dbias = newProducts(n*k), newProducts(n*c), newProducts(k*c), newProducts(k)
	for i := range n {
		for j := range k {
			y.add(i*k+j, bias[j])
			dbias.add(j, dy[i*k+j])
			for ch := range c {
				y.add(i*k+j, x[i*c+ch]*w[j*c+ch])
				dx.add(i*c+ch, dy[i*k+j]*w[j*c+ch])
				dw.add(j*c+ch, dy[i*k+j]*x[i*c+ch])
			}
		}
	}
	return y, dx, dw, dbias
}

func TestLinear(t *testing.T) {
	for _, s := range []Shape{{N: 4, C: 16, K: 10}, {N: 1, C: 1, K: 1}, {N: 3, C: 33, K: 17}, {N: 17, C: 129, K: 10}} {
		n, c, k := int(s.N), int(s.C), int(s.K)
		x, w, bias, dy := reals(23, n*c), reals(24, k*c), reals(25, k), reals(26, n*k)
		bias[0], dy[0] = 1, 1
		y, dx, dw, dbias := linearProducts(n, c, k, x, w, bias, dy)
		checkKernel(t, "linear_fprop_direct", s, []arg{{name: "x", in: x}, {name: "w", in: w}, {name: "bias", in: bias}, y.arg("y", c+1)}, nil, 0)
		checkKernel(t, "linear_dgrad_direct", s, []arg{{name: "dy", in: dy}, {name: "w", in: w}, dx.arg("dx", k)}, nil, 0)
		checkKernel(t, "linear_wgrad_direct", s, []arg{{name: "x", in: x}, {name: "dy", in: dy}, dw.arg("dw", n+1), dbias.arg("dbias", n+1)}, nil, 0)
	}
}

func TestAvgPool(t *testing.T) {
	for _, s := range []Shape{{N: 2, H: 4, W: 4, C: 16}, {N: 1, H: 1, W: 1, C: 3}, {N: 3, H: 3, W: 5, C: 33}} {
		n, pixels, c := int(s.N), int(s.H*s.W), int(s.C)
		x, dy := reals(27, n*pixels*c), reals(28, n*c)
		y, dx := newProducts(n*c), newProducts(len(x))
		for i := range x {
			o := i/(pixels*c)*c + i%c
			y.add(o, x[i]/float64(pixels))
			dx.add(i, dy[o]/float64(pixels))
		}
		checkKernel(t, "avg_pool_forward_direct", s, []arg{{name: "x", in: x}, y.arg("y", pixels+1)}, nil, 0)
		checkKernel(t, "avg_pool_backward_direct", s, []arg{{name: "dy", in: dy}, dx.arg("dx", 1)}, nil, 0)
	}
}
