package nc

import (
	"context"
	"math"

	"gonum.org/v1/gonum/floats"

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
	n, differ, nonFinite int64
	// outside counts labels that are no class of the head.
	outside int64
	// ofClass [C]: finite rows of each class, and those classified as it.
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
// class means are undefined only the latter are counted.
func disagreement(ctx context.Context, src analysis.Source, m *measure, check *analysis.HeadCheck, o Options) (agreement, error) {
	total := agreement{ofClass: make([]struct{ n, correct int64 }, m.class.C)}
	var mismatch analysis.HeadMismatch
	info := src.Info()
	c, d := m.class.C, m.class.D
	means := stats.NewNearest(m.class.Mean, c, d)
	err := analysis.SweepBlocks(ctx, src, stats.ChunkRows, func(b *analysis.Block) error {
		parts := make([]agreement, stats.PartsOf(b.N))
		worst := make([]analysis.HeadMismatch, len(parts))
		predicted := make([]int, b.N) // -1 for rows that are not finite
		stats.ParallelRows(b.N, o.Threads, func(p, from, to int) {
			n := to - from
			h, l := b.Features[from*d:to*d], b.Logits[from*c:to*c]
			var nearest []int
			if m.undefined == "" {
				nearest, _ = means.Find(h, n)
			}
			for i := range n {
				parts[p].n++
				row := l[i*c : (i+1)*c]
				if s := floats.Norm(row, 1) + floats.Norm(h[i*d:(i+1)*d], 1); math.IsNaN(s) || math.IsInf(s, 0) {
					parts[p].nonFinite++
					predicted[from+i] = -1
					continue
				}
				predicted[from+i] = analysis.Argmax(row)
				if nearest != nil && nearest[i] != predicted[from+i] {
					parts[p].differ++
				}
			}
			if check != nil {
				worst[p] = check.Mismatch(h, l, n, b.Start+from)
			}
		})
		for p, part := range parts {
			total.n += part.n
			total.differ += part.differ
			total.nonFinite += part.nonFinite
			mismatch.Merge(worst[p])
		}
		for i, label := range b.Labels {
			switch {
			case predicted[i] < 0:
			case label < 0 || label >= int64(c):
				total.outside++
			default:
				total.ofClass[label].n++
				if int64(predicted[i]) == label {
					total.ofClass[label].correct++
				}
			}
		}
		return nil
	})
	if err != nil {
		return total, err
	}
	if total.nonFinite == 0 {
		total.warning, err = mismatch.Judge(m.head, info)
	}
	return total, err
}
