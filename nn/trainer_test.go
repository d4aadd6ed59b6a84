package nn

import (
	"bytes"
	"context"
	"errors"
	"math"
	"reflect"
	"testing"

	"nctrain/kernels"
)

func testSettings() TrainSettings {
	s := NotebookSettings()
	s.Epochs, s.BatchSize, s.LR = 3, 12, 0.05 // 32 samples: two full batches and one of eight
	return s
}

// newTestTrainer trains the golden set at width 4.
func newTestTrainer(t *testing.T, threads int, s TrainSettings) (*Trainer, *ResNet18) {
	t.Helper()
	dev := openDevice(t, threads)
	m := placed(t, dev, kernels.FP32, goldenClasses, 4)
	tr, err := NewTrainer(dev, m, goldenSet(), s, PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return tr, m
}

// saved is what a run would keep at this point.
func saved(t *testing.T, tr *Trainer, history []Epoch) State {
	t.Helper()
	s, err := tr.Snapshot(nil, history)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func finish(t *testing.T, tr *Trainer, history []Epoch) []Epoch {
	t.Helper()
	for tr.Progress.Epoch < tr.settings.Epochs {
		line, err := tr.RunEpoch(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		history = append(history, line)
	}
	return history
}

// A run stopped after any step, saved, loaded into a fresh trainer with another number of threads, and finished, has the bits of one that was not.
func TestResumeEndsInTheSameBits(t *testing.T) {
	s := testSettings()
	tr, _ := newTestTrainer(t, 2, s)
	wantHistory := finish(t, tr, nil)
	want := saved(t, tr, wantHistory)
	for _, stop := range []int{1, 2, 3, 4, 5, 8} {
		tr, _ := newTestTrainer(t, 1, s)
		var history []Epoch
		for left := stop; ; {
			before := tr.Progress.Step
			line, err := tr.RunEpoch(newStopAfter(left), nil)
			if errors.Is(err, errStopped) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			history = append(history, line)
			left -= tr.Progress.Step - before
		}
		if tr.Progress.Step != stop {
			t.Fatalf("stopped after %d steps, want %d", tr.Progress.Step, stop)
		}
		dir := t.TempDir()
		if err := SaveState(dir, saved(t, tr, history)); err != nil {
			t.Fatal(err)
		}
		state, warning, err := LoadState(dir)
		if err != nil || warning != "" {
			t.Fatal(err, warning)
		}
		resumed, _ := newTestTrainer(t, 3, s)
		if err := resumed.Restore(state); err != nil {
			t.Fatal(err)
		}
		history = finish(t, resumed, state.History)
		got := saved(t, resumed, history)
		if Hash(got.Model) != Hash(want.Model) || Hash(got.Momentum) != Hash(want.Momentum) {
			t.Errorf("stopped after step %d: other bits at the end", stop)
		}
		for i := range wantHistory {
			history[i].BatchLosses, wantHistory[i].BatchLosses = nil, nil // not kept
			if !reflect.DeepEqual(history[i], wantHistory[i]) {
				t.Errorf("stopped after step %d: history %+v, want %+v", stop, history[i], wantHistory[i])
			}
		}
	}
}

// A loss that is not finite stops the updates at its step, whatever the host does after.
func TestNonFiniteLossStopsAtItsStep(t *testing.T) {
	s := testSettings()
	s.LR = 1e5 // two steps at this rate overflow
	tr, m := newTestTrainer(t, 1, s)
	var err error
	for range 20 {
		if _, err = tr.RunEpoch(context.Background(), nil); err != nil {
			break
		}
		tr.Progress.Epoch = 0
	}
	assertStopped(t, tr, m, err)
}

// assertStopped asserts that a training ended with a loss that is not finite, and that a further step would change no momentum.
func assertStopped(t *testing.T, tr *Trainer, m *ResNet18, err error) {
	t.Helper()
	var bad *NonFiniteError
	if !errors.As(err, &bad) {
		t.Fatalf("error %v, want a loss that is not finite", err)
	}
	before, err := m.saveMomentum()
	if err != nil {
		t.Fatal(err)
	}
	state := tr.step.host // with the flag that Check read
	state[kernels.StateCursor] = 0
	if err := kernels.Upload(tr.dev, tr.step.state.buffer, state[:]); err != nil {
		t.Fatal(err)
	}
	if err := tr.full.Run(); err != nil {
		t.Fatal(err)
	}
	after, err := m.saveMomentum()
	if err != nil {
		t.Fatal(err)
	}
	for i := range before {
		if !bytes.Equal(before[i].Data, after[i].Data) {
			t.Fatalf("%s changed after the loss was not finite", before[i].Name)
		}
	}
}

// The schedule is PyTorch's CosineAnnealingLR (values of torch 2.15 for lr 0.1, T_max 5).
func TestCosineLR(t *testing.T) {
	for e, want := range []float64{0.1, 0.09045084971874738, 0.06545084971874737, 0.034549150281252633, 0.009549150281252633, 0} {
		if got := cosineLR(0.1, e, 5); math.Abs(got-want) > 1e-16 {
			t.Errorf("epoch %d: %.17g, want %.17g", e, got, want)
		}
	}
}

func TestTrainSettingsAreChecked(t *testing.T) {
	for name, change := range map[string]func(*TrainSettings){
		"--epochs":       func(s *TrainSettings) { s.Epochs = 0 },
		"--batch-size":   func(s *TrainSettings) { s.BatchSize = 0 },
		"--lr":           func(s *TrainSettings) { s.LR = math.NaN() },
		"--momentum":     func(s *TrainSettings) { s.Momentum = 1 },
		"--weight-decay": func(s *TrainSettings) { s.WeightDecay = -1 },
	} {
		s := NotebookSettings()
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		change(&s)
		if err := s.Validate(); err == nil || !bytes.Contains([]byte(err.Error()), []byte(name)) {
			t.Errorf("%s: error %v does not name it", name, err)
		}
	}
}
