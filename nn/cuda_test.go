//go:build cuda

package nn

import (
	"context"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"nctrain/kernels"
	"nctrain/nn/data"
)

// openCUDA skips the test where there is no CUDA driver, or fails it where NCTRAIN_REQUIRE_GPU=1 says that there is one.
func openCUDA(t *testing.T) kernels.Device {
	t.Helper()
	if _, problem := kernels.DriverState(); problem != "" {
		if os.Getenv("NCTRAIN_REQUIRE_GPU") == "1" {
			t.Fatal(problem)
		}
		t.Skipf("no CUDA driver (%s): make emu, and set NCTRAIN_CUDA_DRIVER=build/libcuda_emu.so", problem)
	}
	dev, err := kernels.OpenCUDA()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
	})
	return dev
}

// cudaWidth keeps a training under the emulated driver to seconds.
const cudaWidth = 2

func cudaSettings() TrainSettings {
	s := NotebookSettings()
	s.Epochs, s.BatchSize = 2, 6 // two full batches and one of four
	return s
}

// cudaSet is 16 images of 16x16.
func cudaSet() *data.Set {
	s := goldenSet()
	s.H, s.W = 16, 16
	s.Labels = s.Labels[:16]
	s.Images = s.Images[:16*16*16*data.Channels]
	return s
}

func cudaTrainer(t *testing.T, dev kernels.Device, p kernels.Precision, s TrainSettings) (*Trainer, *ResNet18) {
	t.Helper()
	m := placed(t, dev, p, goldenClasses, cudaWidth)
	tr, err := NewTrainer(dev, m, cudaSet(), s, PlanOptions{Precision: p})
	if err != nil {
		t.Fatal(err)
	}
	return tr, m
}

// sweepAndTrain gives the features of the whole set under the initial weights, and the losses of all batches of a training from them.
func sweepAndTrain(t *testing.T, dev kernels.Device, p kernels.Precision) (features, losses []float64) {
	t.Helper()
	tr, m := cudaTrainer(t, dev, p, cudaSettings())
	eval, err := NewEvaluator(dev, m, cudaSet(), 6, tr.Pool(), PlanOptions{Precision: p})
	if err != nil {
		t.Fatal(err)
	}
	err = eval.Each(context.Background(), func(r Rows) error {
		for _, v := range r.Features {
			features = append(features, float64(v))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range finish(t, tr, nil) {
		losses = append(losses, line.BatchLosses...)
	}
	return features, losses
}

// A network on CUDA is the CPU's: same graph, same plan; features and losses within 1e-4 (fp32) or 1e-2 (tf32, bf16) of the CPU's. A network of width 2 in
// batches of 6 is quick, but makes of rounded products some per cent of the loss within a few updates, so that under tf32 and bf16 the loss before the first
// counts; that the updates are right in them shows in fp32.
func TestCUDATrainsAsTheCPU(t *testing.T) {
	wantFeatures, wantLosses := sweepAndTrain(t, openDevice(t, 2), kernels.FP32)
	largest := 0.0
	for _, v := range wantFeatures {
		largest = math.Max(largest, math.Abs(v))
	}
	for _, test := range []struct {
		p      kernels.Precision
		within float64
		steps  int
	}{{kernels.FP32, 1e-4, len(wantLosses)}, {kernels.TF32, 1e-2, 1}, {kernels.BF16, 1e-2, 1}} {
		t.Run(test.p.String(), func(t *testing.T) {
			dev := openCUDA(t)
			if !slices.Contains(dev.Capabilities().Precisions, test.p) {
				t.Skipf("%s has no %v", dev.Description(), test.p)
			}
			features, losses := sweepAndTrain(t, dev, test.p)
			if len(losses) != len(wantLosses) || len(features) != len(wantFeatures) {
				t.Fatalf("%d losses and %d features, the CPU has %d and %d", len(losses), len(features), len(wantLosses), len(wantFeatures))
			}
			worst := 0.0
			for i, v := range losses[:test.steps] {
				if off := math.Abs(v-wantLosses[i]) / wantLosses[i]; !(off <= test.within) {
					t.Errorf("loss of step %d: %.9g, the CPU's is %.9g: off by %.2g", i+1, v, wantLosses[i], off)
				} else {
					worst = math.Max(worst, off)
				}
			}
			for i, v := range features {
				if off := math.Abs(v-wantFeatures[i]) / largest; !(off <= test.within) {
					t.Fatalf("feature %d: %.9g, the CPU's is %.9g: off by %.2g of the largest", i, v, wantFeatures[i], off)
				}
			}
			t.Logf("losses within %.2g of the CPU's", worst)
		})
	}
}

// One launch for all tensors gives the bits of a launch each.
func TestCUDASGDByTensorKeepsTheBits(t *testing.T) {
	dev := openCUDA(t)
	var hashes []string
	for _, variant := range []string{"multi_tensor", "per_tensor"} {
		m := placed(t, dev, kernels.FP32, goldenClasses, cudaWidth)
		before, err := m.Save()
		if err != nil {
			t.Fatal(err)
		}
		tr, err := NewTrainer(dev, m, cudaSet(), cudaSettings(), PlanOptions{Precision: kernels.FP32, Choice: kernels.Choice{kernels.SGD: variant}})
		if err != nil {
			t.Fatal(err)
		}
		after := saved(t, tr, finish(t, tr, nil))
		for i, tensor := range before {
			if Hash([]Tensor{tensor}) == Hash(after.Model[i:i+1]) {
				t.Errorf("%s: %s is as it was", variant, tensor.Name)
			}
		}
		hashes = append(hashes, Hash(after.Model)+Hash(after.Momentum))
	}
	if hashes[0] != hashes[1] {
		t.Error("per_tensor gives other bits than multi_tensor")
	}
}

// A run that is stopped within an epoch, saved and loaded into a fresh trainer ends in the bits of one that was not.
func TestCUDAResumesToTheSameBits(t *testing.T) {
	dev := openCUDA(t)
	whole, _ := cudaTrainer(t, dev, kernels.FP32, cudaSettings())
	want := saved(t, whole, finish(t, whole, nil))
	stopped, _ := cudaTrainer(t, dev, kernels.FP32, cudaSettings())
	if _, err := stopped.RunEpoch(newStopAfter(2), nil); !errors.Is(err, errStopped) {
		t.Fatal(err)
	}
	state := saved(t, stopped, nil)
	resumed, _ := cudaTrainer(t, dev, kernels.FP32, cudaSettings())
	if err := resumed.Restore(state); err != nil {
		t.Fatal(err)
	}
	got := saved(t, resumed, finish(t, resumed, nil))
	if Hash(got.Model) != Hash(want.Model) || Hash(got.Momentum) != Hash(want.Momentum) {
		t.Error("other bits at the end")
	}
}

// What a run left in a plan's memory is no input of the next: a plan that leaves out the step that reads the images is a fault, although an earlier run has left others there.
func TestCUDAPlanReadsOnlyWhatItWrote(t *testing.T) {
	dev := openCUDA(t)
	if !dev.Capabilities().Emulated {
		t.Skip("only the emulated driver watches reads")
	}
	tr, m := cudaTrainer(t, dev, kernels.FP32, cudaSettings())
	eval, err := NewEvaluator(dev, m, cudaSet(), 6, tr.Pool(), PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]struct {
		*Plan
		rewind func() error
	}{"training": {tr.Plan(), tr.Rewind}, "evaluation": {eval.Plan(), eval.Rewind}} {
		whole := p.recording
		first := slices.IndexFunc(p.steps, func(s step) bool { return s.node.op == kernels.Augment })
		without := slices.Delete(slices.Clone(p.steps[p.constant:]), first-p.constant, first-p.constant+1)
		rest, err := dev.Capture(func() error { return p.launch(without) })
		if err != nil {
			t.Fatal(err)
		}
		run := func() error { return errors.Join(p.rewind(), p.Run(), dev.Synchronize()) }
		if err := run(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p.recording = rest
		if err := run(); err == nil || !strings.Contains(err.Error(), "nobody wrote it") {
			t.Errorf("%s without its first step: error %v", name, err)
		}
		p.recording = whole
		dev.(kernels.Watched).ForgetFault()
	}
}

// A loss that is not finite stops the updates on the device, whatever is queued after it.
func TestCUDANonFiniteLossStopsAtItsStep(t *testing.T) {
	dev := openCUDA(t)
	s := cudaSettings()
	s.LR = 1e5
	tr, m := cudaTrainer(t, dev, kernels.FP32, s)
	var err error
	for range 5 {
		if _, err = tr.RunEpoch(context.Background(), nil); err != nil {
			break
		}
		tr.Progress.Epoch = 0
	}
	assertStopped(t, tr, m, err)
}

// The planner fuses on the card as on the CPU: without changing a bit, but for the statistics that convolutions sum by their own tiles.
func TestCUDAPlannerKeepsTheBits(t *testing.T) {
	dev := openCUDA(t)
	if keepsTheBits(t, dev, nil, 8) == 0 {
		t.Error("no statistics were fused in any network")
	}
	evaluationKeepsTheBits(t, dev, nil, 8)
}
