package nn

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nctrain/internal/pth"
	"nctrain/kernels"
)

// The notebook's checkpoint goes on as PyTorch goes on from it: schedule, momentum and statistics included.
func TestNotebookGoesOnAsInPyTorch(t *testing.T) {
	content, err := os.ReadFile("testdata/notebook.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		History map[string][]float64
		Rates   []float64
		Losses  []float64
	}
	if err := json.Unmarshal(content, &want); err != nil {
		t.Fatal(err)
	}
	n, err := LoadNotebook("testdata/notebook.pth")
	if err != nil {
		t.Fatal(err)
	}
	if got := n.Settings; got != (TrainSettings{Epochs: 4, LR: 0.01, Momentum: 0.9, WeightDecay: 5e-4}) {
		t.Errorf("settings %+v", got)
	}
	if n.Meta.Epoch != 2 || !n.EpochKnown || n.BatchesSeen() != 8 || len(n.History) != 2 || len(n.Mapping.Lines()) != 0 {
		t.Errorf("epoch %d, %d batches, %d lines of history, mapping %q", n.Meta.Epoch, n.BatchesSeen(), len(n.History), n.Mapping.Lines())
	}
	for i, e := range n.History {
		h := want.History
		if e.Epoch != i+1 || e.TrainLoss != h["train_losses"][i] || e.TrainAccuracy != h["train_accuracies"][i] || e.Test.Loss != h["val_losses"][i] || e.Test.Accuracy != h["val_accuracies"][i] {
			t.Errorf("history %+v %+v, saved was %v", e, *e.Test, h)
		}
	}

	dev := openDevice(t, 2)
	if err := n.Model.Place(dev, kernels.FP64); err != nil {
		t.Fatal(err)
	}
	s := n.Settings
	s.BatchSize, s.Seed = goldenBatch, 47
	tr, err := NewTrainer(dev, n.Model, goldenSet(), s, PlanOptions{Precision: kernels.FP64})
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Restore(n.State(s.Seed, tr.Batches())); err != nil {
		t.Fatal(err)
	}
	var losses []float64
	for i := range want.Rates {
		line, err := tr.RunEpoch(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(line.LR-want.Rates[i]) > 1e-15 || line.Epoch != 3+i {
			t.Errorf("epoch %d at rate %.17g, PyTorch's is %.17g", line.Epoch, line.LR, want.Rates[i])
		}
		losses = append(losses, line.BatchLosses...)
	}
	if len(losses) != len(want.Losses) {
		t.Fatalf("%d losses, PyTorch has %d", len(losses), len(want.Losses))
	}
	for i, l := range losses {
		if math.Abs(l-want.Losses[i]) > 1e-10*want.Losses[i] {
			t.Errorf("loss of step %d is %.15g, PyTorch's %.15g", i+1, l, want.Losses[i])
		}
	}
}

// Parts that do not fit each other are named before anything is placed on a device.
func TestNotebookPartsMustFit(t *testing.T) {
	for _, c := range []struct {
		path string
		says string
	}{
		{"testdata/torch_width2.safetensors", "neither a run directory nor a .pth"},
		{"testdata/foreign.pth", "weights alone, no optimizer_state_dict"},
		{"testdata/nowhere.pth", "no such file or directory: check the path"},
	} {
		if _, err := LoadNotebook(c.path); err == nil || !strings.Contains(err.Error(), c.path) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.path, err, c.says)
		}
	}
	for _, c := range []struct {
		change func(root *pth.Dict)
		says   string
	}{
		{func(d *pth.Dict) { d.Put("epoch", int64(3)) }, "sheduler_state_dict: last_epoch 2, epoch says 3"},
		{func(d *pth.Dict) { d.Put("epoch", "two") }, "epoch is not a number of epochs"},
		{func(d *pth.Dict) { d.Put("sheduler_state_dict", nil) }, "no dict sheduler_state_dict"},
		{func(d *pth.Dict) { at(d, "sheduler_state_dict").Put("eta_min", 0.1) }, "eta_min 0.1"},
		{func(d *pth.Dict) { at(d, "sheduler_state_dict").Put("T_max", int64(1)) }, "T_max 1 after 2 epochs"},
		{func(d *pth.Dict) { at(d, "sheduler_state_dict").Put("base_lrs", &pth.List{}) }, "0 base_lrs"},
		{func(d *pth.Dict) { at(d, "optimizer_state_dict").Put("param_groups", &pth.List{}) }, "no list of one group"},
		{func(d *pth.Dict) { group(d).Put("nesterov", true) }, "nesterov is true"},
		{func(d *pth.Dict) { group(d).Put("params", &pth.List{Items: []any{int64(0)}}) }, "1 parameters, the network has 62"},
		{func(d *pth.Dict) { group(d).Put("momentum", nil) }, "no number momentum"},
		{func(d *pth.Dict) { buffers(d).Put(int64(99), nil) }, "state of 63 of 62 parameters"},
		{func(d *pth.Dict) { buffers(d).Put(int64(5), nil) }, "no state of parameter 5, layer1.0.b1.bias"},
		{func(d *pth.Dict) {
			swapped, _ := buffers(d).Get(int64(0))
			buffers(d).Put(int64(61), swapped)
		}, "the momentum_buffer of parameter 61 is no tensor of [10], which fc.bias has"},
		{func(d *pth.Dict) { d.Put("val_losses", &pth.List{Items: []any{1.0}}) }, "val_losses has 1 entries after 2 epochs"},
		{func(d *pth.Dict) { d.Put("train_losses", &pth.List{Items: []any{1.0, math.NaN()}}) }, "train_losses: epoch 2 is not finite"},
	} {
		f, err := openTorch("testdata/notebook.pth")
		if err != nil {
			t.Fatal(err)
		}
		c.change(f.root)
		_, err = f.notebook()
		f.Close()
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "name a .pth of the notebook's training loop") {
			t.Errorf("error %v, want %q", err, c.says)
		}
	}
}

func at(d *pth.Dict, key string) *pth.Dict {
	value, _ := d.Get(key)
	return value.(*pth.Dict)
}

func group(d *pth.Dict) *pth.Dict {
	groups, _ := at(d, "optimizer_state_dict").Get("param_groups")
	return groups.(*pth.List).Items[0].(*pth.Dict)
}

func buffers(d *pth.Dict) *pth.Dict { return at(at(d, "optimizer_state_dict"), "state") }

// FuzzNotebook damages the pickle of the notebook's checkpoint, and the archive's checksums are made to fit.
func FuzzNotebook(f *testing.F) {
	golden, err := zip.OpenReader("testdata/notebook.pth")
	if err != nil {
		f.Fatal(err)
	}
	defer golden.Close()
	var names []string
	contents := map[string][]byte{}
	for _, entry := range golden.File {
		r, err := entry.Open()
		if err != nil {
			f.Fatal(err)
		}
		if contents[entry.Name], err = io.ReadAll(r); err != nil {
			f.Fatal(err)
		}
		names = append(names, entry.Name)
	}
	f.Add(contents["notebook/data.pkl"])
	f.Fuzz(func(t *testing.T, program []byte) {
		var archive bytes.Buffer
		w := zip.NewWriter(&archive)
		for _, name := range names {
			content := contents[name]
			if name == "notebook/data.pkl" {
				content = program
			}
			out, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := out.Write(content); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "f.pth")
		if err := os.WriteFile(path, archive.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := LoadNotebook(path)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
			return
		}
		if err := n.Model.check(n.Tensors, func(*param) bool { return true }); err != nil {
			t.Error(err)
		}
		if err := n.Model.check(n.Momentum, func(p *param) bool { return p.kind == trained }); err != nil {
			t.Error(err)
		}
		if len(n.History) != n.Meta.Epoch {
			t.Errorf("%d lines of history after %d epochs", len(n.History), n.Meta.Epoch)
		}
	})
}
