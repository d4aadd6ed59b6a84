package kernels

import "fmt"

// Shape is the geometry of one call. Each operation's row says which fields it reads; the others are zero.
//
// Convolutions read all of it: x is [N,H,W,C], w is [K,R,S,C], y is [N,P,Q,K] with P and Q from [Shape.P] and [Shape.Q]. Batch norm and pooling read
// N, H, W, C (batch norm has N*H*W rows of C channels); linear layers N rows, C inputs and K outputs; elementwise operations N elements.
type Shape struct {
	N, H, W, C, K, R, S, Stride, Pad int
}

// P is the output height of a convolution.
func (s Shape) P() int { return (s.H+2*s.Pad-s.R)/s.Stride + 1 }

// Q is the output width of a convolution.
func (s Shape) Q() int { return (s.W+2*s.Pad-s.S)/s.Stride + 1 }

// Rows is N*H*W: the samples that one batch-norm channel sees.
func (s Shape) Rows() int { return s.N * s.H * s.W }

// String gives the shape as the benchmarks name it, for example "128x32x32x64_k64_3x3_s1".
func (s Shape) String() string {
	switch {
	case s.R > 0:
		return fmt.Sprintf("%dx%dx%dx%d_k%d_%dx%d_s%d", s.N, s.H, s.W, s.C, s.K, s.R, s.S, s.Stride)
	case s.K > 0 && s.W > 0: // augment
		return fmt.Sprintf("%dx%dx%dx%d_of%d", s.N, s.H, s.W, s.C, s.K)
	case s.K > 0 && s.C > 0:
		return fmt.Sprintf("%dx%d_k%d", s.N, s.C, s.K)
	case s.K > 0:
		return fmt.Sprintf("%dx%d", s.N, s.K)
	case s.C > 0:
		return fmt.Sprintf("%dx%dx%dx%d", s.N, s.H, s.W, s.C)
	}
	return fmt.Sprintf("%d", s.N)
}

// Precision is how a call multiplies and stores real numbers. kernels/cuda has the same numbers.
type Precision uint8

const (
	FP32 Precision = iota // float32 storage and arithmetic
	FP64                  // float64 storage and arithmetic: the tests' mode
	// Float32 storage; convolutions and linear layers round the factors of their products, to the nearest, and sum the products in float32.
	TF32 // to 10 bits of mantissa (CUDA)
	BF16 // to bfloat16, 7 bits of mantissa (CUDA)
)

var precisionNames = [...]string{FP32: "fp32", FP64: "fp64", TF32: "tf32", BF16: "bf16"}

func (p Precision) String() string { return precisionNames[p] }

// ParsePrecision reads "fp32", "fp64", "tf32" or "bf16".
func ParsePrecision(s string) (Precision, error) {
	for p, name := range precisionNames {
		if s == name {
			return Precision(p), nil
		}
	}
	return 0, fmt.Errorf("precision %q: use fp32, tf32 or bf16", s)
}

// Size is the bytes of one stored real number.
func (p Precision) Size() int {
	if p == FP64 {
		return 8
	}
	return 4
}

// leastSM is the oldest compute capability that kernels/cuda is built for (75: sm_75, Turing).
const leastSM = 75

// LeastSM is the oldest compute capability of a card that has the precision.
func (p Precision) LeastSM() int {
	switch p {
	case TF32, BF16:
		return 80
	}
	return leastSM
}

// Eps is the unit roundoff of the accumulation (2^-24 for float32).
func (p Precision) Eps() float64 {
	if p == FP64 {
		return 0x1p-53
	}
	return 0x1p-24
}

// ProductEps is the unit roundoff of the factors of a convolution's or linear layer's products; 0 where they are taken as they are.
func (p Precision) ProductEps() float64 {
	switch p {
	case TF32:
		return 0x1p-11
	case BF16:
		return 0x1p-8
	}
	return 0
}
