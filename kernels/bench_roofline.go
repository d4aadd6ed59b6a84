package kernels

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Roofline is what a device can do at best: arithmetic where nothing waits for memory, and reading where nothing is computed (Williams, Waterman,
// Patterson 2009). Measured by the kernels peak_fma and peak_read, in float32.
type Roofline struct {
	GFLOPS float64 // 1e9 multiplications and additions a second
	GBps   float64 // 1e9 bytes a second from memory
}

// Limit is the least time in seconds that work of such a cost takes, 0 of the zero Roofline.
func (r Roofline) Limit(c Cost) float64 {
	if r.GFLOPS <= 0 || r.GBps <= 0 {
		return 0
	}
	return 1e-9 * math.Max(c.Flop/r.GFLOPS, c.Bytes/r.GBps)
}

const (
	peakSamples = 40
	// peak_fma: a multiple of every instruction set's group of chains and of its tasks, and steps for about a millisecond.
	peakElements, peakSteps, peakStepsCUDA = 12 * 16 * 64 * 16, 1024, 1 << 17
	// peak_read: 128 MiB, past every cache; on CUDA 1 GiB.
	peakRows, peakRowsCUDA, peakRowLength = 512, 4096, 1 << 16
)

// MeasureRoofline measures a device; it takes some tenths of a second and 130 MiB (on CUDA 1 GiB). The best of several runs counts: a limit is what was once
// reached. An emulated device has none: its roofline is the zero one.
func MeasureRoofline(dev Device) (Roofline, error) {
	if dev.Capabilities().Emulated {
		return Roofline{}, nil
	}
	steps, rows := peakSteps, peakRows
	if dev.Kind() == CUDA {
		steps, rows = peakStepsCUDA, peakRowsCUDA
	}
	fma, err := fastest(dev, "peak_fma_direct", Shape{N: peakElements, K: steps}, peakElements, peakElements)
	if err != nil {
		return Roofline{}, fmt.Errorf("measure the peak of arithmetic: %w", err)
	}
	read, err := fastest(dev, "peak_read_direct", Shape{N: rows, C: peakRowLength}, rows*peakRowLength, rows)
	if err != nil {
		return Roofline{}, fmt.Errorf("measure the bandwidth of memory: %w", err)
	}
	return Roofline{
		GFLOPS: 2 * peakElements * float64(steps) / nanoseconds(fma),
		GBps:   4 * peakRowLength * float64(rows) / nanoseconds(read),
	}, nil
}

func nanoseconds(d time.Duration) float64 { return float64(max(d.Nanoseconds(), 1)) }

// fastest is the least time of a kernel that reads `in` float32 elements and writes `out`.
func fastest(dev Device, kernel string, s Shape, in, out int) (time.Duration, error) {
	x, err := dev.Alloc(4 * in)
	if err != nil {
		return 0, err
	}
	defer dev.Free(x)
	y, err := dev.Alloc(4 * out)
	if err != nil {
		return 0, err
	}
	defer dev.Free(y)
	values := make([]float32, in)
	for i := range values {
		values[i] = float32(i%1021)/1021 - 0.5
	}
	if err := Upload(dev, x, values); err != nil {
		return 0, err
	}
	v := &Variant{Name: "peak", Kind: dev.Kind(), Kernel: kernel}
	call := &Call{Shape: s, Operands: [MaxOperands]Buffer{x, y}, Scalars: [MaxScalars]float64{0.5}}
	best := time.Duration(math.MaxInt64)
	for range peakSamples {
		start := time.Now()
		if err := errors.Join(dev.Launch(v, call), dev.Synchronize()); err != nil {
			return 0, err
		}
		best = min(best, time.Since(start))
	}
	return best, nil
}
