package run

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nctrain/kernels"
	"nctrain/nn"
	"nctrain/nn/data"
)

// small begins a run of two epochs of two steps on a set; with analysis it has OOD rows too.
func small(t *testing.T, dir, set string, analysis *Analysis) (*Run, Options) {
	t.Helper()
	dev, err := kernels.OpenCPU(kernels.CPUOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	o := Options{Device: dev, Precision: kernels.FP32, Observer: &stopper{}}
	training := nn.NotebookSettings()
	training.Epochs, training.BatchSize = 2, 8
	settings := Settings{Data: set, Limit: 16, ImageSize: 32, Width: 1, CheckpointEvery: 1, Precision: "fp32", Training: training, Analysis: analysis}
	if analysis != nil {
		settings.OOD = []NamedSet{{"digits", "digits"}}
	}
	r, err := Start(dir, settings, o)
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

// everything that a run can keep, in little time.
func everything() *Analysis { return &Analysis{Scores: []string{"msp"}, KeepFeatures: true} }

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
			r, _ := small(t, dir, "shapes", everything())
			obstruct(t, filepath.Join(dir, name))
			names(t, r.Train(t.Context()), filepath.Join(dir, name))
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("checkpoints of training alone", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "run")
		r, _ := small(t, dir, "shapes", nil)
		obstruct(t, filepath.Join(dir, "checkpoints"))
		names(t, r.Train(t.Context()), filepath.Join(dir, "checkpoints"))
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, name := range []string{configFile, "state", historyFile, ncFile, oodFile, cosinesFile, logFile} {
		t.Run("resume "+name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			r, o := small(t, dir, "shapes", everything())
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

// A run goes on with its own settings, sets and results alone; what is damaged or another's is named, and left as it is.
func TestResumeRefusesWhatIsNotTheRuns(t *testing.T) {
	tmp := t.TempDir()
	dir, images := filepath.Join(tmp, "run"), filepath.Join(tmp, "images.npz")
	set, err := data.Open("shapes", data.Train, data.Options{Limit: 16})
	if err == nil {
		err = data.WriteNPZ(images, set)
	}
	if err != nil {
		t.Fatal(err)
	}
	r, o := small(t, dir, "npz:"+images, everything())
	if err := r.Train(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(dir, configFile))
	if err != nil {
		t.Fatal(err)
	}
	set.Images[0] ^= 1
	other := filepath.Join(tmp, "other.npz")
	if err := data.WriteNPZ(other, set); err != nil {
		t.Fatal(err)
	}
	changed, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path    string
		content []byte
		want    string
	}{
		{filepath.Join(dir, configFile), bytes.Replace(config, []byte(`"width": 1`), []byte(`"width": 2`), 1), "its settings are not those of state/"},
		{filepath.Join(dir, configFile), bytes.Replace(config, []byte(`"width": 1`), []byte(`"width": -1`), 1), "width"},
		{images, changed, "images.npz"},
		{images, []byte("no images"), "images.npz"},
		{filepath.Join(dir, ncFile), []byte("[{"), writeAgain},
		{filepath.Join(dir, oodFile), []byte("[{"), writeAgain},
		{filepath.Join(dir, cosinesFile), []byte("no cosines"), writeAgain},
	} {
		own, err := os.ReadFile(c.path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(own, c.content) {
			t.Fatalf("%s: nothing is changed", c.path)
		}
		if err := os.WriteFile(c.path, c.content, 0o644); err != nil {
			t.Fatal(err)
		}
		again, err := Resume(dir, nil, nil, o)
		if err == nil {
			again.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), filepath.Base(c.path)) {
			t.Errorf("%s: %v, want %q", filepath.Base(c.path), err, c.want)
		}
		if left, err := os.ReadFile(c.path); err != nil || !bytes.Equal(left, c.content) {
			t.Errorf("%s was written all the same: %v", c.path, err)
		}
		if err := os.WriteFile(c.path, own, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if again, err := Resume(dir, nil, nil, o); err != nil {
		t.Errorf("the run as it was: %v", err)
	} else if err := again.Close(); err != nil {
		t.Error(err)
	}
}
