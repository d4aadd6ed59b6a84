package main

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"

	"nctrain/analysis"
)

// sizes of the comparison: issue 6's 50,000 x 512 training, 10,000 ID and 10,000 OOD rows of a 100-class head.
type sizes struct {
	train, id, ood, features, classes int
}

// writeData fills dir with train.npz, id.npz, ood.npz and head.npz: rectified features around class means as a trained network's (not collapsed, so that every matrix
// has full rank), OOD rows around the global mean, and the head that points at the class means.
func writeData(dir string, s sizes) error {
	random := rand.New(rand.NewPCG(1, 2))
	means, weight, bias := make([]float32, s.classes*s.features), make([]float32, s.classes*s.features), make([]float32, s.classes)
	for i := range means {
		means[i] = float32(random.NormFloat64())
		weight[i] = 0.1*means[i] + float32(0.02*random.NormFloat64())
	}
	for i := range bias {
		bias[i] = float32(0.1 * random.NormFloat64())
	}
	head, err := analysis.NewHead("head", s.classes, s.features, weight, bias, analysis.Meta{})
	if err != nil {
		return err
	}
	for _, set := range []struct {
		name   string
		rows   int
		signal float32 // of the class mean in a row
	}{{"train", s.train, 1}, {"id", s.id, 1}, {"ood", s.ood, 0.3}} {
		path := filepath.Join(dir, set.name+".npz")
		info := analysis.Info{Name: set.name, N: set.rows, D: s.features, C: s.classes}
		err := analysis.WriteFeatures(path, info, func(w *analysis.FeatureWriter) error {
			row, wide, logits, narrow := make([]float32, s.features), make([]float64, s.features), make([]float64, s.classes), make([]float32, s.classes)
			for i := range set.rows {
				class := i % s.classes
				for j := range row {
					row[j] = max(0, 0.5+set.signal*means[class*s.features+j]+float32(random.NormFloat64()))
					wide[j] = float64(row[j])
				}
				head.Logits(logits, wide, 1)
				for k, l := range logits {
					narrow[k] = float32(l)
				}
				if err := w.Append(row, narrow, []int64{int64(class)}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return analysis.WriteHead(filepath.Join(dir, "head.npz"), head)
}
