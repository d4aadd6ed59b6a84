package nn

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nctrain/kernels"
)

// PyTorch's own file gives PyTorch's features.
func TestWeightsFromPyTorch(t *testing.T) {
	want := readGolden(t)
	c, err := LoadCheckpoint("testdata/torch_width2.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	m, tensors, meta := c.Model, c.Tensors, c.Meta
	if meta.Hash == "" || meta.Version != "" || c.EpochKnown || len(c.Mapping.Lines()) != 0 {
		t.Errorf("metadata %+v, mapping %q of a foreign file under our names: want a hash alone", meta, c.Mapping.Lines())
	}
	dev := openDevice(t, 1)
	if err := m.Place(dev, kernels.FP32); err != nil {
		t.Fatal(err)
	}
	if err := m.Load(tensors); err != nil {
		t.Fatal(err)
	}
	e, err := NewEvaluator(dev, m, goldenSet(), 4, &MemoryPool{}, PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	first := true
	err = e.Each(context.Background(), func(r Rows) error {
		if first {
			compareRows(t, "features", r.Features, want.Features)
			compareRows(t, "logits", r.Logits, want.Logits)
		}
		first = false
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.Save()
	if err != nil {
		t.Fatal(err)
	}
	if Hash(again) != meta.Hash {
		t.Error("weights loaded and saved again have another identity")
	}
}

// compareRows asserts agreement within 1e-5 of the values' root mean square.
func compareRows(t *testing.T, what string, got []float32, want [][]float64) {
	t.Helper()
	square, n := 0.0, 0
	for _, row := range want {
		for _, v := range row {
			square += v * v
			n++
		}
	}
	rms := math.Sqrt(square / float64(n))
	for i, v := range got {
		w := want[i/len(want[0])][i%len(want[0])]
		if math.Abs(float64(v)-w) > 1e-5*rms {
			t.Errorf("%s[%d] is %g, PyTorch has %g (rms %g)", what, i, v, w, rms)
		}
	}
}

// What nctrain writes, load_state_dict(strict=True) takes, and PyTorch computes the same features from it.
func TestPyTorchLoadsOurWeights(t *testing.T) {
	python := os.Getenv("NCTRAIN_PYTHON")
	if python == "" {
		python = "python3"
	}
	if out, err := exec.Command(python, "-c", "import torch, safetensors").CombinedOutput(); err != nil {
		t.Skipf("no PyTorch: set NCTRAIN_PYTHON to a Python that has torch and safetensors (%s: %.80s)", python, strings.TrimSpace(string(out)))
	}
	dev := openDevice(t, 2)
	m := placed(t, dev, kernels.FP32, goldenClasses, 4)
	s := testSettings()
	tr, err := NewTrainer(dev, m, goldenSet(), s, PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	finish(t, tr, nil)
	tensors, err := m.Save()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	weights, features := filepath.Join(dir, "weights.safetensors"), filepath.Join(dir, "features.f32")
	if _, err := SaveWeights(weights, tensors, Metadata{Version: "test", Epoch: 3}); err != nil {
		t.Fatal(err)
	}
	e, err := NewEvaluator(dev, m, goldenSet(), goldenSamples, &MemoryPool{}, PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var ours []float32
	if err := e.Each(context.Background(), func(r Rows) error { ours = append(ours, r.Features...); return nil }); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, "testdata/load_weights.py", weights, features).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	raw, err := os.ReadFile(features)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]float64, len(raw)/4)
	for i := range want {
		want[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])))
	}
	if len(want) != len(ours) {
		t.Fatalf("%d features, PyTorch has %d", len(ours), len(want))
	}
	compareRows(t, "features", ours, [][]float64{want})
}

func TestDamagedFilesAreNamed(t *testing.T) {
	whole, err := os.ReadFile("testdata/torch_width2.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"empty":     {},
		"truncated": whole[:len(whole)/2],
		"header":    whole[:100],
		"length":    append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, whole[8:]...),
		"garbage":   []byte("this is no tensor file at all, but long enough to be read as one"),
		"overflow":  append([]byte("\x4b\x00\x00\x00\x00\x00\x00\x00"), `{"x":{"dtype":"F32","shape":[0,18446744073709551615],"data_offsets":[0,0]}}`...),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		_, _, err := LoadWeights(path)
		if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v: want one line that names the file", name, err)
		}
	}
	if _, _, err := LoadWeights(filepath.Join(dir, "missing")); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("missing file: %v", err)
	}
}

// Weights whose bytes no longer have the identity that the file states are refused.
func TestChangedWeightsAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if _, err := SaveWeights(path, []Tensor{NewTensor("a", []float32{1, 2, 3}, 3)}, Metadata{}); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)-1] ^= 1
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := LoadWeights(path); err == nil || !strings.Contains(err.Error(), "changed after it was written") {
		t.Errorf("error %v", err)
	}
}

// A damaged last state gives way to the one before it, with a warning; both damaged is an error.
func TestPreviousStateTakesOver(t *testing.T) {
	dir := t.TempDir()
	state := func(epoch int) State {
		return State{Progress: Progress{Epoch: epoch}, History: make([]Epoch, epoch), Model: []Tensor{NewTensor("a", []float32{float32(epoch)}, 1)}}
	}
	if err := errors.Join(SaveState(dir, state(1)), SaveState(dir, state(2))); err != nil {
		t.Fatal(err)
	}
	s, warning, err := LoadState(dir)
	if err != nil || warning != "" || s.Progress.Epoch != 2 {
		t.Fatalf("epoch %d, warning %q, error %v", s.Progress.Epoch, warning, err)
	}
	last, prev := StatePaths(dir)
	content, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	turned := bytes.Clone(content)
	turned[len(turned)-1] ^= 1
	for _, damaged := range [][]byte{turned, content[:20]} {
		if err := os.WriteFile(last, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		s, warning, err = LoadState(dir)
		if err != nil || s.Progress.Epoch != 1 || !strings.Contains(warning, last) {
			t.Errorf("%d bytes of %d: epoch %d, warning %q, error %v", len(damaged), len(content), s.Progress.Epoch, warning, err)
		}
	}
	if err := os.Truncate(prev, 20); err != nil {
		t.Fatal(err)
	}
	if _, _, err = LoadState(dir); err == nil || !strings.Contains(err.Error(), "nothing to resume") {
		t.Fatalf("error %v", err)
	}
}

func TestTensorsThatDoNotFitAreListed(t *testing.T) {
	m, err := NewResNet18(10, 4)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Place(openDevice(t, 1), kernels.FP32); err != nil {
		t.Fatal(err)
	}
	tensors := m.Initial(1)
	tensors[0].Name = "module.conv1.weight"
	tensors[1].Dims = []int{2, 2}
	err = m.Load(tensors)
	for _, part := range []string{"1 missing (conv1.weight)", "1 wrong (bn1.weight is [2 2], the model has [4])", "1 unknown (module.conv1.weight)"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v does not say %q", err, part)
		}
	}
}

func FuzzSafetensors(f *testing.F) {
	path := filepath.Join(f.TempDir(), "seed")
	if _, err := SaveWeights(path, []Tensor{NewTensor("a", []float32{1, 2}, 2), NewTensor("n", []int64{3})}, Metadata{Epoch: 1}); err != nil {
		f.Fatal(err)
	}
	seed, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add(seed[:20])
	f.Fuzz(func(t *testing.T, content []byte) {
		tensors, _, err := decodeSafetensors(content)
		if err != nil {
			return
		}
		for _, tensor := range tensors {
			n := 1
			for _, d := range tensor.Dims {
				n *= d
			}
			if n != tensor.Len() {
				t.Errorf("%s: %v has %d elements", tensor.Name, tensor.Dims, tensor.Len())
			}
		}
	})
}

// TestStateThatCountsOtherwiseIsRefused: one number at a time says something else than the rest.
func TestStateThatCountsOtherwiseIsRefused(t *testing.T) {
	good := State{Progress: Progress{Step: 7, Epoch: 2, Batch: 1, Losses: []float64{1}, Correct: []int32{3}}, History: make([]Epoch, 2)}
	for name, change := range map[string]func(*State){
		"":        func(*State) {},
		"losses":  func(s *State) { s.Progress.Losses = []float64{1, 2} },
		"counts":  func(s *State) { s.Progress.Correct = nil },
		"batch":   func(s *State) { s.Progress.Batch = 2 },
		"step":    func(s *State) { s.Progress.Step = -1 },
		"epoch":   func(s *State) { s.Progress.Epoch, s.History = -1, nil },
		"history": func(s *State) { s.History = make([]Epoch, 3) },
	} {
		dir, s := t.TempDir(), good
		change(&s)
		if err := SaveState(dir, s); err != nil {
			t.Fatal(err)
		}
		_, _, err := LoadState(dir)
		if (err == nil) != (name == "") || err != nil && !strings.Contains(err.Error(), "the file is damaged") {
			t.Errorf("other %s: err %v", name, err)
		}
	}
}

func TestWeightsThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := SaveWeights(filepath.Join(file, "w.safetensors"), []Tensor{NewTensor("a", []float32{1}, 1)}, Metadata{}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("err %v", err)
	}
	if err := SaveState(file, State{}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("err %v", err)
	}
}

func TestNetworkOfNoSizeIsRefused(t *testing.T) {
	for _, size := range [][2]int{{0, 1}, {1, 0}, {-1, 4}} {
		if _, err := NewResNet18(size[0], size[1]); err == nil || !strings.Contains(err.Error(), "both must be at least 1") {
			t.Errorf("%v: err %v", size, err)
		}
	}
	if m, err := NewResNet18(1, 1); err != nil || m.Features() != 8 {
		t.Errorf("the smallest network: %v", err)
	}
}

// TestHashIsItsDefinition: SPEC 8's identity of two tensors, written out, in whatever order they are given.
func TestHashIsItsDefinition(t *testing.T) {
	a, b := NewTensor("a", []float32{1, -2}, 2, 1), NewTensor("b", []int64{3})
	want := sha256.Sum256([]byte("a\x00F32\x00[2 1]\x00" + "\x00\x00\x80\x3f" + "\x00\x00\x00\xc0" + "b\x00I64\x00[]\x00" + "\x03\x00\x00\x00\x00\x00\x00\x00"))
	for _, tensors := range [][]Tensor{{a, b}, {b, a}} {
		if got := Hash(tensors); got != hex.EncodeToString(want[:]) {
			t.Errorf("%s, want %x", got, want)
		}
	}
}
