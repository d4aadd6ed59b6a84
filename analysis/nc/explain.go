package nc

import (
	"fmt"
	"slices"
	"strings"

	"nctrain/analysis"
)

// variants are the named numbers of a metric in the order in which they are reported, the headline first.
type variants []variant

type variant struct{ name, meaning string }

// undefined makes every variant null for one reason.
func (all variants) undefined(v *analysis.Values, reason string) {
	for _, x := range all {
		v.Null(x.name, reason)
	}
}

// parts joins tables for an explanation.
func parts(tables ...variants) (all []analysis.Part) {
	for _, x := range slices.Concat(tables...) {
		all = append(all, analysis.Part{Name: x.name, Meaning: x.meaning})
	}
	return all
}

// metricTable explains every part of a result.
var metricTable = []analysis.Explanation{
	{Name: "nc1", Definition: "variability collapse: variation within classes against that between them; falls to 0", Source: "V. Papyan, X. Han, D. Donoho, PNAS 117, 2020; cdnv: T. Galanti, A. György, M. Hutter, ICLR 2022",
		Pitfalls: "the pseudo-inverse weighs the smallest directions of S_B most: where lambda_ratio is near rounding one such direction carries the sum. mu_G is the mean of class means (of all rows in notebook)",
		Parts:    parts(nc1Table)},
	{Name: "nc2", Definition: "convergence to a simplex equiangular tight frame: class means of equal length and equal, largest angles; all variants fall to 0", Source: "V. Papyan, X. Han, D. Donoho, PNAS 117, 2020",
		Pitfalls: "with C-1 > D no simplex ETF exists: read against welch_cosine and etf_error_min. On imbalanced data mu_G, the mean of all rows, is not the mean of class means", Parts: parts(nc2Table, nc2Attainable)},
	{Name: "nc3", Definition: "self-duality: the rows of W line up with the centred class means; papyan, row_l2, duality_etf and bias_collapse fall to 0, mean_cos rises to 1", Source: "V. Papyan, X. Han, D. Donoho, PNAS 117, 2020",
		Pitfalls: "W and features must be of one checkpoint: a head of another epoch still looks partly aligned", Parts: parts(nc3Table, nc3Attainable)},
	{Name: "nc4", Definition: "the classifier behaves as nearest class mean: share of rows where the two differ; falls to 0", Source: "V. Papyan, X. Han, D. Donoho, PNAS 117, 2020",
		Pitfalls: "0 on training rows says little once training accuracy is 100 %: read the test column", Parts: parts(nc4Table)},
	{Name: "nc5", Definition: "ID/OOD orthogonality: cosines between class means and the mean of an OOD set; falls to 0", Source: "M. Ammar et al., ICLR 2024",
		Pitfalls: "with many classes the centred form cannot be large: read against upper_bound and chance before calling a value small. The mean of an OOD set says nothing of its single rows", Parts: parts(nc5Table)},
	{Name: "nc1_test", Definition: "nc1 of the test rows, about class means of their own; falls to 0 where test rows collapse", Source: "L. Hui, M. Belkin, P. Nakkiran, arXiv:2202.08384, 2022",
		Pitfalls: "a class has few test rows: means of their own take up 1/n of the variance. quotient_train_means asks the stronger question, whether test rows gather where training rows do",
		Parts:    parts(nc1TestTable)},
	{Name: "nc2_test", Definition: "nc2 of the class means of the test rows", Source: "L. Hui, M. Belkin, P. Nakkiran, arXiv:2202.08384, 2022",
		Pitfalls: "close to nc2 even without test collapse: means average over a class. mu_G is that of the test rows", Parts: parts(nc2TestTable, nc2Attainable)},
	{Name: "nc3_test", Definition: "nc3 with the class means of the test rows", Source: "L. Hui, M. Belkin, P. Nakkiran, arXiv:2202.08384, 2022",
		Pitfalls: "as nc2_test", Parts: parts(nc3TestTable, nc3Attainable)},
	{Name: "per_class", Definition: "numbers of single classes, a value a class in each column (nc --per-class)", Source: "-",
		Pitfalls: "means of small classes are noisy, and a variance about such a mean is too small by 1/n. Rare classes collapse onto each other (C. Fang et al., PNAS 118, 2021): read mean_norm and cos_weight by n",
		Parts:    parts(perClassTable)},
	{Name: "health", Definition: "what a reader needs to trust a row", Source: "-", Pitfalls: "a warning beside a number says that it should not be read", Parts: explainedChecks()},
	{Name: "accuracy", Definition: "share of rows whose largest logit is that of their label, without augmentation; percent. 99.9 % on training rows starts the terminal phase", Source: "V. Papyan, X. Han, D. Donoho, PNAS 117, 2020",
		Pitfalls: "the accuracy that training prints is of augmented images and of weights that still change", Parts: parts(variants{{"train", "of the training rows"}, {"test", "of the test rows"}})},
}

// Explain gives definition, source, pitfalls and variants of a metric ("nc1"), or of one variant ("nc1.cdnv").
func Explain(name string) (analysis.Explanation, error) {
	metric, variant, of := strings.Cut(name, ".")
	if at := slices.IndexFunc(metricTable, func(e analysis.Explanation) bool { return e.Name == metric }); at >= 0 {
		e := metricTable[at]
		if !of {
			return e, nil
		}
		if at := slices.IndexFunc(e.Parts, func(p analysis.Part) bool { return p.Name == variant }); at >= 0 {
			return analysis.Explanation{Name: name, Definition: e.Parts[at].Meaning, Source: e.Source, Pitfalls: e.Pitfalls}, nil
		}
	}
	return analysis.Explanation{}, fmt.Errorf("analysis: nc: there is nothing named %q: choose from %s", name, strings.Join(Explainable(), ", "))
}

// Explainable lists the names that Explain knows: each metric and its variants.
func Explainable() []string {
	var names []string
	for _, e := range metricTable {
		names = append(names, e.Name)
		for _, p := range e.Parts {
			names = append(names, e.Name+"."+p.Name)
		}
	}
	return names
}
