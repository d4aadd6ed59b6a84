package nc

import (
	"context"

	"gonum.org/v1/gonum/floats"

	"nctrain/analysis/stats"
)

// The metrics of the test rows: the same formulas with the class means, the scatter and mu_G of the test rows, and W and b of the head. Whether classes collapse on rows that the network
// has not seen, about means of their own or about those of training, are different questions (L. Hui, M. Belkin, P. Nakkiran, "Limitations of neural collapse for understanding
// generalization in deep learning", 2022: weak and strong test collapse).
var (
	nc1TestTable = append(nc1Table[:len(nc1Table):len(nc1Table)],
		variant{"quotient_train_means", "mean ||h - mu_c||^2 of the test rows about the class means of training, over tr S_B of training: also counts how far the means have moved"})
	nc2TestTable = variants{nc2Table[0], nc2Table[2], nc2Table[4]} // those that are not of W alone
	nc3TestTable = nc3Table
)

// testCollapse fills NC1Test..NC3Test and gives the moments of the test rows; nil where the reason says why there are none.
func (r *Result) testCollapse(ctx context.Context, o Options, m *measure, reason string) (*stats.Class, error) {
	if reason != "" {
		r.testUndefined(reason)
		return nil, nil
	}
	class, _, err := stats.Collect(ctx, o.Test, o.Head, o.Threads)
	if err != nil {
		return nil, err
	}
	test := &measure{class: class, head: m.head, eps: o.Test.Info().Type.Eps(), threads: o.Threads}
	if err := test.prepare(); err != nil {
		return nil, err
	}
	r.NC1Test, r.NC2Test, r.NC3Test = test.nc1(), test.meansAlone(), test.nc3()
	r.NC1Test.Warnings = prefixed("test rows: ", r.NC1Test.Warnings)
	switch {
	case test.undefined != "":
		r.NC1Test.Null("quotient_train_means", test.undefined)
	case m.undefined != "":
		r.NC1Test.Null("quotient_train_means", "of the training rows "+m.undefined)
	case m.specMeans.Values[0] == 0:
		r.NC1Test.Null("quotient_train_means", "of the training rows "+noBetween)
	default:
		r.NC1Test.Set("quotient_train_means", m.scatterAbout(class)/floats.Sum(m.specMeans.Values))
	}
	return class, nil
}

// testUndefined makes the metrics of the test rows null for one reason.
func (r *Result) testUndefined(reason string) {
	nc1TestTable.undefined(&r.NC1Test, reason)
	nc2TestTable.undefined(&r.NC2Test, reason)
	nc3TestTable.undefined(&r.NC3Test, reason)
}

// scatterAbout is the mean over the rows of other of ||h - mu_c||^2 about the class means of m.
func (m *measure) scatterAbout(other *stats.Class) float64 {
	d := m.class.D
	var sum float64
	for k, n := range other.Count {
		sum += other.Deviation[k]
		for j := range d {
			e := other.Mean[k*d+j] - m.class.Mean[k*d+j]
			sum += float64(n) * e * e
		}
	}
	return sum / float64(other.N())
}

func prefixed(prefix string, texts []string) []string {
	for i := range texts {
		texts[i] = prefix + texts[i]
	}
	return texts
}
