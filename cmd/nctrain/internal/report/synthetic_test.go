package report_test

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/nc"
	"nctrain/analysis/ood"
	"nctrain/cmd/nctrain/internal/run"
	"nctrain/internal/npz"
	"nctrain/nn"
)

// hostile is an OOD set whose name must come out as text wherever it stands.
const hostile = `<i>"&'</i>`

var scoreNames = []string{"msp", "mls", "energy", "mahalanobis", "vim", "neco", "neco@notebook"}

// writeRun makes a run directory of four checkpoints that collapse, from formulas; the seed changes the numbers a little.
func writeRun(t *testing.T, name string, seed uint64) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.MkdirAll(filepath.Join(dir, "thumbs"), 0o755); err != nil {
		t.Fatal(err)
	}
	training := nn.NotebookSettings()
	training.Epochs, training.Seed = 30, seed
	sets := []run.NamedSet{{Name: "digits", Set: "digits"}, {Name: hostile, Set: "npz:odd.npz"}}
	config := run.Config{
		Settings: run.Settings{Data: "shapes", OOD: sets, ImageSize: 32, Width: 8, CheckpointEvery: 10, Precision: "fp32", Training: training, Analysis: &run.Analysis{Notebook: true}},
		Sets: map[string]run.SetRecord{
			"train":      {Set: "shapes", Split: "train", N: 2000, Classes: 10, Height: 32, Width: 32, SHA256: strings.Repeat("00ff", 16)},
			"test":       {Set: "shapes", Split: "test", N: 80, Classes: 10, Height: 32, Width: 32, SHA256: strings.Repeat("01ff", 16)},
			"ood/digits": {Set: "digits", Split: "test", N: 60, Classes: 10, Height: 32, Width: 32, SHA256: strings.Repeat("02ff", 16)},
		},
		Sessions: []run.Session{{Started: "2026-11-24T08:50:52Z", Command: []string{"nctrain", "run"}, Version: "(devel)", Go: "go1.26", BLAS: "gonum", Device: "a processor", ISA: "avx2", Threads: 2, Variants: []string{"conv_fprop=im2col"}}},
	}
	put(t, dir, "config.json", config)
	var history strings.Builder
	history.WriteString("epoch,lr,train_loss,train_accuracy,test_loss,test_accuracy\n")
	for e := 1; e <= 30; e++ {
		x := float64(e) + float64(seed)/10
		fmt.Fprintf(&history, "%d,%g,%g,%g,%g,%g\n", e, 0.01*(31-x)/30, 2.3*math.Exp(-x/6), 1-0.9*math.Exp(-x/5), 0.1+2.2*math.Exp(-x/7), 0.98-0.9*math.Exp(-x/6))
	}
	if err := os.WriteFile(filepath.Join(dir, "history.csv"), []byte(history.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	var collapse []*nc.Result
	var detection []*ood.Result
	for epoch := 0; epoch <= 30; epoch += 10 {
		collapse = append(collapse, collapseRow(epoch, seed))
		detection = append(detection, scored(rng, epoch, sets))
	}
	put(t, dir, "nc.json", collapse)
	put(t, dir, "ood.json", detection)
	last := detection[len(detection)-1]
	err := npz.Write(filepath.Join(dir, "scores.npz"), func(w *npz.Writer) error {
		for set, byScore := range last.Scores.All() {
			for score, values := range byScore.All() {
				if err := npz.Put(w, set+"/"+score, values); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	cosines := make([]float64, 100)
	for i := range cosines {
		cosines[i] = -1.0/9 + 0.1*math.Sin(float64(i/10*(i%10)))
	}
	for i := range 10 {
		cosines[11*i] = 1
	}
	if err := npz.Write(filepath.Join(dir, "nc2_cosines.npz"), func(w *npz.Writer) error { return npz.Put(w, "epoch_0030", cosines, 10, 10) }); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"train", "test", "ood_digits"} {
		sheet := image.NewRGBA(image.Rect(0, 0, 64, 32))
		for i := range 64 * 32 {
			sheet.SetRGBA(i%64, i/64, color.RGBA{uint8(4 * i), uint8(i / 8), 128, 255})
		}
		file, err := os.Create(filepath.Join(dir, "thumbs", name+".png"))
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(file, sheet); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func put(t *testing.T, dir, name string, value any) {
	t.Helper()
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// collapseRow has every variant of SPEC 4; nc4 reaches zero, and one value is undefined at first.
func collapseRow(epoch int, seed uint64) *nc.Result {
	hash := fmt.Sprintf("%064x", epoch)
	r := &nc.Result{Epoch: &epoch, Checkpoint: &hash, N: 2000}
	fall := math.Pow(10, -float64(epoch)/10) * (1 + float64(seed)/50)
	set := func(v *analysis.Values, keys ...string) {
		for i, key := range keys {
			v.Set(key, fall*(1+float64(i)/3))
		}
	}
	set(&r.NC1, "rank", "notebook", "papyan_code", "quotient", "cdnv")
	set(&r.NC2, "equinorm", "equinorm_weights", "equiangularity", "equiangularity_weights", "etf_error", "etf_error_weights")
	set(&r.NC3, "papyan", "row_l2", "mean_cos", "duality_etf", "bias_collapse")
	r.NC3.Set("mean_cos", 1-fall/2)
	set(&r.NC4, "train", "test")
	if epoch == 30 {
		r.NC4.Set("train", 0)
		r.Warnings = []string{"a warning <of> the last checkpoint"}
	}
	if epoch == 0 {
		r.NC2.Null("equinorm", "class 3 has no rows")
		r.NC1.Warn("an early warning")
	}
	for _, name := range []string{"digits", hostile} {
		var v analysis.Values
		set(&v, "raw", "centred", "etf_energy", "upper_bound", "chance", "etf_energy_chance")
		r.NC5.Set(name, v)
	}
	r.Accuracy.Set("train", math.Min(100, 60+float64(epoch)*2))
	r.Accuracy.Set("test", 55+float64(epoch))
	set(&r.Health, "rank", "lambda_ratio", "within_rank", "within_condition", "within_floor", "head_mismatch")
	r.Health.Set("d", 64)
	r.Health.Set("rows_less_classes", 1990)
	r.Health.Set("smallest_class", 200)
	r.Health.Set("zero_units", 3)
	r.Health.Set("nan_count", 0)
	return r
}

// scored draws scores that tell better as training goes on; vim could not be fitted.
func scored(rng *rand.Rand, epoch int, sets []run.NamedSet) *ood.Result {
	hash, accuracy := fmt.Sprintf("%064x", epoch), 55+float64(epoch)
	r := &ood.Result{Epoch: &epoch, Checkpoint: &hash, IDAccuracy: &accuracy, NID: 80}
	draw := func(n int, shift float64) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = rng.NormFloat64() + shift
		}
		return out
	}
	for _, name := range scoreNames {
		var v analysis.Values
		v.SetText("fit", "train")
		if name == "vim" {
			v.Null("fit", "the residual is rounding")
		}
		v.Set("floor", 1e-14)
		r.Detectors.Set(name, v)
	}
	var id analysis.Ordered[[]float64]
	for i, name := range scoreNames {
		if name != "vim" {
			id.Set(name, draw(80, float64(epoch)/15+float64(i)/5))
		}
	}
	r.Scores.Set(ood.IDName, id)
	for k, set := range sets {
		n := 60 - 10*k
		r.NOOD.Set(set.Name, n)
		var values analysis.Ordered[[]float64]
		var byScore analysis.Ordered[analysis.Values]
		for _, name := range scoreNames {
			var v analysis.Values
			if name == "vim" {
				for _, key := range ood.MetricKeys {
					v.Null(key, "the residual is rounding")
				}
			} else {
				a, _ := id.Get(name)
				b := draw(n, 0)
				values.Set(name, b)
				v = ood.Measure(a, b)
				v.SetPair("auroc_ci95", 12.25, 98.75)
			}
			byScore.Set(name, v)
		}
		r.Scores.Set(set.Name, values)
		r.OOD.Set(set.Name, byScore)
	}
	return r
}
