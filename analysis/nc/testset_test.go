package nc_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/nc"
)

// wantEqual asserts that two lists of numbers have the same of each key.
func wantEqual(t *testing.T, where string, got, want analysis.Values, keys ...string) {
	t.Helper()
	for _, key := range keys {
		a, okA := got.Get(key)
		b, okB := want.Get(key)
		if !okA || !okB || a != b {
			t.Errorf("%s.%s is %g (%s), want %g", where, key, a, got.Reason(key), b)
		}
	}
}

// TestMetricsOfTheTestRows: they are what the same rows give as training rows, bit for bit.
func TestMetricsOfTheTestRows(t *testing.T) {
	inputs, _ := golden(t)
	o := inputs["balanced"]
	alone := compute(t, o)
	rows, labels := rowsOf(t, o.Train)
	half := len(labels) / 2 * o.Head.D
	test := memory(t, rows[:half], nil, labels[:len(labels)/2])
	whole := compute(t, nc.Options{Train: test, Head: o.Head})
	o.Test = test
	r := compute(t, o)
	wantEqual(t, "nc1_test", r.NC1Test, whole.NC1, "rank", "notebook", "papyan_code", "quotient", "cdnv")
	wantEqual(t, "nc2_test", r.NC2Test, whole.NC2, "equinorm", "equiangularity", "etf_error")
	wantEqual(t, "nc3_test", r.NC3Test, whole.NC3, "papyan", "row_l2", "mean_cos", "duality_etf", "bias_collapse")
	wantEqual(t, "nc1", r.NC1, alone.NC1, "rank", "cdnv") // the test rows change nothing of the training rows'
	if _, there := r.NC2Test.Get("equinorm_weights"); there {
		t.Error("nc2_test repeats what is of W alone")
	}

	// quotient_train_means by two passes over the rows.
	c, d := o.Head.C, o.Head.D
	means, count := make([]float64, c*d), make([]float64, c)
	for i, label := range labels {
		count[label]++
		for j := range d {
			means[int(label)*d+j] += rows[i*d+j]
		}
	}
	grand := make([]float64, d)
	for k := range c {
		for j := range d {
			means[k*d+j] /= count[k]
			grand[j] += means[k*d+j] / float64(c)
		}
	}
	var between, about float64
	for i := range means {
		between += math.Pow(means[i]-grand[i%d], 2) / float64(c)
	}
	for i, label := range labels[:len(labels)/2] {
		for j := range d {
			about += math.Pow(rows[i*d+j]-means[int(label)*d+j], 2) / float64(len(labels)/2)
		}
	}
	if got, ok := r.NC1Test.Get("quotient_train_means"); !ok || math.Abs(got-about/between) > 1e-12*got {
		t.Errorf("quotient_train_means is %.15g, want %.15g", got, about/between)
	}
	if q, _ := r.NC1Test.Get("quotient"); q >= about/between {
		t.Errorf("the scatter about means of their own, %g, is not the smaller one", q)
	}
}

func rowsOf(t *testing.T, src analysis.Source) (rows []float64, labels []int64) {
	t.Helper()
	err := src.Sweep(t.Context(), func(b *analysis.Block) error {
		rows, labels = append(rows, b.Features...), append(labels, b.Labels...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows, labels
}

func TestTestRowsThatCannotBeMeasured(t *testing.T) {
	o := small(t, 2, []int64{0, 0, 1, 1})
	for reason, test := range map[string]analysis.Source{
		"1 of 2 labels":      memory(t, []float64{1, 2, 3, 3, 2, 1}, nil, []int64{0, 7}),
		"1 of 1 rows":        memory(t, []float64{1, math.NaN(), 3}, nil, []int64{0}),
		"class 0 has no row": memory(t, []float64{1, 2, 3}, nil, []int64{1}),
	} {
		o.Test = test
		all := marshal(t, compute(t, o))
		nullWithReason(t, all["nc1_test"].(map[string]any), "rank", reason)
		nullWithReason(t, all["nc1_test"].(map[string]any), "quotient_train_means", reason)
		nullWithReason(t, all["nc2_test"].(map[string]any), "equinorm", reason)
		nullWithReason(t, all["nc3_test"].(map[string]any), "papyan", reason)
	}
	o.Test = nil
	if _, there := marshal(t, compute(t, o))["nc1_test"]; there {
		t.Error("nc1_test without test rows")
	}
}

// TestPerClass: written out by hand. Class 0 has rows (3,0) and (5,0), class 1 (0,2) alone, class 2 none.
func TestPerClass(t *testing.T) {
	head, err := analysis.NewHead("h", 3, 2, []float64{1, 0, 0, 1, -1, -1}, nil, analysis.Meta{Checkpoint: "x"})
	if err != nil {
		t.Fatal(err)
	}
	o := nc.Options{Head: head, Train: memory(t, []float64{3, 0, 5, 0, 0, 2}, nil, []int64{0, 0, 1}),
		Test: memory(t, []float64{1, 0, 0, 1, 0, 3, 2, 0}, nil, []int64{0, 0, 1, 2})}
	r := compute(t, o)
	p := r.PerClass
	// mu_G = (8,2)/3; mu_0 - mu_G = (4,-2)/3; mu_1 - mu_G = (-8,4)/3.
	norm0, norm1 := math.Sqrt(20)/3, math.Sqrt(80)/3
	undefined := math.NaN()
	for _, column := range []struct {
		name      string
		got, want []float64
	}{
		{"variance", p.Variance, []float64{1, 0, undefined}}, {"mean_norm", p.MeanNorm, []float64{norm0, norm1, undefined}},
		{"cos_weight", p.WeightCosine, []float64{4. / 3 / norm0, 4. / 3 / norm1, undefined}}, {"accuracy_train", p.AccuracyTrain, []float64{100, 100, undefined}},
		{"variance_test", p.VarianceTest, []float64{0.5, 0, 0}}, {"accuracy_test", p.AccuracyTest, []float64{50, 100, 0}},
	} {
		for k, want := range column.want {
			if got := column.got[k]; math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > 1e-14 {
				t.Errorf("%s of class %d is %g, want %g", column.name, k, got, want)
			}
		}
	}
	if !slices.Equal(p.N, []int64{2, 1, 0}) || !slices.Equal(p.NTest, []int64{2, 1, 1}) {
		t.Errorf("counts %v and %v", p.N, p.NTest)
	}
	columns := marshal(t, r)["per_class"].(map[string]any)
	if values := columns["variance"].([]any); values[2] != nil || values[0] != 1.0 {
		t.Errorf("variance as JSON is %v", values)
	}
	reasons := columns["reasons"].(map[string]any)
	if text, _ := reasons["variance"].(string); !strings.Contains(text, "no rows") || reasons["variance_test"] != nil {
		t.Errorf("reasons %v", reasons)
	}
}

func TestImbalancedAndMissingClassesAreNamed(t *testing.T) {
	warned := func(o nc.Options, parts ...string) {
		t.Helper()
		r := compute(t, o)
		if !slices.ContainsFunc(r.Health.Warnings, func(text string) bool {
			return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
		}) {
			t.Errorf("no warning with %q in %q", parts, r.Health.Warnings)
		}
	}
	repeat := func(counts ...int) (labels []int64) {
		for k, n := range counts {
			labels = append(labels, slices.Repeat([]int64{int64(k)}, n)...)
		}
		return labels
	}
	warned(small(t, 4, repeat(2, 9, 2, 7)), "imbalanced", "2 rows in class 0, 2", "9 in class 1", "mu_G")
	warned(small(t, 4, repeat(3, 0, 3, 0)), "2 of 4 classes have no rows: 1, 3")
	warned(small(t, 3, repeat(3, 1, 3)), "one row alone in class 1")
	warned(small(t, 14, repeat(9, 9)), "12 of 14 classes have no rows: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more")
	r := compute(t, small(t, 3, repeat(4, 2, 3)))
	if slices.ContainsFunc(r.Health.Warnings, func(text string) bool { return strings.Contains(text, "imbalanced") }) {
		t.Errorf("counts 4, 2, 3: %q", r.Health.Warnings)
	}
}
