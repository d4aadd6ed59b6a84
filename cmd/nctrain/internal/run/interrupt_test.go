package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"nctrain/kernels"
	"nctrain/nn"
)

// stopper cancels a context at the n-th event of one kind.
type stopper struct {
	kind   string
	at     int
	seen   int
	cancel context.CancelFunc
}

func (s *stopper) event(kind string) {
	if kind != s.kind {
		return
	}
	if s.seen++; s.seen == s.at {
		s.cancel()
	}
}

func (s *stopper) Begin(*Run)                         { s.event("begin") }
func (s *stopper) Batch(int, int, int, float64)       { s.event("batch") }
func (s *stopper) Epoch(nn.Epoch, time.Duration, int) { s.event("epoch") }
func (s *stopper) Analysing(int, int, int)            { s.event("analysing") }
func (s *stopper) Analysed(*Row, time.Duration)       { s.event("analysed") }
func (s *stopper) Warning(string)                     { s.event("warning") }

// start begins or resumes a run of two epochs of 20 steps, reported at steps 16 and 20, and trains until the stopper's event.
func start(t *testing.T, dir string, resume bool, threads int, s *stopper) (nn.Progress, error) {
	t.Helper()
	dev, err := kernels.OpenCPU(kernels.CPUOptions{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.cancel = cancel
	o := Options{Device: dev, Precision: kernels.FP32, Observer: s}
	training := nn.NotebookSettings()
	training.Epochs, training.BatchSize = 2, 4
	var r *Run
	if resume {
		r, err = Resume(dir, nil, nil, o)
	} else {
		r, err = Start(dir, Settings{
			Data: "shapes", OOD: []NamedSet{{"digits", "digits"}}, Limit: 80, ImageSize: 32, Width: 2, CheckpointEvery: 1, Precision: "fp32",
			Training: training, Analysis: &Analysis{},
		}, o)
	}
	if err != nil {
		t.Fatal(err)
	}
	err = r.Train(ctx)
	if closeErr := r.Close(); closeErr != nil {
		t.Error(closeErr)
	}
	return r.trainer.Progress, err
}

// A run interrupted at any of its moments (within an epoch, at its last batch, in the evaluation after it, in an analysis) loses no finished step, and
// resumed with another number of threads it ends in the same files.
func TestInterruptedAnywhereEndsInTheSameBits(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "run")
	if _, err := start(t, whole, false, 2, &stopper{}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		kind  string
		at    int
		epoch int
		batch int // where the state must stand
	}{
		{"begin", 1, 0, 0}, {"analysing", 2, 0, 0}, {"analysed", 1, 0, 0}, {"batch", 1, 0, 16}, {"batch", 2, 0, 20}, {"epoch", 1, 1, 0}, {"analysing", 80, 1, 0},
		{"batch", 3, 1, 16}, {"batch", 4, 1, 20}, {"epoch", 2, 2, 0},
	} {
		t.Run(fmt.Sprintf("%s %d", test.kind, test.at), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			progress, err := start(t, dir, false, 1, &stopper{kind: test.kind, at: test.at})
			var stopped *Interrupted
			if !errors.As(err, &stopped) || !errors.Is(err, context.Canceled) {
				t.Fatalf("ended with %v", err)
			}
			state, _, err := nn.LoadState(dir)
			if err != nil {
				t.Fatal(err)
			}
			if p := state.Progress; p.Epoch != test.epoch || p.Batch != test.batch || p.Step != progress.Step || p.Step != 20*test.epoch+test.batch {
				t.Errorf("the state stands at epoch %d, batch %d, step %d", p.Epoch, p.Batch, p.Step)
			}
			if _, err := start(t, dir, true, 3, &stopper{}); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"checkpoints/epoch_0000.safetensors", "checkpoints/epoch_0001.safetensors", "checkpoints/epoch_0002.safetensors", historyFile, ncFile,
				oodFile, scoresFile, cosinesFile} {
				got, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Error(err)
				}
				want, err := os.ReadFile(filepath.Join(whole, name))
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%s is not that of a run that was never stopped", name)
				}
			}
		})
	}
}
