package kernels

import "testing"

// What multiplies on the tensor cores is held against their peak, everything else against the float32 units', and nothing has a limit where its peak is unknown.
func TestLimitIsThatOfTheVariantsArithmetic(t *testing.T) {
	roof := Roofline{GFLOPS: 10, MatrixGFLOPS: 100, GBps: 1}
	cost := Cost{Flop: 1e12, Bytes: 1e9}
	matrix := 0
	for i := range cudaVariants {
		v := &cudaVariants[i]
		if v.Op != ConvFprop {
			continue
		}
		want := 100.0
		if v.Name == "mma" {
			matrix++
			want = 10
			if at := v.Limit(Shape{}, cost, Roofline{GFLOPS: 10, GBps: 1}); at != 0 {
				t.Errorf("%v: a limit of %v s without the tensor cores' peak", v, at)
			}
		}
		if at := v.Limit(Shape{}, cost, roof); at != want {
			t.Errorf("%v: %v s at least, want %v", v, at, want)
		}
	}
	if matrix == 0 {
		t.Error("no variant on the tensor cores")
	}
}
