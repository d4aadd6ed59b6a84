package ood_test

import (
	"slices"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/ood"
)

// take is the first n rows of each source as one, without logits.
func take(t *testing.T, name string, n map[analysis.Source]int, order ...analysis.Source) analysis.Source {
	t.Helper()
	var features []float64
	var labels []int64
	for _, src := range order {
		d := src.Info().D
		if err := src.Sweep(t.Context(), func(b *analysis.Block) error {
			k := max(0, min(b.N, n[src]-b.Start))
			features, labels = append(features, b.Features[:k*d]...), append(labels, b.Labels[:k]...)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	src, err := analysis.NewMemory(analysis.Info{Name: name, Meta: analysis.Meta{Checkpoint: "x"}}, features, nil, labels)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// holds tells whether a warning has every part.
func holds(warnings []string, parts ...string) bool {
	return slices.ContainsFunc(warnings, func(w string) bool {
		return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(w, part) })
	})
}

// TestValIsApartFromTrainingAndID: thresholds and fits from val rows that are among the training or the ID test rows are refused, allowed with a warning, or of the other rows alone.
func TestValIsApartFromTrainingAndID(t *testing.T) {
	apart := headed(t, archive(t, "testdata/detectors_golden.npz"), "plain")
	apart.Scores, apart.ThresholdAt = []string{"energy"}, 0.9 // which is not fitted: nothing but the threshold asks for val
	val, n := apart.Val, apart.Val.Info().N
	if r := compute(t, apart); len(r.ValOverlap) > 0 || holds(r.Warnings, "also occur") {
		t.Errorf("val apart from all: rows %v, warnings %q", r.ValOverlap, r.Warnings)
	}
	mixed := take(t, "mixed", map[analysis.Source]int{apart.Train: 2, val: n, apart.ID: 3}, apart.Train, val, apart.ID)
	for _, c := range []struct {
		name  string
		train analysis.Source
		score string
		rows  []int
	}{
		{"threshold", apart.Train, "energy", []int{0, 1, n + 2, n + 3, n + 4}},
		{"threshold without training rows", nil, "energy", []int{n + 2, n + 3, n + 4}},
		{"fit", apart.Train, "klm", []int{0, 1, n + 2, n + 3, n + 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := apart
			o.Val, o.Train, o.Scores = mixed, c.train, []string{c.score}
			if c.name == "fit" {
				o.ThresholdAt = 0
			}
			if _, err := ood.Compute(t.Context(), o); err == nil || !strings.Contains(err.Error(), "mixed: ") || !strings.Contains(err.Error(), "--drop-overlap") || !strings.Contains(err.Error(), "--allow-overlap") {
				t.Errorf("err %v", err)
			}
			o.AllowOverlap = true
			r := compute(t, o)
			if count, _ := r.Health.Get("overlap"); !slices.Equal(r.ValOverlap, c.rows) || count != float64(len(c.rows)) || !holds(r.Warnings, "mixed: ", "they stay in") {
				t.Errorf("rows %v (health %g), want %v; warnings %q", r.ValOverlap, count, c.rows, r.Warnings)
			}
			o.AllowOverlap, o.DropOverlap = false, true
			dropped := compute(t, o)
			o.DropOverlap, o.Val = false, val
			if c.train == nil { // nobody can tell which rows were trained on
				o.Val = take(t, "val", map[analysis.Source]int{apart.Train: 2, val: n}, apart.Train, val)
			}
			want := compute(t, o)
			if !holds(dropped.Warnings, "mixed: ", "left out") || dropped.NID != want.NID {
				t.Errorf("warnings %q, %d ID rows", dropped.Warnings, dropped.NID)
			}
			for _, key := range []string{"threshold", "rank"} {
				a, _ := dropped.Thresholds.Get(c.score)
				b, _ := want.Thresholds.Get(c.score)
				x, _ := a.Get(key)
				if y, _ := b.Get(key); x != y || (x == 0) != (c.name == "fit") {
					t.Errorf("%s %g of the rows left, want %g", key, x, y)
				}
			}
			a, _ := dropped.Scores.Get(ood.IDName)
			b, _ := want.Scores.Get(ood.IDName)
			x, _ := a.Get(c.score)
			if y, _ := b.Get(c.score); !slices.Equal(x, y) || len(x) == 0 {
				t.Error("not the scores of a fit on the rows left")
			}
		})
	}
	apart.Val, apart.DropOverlap = apart.ID, true
	if _, err := ood.Compute(t.Context(), apart); err == nil || !strings.Contains(err.Error(), "leaves nothing") {
		t.Errorf("val that is the ID set: err %v", err)
	}
}

// TestOODRowsThatAreIDRows are counted and listed, whatever is fitted, unless they are left out already.
func TestOODRowsThatAreIDRows(t *testing.T) {
	o := plain(t)
	o.OOD = append(o.OOD, analysis.Named{Name: "same", Source: take(t, "same", map[analysis.Source]int{o.ID: 3, o.OOD[0].Source: 5}, o.OOD[0].Source, o.ID)})
	for _, scores := range [][]string{{"msp"}, {"msp", "vim"}, {"msp", "knn"}} {
		o.Scores = scores
		if r := compute(t, o); !holds(r.Warnings, "same: 3 of 8 rows", "in the ID set id (rows 5, 6, 7)") || holds(r.Warnings, "ood: ") {
			t.Errorf("%v: warnings %q", scores, r.Warnings)
		}
	}
}
