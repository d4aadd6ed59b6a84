package run

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nctrain/kernels"
	"nctrain/nn"
)

// small begins a run of two epochs of two steps, with everything that a run can keep.
func small(t *testing.T, dir string) (*Run, Options) {
	t.Helper()
	dev, err := kernels.OpenCPU(kernels.CPUOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	o := Options{Device: dev, Precision: kernels.FP32, Observer: &stopper{}}
	training := nn.NotebookSettings()
	training.Epochs, training.BatchSize = 2, 8
	r, err := Start(dir, Settings{
		Data: "shapes", OOD: []NamedSet{{"digits", "digits"}}, Limit: 16, ImageSize: 32, Width: 1, CheckpointEvery: 1, Precision: "fp32",
		Training: training, Analysis: &Analysis{Scores: []string{"msp"}, KeepFeatures: true},
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	return r, o
}

// obstruct puts a folder that is not empty where a run keeps a file, and a file where it keeps a folder.
func obstruct(t *testing.T, path string) {
	t.Helper()
	err := os.RemoveAll(path)
	if err == nil && filepath.Ext(path) == "" {
		err = os.WriteFile(path, nil, 0o644)
	} else if err == nil {
		err = os.MkdirAll(filepath.Join(path, "full"), 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Whatever a run cannot write ends it, and its error names the file; so does what it cannot read or write when it goes on.
func TestWhatCannotBeWrittenEndsTheRun(t *testing.T) {
	names := func(t *testing.T, err error, path string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s cannot be written or read: %v", path, err)
		}
	}
	for _, name := range []string{"checkpoints", "state", "features", historyFile, ncFile, oodFile, scoresFile, cosinesFile} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			r, _ := small(t, dir)
			obstruct(t, filepath.Join(dir, name))
			names(t, r.Train(t.Context()), filepath.Join(dir, name))
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	for _, name := range []string{configFile, "state", historyFile, ncFile, oodFile, cosinesFile, logFile} {
		t.Run("resume "+name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			r, o := small(t, dir)
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			obstruct(t, filepath.Join(dir, name))
			again, err := Resume(dir, nil, nil, o)
			names(t, err, filepath.Join(dir, name))
			if err == nil {
				again.Close()
			}
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			free, err := Open(dir)
			if err != nil {
				t.Fatalf("the directory stays locked: %v", err)
			}
			free.Close()
		})
	}
}
