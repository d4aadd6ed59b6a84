package ood_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/ood"
	"nctrain/internal/npz"
)

// saved fits every detector and writes the file.
func saved(t *testing.T) (*ood.Result, ood.Options) {
	t.Helper()
	o := headed(t, archive(t, "testdata/detectors_golden.npz"), "plain")
	o.Notebook, o.Params = true, map[string]float64{"vim@notebook.dim": 9, "knn.k": 7}
	o.ThresholdAt, o.SaveTo = 0.9, filepath.Join(t.TempDir(), "d.npz")
	return compute(t, o), o
}

func TestSavedDetectorsScoreTheSameBits(t *testing.T) {
	r, o := saved(t)
	f, err := ood.OpenFitted(o.SaveTo)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want, _ := r.Scores.Get("noise")
	if !slices.Equal(f.Names(), want.Keys()) || want.Len() != len(ood.Detectors()) {
		t.Fatalf("%v, want %v", f.Names(), want.Keys())
	}
	got := make([][]float64, len(f.Names()))
	warnings, err := f.Score(t.Context(), o.OOD[0].Source, 2, func(start int, scores [][]float64) error {
		for k := range scores {
			if start != len(got[k]) {
				t.Errorf("block starts at row %d of %d", start, len(got[k]))
			}
			got[k] = append(got[k], scores[k]...)
		}
		return nil
	})
	if err != nil || len(warnings) > 0 {
		t.Fatalf("warnings %q, err %v", warnings, err)
	}
	for k, name := range f.Names() {
		if w, _ := want.Get(name); !slices.Equal(got[k], w) {
			t.Errorf("%s: other scores after reading back", name)
		}
	}
	a, _ := r.Thresholds.Get("energy")
	b, ok := f.Thresholds.Get("energy")
	x, _ := a.Get("threshold")
	if y, _ := b.Get("threshold"); !ok || x != y {
		t.Errorf("threshold %g, want %g", y, x)
	}
	if head, err := analysis.OpenHead(o.SaveTo); err != nil || head.C != o.Head.C {
		t.Errorf("the file is no head file: %v", err)
	}
}

func TestSavedDetectorsRefuseAnotherCheckpoint(t *testing.T) {
	_, o := saved(t)
	f, err := ood.OpenFitted(o.SaveTo)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	src, err := analysis.NewMemory(analysis.Info{Name: "other", Meta: analysis.Meta{Checkpoint: "y"}}, make([]float32, o.Head.D), nil, []int64{0})
	if err != nil {
		t.Fatal(err)
	}
	none := func(int, [][]float64) error { return nil }
	if _, err := f.Score(t.Context(), src, 1, none); err == nil || !strings.Contains(err.Error(), "one checkpoint") {
		t.Errorf("err %v", err)
	}
}

// rewritten copies a file of detectors with one array replaced (or, nil, left out).
func rewritten(t testing.TB, path, array string, replace any, shape ...int) string {
	t.Helper()
	in, err := npz.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out := filepath.Join(t.TempDir(), "d.npz")
	err = npz.Write(out, func(w *npz.Writer) error {
		for _, info := range in.Arrays() {
			var err error
			switch {
			case info.Name == array:
				switch x := replace.(type) {
				case []float64:
					err = npz.Put(w, array, x, shape...)
				case []uint8:
					err = npz.Put(w, array, x)
				case []int64:
					err = npz.Put(w, array, x)
				}
			case info.DType == npz.Uint8:
				x, _ := in.Uint8s(info.Name)
				err = npz.Put(w, info.Name, x, info.Shape...)
			case info.DType == npz.Int64:
				x, _ := in.Int64s(info.Name)
				err = npz.Put(w, info.Name, x, info.Shape...)
			case info.DType == npz.Float32:
				x, _ := in.Float32s(info.Name)
				err = npz.Put(w, info.Name, x, info.Shape...)
			default:
				x, _ := in.Float64s(info.Name)
				err = npz.Put(w, info.Name, x, info.Shape...)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestOpenFittedNamesWhatIsWrong(t *testing.T) {
	_, o := saved(t)
	for _, c := range []struct {
		array   string
		replace any
		want    string
	}{
		{"detectors", nil, "detectors"},
		{"detectors", []uint8("{"), "array detectors"},
		{"detectors", []uint8(`{"format":"nctrain detectors 9"}`), "format"},
		{"detectors", []uint8(`{"format":"nctrain detectors 1","detectors":[{"name":"magic"}]}`), "magic"},
		{"detectors", []uint8(`{"format":"nctrain detectors 1","detectors":[{"name":"gen","fit":"none","params":{"gamma":-1,"m":3}}]}`), "gamma"},
		{"detectors", []uint8(`{"format":"nctrain detectors 1","detectors":[{"name":"gen","fit":"none"}]}`), "is missing"},
		{"detectors", []uint8(`{"format":"nctrain detectors 1","detectors":[{"name":"she","fit":"none"}]}`), "fit set"},
		{"fit/train/count", []int64{1, 2}, "array fit/train/count: found int64 [2], want int64 ["},
		{"fit/train/count", make([]int64, classes), "0 rows"},
		{"fit/train/mean", []float64{1}, "fit/train/mean"},
		{"state/she/patterns", nil, "array state/she/patterns: found no such array, want float64"},
		{"state/vim/alpha", []float64{1}, "state/vim/alpha"},
		{"state/knn/rows", []float64{1, 2}, "state/knn/rows"},
		{"state/nnguide/rows", nil, "array state/nnguide/rows: found no such array, want float64"},
		{"state/klm/log_typical", []float64{1}, "state/klm/log_typical"},
	} {
		path := rewritten(t, o.SaveTo, c.array, c.replace)
		_, err := ood.OpenFitted(path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: err %v, want one line with %q and the path", c.array, err, c.want)
		}
	}
	if _, err := ood.OpenFitted(filepath.Join(t.TempDir(), "nothing.npz")); err == nil {
		t.Error("a file that is not there was opened")
	}
}

func FuzzOpenFitted(f *testing.F) {
	head, err := analysis.NewHead("h", 2, 2, []float64{1, 0, 0.5, 1}, nil, analysis.Meta{})
	if err != nil {
		f.Fatal(err)
	}
	src, err := analysis.NewMemory(analysis.Info{Name: "m"}, []float64{3, 1, 1, 4, 2, 0, 1, 3, 2, 1, 0, 2}, nil, []int64{0, 1, 0, 1, 0, 1})
	if err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(f.TempDir(), "d.npz")
	_, err = ood.Compute(f.Context(), ood.Options{Train: src, Val: src, ID: src, OOD: []analysis.Named{{Name: "n", Source: src}}, Head: head, Scores: []string{"all"}, AllowOverlap: true,
		Params: map[string]float64{"knn.k": 2, "nnguide.k": 2, "vim.dim": 1, "neco.k": 1}, SaveTo: path})
	if err != nil {
		f.Fatal(err)
	}
	for _, at := range []string{path, rewritten(f, path, "fit/train/scatter", []float64{-1, 2, 3, 1e308}, 2, 2), rewritten(f, path, "state/knn/rows", []float64{})} {
		content, err := os.ReadFile(at)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "d.npz")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		fitted, err := ood.OpenFitted(path)
		if err != nil {
			return
		}
		defer fitted.Close()
		row, err := analysis.NewMemory(analysis.Info{Name: "row"}, make([]float64, fitted.Head.D), nil, []int64{0})
		if err != nil {
			t.Fatal(err)
		}
		fitted.Score(t.Context(), row, 1, func(int, [][]float64) error { return nil })
	})
}

// TestFailureAfterTheFitSavesNothing: the baseline turns out not to be fitted.
func TestFailureAfterTheFitSavesNothing(t *testing.T) {
	o := plain(t)
	o.Train, o.Replicates, o.Baseline, o.SaveTo = nil, ood.LeastReplicates, "vim", filepath.Join(t.TempDir(), "d.npz")
	if _, err := ood.Compute(t.Context(), o); err == nil || !strings.Contains(err.Error(), "vim") {
		t.Errorf("err %v", err)
	}
	if _, err := os.Stat(o.SaveTo); err == nil {
		t.Error("a file was left behind")
	}
}
