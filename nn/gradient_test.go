package nn

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"nctrain/kernels"
	"nctrain/nn/data"
)

// Every parameter's gradient, in networks made of every differentiable operation, is the central difference of the loss. In float64 with a step of
// 1e-5 the difference errs by some 1e-10 (rounding of the loss over the step) plus the third derivative's 1e-10.
func TestGradientsAreFiniteDifferences(t *testing.T) {
	const step, tol = 1e-5, 2e-6
	dev := openDevice(t, 1)
	compared := 0
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 0))
		net := newRandomNet(dev, rng)
		set := &data.Set{Name: "random", Classes: randomClasses, H: 8, W: 8, Images: make([]uint8, 4*8*8*3), Labels: []int32{0, 1, 2, 3}}
		for i := range set.Images {
			set.Images[i] = uint8(rng.IntN(256))
		}
		devSet, err := NewDeviceSet(dev, kernels.FP64, set, CIFARNormalization)
		if err != nil {
			t.Fatal(err)
		}
		st, err := NewStepState(dev, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := net.Place(dev, kernels.FP64); err != nil {
			t.Fatal(err)
		}
		initial := net.Initial(seed)
		if err := errors.Join(net.Load(initial), st.Begin(0, 0, 0, 0, 0)); err != nil {
			t.Fatal(err)
		}
		g := NewGraph(true)
		x, labels := g.Batch(devSet, st, 4, false)
		g.Backward(g.CrossEntropy(net.build(g, x), labels, st))
		plan, err := Compile(dev, g, &MemoryPool{}, PlanOptions{Precision: kernels.FP64})
		if err != nil {
			t.Fatal(err)
		}
		loss := func() float64 { return lossOf(t, plan, st) }
		loss()
		grads, err := net.saveGradients()
		if err != nil {
			t.Fatal(err)
		}
		for _, grad := range grads {
			p := net.list[indexOf(net.list, grad.Name)]
			weights := make([]float64, p.len())
			if err := kernels.Download(dev, weights, p.value.buffer); err != nil {
				t.Fatal(err)
			}
			// Gradients are downloaded in PyTorch's order; index the device's, which is the same for both.
			device := make([]float64, p.len())
			if err := kernels.Download(dev, device, p.value.grad.buffer); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				i := rng.IntN(len(weights))
				at := func(w float64) float64 {
					if err := kernels.Upload(dev, p.value.buffer.Slice(8*i, 8), []float64{w}); err != nil {
						t.Fatal(err)
					}
					return loss()
				}
				difference := (at(weights[i]+step) - at(weights[i]-step)) / (2 * step)
				half := (at(weights[i]+step/8) - at(weights[i]-step/8)) / (step / 4)
				at(weights[i])
				if math.Abs(half-difference) > tol {
					continue // a ReLU's kink lies within the step
				}
				compared++
				if math.Abs(difference-device[i]) > tol*(1+math.Abs(difference)) {
					t.Errorf("seed %d: gradient of %s[%d] is %.9g, the difference is %.9g", seed, p.name, i, device[i], difference)
				}
			}
			loss()
		}
		devSet.Free()
		st.Free()
	}
	t.Logf("%d gradients compared", compared)
	if compared < 200 {
		t.Errorf("only %d gradients compared", compared)
	}
}

// lossOf runs a plan and reads its loss.
func lossOf(t *testing.T, plan *Plan, st *StepState) float64 {
	t.Helper()
	if err := plan.Run(); err != nil {
		t.Fatal(err)
	}
	losses, _, err := st.Losses(1)
	if err != nil {
		t.Fatal(err)
	}
	return losses[0]
}

func indexOf(list []*param, name string) int {
	for i, p := range list {
		if p.name == name {
			return i
		}
	}
	return -1
}

// A parameter that two layers use gets the sum of both gradients.
func TestSharedWeightsGetBothGradients(t *testing.T) {
	dev := openDevice(t, 1)
	var p Parameters
	w := p.declare("w", trained, 1, 0, randomClasses, randomClasses)
	b := p.declare("b", trained, 1, 0, randomClasses)
	stem := p.declare("stem", trained, 27, 0, randomClasses, 3, 3, 3)
	if err := p.Place(dev, kernels.FP64); err != nil {
		t.Fatal(err)
	}
	if err := p.Load(p.Initial(1)); err != nil {
		t.Fatal(err)
	}
	set := &data.Set{Name: "random", Classes: randomClasses, H: 8, W: 8, Images: make([]uint8, 2*8*8*3), Labels: []int32{0, 1}}
	for i := range set.Images {
		set.Images[i] = uint8(i * 29)
	}
	devSet, err := NewDeviceSet(dev, kernels.FP64, set, CIFARNormalization)
	if err != nil {
		t.Fatal(err)
	}
	st, err := NewStepState(dev, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Begin(0, 0, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	g := NewGraph(true)
	x, labels := g.Batch(devSet, st, 2, false)
	h := g.GlobalAvgPool(g.Conv2d(x, stem, 1, 1))
	g.Backward(g.CrossEntropy(g.Linear(g.Linear(h, w, b), w, b), labels, st))
	plan, err := Compile(dev, g, &MemoryPool{}, PlanOptions{Precision: kernels.FP64})
	if err != nil {
		t.Fatal(err)
	}
	loss := func() float64 { return lossOf(t, plan, st) }
	loss()
	grad := make([]float64, w.Len())
	weights := make([]float64, w.Len())
	if err := errors.Join(kernels.Download(dev, grad, w.grad.buffer), kernels.Download(dev, weights, w.buffer)); err != nil {
		t.Fatal(err)
	}
	for i := range weights {
		at := func(v float64) float64 {
			if err := kernels.Upload(dev, w.buffer.Slice(8*i, 8), []float64{v}); err != nil {
				t.Fatal(err)
			}
			return loss()
		}
		difference := (at(weights[i]+1e-6) - at(weights[i]-1e-6)) / 2e-6
		at(weights[i])
		if math.Abs(difference-grad[i]) > 1e-7 {
			t.Errorf("gradient of w[%d] is %.9g, the difference is %.9g", i, grad[i], difference)
		}
	}
}
