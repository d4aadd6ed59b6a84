package nn

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"testing"

	"nctrain/kernels"
	"nctrain/nn/data"
)

// golden is what testdata/golden.py wrote with PyTorch.
type golden struct {
	Torch         string                `json:"torch"`
	Initial       map[string]string     `json:"initial"`
	Loss          float64               `json:"loss"`
	Gradients     map[string][2]float64 `json:"gradients"`
	Running       map[string][2]float64 `json:"running"`
	GradientError float64               `json:"float32_gradient_error"`
	SGDLosses     []float64             `json:"sgd_losses"`
	SGDWeights    map[string][2]float64 `json:"sgd_weights"`
	SGDMomentum   map[string][2]float64 `json:"sgd_momentum"`
	Features      [][]float64           `json:"width2_features"`
	Logits        [][]float64           `json:"width2_logits"`
}

func readGolden(t *testing.T) golden {
	t.Helper()
	content, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(content, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// matches asserts that the tensors named by the golden have its projections: within tol of the sum of magnitudes.
func matches(t *testing.T, what string, tensors []Tensor, want map[string][2]float64, tol float64) {
	t.Helper()
	seen := 0
	for _, tensor := range tensors {
		w, ok := want[tensor.Name]
		if !ok {
			continue
		}
		seen++
		sum, mass := projection(reals(tensor))
		if math.Abs(sum-w[0]) > tol*w[1] || math.Abs(mass-w[1]) > tol*w[1] {
			t.Errorf("%s of %s: projection %.15g (mass %.15g), PyTorch has %.15g (%.15g)", what, tensor.Name, sum, mass, w[0], w[1])
		}
	}
	if seen != len(want) || seen == 0 {
		t.Errorf("%s: %d of %d tensors compared", what, seen, len(want))
	}
}

func TestInitialWeightsArePyTorchs(t *testing.T) {
	m, err := NewResNet18(100, 64)
	if err != nil {
		t.Fatal(err)
	}
	want := readGolden(t).Initial
	for _, tensor := range m.Initial(47) {
		if tensor.DType != F32 {
			continue
		}
		sum := sha256.Sum256(tensor.Data)
		if hex.EncodeToString(sum[:]) != want[tensor.Name] {
			t.Errorf("%s differs from torch.manual_seed(47)'s", tensor.Name)
		}
		delete(want, tensor.Name)
	}
	if len(want) != 0 {
		t.Errorf("not compared: %v", want)
	}
}

// gradientStep runs one forward and backward pass over the first golden batch, without an update.
func gradientStep(t *testing.T, dev kernels.Device, p kernels.Precision, choice kernels.Choice) (loss float64, m *ResNet18) {
	t.Helper()
	m = placed(t, dev, p, goldenClasses, goldenWidth)
	set, err := NewDeviceSet(dev, p, goldenSet(), CIFARNormalization)
	if err != nil {
		t.Fatal(err)
	}
	st, err := NewStepState(dev, 1)
	if err != nil {
		t.Fatal(err)
	}
	g := NewGraph(true)
	x, labels := g.Batch(set, st, goldenBatch, false)
	_, logits := m.Forward(g, x)
	g.Backward(g.CrossEntropy(logits, labels, st))
	plan, err := Compile(dev, g, &MemoryPool{}, PlanOptions{Precision: p, Choice: choice})
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(set.SetOrder(data.Order(goldenSamples, 47, 0)), st.Begin(0, 0, 0, 0, 47), plan.Run())
	if err != nil {
		t.Fatal(err)
	}
	losses, _, err := st.Losses(1)
	if err != nil {
		t.Fatal(err)
	}
	return losses[0], m
}

func TestFloat64GradientsArePyTorchs(t *testing.T) {
	want := readGolden(t)
	loss, m := gradientStep(t, openDevice(t, 2), kernels.FP64, nil)
	if math.Abs(loss-want.Loss) > 1e-10*want.Loss {
		t.Errorf("loss %.15g, PyTorch has %.15g", loss, want.Loss)
	}
	grads, err := m.saveGradients()
	if err != nil {
		t.Fatal(err)
	}
	matches(t, "gradient", grads, want.Gradients, 1e-10)
	tensors, err := m.Save()
	if err != nil {
		t.Fatal(err)
	}
	matches(t, "running statistic", tensors, want.Running, 1e-10)
}

// The whole network's float32 gradient error against float64 is at most twice PyTorch's float32's own for the variants that sum the convolution's own
// products.
func TestFloat32GradientErrorIsAtMostTwicePyTorchs(t *testing.T) {
	dev := openDevice(t, 2)
	_, exact := gradientStep(t, dev, kernels.FP64, nil)
	want, err := exact.saveGradients()
	if err != nil {
		t.Fatal(err)
	}
	pytorch := readGolden(t).GradientError
	for _, name := range []string{"direct", "im2col"} {
		_, m := gradientStep(t, dev, kernels.FP32, convolutions(name))
		got, err := m.saveGradients()
		if err != nil {
			t.Fatal(err)
		}
		diff, norm := squares(got, want)
		e := math.Sqrt(diff / norm)
		t.Logf("%s: gradient error %.2e, PyTorch's %.2e", name, e, pytorch)
		if !(e <= 2*pytorch) || e == 0 {
			t.Errorf("%s: gradient error %.3e, at most %.3e", name, e, 2*pytorch)
		}
	}
}

// convolutions pins one variant for all convolutions where it applies.
func convolutions(name string) kernels.Choice {
	return kernels.Choice{kernels.ConvFprop: name, kernels.ConvDgrad: name, kernels.ConvWgrad: name}
}

// squares are the squared norms of got - want and of want, over all tensors.
func squares(got, want []Tensor) (diff, norm float64) {
	for i := range want {
		g := reals(got[i])
		for j, w := range reals(want[i]) {
			diff += (g[j] - w) * (g[j] - w)
			norm += w * w
		}
	}
	return diff, norm
}

// Winograd's whole-network gradient error is at most four times direct's, over the batches of several initial networks: a value within rounding of
// zero that falls on the other side of a ReLU makes most of such an error, so a single batch compares luck.
func TestWinogradGradientErrorIsAtMostFourTimesDirects(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute of float64 convolutions on a slow machine")
	}
	dev := openDevice(t, 2)
	gradients := func(seed uint64, p kernels.Precision, choice kernels.Choice) []Tensor {
		m := placed(t, dev, p, goldenClasses, goldenWidth)
		if err := m.Load(m.Initial(seed)); err != nil {
			t.Fatal(err)
		}
		set, err := NewDeviceSet(dev, p, goldenSet(), CIFARNormalization)
		if err != nil {
			t.Fatal(err)
		}
		defer set.Free()
		st, err := NewStepState(dev, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer st.Free()
		g := NewGraph(true)
		x, labels := g.Batch(set, st, goldenSamples, false)
		_, logits := m.Forward(g, x)
		g.Backward(g.CrossEntropy(logits, labels, st))
		pool := &MemoryPool{}
		defer pool.Free()
		plan, err := Compile(dev, g, pool, PlanOptions{Precision: p, Choice: choice})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(st.Begin(0, 0, 0, 0, 0), plan.Run()); err != nil {
			t.Fatal(err)
		}
		grads, err := m.saveGradients()
		if err != nil {
			t.Fatal(err)
		}
		return grads
	}
	// Each of them where it applies; the other strides by the default, which is the other one from 16 channels on.
	rounding := map[string]float64{"direct": 0, "winograd_f43": 0, "winograd_f42": 0}
	for seed := range uint64(24) {
		want := gradients(seed, kernels.FP64, nil)
		for name := range rounding {
			diff, norm := squares(gradients(seed, kernels.FP32, convolutions(name)), want)
			rounding[name] += diff / norm
		}
	}
	d := math.Sqrt(rounding["direct"] / 24)
	for _, name := range []string{"winograd_f43", "winograd_f42"} {
		w := math.Sqrt(rounding[name] / 24)
		t.Logf("gradient error: direct %.2e, %s %.2e, ratio %.2f", d, name, w, w/d)
		if !(w <= 4*d) || w == 0 {
			t.Errorf("%s: gradient error %.3e, direct's %.3e", name, w, d)
		}
	}
}

func TestTenFloat64StepsArePyTorchs(t *testing.T) {
	want := readGolden(t)
	dev := openDevice(t, 2)
	m := placed(t, dev, kernels.FP64, goldenClasses, goldenWidth)
	s := NotebookSettings()
	s.BatchSize, s.Augment = goldenBatch, false
	// PyTorch's golden keeps the learning rate: a schedule this long does not move it within 1e-10.
	s.Epochs = 1 << 30
	tr, err := NewTrainer(dev, m, goldenSet(), s, PlanOptions{Precision: kernels.FP64})
	if err != nil {
		t.Fatal(err)
	}
	var losses []float64
	for len(losses) < len(want.SGDLosses) {
		stop := newStopAfter(len(want.SGDLosses) - len(losses))
		if _, err := tr.RunEpoch(stop, nil); err != nil && !errors.Is(err, errStopped) {
			t.Fatal(err)
		}
		batches := tr.Batches()
		if tr.Progress.Batch > 0 {
			batches = tr.Progress.Batch
		}
		got, _, err := tr.step.Losses(batches)
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, got...)
	}
	for i, l := range losses {
		if math.Abs(l-want.SGDLosses[i]) > 1e-10*want.SGDLosses[i] {
			t.Errorf("loss of step %d is %.15g, PyTorch's %.15g", i+1, l, want.SGDLosses[i])
		}
	}
	tensors, err := m.Save()
	if err != nil {
		t.Fatal(err)
	}
	matches(t, "weight after ten steps", tensors, want.SGDWeights, 1e-10)
	momentum, err := m.saveMomentum()
	if err != nil {
		t.Fatal(err)
	}
	matches(t, "momentum after ten steps", momentum, want.SGDMomentum, 1e-10)
}
