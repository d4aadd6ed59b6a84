package analysis_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/internal/npz"
)

// TestRowsWithoutLabels: what is only scored needs no labels and gets -1 for each; everything else refuses the file.
func TestRowsWithoutLabels(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.npz")
	const n, d = 700, 2 // more than a block
	features := make([]float32, n*d)
	for i := range features {
		features[i] = float32(i)
	}
	if err := npz.Write(path, func(w *npz.Writer) error {
		return errors.Join(npz.Put(w, "features", features, n, d), npz.Put(w, "logits", make([]float32, 3*n), n, 3))
	}); err != nil {
		t.Fatal(err)
	}
	f, err := analysis.OpenRows(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if info := f.Info(); !info.Unlabelled || info.N != n || info.C != 3 {
		t.Errorf("info %+v", info)
	}
	rows := 0
	err = f.Sweep(t.Context(), func(b *analysis.Block) error {
		if b.Features[0] != float64(d*rows) || len(b.Labels) != b.N || slices.Max(b.Labels) != -1 || slices.Min(b.Labels) != -1 {
			t.Errorf("block at %d: features from %g, labels %v", b.Start, b.Features[0], b.Labels[:1])
		}
		rows += b.N
		return nil
	})
	if err != nil || rows != n {
		t.Errorf("%d rows, err %v", rows, err)
	}
	if _, err := analysis.OpenFeatures(path); err == nil || !strings.Contains(err.Error(), path+": there is no array labels: give integer labels [700]") {
		t.Errorf("err %v", err)
	}
}
