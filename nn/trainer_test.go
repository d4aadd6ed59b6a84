package nn

import (
	"bytes"
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"nctrain/kernels"
	"nctrain/nn/data"
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
	if done := state[kernels.StateStep]; int64(bad.Step) != done {
		t.Errorf("the error tells of %d updates, the device has done %d", bad.Step, done)
	}
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
		"--lr -1":        func(s *TrainSettings) { s.LR = -1 },
		"--lr 2e+06":     func(s *TrainSettings) { s.LR = 2e6 },
		"--momentum -1":  func(s *TrainSettings) { s.Momentum = -1 },
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
	if err := (TrainSettings{Epochs: 1, BatchSize: 1}).Validate(); err != nil { // no rate, no momentum, no decay
		t.Errorf("the least of everything: %v", err)
	}
}

// TestLossesAndHitsOfAConstantNetwork: with W = 0 and a learning rate of 0 the logits of every sample are b, so the loss is log sum_k e^b_k - b_y and what is hit is the class of
// the largest. The batches are 12, 12 and 8 samples in the order of the epoch, or as they stand.
func TestLossesAndHitsOfAConstantNetwork(t *testing.T) {
	s := testSettings()
	s.LR = 0
	tr, m := newTestTrainer(t, 2, s)
	tensors, err := m.Save()
	if err != nil {
		t.Fatal(err)
	}
	bias := make([]float32, goldenClasses)
	bias[2], bias[0] = 1.5, -0.25
	sum := 0.0
	for _, b := range bias {
		sum += math.Exp(float64(b))
	}
	for i, x := range tensors {
		switch x.Name {
		case "fc.weight":
			tensors[i] = NewTensor(x.Name, make([]float32, x.Len()), x.Dims...)
		case "fc.bias":
			tensors[i] = NewTensor(x.Name, bias, x.Dims...)
		}
	}
	if err := m.Load(tensors); err != nil {
		t.Fatal(err)
	}
	set := goldenSet()
	want := func(order []int) (losses []float64, average, accuracy float64) {
		for at := 0; at < len(order); at += s.BatchSize {
			batch, loss := order[at:min(at+s.BatchSize, len(order))], 0.0
			for _, i := range batch {
				loss += (math.Log(sum) - float64(bias[set.Labels[i]])) / float64(len(batch))
				if set.Labels[i] == 2 {
					accuracy += 1 / float64(len(order))
				}
			}
			losses = append(losses, loss)
			average += loss / 3
		}
		return losses, average, accuracy
	}
	near := func(a, b float64) bool { return math.Abs(a-b) < 1e-6*math.Abs(b) } // logits are float32
	for epoch := range 2 {
		line, err := tr.RunEpoch(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		losses, average, accuracy := want(data.Order(goldenSamples, s.Seed, epoch))
		for i, loss := range losses {
			if len(line.BatchLosses) != len(losses) || !near(line.BatchLosses[i], loss) {
				t.Fatalf("epoch %d: batch losses %v, want %v", epoch, line.BatchLosses, losses)
			}
		}
		if line.Epoch != epoch+1 || line.LR != 0 || !near(line.TrainLoss, average) || !near(line.TrainAccuracy, accuracy) {
			t.Errorf("%+v, want loss %g, accuracy %g", line, average, accuracy)
		}
	}
	inOrder := make([]int, goldenSamples)
	for i := range inOrder {
		inOrder[i] = i
	}
	eval, err := NewEvaluator(tr.dev, m, set, s.BatchSize, tr.Pool(), PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, average, accuracy := want(inOrder)
	if got, err := eval.Evaluate(t.Context()); err != nil || !near(got.Loss, average) || !near(got.Accuracy, accuracy) {
		t.Errorf("evaluation %+v, want loss %g, accuracy %g, err %v", got, average, accuracy, err)
	}
	at := 0
	err = eval.Each(t.Context(), func(r Rows) error {
		if !slices.Equal(r.Labels, set.Labels[at:at+r.N]) || !slices.Equal(r.Logits, slices.Repeat(bias, r.N)) || len(r.Features) != r.N*m.Features() {
			t.Errorf("rows %d..%d: labels %v, logits %v, %d features", at, at+r.N-1, r.Labels, r.Logits, len(r.Features))
		}
		at += r.N
		return nil
	})
	if err != nil || at != goldenSamples {
		t.Errorf("%d rows, err %v", at, err)
	}
}

// TestStateOfAnotherRunIsRefused: what a state counts against what the settings have; the last epoch and the last batch stand.
func TestStateOfAnotherRunIsRefused(t *testing.T) {
	tr, _ := newTestTrainer(t, 1, testSettings()) // 3 epochs of 3 batches
	whole := saved(t, tr, nil)
	for _, c := range []struct {
		seed         uint64
		epoch, batch int
		want         string
	}{{47, 3, 0, ""}, {47, 0, 3, ""}, {48, 0, 0, "seed 48, the settings say 47"}, {47, 4, 0, "epoch 4, batch 0: the settings have 3 epochs of 3 batches"}, {47, 0, 4, "epoch 0, batch 4"}} {
		s := whole
		s.Seed, s.Progress.Epoch, s.Progress.Batch = c.seed, c.epoch, c.batch
		if err := tr.Restore(s); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: err %v", c, err)
		}
	}
}
