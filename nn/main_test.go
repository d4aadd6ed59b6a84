package nn

import (
	"context"
	"errors"
	"math"
	"testing"

	"nctrain/kernels"
	"nctrain/nn/data"
)

// openDevice opens the cpu device for a test.
func openDevice(t testing.TB, threads int) kernels.Device {
	t.Helper()
	dev, err := kernels.OpenCPU(kernels.CPUOptions{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	return dev
}

// noise is golden.py's generator: n numbers in [-1, 1).
func noise(n int, seed uint64) []float64 {
	out := make([]float64, n)
	for i := range out {
		seed = seed*6364136223846793005 + 1442695040888963407
		out[i] = float64(seed>>40)/(1<<23) - 1
	}
	return out
}

// The set of golden.py.
const goldenClasses, goldenWidth, goldenSamples, goldenBatch = 10, 8, 32, 8

func goldenSet() *data.Set {
	s := &data.Set{Name: "golden", Classes: goldenClasses, H: 32, W: 32, Labels: make([]int32, goldenSamples)}
	for _, v := range noise(goldenSamples*32*32*3, 7) {
		s.Images = append(s.Images, uint8((v+1)*128))
	}
	for i := range s.Labels {
		s.Labels[i] = int32(i * 7 % goldenClasses)
	}
	return s
}

// placed is a network on a device with SPEC 1's weights.
func placed(t testing.TB, dev kernels.Device, p kernels.Precision, classes, width int) *ResNet18 {
	t.Helper()
	m, err := NewResNet18(classes, width)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Place(dev, p); err != nil {
		t.Fatal(err)
	}
	if err := m.Load(m.Initial(47)); err != nil {
		t.Fatal(err)
	}
	return m
}

// reals reads a tensor of either precision as float64.
func reals(t Tensor) []float64 {
	if t.DType == F64 {
		return View[float64](t)
	}
	var out []float64
	for _, v := range View[float32](t) {
		out = append(out, float64(v))
	}
	return out
}

// projection is golden.py's project: a sum that every element enters, and the sum of the terms' magnitudes.
func projection(x []float64) (sum, mass float64) {
	for i, r := range noise(len(x), 1) {
		sum += x[i] * r
		mass += math.Abs(x[i] * r)
	}
	return sum, mass
}

var errStopped = errors.New("stopped by the test")

// stopAfter is a context that ends after its error was asked for n times: once before each step.
type stopAfter struct {
	context.Context
	left int
}

func newStopAfter(n int) *stopAfter { return &stopAfter{context.Background(), n} }

func (s *stopAfter) Err() error {
	if s.left == 0 {
		return errStopped
	}
	s.left--
	return nil
}
