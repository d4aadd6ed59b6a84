package nc_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/nc"
)

// cross is two classes in two dimensions: four rows about (4,0), (+-2,0) and (0,+-1) away, and two about (-2,0), (+-1,0) away, times scale.
func cross(t *testing.T, scale float64) nc.Options {
	t.Helper()
	head, err := analysis.NewHead("h", 2, 2, []float64{3, 4, -3, 4}, nil, analysis.Meta{Checkpoint: "x"})
	if err != nil {
		t.Fatal(err)
	}
	rows := []float64{6, 0, 2, 0, 4, 1, 4, -1, -1, 0, -3, 0}
	for i := range rows {
		rows[i] *= scale
	}
	return nc.Options{Train: memory(t, rows, nil, []int64{0, 0, 0, 0, 1, 1}), Head: head,
		OOD: []analysis.Named{{Name: "noise", Source: memory(t, []float64{scale, 3 * scale, 3 * scale, scale}, nil, []int64{0, 0})}}}
}

// TestTwoClassesByHand: S_W = diag(10,2)/6, mu_G = (1,0) as the mean of class means and (2,0) as that of rows, S_B = diag(9,0).
func TestTwoClassesByHand(t *testing.T) {
	o := cross(t, 1)
	o.Test = o.Train
	r := compute(t, o)
	for key, want := range map[string]float64{
		"nc1.rank": 10. / 6 / 9 / 2, "nc1.papyan_code": 10. / 6 / 9, "nc1.quotient": 2. / 9, "nc1.cdnv": (2.5 + 1) / (2 * 36),
		"nc1.notebook": 10. / 6 / 10 / 2,                // about (2,0) the means are (2,0) and (-4,0): lambda_1 = 20/2
		"nc2.equinorm": 1. / 3, "nc2.equiangularity": 0, // norms 2 and 4
		"nc3.mean_cos": 3. / 5, "nc3.row_l2": math.Sqrt(2 - 6./5), // both rows of W lie at 53 degrees from their means
		"nc3.bias_collapse": math.Sqrt(72), "nc5.centred": 0, "nc5.raw": 1 / math.Sqrt2, "nc5.etf_energy": 0,
		"health.rank": 1, "health.lambda_ratio": 1, "health.within_rank": 2, "health.within_condition": 5, "health.within_floor": 2 * 0x1p-52 * 10 / 6,
		"health.rows_less_classes": 4, "health.d": 2, "health.smallest_class": 2, "health.largest_class": 4, "health.zero_units": 0, "health.nan_count": 0,
	} {
		if x := lookup(t, r, key); math.Abs(x-want) > 1e-14*want && !(want == 0 && math.Abs(x) < 1e-15) {
			t.Errorf("%s = %.15g, want %.15g", key, x, want)
		}
	}
	for group, v := range map[string]analysis.Values{"nc1": r.NC1, "nc2": r.NC2, "nc3": r.NC3, "nc2_test": r.NC2Test, "health": r.Health} {
		if want := map[string]int{"nc1": 6, "nc2": 2, "nc3": 2, "nc2_test": 2, "health": 6}[group]; v.N != want {
			t.Errorf("n of %s is %d, want %d", group, v.N, want)
		}
	}
	wantEqual(t, "nc1_test", r.NC1Test, r.NC1, "rank", "quotient")
	if x, _ := r.NC1Test.Get("quotient_train_means"); math.Abs(x-2./9) > 1e-15 { // the same rows about the same means
		t.Errorf("quotient_train_means = %g, want 2/9", x)
	}
	// Four rows are not more than twice two, N - C = 4 is not less than D, and the OOD set has no logits to be held against the head.
	if warnings := r.AllWarnings(); len(warnings) > 0 {
		t.Errorf("warnings %q", warnings)
	}
	if p := r.PerClass; math.Abs(p.WeightCosine[0]-.6) > 1e-15 || math.Abs(p.WeightCosine[1]-.6) > 1e-15 {
		t.Errorf("cos_weight %v, want 3/5 twice", p.WeightCosine)
	}
}

// TestScaleOfTheFeatures: a power of two on all features changes no bit of what is a ratio; an absolute threshold would.
func TestScaleOfTheFeatures(t *testing.T) {
	ratios := func(o nc.Options) string {
		r := compute(t, o)
		r.NC3.Set("bias_collapse", 0)
		r.Health.Set("within_floor", 0)
		nc5, _ := r.NC5.Get("noise")
		text, err := json.Marshal([]analysis.Values{r.NC1, r.NC2, r.NC3, r.NC4, nc5, r.Health})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	want := ratios(cross(t, 1))
	for _, scale := range []float64{0x1p-20, 0x1p20} {
		if got := ratios(cross(t, scale)); got != want {
			t.Errorf("features times %g give\n%s\nand times 1\n%s", scale, got, want)
		}
	}
}

// TestMeansOnOneLine: three class means on a line that is no axis have a second singular value of rounding, which must not be inverted.
func TestMeansOnOneLine(t *testing.T) {
	o := small(t, 3, []int64{0, 0, 1, 1, 2, 2})
	rows := make([]float64, 0, 18)
	for i, at := range []float64{0.3, 0.5, 1.1, 1.3, -0.9, -0.7} { // on (1,2,3) from (7,1,4)
		rows = append(rows, 7+at, 1+2*at, 4+3*at+1e-3*float64(i%2))
	}
	o.Train = memory(t, rows, nil, []int64{0, 0, 1, 1, 2, 2})
	r := compute(t, o)
	if rank := lookup(t, r, "health.rank"); rank != 1 {
		t.Fatalf("rank is %g", rank)
	}
	// Each class is its mean +- (0.1, 0.2, 0.3005), so S_W = e e^T; along u = (1,2,3)/sqrt(14) it is (e.u)^2. The coefficients of the means are 0.4, 1.2, -0.8 and their
	// variance 152/225; lambda_1 is 14 times that.
	along := (0.1 + 0.4 + 0.9015) / math.Sqrt(14)
	want := along * along / (14 * 152. / 225) / 3
	if x := lookup(t, r, "nc1.rank"); math.Abs(x-want) > 1e-12*want {
		t.Errorf("nc1.rank = %.15g, want %.15g", x, want)
	}
	if w := r.NC1.Warnings; len(w) != 1 || !strings.HasPrefix(w[0], "S_B has rank 1, less than min(C-1, D) = 2") {
		t.Errorf("warnings of nc1 %q", w)
	}
	o.Test = o.Train
	if w := compute(t, o).NC1Test.Warnings; len(w) != 1 || !strings.HasPrefix(w[0], "test rows: S_B has rank 1") {
		t.Errorf("warnings of nc1_test %q", w)
	}
}

// TestNotebookCutsWeakDirections: S_B = diag(2/3, 2a^2/9) with a = 1e-4, and S_W is 0.01 and 1e-4 along the two.
func TestNotebookCutsWeakDirections(t *testing.T) {
	const a = 1e-4
	o := small(t, 3, []int64{0})
	o.Train = memory(t, []float64{1.1, .01, 0, .9, -.01, 0, -.9, .01, 0, -1.1, -.01, 0, .1, a + .01, 0, -.1, a - .01, 0}, nil, []int64{0, 0, 1, 1, 2, 2})
	r := compute(t, o)
	for key, want := range map[string]float64{"nc1.notebook": .01 / (2. / 3) / 3, "nc1.rank": (.01/(2./3) + 1e-4/(2*a*a/9)) / 3} {
		if x := lookup(t, r, key); math.Abs(x-want) > 1e-9*want {
			t.Errorf("%s = %.12g, want %.12g", key, x, want)
		}
	}
}

// TestCosinesAreAtMostOne: between a vector and itself rounding makes some of them larger.
func TestCosinesAreAtMostOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for range 20 {
		const d = 9
		v := make([]float64, 2*d)
		for j := range d {
			v[j] = rng.NormFloat64()
			v[d+j] = -v[j] // about mu_G = 0
		}
		head, err := analysis.NewHead("h", 2, d, v, nil, analysis.Meta{Checkpoint: "x"})
		if err != nil {
			t.Fatal(err)
		}
		r := compute(t, nc.Options{Train: memory(t, v, nil, []int64{0, 1}), Head: head})
		if x := lookup(t, r, "nc3.mean_cos"); x > 1 || x < 1-1e-15 {
			t.Errorf("mean_cos is 1 + %g", x-1)
		}
		if x := r.PerClass.WeightCosine[0]; x > 1 || x < 1-1e-15 {
			t.Errorf("cos_weight is 1 + %g", x-1)
		}
	}
}

func TestReasonsOfSingleVariants(t *testing.T) {
	groups := func(o nc.Options) map[string]any { return marshal(t, compute(t, o)) }
	group := func(all map[string]any, name string) map[string]any { return all[name].(map[string]any) }

	zeros := cross(t, 1)
	zeros.Head.Weight = make([]float64, 4)
	nullWithReason(t, group(groups(zeros), "nc2"), "etf_error_weights", "all vectors are zero")
	nullWithReason(t, group(groups(zeros), "nc2"), "equinorm_weights", "all vectors are zero")
	alike := cross(t, 1)
	alike.Train = memory(t, []float64{1, 2, 1, 2}, nil, []int64{0, 1})
	nullWithReason(t, group(group(groups(alike), "nc5"), "noise"), "upper_bound", "a class mean is mu_G")
	missing := small(t, 2, []int64{0, 0})
	missing.Test = missing.Train
	nullWithReason(t, group(groups(missing), "nc4"), "test", "class 1 has no rows")

	all := groups(small(t, 1, []int64{0, 0, 0}))
	nullWithReason(t, group(all, "nc2"), "equinorm_weights", "one class")
	nullWithReason(t, group(all, "nc2"), "equiangularity_weights", "one class")

	o := cross(t, 1)
	o.Head.Weight = []float64{0, 0, 0, 4} // orthogonal to the means, the first row zero
	all = groups(o)
	nullWithReason(t, group(all, "nc2"), "equiangularity_weights", "a vector is zero")
	nullWithReason(t, group(all, "nc3"), "row_l2", "a row of W")
	nullWithReason(t, group(all, "nc3"), "mean_cos", "a row of W")
	nullWithReason(t, group(all, "nc3"), "duality_etf", "W M^T is zero")

	o = cross(t, 1)
	o.Train = memory(t, []float64{4, 0, 4, 0, -4, 0, -4, 0}, nil, []int64{0, 0, 1, 1})
	o.OOD[0].Source = memory(t, []float64{1, 1, -1, -1}, nil, []int64{0, 0}) // their mean is mu_G and zero
	all = groups(o)
	nullWithReason(t, group(all, "health"), "within_condition", "no eigenvalue of S_W")
	far := group(group(all, "nc5"), "noise")
	nullWithReason(t, far, "raw", "a mean is zero")
	nullWithReason(t, far, "etf_energy", "the OOD mean is mu_G")

	o.Train = memory(t, []float64{0, 0, 3, 0, -3, 0, 0, 0, 1, 0, -1, 0}, nil, []int64{0, 0, 0, 1, 1, 1})
	nullWithReason(t, group(groups(o), "nc1"), "cdnv", "all class means are equal")
	o = small(t, 3, []int64{0, 1, 2})
	o.Train = memory(t, []float64{1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0}, nil, []int64{0, 1, 2, 2})
	nullWithReason(t, group(groups(o), "nc1"), "cdnv", "two classes have the same mean")

	r := compute(t, small(t, 4, []int64{0, 1, 2, 3}))
	if slices.Contains(r.NC2.Keys(), "welch_cosine") || slices.Contains(r.NC3.Keys(), "duality_etf_min") {
		t.Error("bounds for C - 1 > D where C - 1 = D and a simplex fits")
	}
}

// TestTrainingRowsWithNaN: everything is null, the test set's too, and the count is that of all rows.
func TestTrainingRowsWithNaN(t *testing.T) {
	o := small(t, 2, []int64{0, 1})
	o.Test = o.Train
	o.Train = memory(t, []float64{1, 2, 3, 4, math.NaN(), 6}, nil, []int64{0, 1})
	r := compute(t, o)
	all := marshal(t, r)
	const reason = "rows: 1 of 2 rows hold NaN or Inf, the first is row 1 (features)"
	nullWithReason(t, all["accuracy"].(map[string]any), "train", reason)
	nullWithReason(t, all["accuracy"].(map[string]any), "test", reason)
	nullWithReason(t, all["nc4"].(map[string]any), "test", reason)
	nullWithReason(t, all["nc1_test"].(map[string]any), "quotient_train_means", reason)
	if nan, _ := r.Health.Get("nan_count"); r.N != 2 || nan != 1 || !slices.Equal(r.Warnings, []string{reason}) {
		t.Errorf("n %d, nan_count %g, warnings %q", r.N, nan, r.Warnings)
	}
	o.Train, o.Test = o.Test, nil
	o.OOD[0].Source = memory(t, []float64{1, 2, 3, 1, 2, math.Inf(-1)}, nil, []int64{0, 0})
	nullWithReason(t, marshal(t, compute(t, o))["nc5"].(map[string]any)["noise"].(map[string]any), "raw", "1 of 2 rows hold NaN or Inf, the first is row 1 (features)")
}

func TestMoreWarnings(t *testing.T) {
	const few = "N - C = 1 is less than D = 3: S_W cannot have full rank"
	if w := compute(t, small(t, 2, []int64{0, 0, 1})).Health.Warnings; !slices.Contains(w, few) {
		t.Errorf("no %q in %q", few, w)
	}
	// A class of one row beside one of none, and S_W of one direction.
	lone := compute(t, small(t, 3, []int64{0, 0, 0, 1}))
	if w := lone.Health.Warnings; !slices.Contains(w, "one row alone in class 1: no variance is measured there") {
		t.Errorf("warnings %q", w)
	}
	pair := cross(t, 1)
	pair.Train = memory(t, []float64{1, 0, 3, 0, -1, 0, -3, 0}, nil, []int64{0, 0, 1, 1})
	if r := compute(t, pair); lookup(t, r, "health.within_rank") != 1 || lookup(t, r, "health.within_condition") != 1 {
		t.Error("S_W of one direction has another rank or condition than 1")
	}
	// The test rows have every class, the training rows lack one.
	o := small(t, 2, []int64{0, 0})
	o.Test = small(t, 2, []int64{0, 0, 1, 1}).Train
	nullWithReason(t, marshal(t, compute(t, o))["nc1_test"].(map[string]any), "quotient_train_means", "of the training rows class 1 has no rows")

	const ten = "10 of 12 classes have no rows: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11: what needs"
	if w := compute(t, small(t, 12, []int64{0, 0, 1, 1})).Health.Warnings; !slices.ContainsFunc(w, func(text string) bool { return strings.HasPrefix(text, ten) }) {
		t.Errorf("no %q in %q", ten, w)
	}

	// Logits of an OOD set that are not W h + b, the hashes the same.
	o = cross(t, 1)
	o.OOD[0].Source = memory(t, []float64{1, 3}, []float64{9, 9}, []int64{0})
	if w := compute(t, o).AllWarnings(); len(w) != 1 || !strings.HasPrefix(w[0], "noise: rows, mean of all rows: row 0: ||logits - (W h + b)||") {
		t.Errorf("warnings %q", w)
	}
}

// TestColumnsWithNullsGoRoundTrip: null is NaN again.
func TestColumnsWithNullsGoRoundTrip(t *testing.T) {
	r := compute(t, small(t, 3, []int64{0, 0, 2, 2}))
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back nc.Result
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if v := back.PerClass.Variance; !math.IsNaN(v[1]) || v[0] != r.PerClass.Variance[0] || v[2] != r.PerClass.Variance[2] {
		t.Errorf("variance %v comes back as %v", r.PerClass.Variance, v)
	}
}

// TestLongOODSet: the mean of an OOD set of several blocks, which are summed about first rows of their own, by one pass over the rows.
func TestLongOODSet(t *testing.T) {
	o := cross(t, 1)
	const n = 1000
	rows := make([]float64, 2*n)
	var x, y float64
	for i := range n {
		rows[2*i], rows[2*i+1] = 5+math.Cos(float64(i)), float64(i)/n
		x, y = x+rows[2*i]/n, y+rows[2*i+1]/n
	}
	o.OOD[0].Source = memory(t, rows, nil, make([]int64, n))
	r := compute(t, o)
	// The class means lie on the x axis, on both sides of mu_G = (2,0).
	for key, want := range map[string]float64{"nc5.raw": x / math.Hypot(x, y), "nc5.centred": (x - 2) / math.Hypot(x-2, y), "nc5.etf_energy": (x - 2) * (x - 2) / ((x-2)*(x-2) + y*y)} {
		if got := lookup(t, r, key); math.Abs(got-want) > 1e-13 {
			t.Errorf("%s = %.15g, want %.15g", key, got, want)
		}
	}
	if v, _ := r.NC5.Get("noise"); v.N != n {
		t.Errorf("n is %d", v.N)
	}
}

// failing is a source that can be read a number of times.
type failing struct {
	analysis.Source
	reads *int
}

var errDisk = errors.New("the disk is gone")

func (s failing) Sweep(ctx context.Context, visit func(*analysis.Block) error) error {
	if *s.reads--; *s.reads < 0 {
		return errDisk
	}
	return s.Source.Sweep(ctx, visit)
}

func TestSourcesThatFailOrDoNotBelong(t *testing.T) {
	for _, o := range []nc.Options{{Head: cross(t, 1).Head}, {Train: cross(t, 1).Train}} {
		if _, err := nc.Compute(t.Context(), o); err == nil || !strings.Contains(err.Error(), "training features and head are needed") {
			t.Errorf("err %v", err)
		}
	}
	// Logits of the test rows that are not W h + b, no hash to excuse them.
	foreign := cross(t, 1)
	foreign.Head.Meta.Checkpoint = ""
	foreign.Test = memory(t, []float64{1, 3}, []float64{9, 9}, []int64{0})
	if _, err := nc.Compute(t.Context(), foreign); err == nil || !strings.Contains(err.Error(), "is of another checkpoint") {
		t.Errorf("err %v", err)
	}
	other, err := analysis.NewMemory(analysis.Info{Name: "other.npz", Meta: analysis.Meta{Checkpoint: "y"}}, []float64{1, 2}, nil, []int64{0})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		sweeps int
		put    func(*nc.Options, analysis.Source)
	}{
		{"train", 2, func(o *nc.Options, s analysis.Source) { o.Train = s }}, {"test", 2, func(o *nc.Options, s analysis.Source) { o.Test = s }},
		{"ood", 1, func(o *nc.Options, s analysis.Source) { o.OOD[0].Source = s }},
	} {
		o := cross(t, 1)
		for sweep := range c.sweeps {
			reads := sweep
			c.put(&o, failing{cross(t, 1).Train, &reads})
			if _, err := nc.Compute(t.Context(), o); !errors.Is(err, errDisk) {
				t.Errorf("sweep %d of %s fails: err %v", sweep, c.name, err)
			}
		}
		c.put(&o, other)
		if _, err := nc.Compute(t.Context(), o); err == nil || !strings.Contains(err.Error(), "other.npz") {
			t.Errorf("%s of another checkpoint: err %v", c.name, err)
		}
	}
}
