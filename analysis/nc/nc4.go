package nc

import (
	"context"

	"nctrain/analysis"
	"nctrain/analysis/stats"
)

// variants of nc4, the share of rows where argmax of the logits differs from the class with the nearest mean (float64 distances).
var nc4Table = variants{
	{"train", "of the training rows, whose class means are used"},
	{"test", "of the test rows, by the same class means"},
}

// agreement counts a set's rows by what the network and the nearest class mean say.
type agreement struct {
	n, differ int64
	stats.Holes
	// outside counts labels that are no class of the head.
	outside int64
	// ofClass [C]: rows of each class, and those classified as it; of no use where some hold NaN or Inf.
	ofClass []struct{ n, correct int64 }
	// uncounted is why there are no counts; empty where there are.
	uncounted string
	warning   string
}

func (a agreement) correct() (n int64) {
	for _, each := range a.ofClass {
		n += each.correct
	}
	return n
}

func (a agreement) share() float64 { return float64(a.differ) / float64(a.n) }

// disagreement counts the rows of src where the argmax of the logits is not the class with the nearest mean (NC4), and those of each class that are classified correctly. Where
// class means are undefined only the latter are counted. A nil check says that an earlier sweep has held these rows against the head, and found all of them finite.
func disagreement(ctx context.Context, src analysis.Source, m *measure, check *analysis.HeadCheck, o Options) (agreement, error) {
	total := agreement{ofClass: make([]struct{ n, correct int64 }, m.class.C)}
	var mismatch analysis.HeadMismatch
	info := src.Info()
	c, d := m.class.C, m.class.D
	means := stats.NewNearest(m.class.Mean, c, d)
	type judged struct {
		predicted []int
		nearest   []int64 // nil where class means are undefined
		holes     stats.Holes
		mismatch  analysis.HeadMismatch
	}
	err := analysis.Stages[judged]{
		Work: func(b *analysis.Block) (r judged, err error) {
			r.predicted = make([]int, b.N)
			for i := range b.N {
				h, l := b.Features[i*d:(i+1)*d], b.Logits[i*c:(i+1)*c]
				r.predicted[i] = analysis.Argmax(l)
				if check == nil {
					continue
				}
				if hole := stats.Hole(h, l); hole != "" {
					r.holes.Add(b.Start+i, hole)
				}
			}
			if m.undefined == "" {
				r.nearest = means.Index(b.Features, b.N)
			}
			if check != nil {
				r.mismatch = check.Mismatch(b.Features, b.Logits, b.N, b.Start)
			}
			return r, nil
		},
		Then: func(b *analysis.Block, r judged) error {
			mismatch.Merge(r.mismatch)
			total.Merge(r.holes)
			for i, label := range b.Labels {
				total.n++
				predicted := int64(r.predicted[i])
				if r.nearest != nil && r.nearest[i] != predicted {
					total.differ++
				}
				if label < 0 || label >= int64(c) {
					total.outside++
					continue
				}
				total.ofClass[label].n++
				if predicted == label {
					total.ofClass[label].correct++
				}
			}
			return nil
		},
	}.Sweep(ctx, src, analysis.WorkRows, o.Threads)
	if err != nil {
		return total, err
	}
	if total.NonFinite == 0 {
		total.warning, err = mismatch.Judge(m.head, info)
	}
	return total, err
}
