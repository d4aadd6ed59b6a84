package nc_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"nctrain/analysis"
	"nctrain/analysis/nc"
	"nctrain/internal/npz"
)

type goldenCase struct {
	Reference, Notebook map[string]float64
}

// golden reads what testdata/golden_nc.py wrote: inputs as options, and expected values by case.
func golden(t *testing.T) (inputs map[string]nc.Options, want map[string]goldenCase) {
	t.Helper()
	text, err := os.ReadFile("testdata/nc_golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	delete(raw, "versions")
	file, err := npz.Open("testdata/nc_inputs.npz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	read := func(name string) []float32 {
		x, err := file.Float32s(name)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	inputs, want = map[string]nc.Options{}, map[string]goldenCase{}
	for name, r := range raw {
		var g goldenCase
		if err := json.Unmarshal(r, &g); err != nil {
			t.Fatal(err)
		}
		want[name] = g
		labels, err := file.Int64s(name + "_labels")
		if err != nil {
			t.Fatal(err)
		}
		weight, _ := file.Info(name + "_weight")
		c, d := weight.Shape[0], weight.Shape[1]
		head, err := analysis.NewHead(name, c, d, read(name+"_weight"), read(name+"_bias"), analysis.Meta{Checkpoint: "x"})
		if err != nil {
			t.Fatal(err)
		}
		ood := read(name + "_ood")
		inputs[name] = nc.Options{
			Train: memory(t, read(name+"_features"), read(name+"_logits"), labels), Head: head,
			OOD: []analysis.Named{{Name: "noise", Source: memory(t, ood, nil, make([]int64, len(ood)/d))}},
		}
	}
	return inputs, want
}

func memory[T float32 | float64](t *testing.T, features, logits []T, labels []int64) analysis.Source {
	t.Helper()
	src, err := analysis.NewMemory(analysis.Info{Name: "rows", Meta: analysis.Meta{Checkpoint: "x"}}, features, logits, labels)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func compute(t *testing.T, o nc.Options) *nc.Result {
	t.Helper()
	r, err := nc.Compute(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// lookup finds "nc1.rank" and the like; NC5 is that of the only OOD set.
func lookup(t *testing.T, r *nc.Result, key string) float64 {
	t.Helper()
	group, name, _ := strings.Cut(key, ".")
	nc5, _ := r.NC5.Get("noise")
	v := map[string]analysis.Values{"nc1": r.NC1, "nc2": r.NC2, "nc3": r.NC3, "nc4": r.NC4, "nc5": nc5, "accuracy": r.Accuracy, "health": r.Health}[group]
	x, ok := v.Get(name)
	if !ok {
		t.Fatalf("%s is null: %s", key, v.Reason(name))
	}
	return x
}

// TestAgainstTwoPassFloat64 holds every variant against numpy's two passes. Both work in float64; they differ by its rounding times the condition of what is
// inverted, which is at most 1e3 in these cases.
func TestAgainstTwoPassFloat64(t *testing.T) {
	inputs, want := golden(t)
	if r := want["collapsed"].Reference["tr_st_over_tr_sw"]; r < 1e5 {
		t.Fatalf("the collapsed case has tr S_T/tr S_W = %g", r)
	}
	for name, g := range want {
		r := compute(t, inputs[name])
		for key, x := range g.Reference {
			if key == "tr_st_over_tr_sw" {
				continue
			}
			if got := lookup(t, r, key); math.Abs(got-x) > 1e-10*math.Abs(x)+1e-14 {
				t.Errorf("%s: %s = %.15g, want %.15g", name, key, got, x)
			}
		}
	}
}

// TestAgainstNotebook holds the notebook's own functions against us: float32 there, so 1e-5, and 1e-3 for its nc1.
func TestAgainstNotebook(t *testing.T) {
	inputs, want := golden(t)
	for name, g := range want {
		r := compute(t, inputs[name])
		for key, x := range g.Notebook {
			bound := 1e-5
			if key == "nc1.notebook" {
				bound = 1e-3
			}
			if got := lookup(t, r, key); math.Abs(got-x) > bound*math.Max(math.Abs(x), 1e-30) {
				t.Errorf("%s: %s = %.9g, the notebook has %.9g", name, key, got, x)
			}
		}
	}
}

// simplex gives a rotated simplex ETF of c vectors in d >= c dimensions: sqrt(c/(c-1)) (I - 11^T/c) Q^T with orthonormal Q [d,c].
func simplex(rng *rand.Rand, c, d int) []float64 {
	g := mat.NewDense(d, c, nil)
	for i := range d {
		for j := range c {
			g.Set(i, j, rng.NormFloat64())
		}
	}
	var qr mat.QR
	qr.Factorize(g)
	var q mat.Dense
	qr.QTo(&q)
	e := mat.NewDense(c, c, nil)
	for i := range c {
		for j := range c {
			e.Set(i, j, -1/float64(c))
		}
		e.Set(i, i, 1-1/float64(c))
	}
	var m mat.Dense
	m.Mul(e, q.Slice(0, d, 0, c).T())
	return m.RawMatrix().Data
}

// collapsed repeats each class mean n times, shifted by offset, with symmetric pairs of deviations of size spread.
func collapsed(rng *rand.Rand, means []float64, c, d, n int, offset, spread float64) (features []float64, labels []int64) {
	for k := range c {
		for range n {
			dev := make([]float64, d)
			for j := range dev {
				dev[j] = spread * rng.NormFloat64()
			}
			for _, sign := range []float64{1, -1} {
				for j, x := range means[k*d : (k+1)*d] {
					features = append(features, offset+x+sign*dev[j])
				}
				labels = append(labels, int64(k))
			}
		}
	}
	return features, labels
}

// TestExactSimplex: at a simplex ETF with W proportional to the means everything that measures the distance from collapse is zero, and what is read by a bound
// meets it.
func TestExactSimplex(t *testing.T) {
	const c, d = 7, 12
	rng := rand.New(rand.NewPCG(5, 6))
	means := simplex(rng, c, d)
	features, labels := collapsed(rng, means, c, d, 3, 0, 0)
	weight := make([]float64, c*d)
	for i, x := range means {
		weight[i] = 3 * x
	}
	head, err := analysis.NewHead("h", c, d, weight, make([]float64, c), analysis.Meta{Checkpoint: "x"})
	if err != nil {
		t.Fatal(err)
	}
	train := memory(t, features, nil, labels)
	// The OOD mean is one of the class means: the largest cosine there is.
	r := compute(t, nc.Options{Train: train, Test: train, Head: head, OOD: []analysis.Named{{Name: "noise", Source: memory(t, means[:d], nil, []int64{0})}}})
	zero := []string{"nc1.rank", "nc1.notebook", "nc1.papyan_code", "nc1.quotient", "nc1.cdnv", "nc2.equinorm", "nc2.equinorm_weights", "nc2.equiangularity",
		"nc2.equiangularity_weights", "nc2.etf_error", "nc2.etf_error_weights", "nc3.papyan", "nc3.row_l2", "nc3.duality_etf", "nc3.bias_collapse", "nc4.train", "nc4.test"}
	for _, key := range zero {
		if x := lookup(t, r, key); math.Abs(x) > 1e-13 {
			t.Errorf("%s = %g at an exact simplex", key, x)
		}
	}
	exact := map[string]float64{"nc3.mean_cos": 1, "accuracy.train": 100, "accuracy.test": 100, "nc5.etf_energy": 1, "nc5.upper_bound": 1 / math.Sqrt(c-1),
		"nc5.centred": (1 + 1.) / c, // |cos| is 1 for one class and 1/(C-1) for C-1 of them
		"nc5.raw":     2. / c, "health.rank": c - 1, "health.lambda_ratio": 1, "health.smallest_class": 6, "health.rows_less_classes": 6*c - c}
	for key, want := range exact {
		if x := lookup(t, r, key); math.Abs(x-want) > 1e-12 {
			t.Errorf("%s = %g, want %g", key, x, want)
		}
	}
	for i := range c {
		for j := range c {
			want := -1. / (c - 1)
			if i == j {
				want = 1
			}
			if x := r.Cosines[i*c+j]; math.Abs(x-want) > 1e-12 {
				t.Fatalf("cosine [%d,%d] = %g, want %g", i, j, x, want)
			}
		}
	}
}

// TestCollapsedNC1 meets an analytic value in the collapsed phase: for a simplex with deviations from a known S_W, rank is trace(S_W P)/(C lambda) with every
// eigenvalue of S_B the same. The offset common to all rows would cost a global shift its digits.
func TestCollapsedNC1(t *testing.T) {
	const c, d, n = 5, 9, 40
	rng := rand.New(rand.NewPCG(7, 8))
	means := simplex(rng, c, d)
	features, labels := collapsed(rng, means, c, d, n, 50, 1e-4)
	head, err := analysis.NewHead("h", c, d, means, nil, analysis.Meta{Checkpoint: "x"})
	if err != nil {
		t.Fatal(err)
	}
	r := compute(t, nc.Options{Train: memory(t, features, nil, labels), Head: head})
	// Projected squared deviations by a direct pass: the span of the means is that of the simplex.
	var within float64
	for i, label := range labels {
		for k := range c {
			var along float64
			for j := range d {
				along += means[k*d+j] * (features[i*d+j] - 50 - means[int(label)*d+j])
			}
			within += along * along
		}
	}
	// The rows of the simplex (I - 11^T/C) Q^T are a projector, so summing over them projects on their span; S_B has C-1 eigenvalues 1/C.
	want := within / float64(len(labels)) * c / c
	if got := lookup(t, r, "nc1.rank"); math.Abs(got-want) > 1e-9*want {
		t.Errorf("rank = %.12g, want %.12g", got, want)
	}
}

func TestMoreClassesThanDimensionsHasWelchMinimum(t *testing.T) {
	// The Gram matrix of +-e1, +-e2 is twice a projector of rank D = 2: it reaches the minimum.
	features := []float64{1, 0, -1, 0, 0, 1, 0, -1}
	head, err := analysis.NewHead("h", 4, 2, features, nil, analysis.Meta{Checkpoint: "x"})
	if err != nil {
		t.Fatal(err)
	}
	r := compute(t, nc.Options{Train: memory(t, features, nil, []int64{0, 1, 2, 3}), Head: head})
	want := math.Sqrt(2 - 2*math.Sqrt(2./3))
	for _, key := range []string{"nc2.etf_error_min", "nc2.etf_error", "nc3.duality_etf_min", "nc3.duality_etf"} {
		if x := lookup(t, r, key); math.Abs(x-want) > 1e-14 {
			t.Errorf("%s = %.15g, want %.15g", key, x, want)
		}
	}
	if x, want := lookup(t, r, "nc2.welch_cosine"), math.Sqrt(2./(2*3)); math.Abs(x-want) > 1e-14 {
		t.Errorf("welch_cosine = %g, want %g", x, want)
	}
}

// TestFileAndMemoryAgree: a feature file gives the bits that the arrays it was written from give.
func TestFileAndMemoryAgree(t *testing.T) {
	inputs, _ := golden(t)
	o := inputs["balanced"]
	info := o.Train.Info()
	path := t.TempDir() + "/f.npz"
	err := analysis.WriteFeatures(path, info, func(w *analysis.FeatureWriter) error {
		return analysis.SweepBlocks(t.Context(), o.Train, 50, func(b *analysis.Block) error {
			return w.Append(narrow(b.Features), narrow(b.Logits), b.Labels)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	file, err := analysis.OpenFeatures(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	want, err := json.Marshal(compute(t, o))
	if err != nil {
		t.Fatal(err)
	}
	o.Train = file
	got, err := json.Marshal(compute(t, o))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("from the file\n%s\nfrom memory\n%s", got, want)
	}
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}
