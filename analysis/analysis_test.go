package analysis_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nctrain/analysis"
	"nctrain/internal/npz"
)

// rows draws n rows of d features and c logits.
func rows(t *testing.T, n, d, c int) (features, logits []float32, labels []int64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(uint64(n), uint64(d)))
	features, logits, labels = make([]float32, n*d), make([]float32, n*c), make([]int64, n)
	for i := range features {
		features[i] = float32(rng.NormFloat64())
	}
	for i := range logits {
		logits[i] = float32(rng.NormFloat64())
	}
	for i := range labels {
		labels[i] = int64(rng.IntN(c))
	}
	return features, logits, labels
}

// collect sweeps a source into whole arrays, through blocks of a given size or (0) its own.
func collect(t *testing.T, src analysis.Source, size int) (features, logits []float64, labels []int64) {
	t.Helper()
	visit := func(b *analysis.Block) error {
		if b.Start != len(labels) {
			t.Fatalf("block starts at row %d, want %d", b.Start, len(labels))
		}
		if size > 0 && b.N != size && b.Start+b.N != src.Info().N {
			t.Fatalf("block of %d rows, want %d", b.N, size)
		}
		features, logits, labels = append(features, b.Features...), append(logits, b.Logits...), append(labels, b.Labels...)
		return nil
	}
	var err error
	if size > 0 {
		err = analysis.SweepBlocks(t.Context(), src, size, visit)
	} else {
		err = src.Sweep(t.Context(), visit)
	}
	if err != nil {
		t.Fatal(err)
	}
	return features, logits, labels
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func TestSweepBlocksGiveEveryRowOnceInOrder(t *testing.T) {
	for _, n := range []int{1, 511, 512, 513, 1300} {
		f, l, y := rows(t, n, 3, 2)
		src, err := analysis.NewMemory(analysis.Info{Name: "m"}, f, l, y)
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{1, 7, 300, 512, 2000} {
			for range 2 { // a second sweep gives the same
				gf, gl, gy := collect(t, src, size)
				if !slices.Equal(gf, widen(f)) || !slices.Equal(gl, widen(l)) || !slices.Equal(gy, y) {
					t.Fatalf("n=%d size=%d: rows differ", n, size)
				}
			}
		}
	}
}

func TestSweepStopsAtErrorAndContext(t *testing.T) {
	f, l, y := rows(t, 1300, 3, 2)
	src, _ := analysis.NewMemory(analysis.Info{Name: "m"}, f, l, y)
	stop := errors.New("stop")
	calls := 0
	if err := analysis.SweepBlocks(t.Context(), src, 100, func(*analysis.Block) error { calls++; return stop }); !errors.Is(err, stop) || calls != 1 {
		t.Fatalf("err %v after %d calls", err, calls)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := src.Sweep(ctx, func(*analysis.Block) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Fatalf("err %v", err)
	}
}

func TestFeatureFileRoundTrip(t *testing.T) {
	const n, d, c = 1000, 5, 4
	f, l, y := rows(t, n, d, c)
	epoch := 7
	meta := analysis.Meta{Checkpoint: "abc", Epoch: &epoch, Set: "shapes", Split: "train", Version: "1"}
	path := filepath.Join(t.TempDir(), "f.npz")
	err := analysis.WriteFeatures(path, analysis.Info{N: n, D: d, C: c, Meta: meta}, func(w *analysis.FeatureWriter) error {
		for at := 0; at < n; at += 128 {
			to := min(at+128, n)
			if err := w.Append(f[at*d:to*d], l[at*c:to*c], y[at:to]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	src, err := analysis.OpenFeatures(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	want := analysis.Info{Name: path, N: n, D: d, C: c, Type: analysis.Float32, Meta: meta}
	if diff := cmp.Diff(want, src.Info()); diff != "" {
		t.Fatal(diff)
	}
	for range 2 {
		gf, gl, gy := collect(t, src, 0)
		if !slices.Equal(gf, widen(f)) || !slices.Equal(gl, widen(l)) || !slices.Equal(gy, y) {
			t.Fatal("rows differ")
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Fatalf("temporary files left: %v", left)
	}
}

func TestFeatureFileIsWholeOrAbsent(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f.npz")
	f, l, y := rows(t, 10, 2, 2)
	err := analysis.WriteFeatures(path, analysis.Info{N: 20, D: 2, C: 2}, func(w *analysis.FeatureWriter) error { return w.Append(f, l, y) })
	if err == nil || !strings.Contains(err.Error(), "10 of 20 rows") {
		t.Fatalf("err %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Fatalf("left behind: %v", entries)
	}
	if err := analysis.WriteFeatures(path, analysis.Info{N: 5, D: 2, C: 2}, func(w *analysis.FeatureWriter) error { return w.Append(f, l, y) }); err == nil {
		t.Fatal("too many rows were taken")
	}
	for name, each := range map[string]struct{ f, l []float32 }{"features": {f[1:], l}, "logits": {f, l[1:]}} {
		err := analysis.WriteFeatures(path, analysis.Info{N: 10, D: 2, C: 2}, func(w *analysis.FeatureWriter) error { return w.Append(each.f, each.l, y) })
		if err == nil || !strings.Contains(err.Error(), "do not fit [10,2] and [10,2]") {
			t.Errorf("one of the %s less: %v", name, err)
		}
	}
}

func TestLooseArrays(t *testing.T) {
	dir := t.TempDir()
	f, l, y := rows(t, 40, 3, 2)
	paths := map[string]string{}
	for _, name := range []string{"features", "labels", "logits"} {
		paths[name] = filepath.Join(dir, name+".npy")
	}
	for _, err := range []error{npz.WriteNPY(paths["features"], widen(f), 40, 3), npz.WriteNPY(paths["labels"], y, 40), npz.WriteNPY(paths["logits"], l, 40, 2)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	both := "features=" + paths["features"] + ",labels=" + paths["labels"]
	src, err := analysis.OpenFeatures(both)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if i := src.Info(); i.HasLogits() || i.Type != analysis.Float64 || i.N != 40 || i.D != 3 {
		t.Fatalf("%+v", i)
	}
	head, err := analysis.NewHead("h", 2, 3, []float64{1, 2, 3, 0, -1, 1}, []float64{0.5, -0.5}, analysis.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	gf, gl, gy := collect(t, analysis.WithLogits(src, head), 17)
	if !slices.Equal(gf, widen(f)) || !slices.Equal(gy, y) {
		t.Fatal("rows differ")
	}
	for i := range gy {
		for k, b := range head.Bias {
			want := b
			for j := range 3 {
				want += head.Weight[k*3+j] * gf[i*3+j]
			}
			if math.Abs(gl[i*2+k]-want) > 1e-14 {
				t.Fatalf("logit [%d,%d] %g, want %g", i, k, gl[i*2+k], want)
			}
		}
	}
	all, err := analysis.OpenFeatures(both + ",logits=" + paths["logits"])
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	if _, gl, _ := collect(t, all, 0); !slices.Equal(gl, widen(l)) {
		t.Fatal("logits differ")
	}
}

func TestOpenFeaturesNamesWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, fill func(w *npz.Writer) error) string {
		path := filepath.Join(dir, name+".npz")
		if err := npz.Write(path, fill); err != nil {
			t.Fatal(err)
		}
		return path
	}
	features := func(w *npz.Writer) error { return npz.Put(w, "features", make([]float32, 12), 4, 3) }
	cases := []struct {
		name string
		fill func(w *npz.Writer) error
		want string
	}{
		{"nofeatures", func(w *npz.Writer) error { return npz.Put(w, "labels", []int64{1}) }, "no array features"},
		{"nolabels", features, "there are no labels, which this set needs: add an array labels, integers [4]"},
		{"flat", func(w *npz.Writer) error { return npz.Put(w, "features", make([]float32, 12)) }, "features: found"},
		{"integers", func(w *npz.Writer) error { return npz.Put(w, "features", make([]int64, 12), 4, 3) }, "features: found"},
		{"short", func(w *npz.Writer) error {
			return errors.Join(features(w), npz.Put(w, "labels", []int64{1, 2, 3}))
		}, "3 labels beside 4 rows of features"},
		{"square labels", func(w *npz.Writer) error {
			return errors.Join(features(w), npz.Put(w, "labels", []int64{1, 2, 3, 4}, 2, 2))
		}, "want integer labels [4]"},
		{"floatlabels", func(w *npz.Writer) error {
			return errors.Join(features(w), npz.Put(w, "labels", []float64{1, 2, 3, 4}))
		}, "want integer labels [4]"},
		{"logits", func(w *npz.Writer) error {
			return errors.Join(features(w), npz.Put(w, "labels", []int64{1, 2, 3, 4}), npz.Put(w, "logits", []float32{1, 2, 3}, 3, 1))
		}, "want floating-point logits [4,C]"},
		{"nologits", func(w *npz.Writer) error {
			return errors.Join(features(w), npz.Put(w, "labels", []int64{1, 2, 3, 4}), npz.Put(w, "logits", []float32{}, 4, 0))
		}, "logits"},
		{"metatype", func(w *npz.Writer) error {
			return errors.Join(features(w), npz.Put(w, "labels", []int64{1, 2, 3, 4}), npz.Put(w, "meta", []int64{1}))
		}, "array meta: found int64 [1], want JSON"},
		{"meta", func(w *npz.Writer) error {
			return errors.Join(features(w), npz.Put(w, "labels", []int64{1, 2, 3, 4}), npz.Put(w, "meta", []uint8("nonsense")))
		}, "array meta"},
	}
	for _, c := range cases {
		path := write(c.name, c.fill)
		_, err := analysis.OpenFeatures(path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: err %v, want one line with %q and the path", c.name, err, c.want)
		}
	}
	if _, err := analysis.OpenFeatures("features=x.npy,sauce=y.npy"); err == nil {
		t.Error("unknown part was taken")
	}
}

func TestHeadFileRoundTrip(t *testing.T) {
	dir := t.TempDir()
	for name, h := range map[string]*analysis.Head{
		"float32": {C: 2, D: 3, Weight: []float64{1, 2, 3, 4, 5, 0.5}, Bias: []float64{0.25, -1}, Meta: analysis.Meta{Checkpoint: "x"}},
		"float64": {C: 2, D: 1, Weight: []float64{1. / 3, 2}, Type: analysis.Float64},
	} {
		h.Name = filepath.Join(dir, name)
		if err := analysis.WriteHead(h.Name, h); err != nil {
			t.Fatal(err)
		}
		got, err := analysis.OpenHead(h.Name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(h, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if _, err := analysis.NewHead("h", 2, 1, []float32{1, float32(math.NaN())}, nil, analysis.Meta{}); err == nil {
		t.Error("a head with NaN was taken")
	}
	if _, err := analysis.NewHead("h", 2, 2, []float32{1, 2, 3}, nil, analysis.Meta{}); err == nil {
		t.Error("a weight of the wrong size was taken")
	}
	if narrow, _ := analysis.NewHead("h", 1, 1, []float32{1}, nil, analysis.Meta{}); narrow.Type != analysis.Float32 || narrow.Bias != nil {
		t.Errorf("%+v", narrow)
	}
	if wide, _ := analysis.NewHead("h", 1, 1, []float64{1}, nil, analysis.Meta{}); wide.Type != analysis.Float64 {
		t.Errorf("%+v", wide)
	}
	counts := filepath.Join(dir, "counts.npz")
	if err := npz.Write(counts, func(w *npz.Writer) error { return npz.Put(w, "weight", []int64{1, 2}, 1, 2) }); err != nil {
		t.Fatal(err)
	}
	if _, err := analysis.OpenHead(counts); err == nil || !strings.Contains(err.Error(), "found int64 [1,2], want floating-point weight [C,D]") {
		t.Errorf("a weight of integers: %v", err)
	}
	for _, size := range [][2]int{{0, 2}, {2, 0}, {0, 0}, {-1, -2}} {
		if _, err := analysis.NewHead("h", size[0], size[1], make([]float32, max(0, size[0]*size[1])), nil, analysis.Meta{}); err == nil {
			t.Errorf("a head of %d classes and %d features was taken", size[0], size[1])
		}
	}
	if _, err := analysis.NewHead("h", 1, 1, []float32{1}, []float32{0}, analysis.Meta{}); err != nil {
		t.Errorf("a head of one class: %v", err)
	}
}

func TestPartsOfTwoCheckpointsAreRefused(t *testing.T) {
	source := func(hash string, d int) analysis.Source {
		s, err := analysis.NewMemory(analysis.Info{Name: "train.npz", Meta: analysis.Meta{Checkpoint: hash}}, make([]float32, 4*d), nil, make([]int64, 4))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	head := &analysis.Head{Name: "h.npz", C: 2, D: 3, Weight: make([]float64, 6), Meta: analysis.Meta{Checkpoint: "aaaa"}}
	if w, err := analysis.CheckOneCheckpoint(head, source("aaaa", 3)); err != nil || len(w) > 0 {
		t.Errorf("equal hashes: %v %v", w, err)
	}
	if w, err := analysis.CheckOneCheckpoint(head, source("", 3)); err != nil || len(w) != 1 {
		t.Errorf("no hash: %v %v", w, err)
	}
	for _, s := range []analysis.Source{source("bbbb", 3), source("aaaa", 4)} {
		if _, err := analysis.CheckOneCheckpoint(head, s); err == nil || !strings.Contains(err.Error(), "train.npz") || !strings.Contains(err.Error(), "h.npz") {
			t.Errorf("err %v", err)
		}
	}
	for _, s := range []analysis.Source{source("aaaa", 2), analysis.WithLogits(source("aaaa", 2), &analysis.Head{C: 3, D: 2, Weight: make([]float64, 6)})} {
		_, err := analysis.CheckOneCheckpoint(head, s)
		if err == nil || !strings.Contains(err.Error(), "h.npz: weight [2,3] for features [4,2] of train.npz: it is [D,C], want [C,D], a row a class: transpose it") {
			t.Errorf("err %v", err)
		}
	}
	foreign := &analysis.Head{Name: "h.npz", C: 2, D: 3, Weight: make([]float64, 6)}
	if _, err := analysis.CheckOneCheckpoint(foreign, source("aaaa", 3), source("bbbb", 3)); err == nil {
		t.Error("features of two checkpoints passed under a head without hash")
	}
	// Parts without a hash are listed in one sentence, those without logits in another.
	scored := func() analysis.Source { return analysis.WithLogits(source("", 3), foreign) }
	for _, c := range []struct {
		head    *analysis.Head
		sources []analysis.Source
		want    []string
	}{
		{foreign, []analysis.Source{source("aaaa", 3)}, []string{"no checkpoint hash in h.npz: only ||logits - (W h + b)|| tells what belongs together"}},
		{foreign, []analysis.Source{scored(), source("", 3), scored()}, []string{"no checkpoint hash in h.npz, train.npz, train.npz: only ||logits - (W h + b)|| tells what belongs together",
			"neither a checkpoint hash nor logits in train.npz: nothing tells what belongs to the head"}},
		{head, []analysis.Source{source("", 3), source("", 3)}, []string{"neither a checkpoint hash nor logits in train.npz, train.npz: nothing tells what belongs to the head"}},
	} {
		if got, err := analysis.CheckOneCheckpoint(c.head, c.sources...); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("warnings %q, %v, want %q", got, err, c.want)
		}
	}
	normalised := func(std float32) analysis.Source {
		n := &analysis.Normalization{Std: [3]float32{std, 1, 1}}
		s, err := analysis.NewMemory(analysis.Info{Name: "n.npz", Meta: analysis.Meta{Checkpoint: "aaaa", Normalization: n}}, make([]float32, 12), nil, make([]int64, 4))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if _, err := analysis.CheckOneCheckpoint(head, source("aaaa", 3), normalised(0.5), normalised(0.5)); err != nil {
		t.Errorf("equal normalisations: %v", err)
	}
	if _, err := analysis.CheckOneCheckpoint(head, normalised(0.5), normalised(0.25)); err == nil || !strings.Contains(err.Error(), "--std") {
		t.Errorf("two normalisations: %v", err)
	}
}

// A head that lacks its bias differs from the logits by the same in every row, whatever the blocks; one of another checkpoint does not.
func TestHeadWithoutItsBiasIsToldFromAnother(t *testing.T) {
	const n, c, d = 9, 3, 4
	f, _, _ := rows(t, n, d, c)
	whole, err := analysis.NewHead("h.npz", c, d, []float32{1, 2, -3, 4, 0.5, -1, 2, 1, 3, 0, 1, -2}, []float32{0.5, -2, 1}, analysis.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	features, logits := widen(f), make([]float64, n*c)
	whole.Logits(logits, features, n)
	for i := range logits {
		logits[i] = float64(float32(logits[i]))
	}
	bare := *whole
	bare.Bias = nil
	other := bare
	other.Weight = slices.Clone(bare.Weight)
	other.Weight[0] = -1
	const lacks = "logits - W h is the same in every row: the head h.npz lacks its bias: save it as bias [3] beside weight"
	for name, each := range map[string]struct {
		head *analysis.Head
		want string
	}{"bare": {&bare, lacks}, "other": {&other, "the head h.npz is of another checkpoint: take both from one"}} {
		for _, size := range []int{1, 4, n} {
			var m analysis.HeadMismatch
			for at := 0; at < n; at += size {
				to := min(at+size, n)
				m.Merge(analysis.NewHeadCheck(each.head).Mismatch(features[at*d:to*d], logits[at*c:to*c], to-at, at))
			}
			if _, err := m.Judge(each.head, analysis.Info{Name: "f.npz"}); err == nil || !strings.HasSuffix(err.Error(), each.want) {
				t.Errorf("%s in blocks of %d: err %v", name, size, err)
			}
		}
	}
	bare.Meta.Checkpoint = "a"
	m := analysis.NewHeadCheck(&bare).Mismatch(features, logits, n, 0)
	if w, err := m.Judge(&bare, analysis.Info{Name: "f.npz", Meta: analysis.Meta{Checkpoint: "a"}}); err != nil || !strings.HasSuffix(w, lacks) {
		t.Errorf("warning %q, err %v", w, err)
	}
	// One row has nothing to be the same as.
	m = analysis.NewHeadCheck(&bare).Mismatch(features[:d], logits[:c], 1, 0)
	if w, _ := m.Judge(&bare, analysis.Info{Name: "f.npz", Meta: analysis.Meta{Checkpoint: "a"}}); w == "" || strings.Contains(w, "lacks") {
		t.Errorf("warning %q", w)
	}
}

func TestHeadMismatchDecidesForForeignFiles(t *testing.T) {
	head := &analysis.Head{Name: "h.npz", C: 2, D: 2, Weight: []float64{1, 0, 0, 1}}
	features := []float64{3, 4}
	right := analysis.NewHeadCheck(head).Mismatch(features, []float64{3.001, 4}, 1, 0) // 1e-3 of ||W|| ||h|| = 7.07 is within tf32's rounding
	if _, err := right.Judge(head, analysis.Info{Name: "f.npz"}); err != nil {
		t.Errorf("rounding was refused: %v", err)
	}
	wrong := analysis.NewHeadCheck(head).Mismatch(features, []float64{3.1, 4}, 1, 5)
	if math.Abs(wrong.Worst-0.1) > 1e-12 || wrong.Row != 5 {
		t.Errorf("%+v", wrong)
	}
	if _, err := wrong.Judge(head, analysis.Info{Name: "f.npz"}); err == nil || !strings.Contains(err.Error(), "row 5") {
		t.Errorf("err %v", err)
	}
	head.Meta.Checkpoint = "a"
	if w, err := wrong.Judge(head, analysis.Info{Name: "f.npz", Meta: analysis.Meta{Checkpoint: "a"}}); err != nil || w == "" {
		t.Errorf("known hashes: warning %q, err %v", w, err)
	}
}

// FuzzOpenFeatures varies what this package reads itself: the meta array, and shapes and types that do or do not fit each other. The archive around them is fuzzed by internal/npz.
func FuzzOpenFeatures(f *testing.F) {
	dir := f.TempDir()
	f.Add([]byte(`{"checkpoint":"a","epoch":1}`), uint8(2), uint8(1), uint8(2), uint8(0), uint8(3))
	f.Add([]byte(`{`), uint8(1), uint8(0), uint8(1), uint8(1), uint8(0))
	f.Fuzz(func(t *testing.T, meta []byte, n, d, labels, kind, c uint8) {
		path := filepath.Join(dir, "x.npz")
		put := func(w *npz.Writer, name string, kind uint8, shape ...int) error {
			size := 1
			for _, s := range shape {
				size *= s
			}
			switch kind % 3 {
			case 0:
				return npz.Put(w, name, make([]float32, size), shape...)
			case 1:
				return npz.Put(w, name, make([]int64, size), shape...)
			}
			return npz.Put(w, name, make([]uint8, size), shape...)
		}
		err := npz.Write(path, func(w *npz.Writer) error {
			return errors.Join(put(w, "features", kind, int(n), int(d)), put(w, "labels", kind/3+1, int(labels)), put(w, "logits", kind/9, int(n), int(c)),
				put(w, "weight", kind, int(c), int(d)), npz.Put(w, "meta", meta))
		})
		if err != nil {
			return // the writer refuses what it cannot write
		}
		if h, err := analysis.OpenHead(path); err == nil && (h.C != int(c) || h.D != int(d)) {
			t.Errorf("a head of %d classes and %d features was read as [%d,%d]", c, d, h.C, h.D)
		}
		src, err := analysis.OpenFeatures(path)
		if err != nil {
			return
		}
		defer src.Close()
		rows := 0
		if err := src.Sweep(t.Context(), func(b *analysis.Block) error { rows += b.N; return nil }); err != nil || rows != int(n) || n == 0 || d == 0 || labels != n {
			t.Errorf("features [%d,%d] with %d labels: %d rows, err %v", n, d, labels, rows, err)
		}
	})
}

func TestRangeOfNoRowsPanics(t *testing.T) {
	src, err := analysis.NewMemory(analysis.Info{Name: "m"}, []float32{1, 2, 3}, nil, []int64{0, 1, 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, to int
		fits     bool
	}{{0, 3, true}, {2, 3, true}, {-1, 2, false}, {0, 4, false}, {1, 1, false}, {2, 1, false}} {
		func() {
			defer func() {
				if (recover() == nil) != c.fits {
					t.Errorf("rows %d..%d", c.from, c.to)
				}
			}()
			analysis.Range(src, c.from, c.to)
		}()
	}
}

// TestEpsOfTypes: one place of 1, by the bits of the significand: 23, 10, 52, 7.
func TestEpsOfTypes(t *testing.T) {
	for stored, want := range map[analysis.DType]float64{analysis.Float32: math.Pow(2, -23), analysis.Float16: math.Pow(2, -10), analysis.Float64: math.Nextafter(1, 2) - 1,
		analysis.BFloat16: math.Pow(2, -7)} {
		if got := stored.Eps(); got != want {
			t.Errorf("%s: %g, want %g", stored, got, want)
		}
	}
}

func TestArgmaxIsTheFirstOfTheLargest(t *testing.T) {
	nan, low := math.NaN(), math.Inf(-1)
	for _, c := range []struct {
		x    []float64
		want int
	}{{[]float64{1, 3, 3, 2}, 1}, {[]float64{-2, -1, -3}, 1}, {[]float64{nan, nan}, 0}, {[]float64{low, low}, 0}, {[]float64{nan, low, -5}, 2}} {
		if got := analysis.Argmax(c.x); got != c.want {
			t.Errorf("of %v: %d, want %d", c.x, got, c.want)
		}
	}
}

// TestMismatchIsTheLargestDistance, however small, relative to ||W|| ||h|| + ||b|| = 2 |h| + 1, and of equal ones the first.
func TestMismatchIsTheLargestDistance(t *testing.T) {
	head, err := analysis.NewHead("h", 1, 1, []float64{2}, []float64{1}, analysis.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	m := analysis.NewHeadCheck(head).Mismatch([]float64{1, -2, 1, -2}, []float64{3, -3 + 0x1p-20, 3, -3 - 0x1p-20}, 4, 10)
	if m.Worst != 0x1p-20 || math.Abs(m.Relative-0x1p-20/5) > 1e-20 || m.Row != 11 {
		t.Errorf("%+v", m)
	}
}

func TestWarningsOfRowsWithoutAHash(t *testing.T) {
	head, err := analysis.NewHead("h", 1, 1, []float64{2}, nil, analysis.Meta{Checkpoint: "x"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		logits []float64
		want   string
	}{{nil, "neither a checkpoint hash nor logits in m: nothing tells"}, {[]float64{2}, "no checkpoint hash in m: only ||logits"}} {
		src, err := analysis.NewMemory(analysis.Info{Name: "m"}, []float64{1}, c.logits, []int64{0})
		if err != nil {
			t.Fatal(err)
		}
		warnings, err := analysis.CheckOneCheckpoint(head, src)
		if err != nil || len(warnings) != 1 || !strings.HasPrefix(warnings[0], c.want) {
			t.Errorf("%q, %v, want %q", warnings, err, c.want)
		}
	}
}
