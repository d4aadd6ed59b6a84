package kernels

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Roofline is what a device can do at best at one precision: arithmetic where nothing waits for memory, and reading where nothing is computed (Williams, Waterman,
// Patterson 2009). Measured by the kernels peak_fma, peak_mma and peak_read.
type Roofline struct {
	GFLOPS       float64 `json:"peak_gflops"`                  // 1e9 multiplications and additions a second, in float32
	MatrixGFLOPS float64 `json:"peak_matrix_gflops,omitempty"` // those in the precision's products on the tensor cores; 0 where it has none (fp32, the CPU)
	GBps         float64 `json:"peak_gbps"`                    // 1e9 bytes a second from memory
}

// String is the roofline in words.
func (r Roofline) String() string {
	matrix := ""
	if r.MatrixGFLOPS > 0 {
		matrix = fmt.Sprintf(" (tensor cores: %.0f)", r.MatrixGFLOPS)
	}
	return fmt.Sprintf("%.0f GFLOP/s%s, %.1f GB/s", r.GFLOPS, matrix, r.GBps)
}

// For is the roofline of a variant's own arithmetic: that of the tensor cores where it multiplies on them. In double no peak is measured, and
// memory alone limits.
func (r Roofline) For(v *Variant) Roofline {
	switch {
	case v.tensorCores():
		r.GFLOPS = r.MatrixGFLOPS
	case v.Op.Op().InDouble:
		r.GFLOPS = math.Inf(1)
	}
	return r
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
	// peak_fma: a multiple of every instruction set's group of chains and of its tasks, and steps for about a millisecond. On CUDA 4096 blocks: 192, as elements for the
	// CPU would be, are one and a half on each of an H200's 132 multiprocessors, of which a quarter then has nothing to do.
	peakElements, peakSteps         = 12 * 16 * 64 * 16, 1024
	peakElementsCUDA, peakStepsCUDA = 1 << 22, 1 << 13
	// peak_mma: threads for eight blocks on each of 128 multiprocessors, and steps for a millisecond or two.
	peakMatrixThreads, peakMatrixSteps = 256 * 8 * 128, 4096
	peakMatrixFlop                     = 8 * 2 * 16 * 8 / 32 // of a thread in a step, for each place of depth
	// peak_read: 128 MiB, past every cache; on CUDA 1 GiB.
	peakRows, peakRowsCUDA, peakRowLength = 512, 4096, 1 << 16
)

// peakMatrixDepth is the depth of one matrix instruction; 0 where a precision has none.
func peakMatrixDepth(p Precision) int {
	return map[Precision]int{TF32: 8, BF16: 16}[p]
}

// MeasureRoofline measures a device at a precision; it takes some tenths of a second and 130 MiB (on CUDA 1 GiB). The median of several runs counts, so that it says what the
// device allows now: on a machine that others share, twice as much a minute later. An emulated device has none: its roofline is the zero one.
func MeasureRoofline(dev Device, p Precision) (Roofline, error) {
	if dev.Capabilities().Emulated {
		return Roofline{}, nil
	}
	elements, steps, rows := peakElements, peakSteps, peakRows
	if dev.Kind() == CUDA {
		elements, steps, rows = peakElementsCUDA, peakStepsCUDA, peakRowsCUDA
	}
	fma, err := typical(dev, "peak_fma_direct", FP32, Shape{N: elements, K: steps}, elements, elements)
	if err != nil {
		return Roofline{}, fmt.Errorf("measure the peak of arithmetic: %w", err)
	}
	read, err := typical(dev, "peak_read_direct", FP32, Shape{N: rows, C: peakRowLength}, rows*peakRowLength, rows)
	if err != nil {
		return Roofline{}, fmt.Errorf("measure the bandwidth of memory: %w", err)
	}
	r := Roofline{
		GFLOPS: 2 * float64(elements) * float64(steps) / nanoseconds(fma),
		GBps:   4 * peakRowLength * float64(rows) / nanoseconds(read),
	}
	if depth := peakMatrixDepth(p); depth > 0 {
		matrix, err := typical(dev, "peak_mma", p, Shape{N: peakMatrixThreads, K: peakMatrixSteps}, peakMatrixThreads, peakMatrixThreads)
		if err != nil {
			return Roofline{}, fmt.Errorf("measure the peak of the tensor cores: %w", err)
		}
		r.MatrixGFLOPS = float64(peakMatrixFlop*depth*peakMatrixThreads*peakMatrixSteps) / nanoseconds(matrix)
	}
	return r, nil
}

func nanoseconds(d time.Duration) float64 { return float64(max(d.Nanoseconds(), 1)) }

// typical is the median time of a kernel that reads `in` float32 elements and writes `out`.
func typical(dev Device, kernel string, p Precision, s Shape, in, out int) (time.Duration, error) {
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
	block := make([]float32, min(in, 1<<20)) // of what it reads, again and again: a gibibyte takes a second or two to make
	for i := range block {
		block[i] = float32(i%1021)/1021 - 0.5
	}
	for at := 0; at < in; at += len(block) {
		part := block[:min(len(block), in-at)]
		if err := Upload(dev, x.Slice(4*at, 4*len(part)), part); err != nil {
			return 0, err
		}
	}
	v := &Variant{Name: "peak", Kind: dev.Kind(), Kernel: kernel}
	call := &Call{Shape: s, Precision: p, Operands: [MaxOperands]Buffer{x, y}, Scalars: [MaxScalars]float64{0.5}}
	took := make([]time.Duration, peakSamples)
	for i := range took {
		start := time.Now()
		if err := errors.Join(dev.Launch(v, call), dev.Synchronize()); err != nil {
			return 0, err
		}
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return took[peakSamples/2], nil
}
