package cpu

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"unsafe"
)

// The shapes of convTestShapes, and beyond them: several blocks of rows, of panels and of depth, several ranges of a weight gradient's pixels, every
// remainder of a register tile, filters without taps in some parity classes, and the widths of narrow networks.
var im2colTestShapes = append([]Shape{
	{N: 3, H: 16, W: 16, C: 64, K: 64, R: 3, S: 3, Stride: 1, Pad: 1},
	{N: 1, H: 5, W: 5, C: 130, K: 70, R: 3, S: 3, Stride: 2, Pad: 1},
	{N: 1, H: 3, W: 3, C: 600, K: 9, R: 3, S: 3, Stride: 1, Pad: 1},
	{N: 5, H: 32, W: 32, C: 8, K: 16, R: 3, S: 3, Stride: 1, Pad: 1},
	{N: 9, H: 32, W: 32, C: 3, K: 4, R: 3, S: 3, Stride: 1, Pad: 1},
	{N: 2, H: 9, W: 9, C: 32, K: 48, R: 1, S: 1, Stride: 2, Pad: 0},
	{N: 2, H: 6, W: 6, C: 20, K: 24, R: 1, S: 1, Stride: 1, Pad: 0},
	{N: 1, H: 11, W: 9, C: 12, K: 40, R: 5, S: 3, Stride: 3, Pad: 2},
}, convTestShapes...)

// checkPacked checks kernels that take their weights packed: at each instruction set and precision name_pack packs the arg called weight, and name is
// run on the result as [checkKernel] does. An empty weight name means that the kernel packs nothing.
func checkPacked(t *testing.T, name string, s Shape, args []arg, weight string) {
	t.Helper()
	for _, isa := range SupportedISAs() {
		if _, ok := Find(name, isa, 32); !ok {
			t.Fatalf("no kernel %s at %v", name, isa)
		}
		for _, bits := range []int{32, 64} {
			if _, ok := Find(name, isa, bits); !ok {
				continue // a kernel for float only
			}
			var first []tensor
			for threads := 1; threads <= 4; threads++ {
				label := fmt.Sprintf("%s %v %d bits %d threads %+v", name, isa, bits, threads, s)
				tensors := runPacked(t, name, isa, bits, threads, s, args, weight)
				checkOperands(t, label, args, tensors, roundoff(bits))
				if first == nil {
					first = tensors
				}
				for i := range tensors {
					if string(tensors[i].bytes) != string(first[i].bytes) {
						t.Fatalf("%s: %s differs from that of one thread", label, args[i].name)
					}
				}
			}
		}
	}
}

// runPacked runs a kernel once, with the arg called weight packed, and returns its operands.
func runPacked(t *testing.T, name string, isa ISA, bits, threads int, s Shape, args []arg, weight string, scalars ...float64) []tensor {
	t.Helper()
	kernel, ok := Find(name, isa, bits)
	if !ok {
		t.Fatalf("no kernel %s at %v, %d bits", name, isa, bits)
	}
	pool := testPool(t, threads)
	defer pool.Close()
	requirements := kernel.Requirements(s)
	call, tensors := prepare(t, kernel, bits, s, args, threads%2*3)
	copy(call.Scalar[:], scalars)
	if err := pool.Reserve(requirements.Scratch); err != nil {
		t.Fatal(err)
	}
	for i, a := range args {
		if a.name == weight {
			call.Operand[i] = pack(t, name+"_pack", isa, bits, s, a, requirements.Packed, pool)
		}
	}
	Run(kernel, call, pool)
	return tensors
}

// pack runs a pack kernel on the weights of an arg; every number of the packed buffer must be written, and nothing around it.
func pack(t *testing.T, name string, isa ISA, bits int, s Shape, weights arg, bytes int64, pool *Pool) uintptr {
	t.Helper()
	kernel, ok := Find(name, isa, bits)
	if !ok {
		t.Fatalf("no kernel %s at %v, %d bits", name, isa, bits)
	}
	call, tensors := prepare(t, kernel, bits, s, []arg{weights}, 0)
	const poison = math.MaxUint64 // NaN in either precision
	memory := mapBytes(t, int(bytes)+2*guardBytes)
	words := unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(memory))), len(memory)/8)
	for i := range words {
		words[i] = poison
	}
	call.Operand[1] = uintptr(unsafe.Pointer(&memory[guardBytes]))
	if err := pool.Reserve(kernel.Requirements(s).Scratch); err != nil {
		t.Fatal(err)
	}
	Run(kernel, call, pool)
	intact := tensors[0].guardsIntact()
	for i := range guardBytes {
		intact = intact && memory[i] == 0xff && memory[len(memory)-1-i] == 0xff
	}
	if !intact {
		t.Fatalf("%s %v %d bits %+v: wrote outside an operand", name, isa, bits, s)
	}
	packed := tensor{bytes: memory[guardBytes : guardBytes+bytes], bits: bits}
	unwritten := slices.IndexFunc(view[float32](packed, int(bytes)/4), func(v float32) bool { return v != v })
	if bits == 64 {
		unwritten = slices.IndexFunc(view[float64](packed, int(bytes)/8), func(v float64) bool { return v != v })
	}
	if unwritten >= 0 {
		t.Fatalf("%s %v %d bits %+v: left packed[%d] unwritten", name, isa, bits, s, unwritten)
	}
	return call.Operand[1]
}

// integers is n small integers: products and sums of them are exact in float32, in any order.
func integers(seed uint64, n int) []float64 {
	v := reals(seed, n)
	for i := range v {
		v[i] = float64(int(v[i] * 2))
	}
	return v
}

// convArgs draws x, w and dy and computes y, dx and dw in float64.
func convArgs(t *testing.T, s Shape, draw func(seed uint64, n int) []float64) (x, w, dy arg, y, dx, dw products) {
	t.Helper()
	p, q := s.outputs()
	x = arg{name: "x", in: draw(30, int(s.N*s.H*s.W*s.C))}
	w = arg{name: "w", in: draw(31, int(s.K*s.R*s.S*s.C))}
	dy = arg{name: "dy", in: draw(32, int(s.N)*p*q*int(s.K))}
	y, dx, dw = newProducts(len(dy.in)), newProducts(len(x.in)), newProducts(len(w.in))
	convProducts(s, func(ix, iw, iy int) {
		y.add(iy, x.in[ix]*w.in[iw])
		dx.add(ix, dy.in[iy]*w.in[iw])
		dw.add(iw, x.in[ix]*dy.in[iy])
	})
	for _, out := range []products{y, dx, dw} {
		requireNonZero(t, out.out)
	}
	return x, w, dy, y, dx, dw
}

func exactly(name string, p products) arg { return arg{name: name, want: p.out} }

func TestConvIm2col(t *testing.T) {
	for _, s := range im2colTestShapes {
		t.Run(fmt.Sprintf("%dx%dx%dx%d_k%d_%dx%d_s%d", s.N, s.H, s.W, s.C, s.K, s.R, s.S, s.Stride), func(t *testing.T) {
			x, w, dy, y, dx, dw := convArgs(t, s, integers)
			checkPacked(t, "conv_fprop_im2col", s, []arg{x, w, exactly("y", y)}, "w")
			checkPacked(t, "conv_dgrad_im2col", s, []arg{dy, w, exactly("dx", dx)}, "w")
			checkPacked(t, "conv_wgrad_im2col", s, []arg{x, dy, exactly("dw", dw)}, "")

			x, w, dy, y, dx, dw = convArgs(t, s, reals)
			p, q := s.outputs()
			checkPacked(t, "conv_fprop_im2col", s, []arg{x, w, y.arg("y", int(s.R*s.S*s.C))}, "w")
			checkPacked(t, "conv_dgrad_im2col", s, []arg{dy, w, dx.arg("dx", int(s.R*s.S*s.K))}, "w")
			checkPacked(t, "conv_wgrad_im2col", s, []arg{x, dy, dw.arg("dw", int(s.N)*p*q)}, "")
		})
	}
}

// No chain of a weight gradient is long: 40,000 products of one sign would err by thousands of roundoffs in one.
func TestConvWgradIm2colPartialSums(t *testing.T) {
	s := Shape{N: 4, H: 100, W: 100, C: 1, K: 1, R: 1, S: 1, Stride: 1}
	x, dy := make([]float64, 40000), make([]float64, 40000)
	dw := newProducts(1)
	for i := range x {
		x[i], dy[i] = float64(float32(1+1e-3*float64(i%7))), float64(float32(1+1e-3*float64(i%5)))
		dw.add(0, x[i]*dy[i])
	}
	checkPacked(t, "conv_wgrad_im2col", s, []arg{{name: "x", in: x}, {name: "dy", in: dy}, dw.arg("dw", 200)}, "")
}

func TestLinearIm2col(t *testing.T) {
	for _, s := range []Shape{{N: 4, C: 16, K: 10}, {N: 1, C: 1, K: 1}, {N: 3, C: 33, K: 17}, {N: 130, C: 129, K: 100}, {N: 600, C: 8, K: 70}} {
		for _, exact := range []bool{true, false} {
			draw := reals
			if exact {
				draw = integers
			}
			n, c, k := int(s.N), int(s.C), int(s.K)
			x, w, bias, dy := draw(33, n*c), draw(34, k*c), draw(35, k), draw(36, n*k)
			x[0], w[0], dy[0] = 1, 1, 1
			y, dx, dw, dbias := linearProducts(n, c, k, x, w, bias, dy)
			result := func(name string, p products, terms int) arg {
				requireNonZero(t, p.out)
				if exact {
					return exactly(name, p)
				}
				return p.arg(name, terms)
			}
			in := func(name string, v []float64) arg { return arg{name: name, in: v} }
			checkPacked(t, "linear_fprop_im2col", s, []arg{in("x", x), in("w", w), in("bias", bias), result("y", y, c+1)}, "w")
			checkPacked(t, "linear_dgrad_im2col", s, []arg{in("dy", dy), in("w", w), result("dx", dx, k)}, "w")
			checkPacked(t, "linear_wgrad_im2col", s, []arg{in("x", x), in("dy", dy), result("dw", dw, n), result("dbias", dbias, n)}, "")
		}
	}
}
