package nc

import (
	"cmp"
	"slices"
	"strings"

	"nctrain/analysis"
)

// Metric is one of NC1..NC5 as tables and figures show it: they range over Metrics and name none themselves.
type Metric struct {
	// Key in files ("nc1"), and Name for people ("NC1").
	Key, Name string
	// Title says what becomes of it under collapse, and TestTitle which of it the test rows have; empty where none.
	Title, TestTitle string
	// Headlines are the variants to show where there is no room for all; the first stands for the metric. Beside is the one of Drawn that stands with it where there is room for two;
	// empty where none.
	Headlines []string
	Beside    string
	// Curves are what to draw of Drawn over epochs, in this order; TestCurves of them those of the test rows too; References the lines to read them by.
	Curves, TestCurves, References []string
	// Unit of the curves; empty for a number without one.
	Unit string
	// OfSet: a result has one an OOD set.
	OfSet bool
	// Of gives its numbers (of an OOD set where OfSet), and OfTest those of the test rows; empty where a result has none.
	Of     func(r *Result, set string) analysis.Values
	OfTest func(r *Result) analysis.Values

	panel string
}

// TestRows ends the name of a curve of the test rows, which begins with that of the training rows.
const TestRows = ", test rows"

// oneLess falls to 0 as the other variants of NC3 do, where mean_cos rises to 1.
const oneLess = "1 - mean_cos"

// oodMean stands in the title of a panel where the name of an OOD set may follow.
const oodMean = "OOD mean"

var metrics = []Metric{
	{Key: "nc1", Name: "NC1", Title: "NC1: features of a class gather at its mean", TestTitle: "NC1 of the test rows, about class means of their own",
		panel:     "variability within classes",
		Headlines: []string{"rank"}, Beside: "cdnv", Curves: []string{"rank", "notebook", "papyan_code", "quotient", "cdnv"}, TestCurves: []string{"rank", "quotient"},
		Of: func(r *Result, _ string) analysis.Values { return r.NC1 }, OfTest: func(r *Result) analysis.Values { return r.NC1Test }},
	{Key: "nc2", Name: "NC2", Title: "NC2: class means become a simplex ETF: equal lengths, equal and largest angles", TestTitle: "NC2 of the class means of the test rows",
		panel:     "distance from a simplex ETF",
		Headlines: []string{"equinorm", "equiangularity"}, Beside: "equiangularity",
		Curves:     []string{"equinorm", "equiangularity", "etf_error", "equinorm_weights", "equiangularity_weights", "etf_error_weights"},
		TestCurves: []string{"equinorm", "equiangularity"},
		Of:         func(r *Result, _ string) analysis.Values { return r.NC2 }, OfTest: func(r *Result) analysis.Values { return r.NC2Test }},
	{Key: "nc3", Name: "NC3", Title: "NC3: the classifier's rows line up with the class means", TestTitle: "NC3 with the class means of the test rows",
		panel:     "distance of classifier and means",
		Headlines: []string{"papyan"}, Beside: oneLess, Curves: []string{"papyan", "row_l2", oneLess, "duality_etf", "bias_collapse"}, TestCurves: []string{"papyan"},
		Of: func(r *Result, _ string) analysis.Values { return r.NC3 }, OfTest: func(r *Result) analysis.Values { return r.NC3Test }},
	{Key: "nc4", Name: "NC4", Title: "NC4: the classifier decides by the nearest class mean", panel: "rows off the nearest class mean",
		Headlines: []string{"train", "test"}, Beside: "test", Curves: []string{"train", "test"}, Unit: "share",
		Of: func(r *Result, _ string) analysis.Values { return r.NC4 }, OfTest: none},
	{Key: "nc5", Name: "NC5", Title: "NC5: the mean of OOD features turns orthogonal to the class means", panel: oodMean + " against class means", OfSet: true,
		Headlines: []string{"raw"}, Curves: []string{"raw", "centred", "etf_energy"}, References: []string{"upper_bound", "chance"},
		Of: func(r *Result, set string) analysis.Values { v, _ := r.NC5.Get(set); return v }, OfTest: none},
}

func none(*Result) (v analysis.Values) { return v }

// Metrics lists NC1..NC5 in order.
func Metrics() []Metric { return slices.Clone(metrics) }

// Panel is the title of its curves, of one OOD set or (set empty) of all: "NC1: variability within classes".
func (m Metric) Panel(set string) string {
	text := m.Name + ": " + m.panel
	if set != "" {
		text = strings.Replace(text, oodMean, oodMean+" of "+set, 1)
	}
	return text
}

// Drawn gives the numbers of Of that are defined, and 1 - mean_cos.
func (m Metric) Drawn(r *Result, set string) (v analysis.Values) {
	from := m.Of(r, set)
	for _, key := range from.Keys() {
		if x, ok := from.Get(key); ok {
			v.Set(key, x)
		}
	}
	if cos, ok := from.Get("mean_cos"); ok {
		v.Set(oneLess, 1-cos)
	}
	return v
}

// Sets lists what to ask Of for: the OOD sets where OfSet, otherwise one empty name.
func (m Metric) Sets(sets []string) []string {
	if m.OfSet {
		return sets
	}
	return []string{""}
}

// Headline is a number that stands for a metric, of one OOD set where Set is not empty.
type Headline struct {
	Metric
	Variant, Set string
}

// Headlines lists those of results with these OOD sets.
func Headlines(sets []string) (all []Headline) {
	for _, m := range metrics {
		for _, set := range m.Sets(sets) {
			for _, variant := range m.Headlines {
				all = append(all, Headline{m, variant, set})
			}
		}
	}
	return all
}

// Short names it beside its metric: by the OOD set or the variant.
func (h Headline) Short() string { return cmp.Or(h.Set, h.Variant) }

// Part is all numbers of one metric of a result.
type Part struct {
	// Key in files, "nc1" or "nc1_test"; Set is the OOD set of an nc5, empty elsewhere.
	Key, Set, Title string
	Values          analysis.Values
}

// Parts lists NC1..NC5, NC5 of each OOD set, and then, where there are any, those of the test rows.
func (r *Result) Parts() (all []Part) {
	for _, m := range metrics {
		for _, set := range m.Sets(r.NC5.Keys()) {
			all = append(all, Part{m.Key, set, m.Title, m.Of(r, set)})
		}
	}
	for _, m := range metrics {
		if v := m.OfTest(r); len(v.Keys()) > 0 {
			all = append(all, Part{m.Key + "_test", "", m.TestTitle, v})
		}
	}
	return all
}
