package ood_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"nctrain/analysis"
	"nctrain/analysis/ood"
)

// TestTiesAreCountedAndWarnedOf: of 4 x 3 pairs, the two 1s meet one 1 and the 2 meets one 2.
func TestTiesAreCountedAndWarnedOf(t *testing.T) {
	v := ood.Measure([]float64{1, 1, 2, 3}, []float64{1, 2, 0})
	if x, _ := v.Get("ties"); math.Abs(x-100*3./12) > 1e-12 {
		t.Errorf("ties %g", x)
	}
	for _, want := range []string{"25 % of the (ID, OOD) pairs", "4 ID and 3 OOD rows"} {
		if !slices.ContainsFunc(v.Warnings, func(w string) bool { return strings.Contains(w, want) }) {
			t.Errorf("no warning %q in %q", want, v.Warnings)
		}
	}
	many := func(shift float64) (x []float64) {
		for i := range 200 {
			x = append(x, float64(i)+shift)
		}
		return x
	}
	if v := ood.Measure(many(0), many(0.5)); len(v.Warnings) > 0 {
		t.Errorf("warnings %q", v.Warnings)
	}
}

func TestHealthOfAResult(t *testing.T) {
	o := plain(t)
	r := compute(t, o)
	x := func(key string) float64 { v, _ := r.Health.Get(key); return v }
	if x("fit_rows") != 288 || x("fit_smallest_class") != 36 || x("val_rows") != 0 || x("overlap") != 0 || !(x("head_mismatch") > 0 && x("head_mismatch") < 0.1) { // of float32 logits
		t.Errorf("health %v: %g rows, smallest class %g, %g held out, overlap %g, mismatch %g", r.Health.Keys(), x("fit_rows"), x("fit_smallest_class"), x("val_rows"), x("overlap"), x("head_mismatch"))
	}
	o.AllowOverlap = true
	o.ID = o.Train
	if r = compute(t, o); x("overlap") != 288 {
		t.Errorf("overlap %g of rows that are all fitted on", x("overlap"))
	}
	o = plain(t)
	o.Scores, o.Notebook = []string{"msp"}, false
	if r = compute(t, o); !slices.Contains(r.Health.Keys(), "fit_rows") || x("fit_rows") != 0 || !strings.HasPrefix(r.Health.Reason("fit_smallest_class"), "nothing is fitted") {
		t.Errorf("nothing is fitted: health %v, %q", r.Health.Keys(), r.Health.Reason("fit_smallest_class"))
	}
}

// TestWhatAFitReports: the keys of each detector, and the numbers that the training rows give by a short way of their own.
func TestWhatAFitReports(t *testing.T) {
	o := headed(t, archive(t, "testdata/detectors_golden.npz"), "plain")
	o.Notebook, o.AllowOverlap, o.ID = true, true, o.Train
	r := compute(t, o)
	const whitened = "rank floor rank_eps32 floor_eps32 smallest_eigenvalue"
	want := map[string]string{
		"mahalanobis": whitened, "mahalanobis@notebook": whitened, "rmds": whitened + " rank_total floor_total", "vim": "dim alpha mean_residual", "residual": "dim mean_residual",
		"neco": "k scaler max_logit explained_variance", "neco@notebook": "k explained_variance", "temperature": "temperature", "gen": "gamma m", "klm": "classes", "nci": "a",
		"knn": "k rows", "nnguide": "k rows", "react": "percentile threshold", "dice": "keep weights_kept", "ash_p": "percentile", "ash_b": "percentile", "ash_s": "percentile",
		"scale": "percentile", "vra": "low high low_threshold high_threshold", "openmax": "tail alpha",
	}
	figure := func(name, key string) float64 {
		v, _ := r.Detectors.Get(name)
		x, ok := v.Get(key)
		if !ok {
			t.Fatalf("%s of %s: %s", key, name, v.Reason(key))
		}
		return x
	}
	for _, d := range ood.Detectors() {
		v, _ := r.Detectors.Get(d.Name)
		if v.Reason("fit") != "" { // vim@notebook: 64 dimensions of 20
			continue
		}
		if got := strings.Join(v.Keys()[1:], " "); got != want[d.Name] {
			t.Errorf("%s reports %q, want %q", d.Name, got, want[d.Name])
		}
	}

	if rows, _ := r.Health.Get("val_rows"); rows != 80 {
		t.Errorf("%g held-out rows, want 80", rows)
	}

	// S_W and S_T of the training rows by two passes.
	const c, d = 8, 20
	var rows []float64
	var labels []int64
	if err := o.Train.Sweep(t.Context(), func(b *analysis.Block) error {
		rows, labels = append(rows, b.Features...), append(labels, b.Labels...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	n := float64(len(labels))
	means, grand, count := make([]float64, c*d), make([]float64, d), make([]float64, c)
	for _, label := range labels {
		count[label]++
	}
	var square float64
	for i, label := range labels {
		for j := range d {
			means[int(label)*d+j] += rows[i*d+j] / count[label]
			grand[j] += rows[i*d+j] / n
			square += rows[i*d+j] * rows[i*d+j]
		}
	}
	spectrum := func(mean func(label int64) []float64) []float64 {
		s := mat.NewSymDense(d, nil)
		for i, label := range labels {
			e := mat.NewVecDense(d, slices.Clone(rows[i*d:(i+1)*d]))
			e.SubVec(e, mat.NewVecDense(d, mean(label)))
			s.SymRankOne(s, 1/n, e)
		}
		var eigen mat.EigenSym
		if !eigen.Factorize(s, false) {
			t.Fatal("no eigenvalues")
		}
		return eigen.Values(nil) // ascending
	}
	within := spectrum(func(label int64) []float64 { return means[label*d : (label+1)*d] })
	total := spectrum(func(int64) []float64 { return grand })
	quantum := square / n / d * 0x1p-46 / 12 // of float32
	var residual float64
	scores, _ := r.Scores.Get(ood.IDName)
	of, _ := scores.Get("residual")
	for _, x := range of {
		residual -= x / n
	}
	for _, each := range []struct {
		name, key   string
		want, bound float64
	}{
		{"mahalanobis", "floor", math.Max(d*0x1p-52*within[d-1], quantum), 1e-9}, {"mahalanobis", "floor_eps32", d * 0x1p-23 * within[d-1], 1e-9},
		{"mahalanobis", "smallest_eigenvalue", within[0], 1e-9}, {"mahalanobis", "rank", d, 0}, {"mahalanobis", "rank_eps32", d, 0},
		{"mahalanobis@notebook", "floor", d * 0x1p-23 * within[d-1], 1e-6}, {"rmds", "floor_total", math.Max(d*0x1p-52*total[d-1], quantum), 1e-9}, {"rmds", "rank_total", d, 0},
		{"residual", "mean_residual", residual, 1e-9}, {"vim", "mean_residual", residual, 1e-6}, {"vim", "dim", d / 2, 0}, {"residual", "dim", d / 2, 0},
		{"knn", "rows", n, 0}, {"nnguide", "rows", n, 0}, {"klm", "classes", c, 0}, {"dice", "weights_kept", 0.3 * c * d, 0},
	} {
		if got := figure(each.name, each.key); math.Abs(got-each.want) > each.bound*each.want {
			t.Errorf("%s of %s is %g, want %g", each.key, each.name, got, each.want)
		}
	}
	if figure("mahalanobis@notebook", "smallest_eigenvalue") == figure("mahalanobis", "smallest_eigenvalue") {
		t.Error("the notebook's S_W is not rounded to float32")
	}
	v, _ := r.Detectors.Get("neco")
	if warned(v, "K/D") {
		t.Errorf("8 of 20 components: %q", v.Warnings)
	}
	for k, above := range map[float64]bool{10: false, 11: true} {
		o.Scores, o.Notebook, o.Params = []string{"neco"}, false, map[string]float64{"neco.k": k}
		r = compute(t, o)
		if v, _ := r.Detectors.Get("neco"); warned(v, "is above 0.5") != above {
			t.Errorf("%g of 20 components: warnings %q", k, v.Warnings)
		}
	}
}
