package stats_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/stats"
	"nctrain/internal/npz"
)

// goldenSet reads a case of testdata/golden_stats.py.
func goldenSet(t *testing.T, name string) (src *analysis.Memory[float32], within, total []float64) {
	t.Helper()
	file, err := npz.Open("testdata/stats_golden.npz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	features, err1 := file.Float32s(name + "_features")
	logits, err2 := file.Float32s(name + "_logits")
	labels, err3 := file.Int64s(name + "_labels")
	within, err4 := file.Float64s(name + "_within")
	total, err5 := file.Float64s(name + "_total")
	src, err6 := analysis.NewMemory(analysis.Info{Name: name}, features, logits, labels)
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		t.Fatal(err)
	}
	return src, within, total
}

func collectPart(t *testing.T, src analysis.Ranger, i, of int) *stats.Part {
	t.Helper()
	p, warnings, err := stats.CollectPart(t.Context(), src, nil, i, of, 2)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v, %v", warnings, err)
	}
	return p
}

// TestAnyShardsInAnyOrder merges random numbers of shards, down to one row each, in random order and shape of tree. 1e-12 is what the project promises; S_W of the collapsed
// case is 1.6e-6 of S_T, so that a subtraction of the two would leave ten digits at best.
func TestAnyShardsInAnyOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 4))
	for _, name := range []string{"collapsed", "many_classes", "zero_units"} {
		src, within, total := goldenSet(t, name)
		n := src.Info().N
		if ratio := stats.Trace(total, src.Info().D) / stats.Trace(within, src.Info().D); name == "collapsed" && ratio < 6e5 {
			t.Fatalf("tr S_T / tr S_W = %g", ratio)
		}
		for trial := range 40 {
			of := []int{1, 2, n}[trial%3]
			if trial > 5 {
				of = 1 + rng.IntN(n)
			}
			var parts []*stats.Part
			for _, i := range rng.Perm(of) {
				parts = append(parts, collectPart(t, src, i+1, of))
			}
			for len(parts) > 1 {
				i := rng.IntN(len(parts) - 1)
				merged, err := parts[i].Merge(parts[i+1])
				if err != nil {
					t.Fatal(err)
				}
				parts[i] = merged
				parts = slices.Delete(parts, i+1, i+2)
			}
			if err := parts[0].Complete(); err != nil {
				t.Fatal(err)
			}
			got := parts[0].Class
			if e := off(got.Within(), within); e > 1e-12 {
				t.Errorf("%s in %d shards: S_W off by %g", name, of, e)
			}
			if e := off(got.Total(), total); e > 1e-12 {
				t.Errorf("%s in %d shards: S_T off by %g", name, of, e)
			}
		}
	}
}

// What a sweep of the whole tells is what files of its shards tell together, and the order in which they are named changes no bit.
func TestMergedFilesAreOneSweep(t *testing.T) {
	src, _, _ := goldenSet(t, "zero_units")
	info := src.Info()
	whole := collectPart(t, src, 1, 1)
	dir := t.TempDir()
	const of = 7
	var paths []string
	for i := 1; i <= of; i++ {
		paths = append(paths, filepath.Join(dir, fmt.Sprintf("part_%d.npz", i)))
		if err := stats.WritePart(paths[i-1], collectPart(t, src, i, of)); err != nil {
			t.Fatal(err)
		}
	}
	merged, err := stats.MergeFiles(paths)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(paths)
	again, err := stats.MergeFiles(paths)
	if err != nil || !slices.Equal(again.Class.Scatter, merged.Class.Scatter) || !slices.Equal(again.Class.Mean, merged.Class.Mean) {
		t.Errorf("another order gives other bits, %v", err)
	}
	all := filepath.Join(dir, "all.npz")
	if err := stats.WritePart(all, merged); err != nil {
		t.Fatal(err)
	}
	if merged, err = stats.ReadPart(all); err != nil {
		t.Fatal(err)
	}
	if got, want := merged.Info, (analysis.Info{Name: all, N: info.N, D: info.D, C: info.C}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	// Sums of float16 and quarters of classes: their order rounds in the last places.
	if !slices.Equal(merged.Class.Count, whole.Class.Count) || off(merged.Class.Mean, whole.Class.Mean) > 1e-14 || off(merged.LogitSum, whole.LogitSum) > 1e-14 ||
		!slices.Equal(merged.Tally.MaxAbs, whole.Tally.MaxAbs) || merged.Tally.Correct != whole.Tally.Correct || off([]float64{merged.Tally.MaxLogit}, []float64{whole.Tally.MaxLogit}) > 1e-14 {
		t.Errorf("merged %+v\nwhole %+v", merged.Tally, whole.Tally)
	}
	if err := merged.Complete(); err != nil || merged.Checked || merged.Of != of {
		t.Errorf("%+v, %v", merged, err)
	}
}

func TestPartsThatDoNotBelongTogetherAreRefused(t *testing.T) {
	set := func(info analysis.Info, n, d, c int) *analysis.Memory[float32] {
		labels := make([]int64, n)
		for i := range labels {
			labels[i] = int64(i % c)
		}
		src, err := analysis.NewMemory(info, make([]float32, n*d), make([]float32, n*c), labels)
		if err != nil {
			t.Fatal(err)
		}
		return src
	}
	info := analysis.Info{Name: "train", Meta: analysis.Meta{Checkpoint: "aaaa", Set: "cifar100"}}
	other := func(change func(*analysis.Meta)) analysis.Info {
		i := info
		change(&i.Meta)
		return i
	}
	dir := t.TempDir()
	written := 0
	write := func(src analysis.Ranger, i, of int) string {
		written++
		path := filepath.Join(dir, fmt.Sprintf("part_%d.npz", written))
		if err := stats.WritePart(path, collectPart(t, src, i, of)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	first := write(set(info, 16, 3, 2), 2, 8)
	for path, want := range map[string]string{
		write(set(info, 16, 3, 2), 2, 8): "shard 2/8 twice",
		write(set(info, 16, 4, 2), 3, 8): "features 4, the parts before have 3",
		write(set(info, 16, 3, 4), 3, 8): "classes 4, the parts before have 2",
		write(set(info, 17, 3, 2), 3, 8): "rows of the set 17, the parts before have 16",
		write(set(info, 16, 3, 2), 3, 4): "number of shards 4, the parts before have 8",
		write(set(other(func(m *analysis.Meta) { m.Checkpoint = "bbbb" }), 16, 3, 2), 3, 8):                       "checkpoint bbbb, the parts before have aaaa: merge parts of one model",
		write(set(other(func(m *analysis.Meta) { m.Checkpoint = "" }), 16, 3, 2), 3, 8):                           "checkpoint none, the parts before have aaaa",
		write(set(other(func(m *analysis.Meta) { m.Normalization = &analysis.Normalization{} }), 16, 3, 2), 3, 8): "normalization {[0 0 0] [0 0 0]}, the parts before have unknown",
		write(set(other(func(m *analysis.Meta) { m.Split = "test" }), 16, 3, 2), 3, 8):                            "set cifar100 test, the parts before have cifar100",
	} {
		if _, err := stats.MergeFiles([]string{first, path}); err == nil || !strings.Contains(err.Error(), path+": "+want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("err %v, want %q", err, want)
		}
	}
	p, err := stats.MergeFiles([]string{first, write(set(info, 16, 3, 2), 5, 8)})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Complete(); err == nil || err.Error() != "shards 1/8, 3/8, 4/8, 6/8, 7/8, 8/8 are missing: merge them too" {
		t.Errorf("err %v", err)
	}
	if _, err := stats.MergeFiles([]string{"testdata/stats_golden.npz"}); err == nil || !strings.Contains(err.Error(), "no statistics") {
		t.Errorf("err %v", err)
	}
}

func TestWhatCannotBeSummedIsRefused(t *testing.T) {
	head, err := analysis.NewHead("h.npz", 2, 2, []float64{1, 0, 0, 1}, nil, analysis.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	set := func(features, logits []float64, labels ...int64) *analysis.Memory[float64] {
		src, err := analysis.NewMemory(analysis.Info{Name: "rows"}, features, logits, labels)
		if err != nil {
			t.Fatal(err)
		}
		return src
	}
	rows := []float64{3, 0, 0, 1, 2, 0}
	nan := []float64{3, 0, 0, 1, 2, nan()}
	for _, c := range []struct {
		src   analysis.Ranger
		head  *analysis.Head
		i, of int
		want  string
	}{
		{set(rows, nil, 0, 1, 0), nil, 1, 1, "the head must tell the number of classes"},
		{set(rows, rows, 0, 1, 0), nil, 0, 2, "shard 0/2: shards are counted from 1"},
		{set(rows, rows, 0, 1, 0), nil, 3, 2, "shard 3/2"},
		{set(rows, rows, 0, 1, 0), nil, 1, 4, "3 rows do not make 4 shards"},
		{set(rows, rows, 0, 1, 2), nil, 3, 3, "rows: labels: row 2 has label 2, outside 0..1"},
		{set(nan, nil, 0, 1, 0), head, 2, 2, "rows: 1 of rows 1..2 hold NaN or Inf, the first is row 2 (features)"},
		{set(rows, []float64{3, 0, 0, 1, 0, 2}, 0, 1, 0), head, 1, 1, "rows: row 2: ||logits - (W h + b)||"},
		{set([]float64{1, 2, 3, 4, 5, 6}, nil, 0, 1), head, 1, 1, "do not fit the head h.npz"},
	} {
		if _, _, err := stats.CollectPart(t.Context(), c.src, c.head, c.i, c.of, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("err %v, want %q", err, c.want)
		}
	}
}

// Stored statistics stand in for the set wherever one sweep is enough, know a head of another model by the mean logits, and say that there are no rows.
func TestStoredStatisticsStandInForTheSet(t *testing.T) {
	const c, d = 2, 2
	head, err := analysis.NewHead("h.npz", c, d, []float64{1, 0, 0, 1}, []float64{0.5, 0}, analysis.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	src, err := analysis.NewMemory(analysis.Info{Name: "rows"}, []float64{3, 0, 0, 1, 2, 0}, nil, []int64{0, 1, 0})
	if err != nil {
		t.Fatal(err)
	}
	p, warnings, err := stats.CollectPart(t.Context(), src, head, 1, 1, 1)
	if err != nil || !p.Checked || len(warnings) != 2 { // neither rows nor head carry a hash
		t.Fatalf("%v, %v", warnings, err)
	}
	stored := p.Stored()
	if stored.Info() != p.Info || stored.Info().C != c {
		t.Errorf("%+v", stored.Info())
	}
	got, tally, err := stats.Collect(t.Context(), stored, head, 1)
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := stats.Collect(t.Context(), src, head, 1)
	if err != nil || !slices.Equal(got.Scatter, want.Scatter) || !slices.Equal(got.Mean, want.Mean) || !slices.Equal(got.Count, want.Count) || tally.Correct != 3 {
		t.Errorf("%+v, want %+v, %v", got, want, err)
	}
	other, err := analysis.NewHead("other.npz", c, d, []float64{1, 0, 0, 1}, []float64{0.75, 0}, analysis.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := stats.Collect(t.Context(), stored, other, 1); err == nil || !strings.Contains(err.Error(), "rows, class means: row 1: ||logits - (W h + b)||") || !strings.Contains(err.Error(), "other.npz") {
		t.Errorf("a head of another model: %v", err)
	}
	wide := &analysis.Head{Name: "wide.npz", C: c, D: 3, Weight: make([]float64, 6)}
	if _, _, err := stats.Collect(t.Context(), stored, wide, 1); err == nil || !strings.Contains(err.Error(), "do not fit the head wide.npz") {
		t.Errorf("a head of another width: %v", err)
	}
	if stats.NoRows(src) != "" || !strings.Contains(stats.NoRows(stored), "takes a second sweep") {
		t.Errorf("%q, %q", stats.NoRows(src), stats.NoRows(stored))
	}
	if err := stored.Sweep(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "second sweep") {
		t.Errorf("err %v", err)
	}
}

// FuzzReadPart varies what a file says of itself beside arrays of given sizes: no panic, and what is read is consistent.
func FuzzReadPart(f *testing.F) {
	f.Add([]byte(`{"version":1,"name":"s","n":3,"classes":2,"features":2,"type":"float32","meta":{"checkpoint":"a"},"of":1,"shards":[1],"correct":3}`), int64(2), int64(1), uint8(2), uint8(2))
	f.Add([]byte(`{"version":1,"n":9,"classes":1,"features":1,"type":"bfloat16","of":3,"shards":[1,3]}`), int64(6), int64(0), uint8(1), uint8(1))
	f.Add([]byte(`{`), int64(-1), int64(1), uint8(0), uint8(3))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte, n0, n1 int64, c, d uint8) {
		path := filepath.Join(dir, "x.npz")
		C, D := int(c%8), int(d%8)
		count := make([]int64, C)
		for k := range count {
			count[k] = []int64{n0, n1}[k%2]
		}
		err := npz.Write(path, func(w *npz.Writer) error {
			return errors.Join(npz.Put(w, "statistics", text), npz.Put(w, "count", count), npz.Put(w, "mean", make([]float64, C*D), C, D), npz.Put(w, "deviation", make([]float64, C)),
				npz.Put(w, "scatter", make([]float64, D*D), D, D), npz.Put(w, "max_abs", make([]float64, D)), npz.Put(w, "logit_sum", make([]float64, C*C), C, C))
		})
		if err != nil {
			return // the writer refuses what it cannot write
		}
		p, err := stats.ReadPart(path)
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("err %v", err)
			}
			return
		}
		if p.Class.C != C || p.Class.D != D || p.Class.N() < 1 || p.Class.N() > int64(p.Info.N) {
			t.Errorf("%+v", p)
		}
		if _, err := p.Merge(p); err == nil {
			t.Error("a part merged with itself")
		}
	})
}

func TestDamagedPartsAreRefused(t *testing.T) {
	src, _, _ := goldenSet(t, "zero_units")
	path := filepath.Join(t.TempDir(), "part.npz")
	if err := stats.WritePart(path, collectPart(t, src, 1, 2)); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := 0; size < len(whole); size += 1 + len(whole)/60 {
		if err := os.WriteFile(path, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := stats.ReadPart(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%d of %d bytes: %v", size, len(whole), err)
		}
	}
}

// TestImpossiblePartsAreRefused changes one thing at a time in a file that is read.
func TestImpossiblePartsAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "part.npz")
	const good = `{"version":1,"name":"s","n":4,"classes":2,"features":1,"type":"float32","of":2,"shards":[2],"correct":1}`
	type arrays struct {
		text          string
		count         []int64
		mean, scatter []float64
		scatterD      int
	}
	for _, c := range []struct {
		want   string // empty: read
		change func(*arrays)
	}{
		{"", func(*arrays) {}},
		{"unexpected end of JSON input", func(a *arrays) { a.text = "{" }},
		{"version 2 of the format", func(a *arrays) { a.text = strings.Replace(a.text, `n":1`, `n":2`, 1) }},
		{"impossible sizes: 0 rows", func(a *arrays) { a.text = strings.Replace(a.text, `"n":4`, `"n":0`, 1) }},
		{"4 rows, 0 classes", func(a *arrays) { a.text = strings.Replace(a.text, `s":2`, `s":0`, 1) }},
		{"2 classes, 0 features", func(a *arrays) { a.text = strings.Replace(a.text, `s":1`, `s":0`, 1) }},
		{"shards [2] of 0", func(a *arrays) { a.text = strings.Replace(a.text, `of":2`, `of":0`, 1) }},
		{"shards [2] of 5", func(a *arrays) { a.text = strings.Replace(a.text, `of":2`, `of":5`, 1) }},
		{"", func(a *arrays) { a.text, a.count = strings.Replace(a.text, `of":2`, `of":4`, 1), []int64{0, 1} }},
		{"shards [2] of 1", func(a *arrays) { a.text = strings.Replace(a.text, `of":2`, `of":1`, 1) }},
		{"shards [] of 2", func(a *arrays) { a.text = strings.Replace(a.text, `[2]`, `[]`, 1) }},
		{"shards [0] of 2", func(a *arrays) { a.text = strings.Replace(a.text, `[2]`, `[0]`, 1) }},
		{"shards 2, 1 are not ascending", func(a *arrays) { a.text = strings.Replace(a.text, `[2]`, `[2,1]`, 1) }},
		{"shards 2, 2 are not ascending", func(a *arrays) { a.text = strings.Replace(a.text, `[2]`, `[2,2]`, 1) }},
		{"", func(a *arrays) { a.text, a.count = strings.Replace(a.text, `[2]`, `[1,2]`, 1), []int64{0, 4} }},
		{`"int3" is no type of features`, func(a *arrays) { a.text = strings.Replace(a.text, "float32", "int3", 1) }},
		{"array mean: value 1 is NaN", func(a *arrays) { a.mean[1] = nan() }},
		{"array mean: value 0 is +Inf", func(a *arrays) { a.mean[0] = math.Inf(1) }},
		{"array mean: value 0 is -Inf", func(a *arrays) { a.mean[0] = math.Inf(-1) }},
		{"array scatter: found float64 [2,2], want float64 [1 1]", func(a *arrays) { a.scatter, a.scatterD = make([]float64, 4), 2 }},
		{"array count: found int64 [1], want integers [2]", func(a *arrays) { a.count = a.count[:1] }},
		{"class 1 has -1 rows of a set of 4", func(a *arrays) { a.count = []int64{3, -1} }},
		{"class 0 has 5 rows of a set of 4", func(a *arrays) { a.count = []int64{5, 0} }},
		{"array count: 1 rows, the shards have 2", func(a *arrays) { a.count = []int64{0, 1} }},
	} {
		a := arrays{text: good, count: []int64{2, 0}, mean: make([]float64, 2), scatter: make([]float64, 1), scatterD: 1}
		c.change(&a)
		err := npz.Write(path, func(w *npz.Writer) error {
			return errors.Join(npz.Put(w, "statistics", []byte(a.text)), npz.Put(w, "count", a.count), npz.Put(w, "mean", a.mean, 2, 1), npz.Put(w, "deviation", make([]float64, 2)),
				npz.Put(w, "scatter", a.scatter, a.scatterD, a.scatterD), npz.Put(w, "max_abs", make([]float64, 1)), npz.Put(w, "logit_sum", make([]float64, 4), 2, 2))
		})
		if err != nil {
			t.Fatal(err)
		}
		p, err := stats.ReadPart(path)
		if c.want == "" {
			if err != nil || p.Class.N() != a.count[0]+a.count[1] {
				t.Errorf("%s: %v", a.text, err)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), "analysis: "+path+": ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("err %v, want %q", err, c.want)
		}
	}
	// An array of that name in another type is no list of shards.
	if err := npz.Write(path, func(w *npz.Writer) error { return npz.Put(w, "statistics", []int64{1}) }); err != nil {
		t.Fatal(err)
	}
	if _, err := stats.ReadPart(path); err == nil || !strings.Contains(err.Error(), path+": no statistics") {
		t.Errorf("err %v", err)
	}
	if _, err := stats.MergeFiles(nil); err == nil || !strings.Contains(err.Error(), "no parts to merge") {
		t.Errorf("err %v", err)
	}
}

// TestMissingShardsAreNamed: one, a few, and the first eight of many.
func TestMissingShardsAreNamed(t *testing.T) {
	for _, c := range []struct {
		of     int
		shards []int
		want   string
	}{
		{1, []int{1}, ""}, {2, []int{2}, "shard 1/2 is missing: merge it too"}, {3, []int{2}, "shards 1/3, 3/3 are missing: merge them too"},
		{9, []int{9}, "shards 1/9, 2/9, 3/9, 4/9, 5/9, 6/9, 7/9, 8/9 are missing: merge them too"},
		{10, []int{9}, "shards 1/10, 2/10, 3/10, 4/10, 5/10, 6/10, 7/10, 8/10 and 1 more are missing: merge them too"},
	} {
		got := ""
		if err := (&stats.Part{Of: c.of, Shards: c.shards}).Complete(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%v of %d: %q, want %q", c.shards, c.of, got, c.want)
		}
	}
}

// TestPartsTakeWhatTheHeadTells: the checkpoint and the epoch, where the rows do not know theirs; and of rows held against no head, the mean logits are.
func TestPartsTakeWhatTheHeadTells(t *testing.T) {
	epoch, other := 30, 7
	head, err := analysis.NewHead("h.npz", 2, 2, []float64{1, 0, 0, 1}, nil, analysis.Meta{Checkpoint: "x", Epoch: &epoch})
	if err != nil {
		t.Fatal(err)
	}
	set := func(m analysis.Meta, logits []float64) *analysis.Memory[float64] {
		src, err := analysis.NewMemory(analysis.Info{Name: "rows", Meta: m}, []float64{3, 0, 0, 1, 2, 0}, logits, []int64{0, 1, 0})
		if err != nil {
			t.Fatal(err)
		}
		return src
	}
	p, _, err := stats.CollectPart(t.Context(), set(analysis.Meta{}, nil), head, 1, 1, 1)
	if err != nil || p.Info.Meta.Checkpoint != "x" || p.Info.Meta.Epoch != &epoch {
		t.Errorf("%+v, %v", p.Info.Meta, err)
	}
	p, _, err = stats.CollectPart(t.Context(), set(analysis.Meta{Checkpoint: "x", Epoch: &other}, nil), head, 1, 1, 1)
	if err != nil || p.Info.Meta.Epoch != &other {
		t.Errorf("%+v, %v", p.Info.Meta, err)
	}
	path := filepath.Join(t.TempDir(), "part.npz")
	if err := stats.WritePart(path, p); err != nil {
		t.Fatal(err)
	}
	if p, err = stats.MergeFiles([]string{path}); err != nil || p.Info.Name != "rows" {
		t.Errorf("name %q, %v", p.Info.Name, err)
	}
	src := set(analysis.Meta{Checkpoint: "x"}, []float64{3, 0, 0, 1, 2, 0.5})
	_, warnings, err := stats.CollectPart(t.Context(), src, head, 1, 1, 1)
	if err != nil || len(warnings) != 1 || !strings.HasPrefix(warnings[0], "rows: row 2: ||logits - (W h + b)||") {
		t.Errorf("%q, %v", warnings, err)
	}
	// Means of class 0: features (2.5, 0), logits (2.5, 0.25).
	_, tally, err := stats.Collect(t.Context(), collectPart(t, src, 1, 1).Stored(), head, 1)
	if err != nil || tally.Mismatch.Worst != 0.25 || tally.Mismatch.Row != 0 {
		t.Errorf("%+v, %v", tally.Mismatch, err)
	}
}
