package nn

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nctrain/kernels"
)

// rowsOf are the first rows of features and logits that a checkpoint's network computes of the golden set.
func rowsOf(t *testing.T, c *Checkpoint, n int) (features, logits []float32) {
	t.Helper()
	dev := openDevice(t, 1)
	if err := c.Model.Place(dev, kernels.FP32); err != nil {
		t.Fatal(err)
	}
	if err := c.Model.Load(c.Tensors); err != nil {
		t.Fatal(err)
	}
	e, err := NewEvaluator(dev, c.Model, goldenSet(), n, &MemoryPool{}, PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	err = e.Each(context.Background(), func(r Rows) error {
		features, logits = slices.Clone(r.Features), slices.Clone(r.Logits)
		return errStopped
	})
	if !errors.Is(err, errStopped) {
		t.Fatal(err)
	}
	return features, logits
}

// A checkpoint under torchvision's names gives the features that PyTorch computes from it, by its own normalisation.
func TestForeignNamesGivePyTorchsFeatures(t *testing.T) {
	content, err := os.ReadFile("testdata/foreign.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Mean, Std        [3]float32
		Features, Logits [][]float64
	}
	if err := json.Unmarshal(content, &want); err != nil {
		t.Fatal(err)
	}
	c, err := LoadCheckpoint("testdata/foreign.pth")
	if err != nil {
		t.Fatal(err)
	}
	if c.EpochKnown || c.Meta.Version != "" || c.Meta.Hash != Hash(c.Tensors) {
		t.Errorf("metadata %+v, epoch known: %v", c.Meta, c.EpochKnown)
	}
	lines := strings.Join(c.Mapping.Lines(), "\n")
	for _, part := range []string{
		"module.* -> * (102 tensors)", "layerN.N.conv1, conv2 -> c1, c2 (16 tensors)", "layerN.N.bn1, bn2 -> b1, b2 (64 tensors)", "layerN.N.downsample -> shortcut (15 tensors)",
		"linear -> fc (2 tensors)", "20 counters that the file lacks set to 0 (bn1.num_batches_tracked, ...)",
	} {
		if !strings.Contains(lines, part) {
			t.Errorf("the mapping does not say %q:\n%s", part, lines)
		}
	}
	c.Model.Normalization = Normalization{Mean: want.Mean, Std: want.Std}
	features, logits := rowsOf(t, c, len(want.Features))
	compareRows(t, "features", features, want.Features)
	compareRows(t, "logits", logits, want.Logits)
}

// Every known way of naming comes back to ours, and ours stay what they are.
func TestNamesComeBack(t *testing.T) {
	m, err := NewResNet18(3, 1)
	if err != nil {
		t.Fatal(err)
	}
	ours := m.Initial(1)
	want := Hash(ours)
	for name, rename := range map[string]*strings.Replacer{
		"ours":        strings.NewReplacer(),
		"OpenOOD":     strings.NewReplacer(".c1.", ".conv1.", ".c2.", ".conv2.", ".b1.", ".bn1.", ".b2.", ".bn2."),
		"kuangliu":    strings.NewReplacer(".c1.", ".conv1.", ".c2.", ".conv2.", ".b1.", ".bn1.", ".b2.", ".bn2.", "fc.", "linear."),
		"torchvision": strings.NewReplacer(".c1.", ".conv1.", ".c2.", ".conv2.", ".b1.", ".bn1.", ".b2.", ".bn2.", ".shortcut.", ".downsample."),
	} {
		for _, prefix := range []string{"", "module."} {
			var theirs []Tensor
			for _, tensor := range ours {
				tensor.Name = prefix + rename.Replace(tensor.Name)
				theirs = append(theirs, tensor)
			}
			path := filepath.Join(t.TempDir(), "w.safetensors")
			if _, err := SaveWeights(path, theirs, Metadata{}); err != nil {
				t.Fatal(err)
			}
			c, err := LoadCheckpoint(path)
			if err != nil {
				t.Errorf("%s %s: %v", name, prefix, err)
				continue
			}
			if c.Meta.Hash != want || c.Tensors[1].Name != ours[1].Name {
				t.Errorf("%s %s: another network than it was", name, prefix)
			}
			if mapped := len(c.Mapping.Lines()) > 0; mapped != (name != "ours" || prefix != "") {
				t.Errorf("%s %s: mapping %q", name, prefix, c.Mapping.Lines())
			}
		}
	}
}

func TestSixteenBitWeightsAreWidened(t *testing.T) {
	for typ, bits := range map[DType][]byte{"F16": {0x00, 0xc1}, "BF16": {0x20, 0xc0}} {
		got := widened(Tensor{Name: "a", DType: typ, Dims: []int{1}, Data: bits})
		if got.DType != F32 || View[float32](got)[0] != -2.5 {
			t.Errorf("%s %x is %v %v", typ, bits, got.DType, View[float32](got))
		}
	}
}

func TestForeignFilesThatDoNotFitSayWhy(t *testing.T) {
	m, err := NewResNet18(3, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func([]Tensor) []Tensor
		says   []string
	}{
		{"no last layer", func(ts []Tensor) []Tensor { return ts[:len(ts)-2] }, []string{"no conv1.weight [width,3,3,3] and fc.weight"}},
		{"no bias", func(ts []Tensor) []Tensor { return ts[:len(ts)-1] }, []string{"1 missing (fc.bias)", "a biased last layer"}},
		{"an ImageNet stem", func(ts []Tensor) []Tensor {
			ts[0] = NewTensor("conv1.weight", make([]float32, 3*49), 1, 3, 7, 7)
			return ts
		}, []string{"conv1.weight is [1 3 7 7], the model has [1 3 3 3]", "3x3 stem"}},
		{"a layer too many", func(ts []Tensor) []Tensor {
			return append(ts, NewTensor("layer1.2.conv1.weight", make([]float32, 9), 1, 1, 3, 3))
		},
			[]string{"1 unknown (layer1.2.c1.weight)", "after layerN.N.conv1, conv2 -> c1, c2"}},
		{"two networks", func(ts []Tensor) []Tensor { return append(ts, NewTensor("module.fc.bias", make([]float32, 3), 3)) },
			[]string{"fc.bias and module.fc.bias are both this network's fc.bias"}},
	} {
		path := filepath.Join(t.TempDir(), "w.safetensors")
		if _, err := SaveWeights(path, c.change(m.Initial(1)), Metadata{}); err != nil {
			t.Fatal(err)
		}
		_, err := LoadCheckpoint(path)
		for _, part := range append([]string{"weights: " + path}, c.says...) {
			if err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: error %v does not say %q in one line", c.name, err, part)
			}
		}
	}
}
