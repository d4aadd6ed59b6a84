package stats_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/stats"
)

// data is a labelled set with a common offset, class means of size 1 and deviations of size spread; some units may be zero.
type data struct {
	n, c, d  int
	features []float64
	labels   []int64
	head     *analysis.Head
}

func draw(t *testing.T, seed uint64, n, c, d int, offset, spread float64) data {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	means := make([]float64, c*d)
	for i := range means {
		means[i] = offset + rng.NormFloat64()
	}
	s := data{n: n, c: c, d: d, features: make([]float64, n*d), labels: make([]int64, n)}
	for i := range n {
		k := rng.IntN(c)
		s.labels[i] = int64(k)
		for j := range d {
			s.features[i*d+j] = means[k*d+j] + spread*rng.NormFloat64()
		}
	}
	weight := make([]float64, c*d)
	for i := range weight {
		weight[i] = rng.NormFloat64()
	}
	var err error
	if s.head, err = analysis.NewHead("h", c, d, weight, nil, analysis.Meta{}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s data) source(t *testing.T) analysis.Source {
	t.Helper()
	src, err := analysis.NewMemory(analysis.Info{Name: "rows"}, s.features, nil, s.labels)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// rows picks rows by index.
func (s data) rows(at []int) data {
	out := s
	out.n, out.features, out.labels = len(at), nil, nil
	for _, i := range at {
		out.features = append(out.features, s.features[i*s.d:(i+1)*s.d]...)
		out.labels = append(out.labels, s.labels[i])
	}
	return out
}

func (s data) class(t *testing.T) *stats.Class {
	t.Helper()
	class, _, err := stats.Collect(t.Context(), s.source(t), s.head, 2)
	if err != nil {
		t.Fatal(err)
	}
	return class
}

// twoPass is the definition: means first, then deviations.
func (s data) twoPass() *stats.Class {
	c := &stats.Class{C: s.c, D: s.d, Count: make([]int64, s.c), Mean: make([]float64, s.c*s.d), Deviation: make([]float64, s.c), Scatter: make([]float64, s.d*s.d)}
	for _, k := range s.labels {
		c.Count[k]++
	}
	for i, k := range s.labels {
		for j := range s.d {
			c.Mean[int(k)*s.d+j] += s.features[i*s.d+j] / float64(c.Count[k])
		}
	}
	// A second pass corrects the means for their own rounding.
	correction := make([]float64, len(c.Mean))
	for i, k := range s.labels {
		for j := range s.d {
			correction[int(k)*s.d+j] += (s.features[i*s.d+j] - c.Mean[int(k)*s.d+j]) / float64(c.Count[k])
		}
	}
	for i := range c.Mean {
		c.Mean[i] += correction[i]
	}
	dev := make([]float64, s.d)
	for i, k := range s.labels {
		for j := range dev {
			dev[j] = s.features[i*s.d+j] - c.Mean[int(k)*s.d+j]
			c.Deviation[k] += dev[j] * dev[j]
		}
		for a := range dev {
			for b := range dev {
				c.Scatter[a*s.d+b] += dev[a] * dev[b]
			}
		}
	}
	return c
}

// off is the Frobenius norm of a - b over that of b.
func off(a, b []float64) float64 {
	var diff, norm float64
	for i := range b {
		diff += (a[i] - b[i]) * (a[i] - b[i])
		norm += b[i] * b[i]
	}
	return math.Sqrt(diff / norm)
}

// TestOneSweepAgainstTwoPasses: with deviations 1e-6 of the offset and 1e-5 of the means' spread, tr S_T/tr S_W is about 1e10, and a global shift would leave S_W six digits.
func TestOneSweepAgainstTwoPasses(t *testing.T) {
	for _, c := range []struct{ offset, spread, bound float64 }{
		{0, 1, 1e-13},
		{10, 1e-5, 1e-10}, // rows of size 10 hold a deviation of 1e-5 to 1e-10 at best, in any method
	} {
		s := draw(t, 1, 1500, 7, 70, c.offset, c.spread)
		got, want := s.class(t), s.twoPass()
		if !slices.Equal(got.Count, want.Count) {
			t.Fatal("counts differ")
		}
		if e := off(got.Scatter, want.Scatter); e > c.bound {
			t.Errorf("offset %g: scatter off by %g", c.offset, e)
		}
		if e := off(got.Mean, want.Mean); e > 1e-15 {
			t.Errorf("offset %g: means off by %g", c.offset, e)
		}
		if e := off(got.Deviation, want.Deviation); e > c.bound {
			t.Errorf("offset %g: deviations off by %g", c.offset, e)
		}
		// S_T = S_W + between classes weighted by counts, so its trace is the mean squared distance from the mean of all rows.
		mu := got.MeanOfRows()
		var direct float64
		for i := range s.n {
			for j := range s.d {
				e := s.features[i*s.d+j] - mu[j]
				direct += e * e / float64(s.n)
			}
		}
		variances, total := got.Variances(), got.Total()
		for j, x := range variances {
			if want := total[j*s.d+j]; math.Abs(x-want) > 1e-12*want {
				t.Errorf("offset %g: variance of unit %d is %g, on the diagonal %g", c.offset, j, x, want)
			}
		}
		if tr := stats.Trace(total, s.d); math.Abs(tr-direct) > 1e-12*direct {
			t.Errorf("offset %g: trace of S_T %g, directly %g", c.offset, tr, direct)
		}
	}
}

// TestMergeAnySplitAnyOrder: parts of random sizes, some without rows of some classes, merged in random order and shape of tree.
func TestMergeAnySplitAnyOrder(t *testing.T) {
	for trial := range uint64(30) {
		rng := rand.New(rand.NewPCG(trial, 9))
		s := draw(t, trial, 200+rng.IntN(600), 1+rng.IntN(9), 1+rng.IntN(70), 3*rng.NormFloat64(), math.Pow(10, -3*rng.Float64()))
		whole := s.class(t)
		order := rng.Perm(s.n)
		var parts []*stats.Class
		for len(order) > 0 {
			take := min(1+rng.IntN(1+s.n/3), len(order))
			parts = append(parts, s.rows(order[:take]).class(t))
			order = order[take:]
		}
		for len(parts) > 1 {
			i := rng.IntN(len(parts) - 1)
			parts[i] = stats.Merge(parts[i], parts[i+1])
			parts = slices.Delete(parts, i+1, i+2)
		}
		if !slices.Equal(parts[0].Count, whole.Count) {
			t.Fatalf("trial %d: counts differ", trial)
		}
		if e := off(parts[0].Scatter, whole.Scatter); e > 1e-12 {
			t.Errorf("trial %d: scatter off by %g", trial, e)
		}
		if e := off(parts[0].Mean, whole.Mean); e > 1e-14 {
			t.Errorf("trial %d: means off by %g", trial, e)
		}
		if e := off(parts[0].Deviation, whole.Deviation); e > 1e-12 {
			t.Errorf("trial %d: deviations off by %g", trial, e)
		}
	}
}

// blocked hands over the rows of a source in blocks of another size.
type blocked struct {
	analysis.Source
	size int
}

func (s blocked) Sweep(ctx context.Context, visit func(*analysis.Block) error) error {
	return analysis.SweepBlocks(ctx, s.Source, s.size, visit)
}

func TestThreadsAndBlocksDoNotChangeBits(t *testing.T) {
	s := draw(t, 3, 1100, 5, 150, 1, 0.1)
	want, tally, err := stats.Collect(t.Context(), s.source(t), s.head, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, threads := range []int{2, 3, 8} {
		for _, size := range []int{1, 97, 512, 4000} {
			got, other, err := stats.Collect(t.Context(), blocked{s.source(t), size}, s.head, threads)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Scatter, want.Scatter) || !slices.Equal(got.Mean, want.Mean) || !slices.Equal(got.Deviation, want.Deviation) || other.MaxLogit != tally.MaxLogit {
				t.Fatalf("%d threads, blocks of %d: other bits", threads, size)
			}
		}
	}
}

// summed is a source that brings sums of its own, here with a shift that is not the mean of any rows.
type summed struct {
	analysis.Source
	sums *stats.Sums
}

func (s summed) Sums(context.Context, *analysis.Head) (*stats.Sums, error) { return s.sums, nil }

func (s summed) Sweep(context.Context, func(*analysis.Block) error) error {
	panic("a summed source must not be swept for its sums")
}

func TestSumsOfADeviceAreTaken(t *testing.T) {
	s := draw(t, 4, 300, 4, 10, 2, 0.5)
	sums := &stats.Sums{C: s.c, D: s.d, Count: make([]int64, s.c), Shift: make([]float64, s.c*s.d), Sum: make([]float64, s.c*s.d), Square: make([]float64, s.c),
		Second: make([]float64, s.d*s.d), Tally: stats.Tally{Correct: 17}}
	for i := range sums.Shift {
		sums.Shift[i] = 2 + float64(i%3)
	}
	for i, k := range s.labels {
		for a := range s.d {
			x := s.features[i*s.d+a] - sums.Shift[int(k)*s.d+a]
			sums.Sum[int(k)*s.d+a] += x
			sums.Square[k] += x * x
			for b := a; b < s.d; b++ {
				sums.Second[a*s.d+b] += x * (s.features[i*s.d+b] - sums.Shift[int(k)*s.d+b])
			}
		}
		sums.Count[k]++
	}
	got, tally, err := stats.Collect(t.Context(), summed{s.source(t), sums}, s.head, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := s.twoPass()
	if e := off(got.Scatter, want.Scatter); e > 1e-13 || off(got.Mean, want.Mean) > 1e-14 || off(got.Deviation, want.Deviation) > 1e-13 {
		t.Errorf("scatter off by %g", e)
	}
	if tally.Correct != 17 {
		t.Errorf("tally %+v", tally)
	}
	sums.D++
	if _, _, err := stats.Collect(t.Context(), summed{s.source(t), sums}, s.head, 1); err == nil {
		t.Error("sums of another size were taken")
	}
}

// counted counts the sweeps of a source.
type counted struct {
	analysis.Source
	sweeps int
}

func (s *counted) Sweep(ctx context.Context, visit func(*analysis.Block) error) error {
	s.sweeps++
	return s.Source.Sweep(ctx, visit)
}

func TestRememberSweepsOnce(t *testing.T) {
	s := draw(t, 5, 700, 3, 8, 1, 0.5)
	src := &counted{Source: s.source(t)}
	once := stats.Remember(src, 2)
	for range 3 {
		got, _, err := stats.Collect(t.Context(), once, s.head, 1)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Scatter, s.class(t).Scatter) {
			t.Fatal("other sums than those of a sweep")
		}
	}
	if src.sweeps != 1 {
		t.Errorf("%d sweeps", src.sweeps)
	}
}

func TestTally(t *testing.T) {
	head, err := analysis.NewHead("h", 2, 2, []float64{1, 0, 0, 1}, nil, analysis.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	src, err := analysis.NewMemory(analysis.Info{Name: "m"}, []float64{3, 0, 1, 0, 2, 0}, []float64{3, 0, 1, 0, 2, 0.5}, []int64{0, 0, 1})
	if err != nil {
		t.Fatal(err)
	}
	_, tally, err := stats.Collect(t.Context(), src, head, 1)
	if err != nil {
		t.Fatal(err)
	}
	if tally.Correct != 2 || tally.NonFinite != 0 || tally.MaxLogit != 6 || !slices.Equal(tally.MaxAbs, []float64{3, 0}) || tally.Mismatch.Worst != 0.5 || tally.Mismatch.Row != 2 {
		t.Errorf("%+v", tally)
	}
	inf := []float64{1, 2, math.Inf(1), 0, 1, math.NaN()}
	if src, err = analysis.NewMemory(analysis.Info{Name: "m"}, inf, nil, []int64{0, 0, 1}); err != nil {
		t.Fatal(err)
	}
	if _, tally, err = stats.Collect(t.Context(), src, head, 1); err != nil || tally.Holes != (stats.Holes{NonFinite: 2, FirstNonFinite: 1, FirstArray: "features"}) {
		t.Errorf("%+v, err %v", tally, err)
	}
	if src, err = analysis.NewMemory(analysis.Info{Name: "m"}, make([]float64, 6), inf, []int64{0, 0, 1}); err != nil {
		t.Fatal(err)
	}
	if _, tally, err = stats.Collect(t.Context(), src, head, 1); err != nil || tally.Among("3 rows") != "2 of 3 rows hold NaN or Inf, the first is row 1 (logits)" {
		t.Errorf("%+v, err %v", tally, err)
	}
}

func TestNearestDecidesByTheExactDistance(t *testing.T) {
	// Far from the origin the expanded form cannot tell centres 1e-9 apart; the exact one can. Ties go to the first.
	centres := []float64{1e4 + 1e-9, 0, 1e4, 0, 1e4, 0, -1e4, 0}
	s := stats.NewNearest(centres, 4, 2)
	index, squared := s.Find([]float64{1e4, 0, 1e4 + 1e-9, 0, -9e3, 1}, 3)
	if !slices.Equal(index, []int64{1, 0, 3}) || squared[0] != 0 || squared[1] != 0 || squared[2] != 1e6+1 {
		t.Errorf("index %v, squared %v", index, squared)
	}
}

// The shortcut in float32 must not show: far from the origin, where it overflows or underflows, and among centres that it cannot tell apart.
func TestNearestIsThatOfFloat64(t *testing.T) {
	const c, d, n = 7, 33, 200
	rng := rand.New(rand.NewPCG(5, 6))
	for _, at := range []struct{ offset, apart, scale float64 }{
		{0, 1, 1}, {1e3, 1, 1}, {1e8, 1e-3, 1}, {1, 1e-8, 1}, {0, 1, 1e-30}, {0, 1, 1e-200}, {0, 1, 1e37}, {0, 1, 1e120},
	} {
		random := func(rows int, spread float64) []float64 {
			x := make([]float64, rows*d)
			for i := range x {
				x[i] = at.scale * (at.offset + spread*rng.NormFloat64())
			}
			return x
		}
		centres, x := random(c, at.apart), random(n, 1)
		copy(x[:d], centres[3*d:]) // a row that is a centre
		want, wanted := make([]int, n), make([]float64, n)
		for i := range n {
			wanted[i] = math.Inf(1)
			for k := range c {
				var sum float64
				for j := range d {
					e := x[i*d+j] - centres[k*d+j]
					sum += e * e
				}
				if sum < wanted[i] {
					want[i], wanted[i] = k, sum
				}
			}
		}
		s := stats.NewNearest(centres, c, d)
		index, squared := s.Find(x, n)
		for i, k := range index {
			if k != s.Index(x[i*d:(i+1)*d], 1)[0] {
				t.Errorf("%+v: row %d: Index and Find differ", at, i)
			}
			// Sums in another order may differ by rounding, and then in which centre of two is the nearer.
			if math.Abs(squared[i]-wanted[i]) > d*0x1p-50*wanted[i] {
				t.Errorf("%+v: row %d: centre %d at %g, want %d at %g", at, i, k, squared[i], want[i], wanted[i])
			}
		}
	}
}

func TestSpectra(t *testing.T) {
	e, err := stats.SymEigen([]float64{2, 1, 1, 2}, 2, true)
	if err != nil || math.Abs(e.Values[0]-3) > 1e-14 || math.Abs(e.Values[1]-1) > 1e-14 {
		t.Fatalf("%+v, err %v", e, err)
	}
	if v := e.Vectors; math.Abs(math.Abs(v.At(0, 0))-math.Sqrt(0.5)) > 1e-14 || v.At(0, 0)*v.At(1, 0) < 0 {
		t.Errorf("first vector (%g, %g)", v.At(0, 0), v.At(1, 0))
	}
	g, err := stats.GramEigen([]float64{3, 0, 0, 0, 1e-9, 0}, 2, 3)
	if err != nil || math.Abs(g.Values[0]-4.5) > 1e-14 || math.Abs(g.Values[1]-0.5e-18) > 1e-30 {
		t.Fatalf("%+v, err %v", g, err)
	}
	if g.Above(1) != 1 || g.Above(0) != 2 {
		t.Error("Above counts wrongly")
	}
}

func nan() float64 { return math.NaN() }

// TestMoreFeaturesThanATile: the second moment of 520 features is three tiles, that of the corner beside the first two too.
func TestMoreFeaturesThanATile(t *testing.T) {
	const c, d = 2, 520
	s := draw(t, 11, 7, c, d, 1, 1)
	got, want := s.class(t), s.twoPass()
	for _, rows := range [][]float64{got.Scatter, want.Scatter} { // of the one only the upper triangle need be there
		for i := range d {
			clear(rows[i*d : i*d+i])
		}
	}
	if e := off(got.Scatter, want.Scatter); e > 1e-14 {
		t.Errorf("scatter off by %g", e)
	}
}

// TestLargestOfFiniteRows: rows that are not finite do not count in Tally.MaxAbs, wherever they stand among others.
func TestLargestOfFiniteRows(t *testing.T) {
	bad := math.Inf(-1)
	head, err := analysis.NewHead("h", 2, 2, []float64{1, 0, 0, 1}, nil, analysis.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	src, err := analysis.NewMemory(analysis.Info{Name: "m"}, []float64{1, 2, 9, bad, -3, 1, 8, nan(), bad, 7, 0, -4}, nil, make([]int64, 6))
	if err != nil {
		t.Fatal(err)
	}
	if _, tally, err := stats.Collect(t.Context(), src, head, 1); err != nil || tally.NonFinite != 3 || !slices.Equal(tally.MaxAbs, []float64{3, 4}) {
		t.Errorf("%+v, err %v", tally, err)
	}
}

// TestQuantum: the mean over units of (eps rms)^2/12 by the rows themselves, which is the floor where all rows of a class are alike.
func TestQuantum(t *testing.T) {
	s := draw(t, 12, 50, 3, 5, 2, 0)
	var square float64
	for _, x := range s.features {
		square += x * x
	}
	const eps = 0x1p-10
	class, want := s.class(t), square/float64(len(s.features))*eps*eps/12
	if got := class.Quantum(eps); math.Abs(got-want) > 1e-14*want {
		t.Errorf("quantum %g, want %g", got, want)
	}
	if got := class.WithinFloor(0, eps); math.Abs(got-want) > 1e-14*want {
		t.Errorf("floor %g, want the quantum %g", got, want)
	}
	if got := class.WithinFloor(1, eps); got != max(5*0x1p-52, class.Quantum(eps)) {
		t.Errorf("floor under an eigenvalue 1: %g", got)
	}
}

// TestNearestOfWhatHasNoDistance: a row of NaN is nobody's, and gets the first centre.
func TestNearestOfWhatHasNoDistance(t *testing.T) {
	near := stats.NewNearest([]float64{0, 0, 5, 5}, 2, 2)
	rows := []float64{nan(), 1, 5, 4, math.Inf(1), 0}
	if got := near.Index(rows, 3); !slices.Equal(got, []int64{0, 1, 0}) {
		t.Errorf("nearest %v", got)
	}
	if got, squared := near.Find(rows, 3); !slices.Equal(got, []int64{0, 1, 0}) || squared[1] != 1 {
		t.Errorf("nearest %v at %v", got, squared)
	}
}
