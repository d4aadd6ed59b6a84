package analysis_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/internal/npz"
)

// TestRowsWithoutLabels: what is only scored needs no labels in any format and gets -1 for each; everything else refuses the file and says how that format carries them.
func TestRowsWithoutLabels(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	const n, d = 700, 2 // more than a block
	features := make([]float32, n*d)
	header := fmt.Sprintf(`{"features":{"dtype":"F32","shape":[%d,%d],"data_offsets":[0,%d]}}`, n, d, 4*n*d)
	tensors, text := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), "f0,f1,note\n"
	for i := range features {
		features[i] = float32(i)
		tensors = binary.LittleEndian.AppendUint32(tensors, math.Float32bits(features[i]))
		if i%d == d-1 {
			text += fmt.Sprintf("%d,%d,x\n", i-1, i)
		}
	}
	half := n * d / 2
	if err := errors.Join(
		npz.Write(at("rows.npz"), func(w *npz.Writer) error { return npz.Put(w, "features", features, n, d) }),
		os.WriteFile(at("rows.safetensors"), tensors, 0o600),
		os.WriteFile(at("rows.csv"), []byte(text), 0o600),
		npz.WriteNPY(at("rows_features.npy"), features, n, d),
		npz.WriteNPY(at("rows_logits.npy"), make([]float32, 3*n), n, 3),
		npz.WriteNPY(at("other.npy"), features, n, d),
		os.Mkdir(at("shards"), 0o700),
		npz.WriteNPY(at("shards/features_0.npy"), features[:half], n/2, d),
		npz.WriteNPY(at("shards/features_1.npy"), features[half:], n/2, d),
	); err != nil {
		t.Fatal(err)
	}
	const loose = "write features=F.npy,labels=L.npy[,logits=G.npy]"
	for _, c := range []struct {
		spec    string
		logits  int
		refused string // by OpenFeatures
	}{
		{at("rows.npz"), 0, at("rows.npz") + ": there are no labels, which this set needs: add an array labels, integers [700]"},
		{at("rows.safetensors"), 0, "add an array labels, integers [700]"},
		{at("rows.csv"), 0, at("rows.csv") + ": there are no labels, which this set needs: add a column label"},
		{at("rows_features.npy"), 0, loose + ", or put rows_labels.npy beside it"},
		{at("rows_*.npy"), 3, loose},
		{"features=" + at("other.npy"), 0, at("other.npy") + ": there are no labels, which this set needs: " + loose},
		{"features=" + at("other.npy") + ",logits=" + at("rows_logits.npy"), 3, loose},
		{at("shards"), 0, at("shards/features_0.npy") + ": there are no labels, which this set needs: " + loose + ", or put labels_0.npy beside it"},
	} {
		t.Run(c.spec, func(t *testing.T) {
			f, err := analysis.OpenRows(c.spec)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if info := f.Info(); !info.Unlabelled || info.N != n || info.D != d || info.C != c.logits {
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
			if _, err := analysis.OpenFeatures(c.spec); err == nil || !strings.Contains(err.Error(), c.refused) || strings.Contains(err.Error(), "\n") {
				t.Errorf("err %v, want %q", err, c.refused)
			}
		})
	}
	// A file whose name does not say what it holds might be anything.
	if _, err := analysis.OpenRows(at("other.npy")); err == nil || !strings.Contains(err.Error(), "one array alone") {
		t.Errorf("err %v", err)
	}
}
