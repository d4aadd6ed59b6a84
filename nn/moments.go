package nn

import (
	"errors"
	"fmt"

	"nctrain/kernels"
)

// ClassSums are the sums of a set's features by class that neural collapse is measured by: of C classes and D features, in float64. Each row is shifted by a value of
// its own class, the mean of the class's rows in the first batch that has any.
type ClassSums struct {
	C, D   int
	Count  []int64   // [C]: rows of a class
	Shift  []float64 // [C,D]
	Sum    []float64 // [C,D]: of the shifted rows of a class
	Square []float64 // [C]: of their squared norms
	Second []float64 // [D,D]: of the products of all shifted rows with themselves, its upper triangle
}

// moments are class sums in device memory.
type moments struct {
	dev                               kernels.Device
	classes, features                 int
	count, shift, sum, square, second *Value
}

func newMoments(dev kernels.Device, classes, features int) (*moments, error) {
	m := &moments{dev: dev, classes: classes, features: features}
	err := takeResidents(dev, kernels.FP32,
		residentSpec{&m.count, "count", kernels.Int64, []int{classes}}, residentSpec{&m.shift, "shift", kernels.Float64, []int{classes, features}},
		residentSpec{&m.sum, "sum", kernels.Float64, []int{classes, features}}, residentSpec{&m.square, "square", kernels.Float64, []int{classes}},
		residentSpec{&m.second, "second", kernels.Float64, []int{features, features}})
	if err != nil {
		return nil, fmt.Errorf("class sums: %w", err)
	}
	return m, nil
}

func (m *moments) values() []*Value { return []*Value{m.count, m.shift, m.sum, m.square, m.second} }

// clear starts anew.
func (m *moments) clear() error {
	for _, v := range m.values() {
		if err := m.dev.Zero(v.buffer); err != nil {
			return err
		}
	}
	return nil
}

func (m *moments) read() (*ClassSums, error) {
	c, d := m.classes, m.features
	s := &ClassSums{C: c, D: d, Count: make([]int64, c), Shift: make([]float64, c*d), Sum: make([]float64, c*d), Square: make([]float64, c), Second: make([]float64, d*d)}
	return s, errors.Join(
		kernels.Download(m.dev, s.Count, m.count.buffer), kernels.Download(m.dev, s.Shift, m.shift.buffer), kernels.Download(m.dev, s.Sum, m.sum.buffer),
		kernels.Download(m.dev, s.Square, m.square.buffer), kernels.Download(m.dev, s.Second, m.second.buffer),
	)
}

// classMoments adds features [N,D] to class sums.
func (g *Graph) classMoments(features, labels *Value, m *moments) {
	s := kernels.Shape{N: features.Dims[0], C: m.features, K: m.classes}
	g.emit(kernels.ClassMoments, s, 0, nil, features, labels, m.count, m.shift, m.sum, m.square, m.second)
}
