package ood_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/ood"
)

// small is a case written out by hand: rows of d features.
type small struct {
	c, d         int
	weight, bias []float64
	train        []float64
	labels       []int64
	val          []float64
	valLabels    []int64
	id           []float64
	params       map[string]float64
}

func (s small) options(t *testing.T, scores ...string) ood.Options {
	t.Helper()
	head, err := analysis.NewHead("h", s.c, s.d, s.weight, s.bias, analysis.Meta{Checkpoint: "x"})
	if err != nil {
		t.Fatal(err)
	}
	source := func(name string, rows []float64, labels []int64) analysis.Source {
		if labels == nil {
			labels = make([]int64, len(rows)/s.d)
		}
		src, err := analysis.NewMemory(analysis.Info{Name: name, Meta: analysis.Meta{Checkpoint: "x"}}, rows, nil, labels)
		if err != nil {
			t.Fatal(err)
		}
		return src
	}
	o := ood.Options{ID: source("id", s.id, nil), OOD: []analysis.Named{{Name: "n", Source: source("n", s.id, nil)}}, Head: head, Scores: scores, AllowOverlap: true, Params: s.params}
	if s.train != nil {
		o.Train = source("train", s.train, s.labels)
	}
	if s.val != nil {
		o.Val = source("val", s.val, s.valLabels)
	}
	return o
}

// score gives the scores of the ID rows and what the fit reports.
func (s small) score(t *testing.T, name string) ([]float64, analysis.Values) {
	t.Helper()
	r := compute(t, s.options(t, name))
	fit, _ := r.Detectors.Get(name)
	scores, _ := r.Scores.Get(ood.IDName)
	x, _ := scores.Get(name)
	return x, fit
}

func (s small) want(t *testing.T, name string, want ...float64) analysis.Values {
	t.Helper()
	got, fit := s.score(t, name)
	if len(got) != len(want) {
		t.Fatalf("%s: %d scores, want %d (%s)", name, len(got), len(want), fit.Reason("fit"))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= 1e-12*math.Max(1, math.Abs(want[i]))) {
			t.Errorf("%s: row %d is %.17g, want %.17g", name, i, got[i], want[i])
		}
	}
	return fit
}

func warned(v analysis.Values, text string) bool {
	return slices.ContainsFunc(v.Warnings, func(w string) bool { return strings.Contains(w, text) })
}

// identity head of two classes and two features: logits are features.
func identity() small {
	return small{c: 2, d: 2, weight: []float64{1, 0, 0, 1}}
}

func TestTemperatureHasAMinimumOrAReason(t *testing.T) {
	s := identity()
	s.id = []float64{2, 0}
	s.val, s.valLabels = []float64{1, 0, 0, 2, 3, 0}, []int64{0, 1, 0} // separable: all right
	if _, fit := s.score(t, "temperature"); !strings.Contains(fit.Reason("fit"), "T -> 0") {
		t.Errorf("separable: %q", fit.Reason("fit"))
	}
	s.valLabels = []int64{1, 0, 1} // all wrong
	if _, fit := s.score(t, "temperature"); !strings.Contains(fit.Reason("fit"), "T -> inf") {
		t.Errorf("all wrong: %q", fit.Reason("fit"))
	}
	// Three rows of one gap, two right: sigmoid(gap/T) = 2/3 at the minimum, so gap/T = log 2, and the log-odds of twice the gap are 2 log 2. From T = 1 Newton's step leaves the
	// bracket where the gap is 20; where it is 1000 the curvature has underflowed, and the step is infinite.
	for _, gap := range []float64{1, 0.001, 20, 1000} {
		s.id = []float64{2 * gap, 0}
		s.val, s.valLabels = []float64{gap, 0, gap, 0, gap, 0}, []int64{0, 0, 1}
		fit := s.want(t, "temperature", 2*math.Ln2)
		if T, _ := fit.Get("temperature"); math.Abs(T-gap/math.Ln2) > 1e-12*gap {
			t.Errorf("gap %g: T = %g", gap, T)
		}
	}
	s.val = nil
	s.train, s.labels = []float64{1, 0, 1, 0}, []int64{0, 1}
	if _, fit := s.score(t, "temperature"); !strings.Contains(fit.Reason("fit"), "--val") {
		t.Errorf("without val: %q", fit.Reason("fit"))
	}
}

// TestSaturatedRowsRank: gaps far beyond where softmax and even e^-gap round to a constant still order the rows.
func TestSaturatedRowsRank(t *testing.T) {
	s := small{c: 3, d: 3, weight: []float64{1, 0, 0, 0, 1, 0, 0, 0, 1}}
	s.train, s.labels = []float64{5, 0, 1, 0, 5, 1, 1, 0, 5, 6, 1, 0, 1, 6, 0, 0, 1, 6}, []int64{0, 1, 2, 0, 1, 2}
	for _, gap := range []float64{5000, 1000, 800, 100, 50, 30, 5} {
		s.id = append(s.id, gap, 0, -1)
	}
	for _, name := range []string{"msp", "entropy", "gen", "openmax"} {
		got, fit := s.score(t, name)
		if got == nil {
			t.Fatalf("%s: %s", name, fit.Reason("fit"))
		}
		for i := 1; i < len(got); i++ {
			// openmax takes sure rows far from the class mean for unknown: there the order is the other way round
			if falls := got[i] < got[i-1]; got[i] == got[i-1] || (name != "openmax" && !falls) {
				t.Errorf("%s: %g then %g", name, got[i-1], got[i])
			}
		}
	}
	// The forms are the ones they claim to be where nothing saturates.
	s.id = []float64{1, 0.5, 0}
	z := math.Exp(1) + math.Exp(0.5) + 1
	var h, g float64
	for _, x := range []float64{1, 0.5, 0} {
		p := math.Exp(x) / z
		h -= p * math.Log(p)
		g += math.Pow(p*(1-p), 0.1)
	}
	s.want(t, "entropy", -math.Log(h))
	s.want(t, "gen", -math.Log(g))
	s.params = map[string]float64{"gen.m": 1, "gen.gamma": 1}
	p := math.Exp(1) / z
	s.want(t, "gen", -math.Log(p*(1-p)))
}

func TestKLMGroupsByPredictionAndLeavesEmptyClassesOut(t *testing.T) {
	s := small{c: 3, d: 3, weight: []float64{1, 0, 0, 0, 1, 0, 0, 0, 1}}
	// Labels say 2; predictions are 0, 0 and 1. Nothing is predicted 2.
	s.val, s.valLabels = []float64{math.Log(2), 0, 0, math.Log(6), 0, 0, 0, math.Log(2), 0}, []int64{2, 2, 2}
	s.id = []float64{0, 0, math.Log(4)} // p = 1/6, 1/6, 4/6
	d0 := []float64{(2./4 + 6./8) / 2, (1./4 + 1./8) / 2, (1./4 + 1./8) / 2}
	d1 := []float64{1. / 4, 2. / 4, 1. / 4}
	p := []float64{1. / 6, 1. / 6, 4. / 6}
	var kl0, kl1 float64
	for j := range p {
		kl0 += p[j] * math.Log(p[j]/d0[j])
		kl1 += p[j] * math.Log(p[j]/d1[j])
	}
	if fit := s.want(t, "klm", -math.Min(kl0, kl1)); !warned(fit, "1 of 3 classes are never predicted") {
		t.Errorf("warnings %q", fit.Warnings)
	}
	// Without val it falls back to train, with a warning.
	s.train, s.labels, s.val = s.val, s.valLabels, nil
	if fit := s.want(t, "klm", -math.Min(kl0, kl1)); !warned(fit, "no val set") || fit.Text("fit") != "train" {
		t.Errorf("fit %q, warnings %q", fit.Text("fit"), fit.Warnings)
	}
}

// TestKLMOfSureRows: where 1 - p is far below the rounding of 1 the divergence is the series of the small terms, and neither negative nor 0: with two classes
// KL(p || d) = (1-q) log((1-q)/(1-e)) + q log(q/e), q and e the second of p and of d, which are e^-gap to within themselves.
func TestKLMOfSureRows(t *testing.T) {
	s := small{c: 2, d: 2, weight: []float64{1, 0, 0, 1}}
	s.val, s.valLabels = []float64{50, 0, 0, 50}, []int64{0, 1}
	var want []float64
	for _, gap := range []float64{30, 49, 51, 80, 200} {
		s.id = append(s.id, gap, 0)
		q, e := math.Exp(-gap), math.Exp(-50)
		want = append(want, -(e - q + q*(50-gap)))
	}
	got, _ := s.score(t, "klm")
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= 1e-12*math.Abs(want[i])) {
			t.Errorf("row %d is %.17g, want %.17g", i, got[i], want[i])
		}
	}
}

// TestVRAOfReLUFeatures: with a tenth of the activations or more at 0 nothing is zeroed, the score is react's, and a warning says so; a low share beyond the zeros is vra's own.
func TestVRAOfReLUFeatures(t *testing.T) {
	s := small{c: 2, d: 2, weight: []float64{1, -1, -1, 2}}
	s.train, s.labels = []float64{0, 1, 2, 0, 0, 3, 4, 5, 6, 7}, []int64{0, 1, 0, 1, 0}
	s.id = []float64{0.5, 9, 8, 2}
	react, _ := s.score(t, "react")
	if fit := s.want(t, "vra", react...); !warned(fit, "the score is react's") {
		t.Errorf("warnings %q", fit.Warnings)
	}
	s.params = map[string]float64{"vra.low": 0.6, "vra.high": 1} // between 3 and 4 of 0 0 0 1 2 3 4 5 6 7: 3.4
	energy := func(x, y float64) float64 { return math.Log(math.Exp(x-y) + math.Exp(2*y-x)) }
	if fit := s.want(t, "vra", energy(0, 7), energy(7, 0)); warned(fit, "react") {
		t.Errorf("warnings %q", fit.Warnings)
	}
}

func TestNCIIsNotDividedByTheWeight(t *testing.T) {
	s := small{c: 2, d: 2, weight: []float64{3, 4, 0, 1}}
	s.train, s.labels = []float64{1, 1, -1, -1}, []int64{0, 1} // mean 0
	s.id = []float64{2, 0, 0, 0}                               // the second row is the mean and has no direction
	s.want(t, "nci", 3+1e-4*2, 0)
}

func TestKNNZeroRowsAndTooLargeK(t *testing.T) {
	s := identity()
	s.train, s.labels = []float64{5, 0, 0, 0, 0, 2, 0, 0}, []int64{0, 0, 1, 1}
	s.id = []float64{3, 0, 0, 0, 1, 1}
	s.params = map[string]float64{"knn.k": 2}
	// (3,0): itself at 0, then the zero rows at 1. Zero: the two zero rows. (1,1): two rows at sqrt(2 - sqrt 2).
	if fit := s.want(t, "knn", -1, 0, -math.Sqrt(2-math.Sqrt2)); !warned(fit, "2 training rows are zero") {
		t.Errorf("warnings %q", fit.Warnings)
	}
	s.params = map[string]float64{"knn.k": 4}
	s.want(t, "knn", -math.Sqrt2, -1, -1)
	for _, name := range []string{"knn", "nnguide"} {
		s.params = map[string]float64{name + ".k": 5}
		if _, fit := s.score(t, name); !strings.Contains(fit.Reason("fit"), "smaller "+name+".k") {
			t.Errorf("%s: k > N: %q", name, fit.Reason("fit"))
		}
	}
}

// TestKNNDoesNotCancel: unit rows 1e-9 apart, whose inner product rounds to 1.
func TestKNNDoesNotCancel(t *testing.T) {
	s := identity()
	s.train, s.labels = []float64{1, 1e-9, 1, 3e-9}, []int64{0, 0}
	s.id = []float64{1, 0}
	s.params = map[string]float64{"knn.k": 2}
	got, _ := s.score(t, "knn")
	if math.Abs(got[0]+3e-9) > 1e-20 {
		t.Errorf("distance %g, want 3e-9", -got[0])
	}
}

func TestNNGuideNegativeEnergies(t *testing.T) {
	s := identity()
	s.bias = []float64{-10, -10}
	s.train, s.labels = []float64{1, 0, 0, 1}, []int64{0, 1}
	s.id = []float64{2, 0}
	s.params = map[string]float64{"nnguide.k": 1}
	e := func(a, b float64) float64 { return math.Log(math.Exp(a-10) + math.Exp(b-10)) }
	// The largest of E_i cos is that of the perpendicular row, 0; with k = 2 both count, and two negative factors make a positive score.
	s.want(t, "nnguide", 0)
	s.params["nnguide.k"] = 2
	if fit := s.want(t, "nnguide", e(2, 0)*e(1, 0)/2); !warned(fit, "2 of 2 training rows have negative energy") {
		t.Errorf("warnings %q", fit.Warnings)
	}
}

func TestSHENeedsACorrectRowOfEachClass(t *testing.T) {
	s := identity()
	s.train, s.labels = []float64{2, 0, 4, 0, 0, 3, 9, 0}, []int64{0, 0, 1, 1} // the last row is wrong
	s.id = []float64{1, 0.5, 0, 2}
	s.want(t, "she", 3, 6)
	s.labels = []int64{0, 0, 0, 1}
	if _, fit := s.score(t, "she"); !strings.Contains(fit.Reason("fit"), "class 1") {
		t.Errorf("reason %q", fit.Reason("fit"))
	}
}

func TestASHRoundsHalfToEvenAndSumsOfZero(t *testing.T) {
	s := small{c: 1, d: 5, weight: []float64{1, 1, 1, 1, 1}}
	s.id = []float64{5, 4, 3, 2, 1}
	// D p = 2.5 rounds to 2: three are kept. D p = 1.5 rounds to 2 as well; D p = 3.5 to 4.
	for p, kept := range map[float64]float64{0.5: 12, 0.3: 12, 0.7: 5} {
		s.params = map[string]float64{"ash_p.percentile": p}
		s.want(t, "ash_p", kept)
	}
	s.params = map[string]float64{"ash_b.percentile": 0.5, "ash_s.percentile": 0.5}
	s.want(t, "ash_b", 15)
	s.want(t, "ash_s", math.Asinh(12*math.Exp(15./12)))
	// Of equal activations the first are kept; a zero row stays zero; kept ones that sum to 0 are not scaled.
	s.weight = []float64{1, 2, 3, 4, 5}
	s.params["ash_p.percentile"] = 0.6
	s.id = []float64{1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, -1, -1, -1, -1}
	s.want(t, "ash_p", 3, 0, -1)
	s.params["ash_s.percentile"] = 0.6
	s.want(t, "ash_s", math.Asinh(3*math.Exp(2.5)), 0, math.Asinh(-1))
}

// TestScaleDoesNotOverflow: factors of e^1000 and more, and of e^-1000; the rows still rank by an energy that float64 cannot hold.
func TestScaleDoesNotOverflow(t *testing.T) {
	s := small{c: 2, d: 4, weight: []float64{2, 0, 0, 0, -2, 0, 0, 0}, bias: []float64{0.5, 0}}
	s.params = map[string]float64{"scale.percentile": 0.5}
	var want []float64
	for _, x := range []float64{0.0005, 0.001, 0.002, 0.1, 0.5} {
		// Kept are 1 and -1-x, which sum to -x of -2-3x in all: r = (2+3x)/x. The logits are +-2 e^r, and the larger one is the energy.
		s.id = append(s.id, 1, -1-x, -1-x, -1-x)
		r := (2 + 3*x) / x
		if want = append(want, r+math.Log(4)); r < 300 {
			want[len(want)-1] = math.Asinh(2*math.Exp(r) + 0.5)
		}
		if n := len(want); n > 1 && want[n-1] >= want[n-2] {
			t.Fatal("the case does not rank")
		}
	}
	for _, x := range []float64{0.001, 0.5} {
		// Kept are 1 and x-1, of 3x-2 in all: the factor vanishes at small x, and the bias is left.
		s.id = append(s.id, 1, x-1, x-1, x-1)
		f := 2 * math.Exp((3*x-2)/x)
		want = append(want, math.Asinh(math.Log(math.Exp(f+0.5)+math.Exp(-f))))
	}
	s.want(t, "scale", want...)
	// No logit above zero: the largest is the one nearest to it, and the energy is negative beyond float64.
	s.weight = []float64{-2, 0, 0, 0, -3, 0, 0, 0}
	s.id = []float64{1, -1.001, -1.001, -1.001}
	r := (1 - 3*1.001) / (1 - 1.001) // as the program rounds it
	s.want(t, "scale", -(r + math.Log(4)))
}

func TestFDBDEqualWeights(t *testing.T) {
	s := small{c: 3, d: 2, weight: []float64{1, 0, 1, 0, 0, 1}, bias: []float64{0, -1, 0}}
	s.train, s.labels = []float64{1, 1, -1, -1}, []int64{0, 2}
	s.id = []float64{4, 0}
	// Classes 0 and 1 have equal weights: only the boundary to class 2 counts, at (4 - 0)/sqrt 2, over the distance 4 from the mean 0.
	if fit := s.want(t, "fdbd", 1/math.Sqrt2); !warned(fit, "1 pairs of classes have equal weights") {
		t.Errorf("warnings %q", fit.Warnings)
	}
	s.weight = []float64{1, 0, 1, 0, 1, 0}
	if _, fit := s.score(t, "fdbd"); !strings.Contains(fit.Reason("fit"), "no decision boundaries") {
		t.Errorf("reason %q", fit.Reason("fit"))
	}
}

// TestGradNormIsTheGradient: the closed form against finite differences of the uniform cross-entropy by every weight.
func TestGradNormIsTheGradient(t *testing.T) {
	s := small{c: 3, d: 2, weight: []float64{0.5, -1, 2, 0.25, -0.75, 1}, bias: []float64{0.1, -0.2, 0.3}}
	s.id = []float64{1.5, 0.5}
	loss := func(w []float64) float64 {
		var l [3]float64
		var sum, mean float64
		for c := range l {
			l[c] = w[2*c]*1.5 + w[2*c+1]*0.5 + s.bias[c]
			sum += math.Exp(l[c])
			mean += l[c] / 3
		}
		return math.Log(sum) - mean
	}
	var norm float64
	const step = 1e-5
	for i := range s.weight {
		up, down := slices.Clone(s.weight), slices.Clone(s.weight)
		up[i] += step
		down[i] -= step
		norm += math.Abs(loss(up)-loss(down)) / (2 * step)
	}
	got, _ := s.score(t, "gradnorm")
	if math.Abs(got[0]-norm) > 1e-9 {
		t.Errorf("%.12g, by differences %.12g", got[0], norm)
	}
}

func TestViMWithoutBias(t *testing.T) {
	s := small{c: 2, d: 2, weight: []float64{1, 0, 0.5, 0}}
	s.train, s.labels = []float64{3, 1, -3, 1, 3, -1, -3, -1}, []int64{0, 1, 0, 1}
	s.id = []float64{2, 3}
	// u = 0; X^T X / N = diag(9, 1), so R is the second axis: mean |x_2| = 1, mean max logit = (3 - 1.5)/2 = 0.75.
	s.params = map[string]float64{"vim.dim": 1, "residual.dim": 1}
	s.want(t, "vim", math.Log(math.Exp(2)+math.Exp(1))-0.75*3)
	s.want(t, "residual", -3)
	// With a bias in the span of W the origin moves along the first axis only.
	s.bias = []float64{2, 1}
	s.want(t, "residual", -3)
}

// TestViMOfNegativeLogits: alpha takes their sign, and the residual then speaks for a row: as published, with a warning.
func TestViMOfNegativeLogits(t *testing.T) {
	s := small{c: 2, d: 2, weight: []float64{-1, 0, -0.5, 0}}
	s.train, s.labels = []float64{3, 1, 2, -1, 3, -1, 2, 1}, []int64{0, 1, 0, 1}
	s.id = []float64{2, 3}
	s.params = map[string]float64{"vim.dim": 1}
	if fit := s.want(t, "vim", math.Log(math.Exp(-2)+math.Exp(-1))+1.25*3); !warned(fit, "alpha is -1.25") || !warned(fit, "more in-distribution") {
		t.Errorf("warnings %q", fit.Warnings)
	}
}

// TestNECOOfAllComponents: with K = D every score is 1, and what order rows had would be that of its rounding. Times the largest logit it is mls.
func TestNECOOfAllComponents(t *testing.T) {
	s := identity()
	s.train, s.labels = []float64{2, 1, -2, 1, 2, -1, -2, 0}, []int64{0, 1, 0, 1}
	s.id = []float64{3, 4, 0.1, 0.7}
	s.params = map[string]float64{"neco.k": 2}
	if got, fit := s.score(t, "neco"); got != nil || !strings.Contains(fit.Reason("fit"), "every score is 1") {
		t.Errorf("scores %g, reason %q", got, fit.Reason("fit"))
	}
	s.params["neco.max_logit"] = 1
	s.want(t, "neco", 4, 0.7)
}

func TestNECODeadUnitsAndRowsWithoutDirection(t *testing.T) {
	s := small{c: 2, d: 3, weight: []float64{1, 0, 0, 0, 1, 0}}
	s.train, s.labels = []float64{2, 1, 0, -2, 1, 0, 2, -1, 0, -2, -1, 0}, []int64{0, 1, 0, 1}
	s.params = map[string]float64{"neco.k": 1, "neco.scaler": 0}
	s.id = []float64{3, 4, 0, 0, 0, 0, 0, 0, 5} // the mean itself, and a unit that never fired in training
	s.want(t, "neco", 3./5, 0, 0)
	s.params["neco.scaler"] = 1 // stds 2, 1 and (dead) 1; both live units then have variance 1, so take K = 2
	s.params["neco.k"] = 2
	s.id = []float64{3, 4, 0, 3, 4, 5}
	z := math.Hypot(1.5, 4)
	s.want(t, "neco", 1, z/math.Hypot(z, 5))
}

// TestNECOZeroRows: a row of zeros is a row like any other where the mean is not zero; the notebook divides it by 1e-12.
func TestNECOZeroRows(t *testing.T) {
	s := small{c: 2, d: 2, weight: []float64{1, 0, 0, 1}}
	s.train, s.labels = []float64{5, 1, 1, 1, 5, 3, 1, 3}, []int64{0, 1, 0, 1} // mean (3,2), variances 4 and 1
	s.id = []float64{0, 0}
	s.params = map[string]float64{"neco.k": 1, "neco.scaler": 0}
	s.want(t, "neco", 3/math.Sqrt(13))
	s.params = nil
	s.want(t, "neco@notebook", 3e12)
}

func TestMahalanobisOnASingularCovariance(t *testing.T) {
	s := identity()
	// All deviations lie on the first axis: S_W = diag(1, 0). The means differ along the second, which the pseudo-inverse does not see.
	s.train, s.labels = []float64{1, 0, -1, 0, 1, 5, -1, 5}, []int64{0, 0, 1, 1}
	s.id = []float64{2, 100}
	fit := s.want(t, "mahalanobis", -4)
	if rank, _ := fit.Get("rank"); rank != 1 || !warned(fit, "1 of 2 eigenvalues") {
		t.Errorf("rank %g, warnings %q", rank, fit.Warnings)
	}
	// S_T = diag(1, 6.25) about (0, 2.5) is regular.
	s.want(t, "rmds", -(4 - (4 + 97.5*97.5/6.25)))
}

func TestDICEKeepsTheLargestContributions(t *testing.T) {
	s := small{c: 2, d: 2, weight: []float64{4, 1, 2, 3}, bias: []float64{0, 1}}
	s.train, s.labels = []float64{1, 1}, []int64{0}
	s.id = []float64{1, 10}
	// Contributions 4 1 2 3; the quantile at 0.5 is 2.5: 4 and 3 stay.
	s.params = map[string]float64{"dice.keep": 0.5}
	s.want(t, "dice", math.Log(math.Exp(4)+math.Exp(31)))
	s.params = map[string]float64{"dice.keep": 1}
	s.want(t, "dice", math.Log(math.Exp(14)+math.Exp(33)))
}

func TestMaxCosWithoutDirections(t *testing.T) {
	s := small{c: 3, d: 2, weight: []float64{-2, 0, 0, 0, 0, -3}}
	s.id = []float64{1, 1, 0, 0}
	s.want(t, "maxcos", -math.Sqrt(0.5), 0) // the zero weight is left out: its cosine is not 0
	s.weight = make([]float64, 6)
	if _, fit := s.score(t, "maxcos"); !strings.Contains(fit.Reason("fit"), "zero") {
		t.Errorf("reason %q", fit.Reason("fit"))
	}
}

func TestOpenMaxWithoutCorrectRows(t *testing.T) {
	s := identity()
	s.train, s.labels = []float64{2, 0, 3, 0, 4, 0, 9, 0}, []int64{0, 0, 0, 1}
	s.id = []float64{3, 1}
	// Class 1 has no correct row and is unknown: w = (2-1)/2 for rank 1. Class 0: mean (3,0), tail 0, 1, 1; at distance 1 the Weibull gives w_0.
	got, fit := s.score(t, "openmax")
	if !warned(fit, "1 of 2 classes") || len(got) != 1 || math.IsNaN(got[0]) {
		t.Fatalf("scores %v, warnings %q", got, fit.Warnings)
	}
	s.labels = []int64{1, 1, 1, 1}
	if _, fit := s.score(t, "openmax"); !strings.Contains(fit.Reason("fit"), "no training row is classified correctly") {
		t.Errorf("reason %q", fit.Reason("fit"))
	}
}

// TestOpenMaxOfEqualDistances: where a class's rows are all as far from its mean, what is farther is unknown for sure and what is not is known for sure.
func TestOpenMaxOfEqualDistances(t *testing.T) {
	s := identity()
	s.train, s.labels = []float64{2, 0, 4, 0, 0, 2, 0, 4}, []int64{0, 0, 1, 1} // means (3,0) and (0,3), all distances 1
	s.id = []float64{3, 1, 3, 1.5, 3, 0}
	// Rank 0 has the weight 1, rank 1 a half. Every row is beyond class 1; (3,1) and (3,0) are not beyond class 0, (3,1.5) is.
	s.want(t, "openmax", math.Log(math.Exp(3)+math.Exp(0.5))-0.5, math.Log(1+math.Exp(0.75))-3.75, math.Log(math.Exp(3)+1))
}

// TestVRANeedsItsBoundsInOrder: of equal ones the window has no width and stands.
func TestVRANeedsItsBoundsInOrder(t *testing.T) {
	s := identity()
	s.train, s.labels, s.id = []float64{1, 0, 0, 1, 2, 0}, []int64{0, 1, 0}, []float64{1, 1}
	s.params = map[string]float64{"vra.low": 0.6, "vra.high": 0.5}
	if _, fit := s.score(t, "vra"); fit.Reason("fit") != "vra.low = 0.6 is above vra.high = 0.5" {
		t.Errorf("reason %q", fit.Reason("fit"))
	}
	s.params["vra.low"] = 0.5
	if _, fit := s.score(t, "vra"); fit.Reason("fit") != "" {
		t.Errorf("reason %q", fit.Reason("fit"))
	}
}
