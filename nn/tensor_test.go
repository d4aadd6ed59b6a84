package nn

import (
	"runtime"
	"slices"
	"testing"

	"nctrain/kernels"
)

// Tensors of either float type go up in either precision, in the devices' layout, by one conversion of each element; and a tensor takes the memory of one copy in the device's precision.
func TestUploadConvertsOnce(t *testing.T) {
	dev := openDevice(t, 1)
	const third = 1.0 / 3 // another number in either precision
	oihw := []float64{third, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	krsc := []float64{third, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11} // [2,1,3,2] of [2,2,1,3]
	narrow := convert[float32](oihw)
	for _, c := range []struct {
		tensor Tensor
		p      kernels.Precision
		first  float64
	}{
		{NewTensor("t", narrow, 2, 2, 1, 3), kernels.FP32, float64(float32(third))}, {NewTensor("t", narrow, 2, 2, 1, 3), kernels.FP64, float64(float32(third))},
		{NewTensor("t", oihw, 2, 2, 1, 3), kernels.FP32, float64(float32(third))}, {NewTensor("t", oihw, 2, 2, 1, 3), kernels.FP64, third},
	} {
		b, err := dev.Alloc(len(oihw) * c.p.Size())
		if err != nil {
			t.Fatal(err)
		}
		if err := upload(dev, b, c.tensor, c.p); err != nil {
			t.Fatal(err)
		}
		got := make([]float64, len(oihw))
		if c.p == kernels.FP64 {
			err = kernels.Download(dev, got, b)
		} else {
			narrow := make([]float32, len(oihw))
			err = kernels.Download(dev, narrow, b)
			got = convert[float64](narrow)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got[0] != c.first || !slices.Equal(got[1:], krsc[1:]) {
			t.Errorf("%s in %v: %v, want %v and %v", c.tensor.DType, c.p, got, c.first, krsc[1:])
		}
	}

	const n = 1 << 20
	b, err := dev.Alloc(4 * n)
	if err != nil {
		t.Fatal(err)
	}
	large := NewTensor("large", make([]float32, n), n)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := upload(dev, b, large, kernels.FP32); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 4*n*5/4 {
		t.Errorf("%d float32 took %d bytes on their way, more than one copy", n, took)
	}
}

func convert[To, From float32 | float64](from []From) []To {
	to := make([]To, len(from))
	for i, x := range from {
		to[i] = To(x)
	}
	return to
}
