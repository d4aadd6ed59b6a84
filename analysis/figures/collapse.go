package figures

import (
	"math"
	"slices"

	"nctrain/analysis"
	"nctrain/analysis/nc"
	"nctrain/analysis/ood"
)

// terminal names the marker at the first checkpoint with 99.9 % training accuracy.
const terminal = "terminal phase (train accuracy 99.9 %)"

// What panels draw of a result.
var (
	pickNC1      = func(r *nc.Result) analysis.Values { return r.NC1 }
	pickNC2      = func(r *nc.Result) analysis.Values { return r.NC2 }
	pickNC3      = func(r *nc.Result) analysis.Values { return r.NC3 }
	pickNC4      = func(r *nc.Result) analysis.Values { return r.NC4 }
	pickNC1Test  = func(r *nc.Result) analysis.Values { return r.NC1Test }
	pickNC2Test  = func(r *nc.Result) analysis.Values { return r.NC2Test }
	pickNC3Test  = func(r *nc.Result) analysis.Values { return r.NC3Test }
	pickAccuracy = func(r *nc.Result) analysis.Values { return r.Accuracy }
)

func pickNC5(set string) func(*nc.Result) analysis.Values {
	return func(r *nc.Result) analysis.Values { v, _ := r.NC5.Get(set); return v }
}

// Collapse draws NC1..NC5 with all their variants over the epochs of results on logarithmic axes, the headlines of the test rows dashed beside them, and the accuracies. The start of the
// terminal phase of training is marked. Results without an epoch stand at their index.
func Collapse(results []*nc.Result) *Figure {
	x := epochs(results)
	group := func(title, y string, pick, onTest func(*nc.Result) analysis.Values, testKeys []string, keys ...string) *panel {
		p := newEpochPanel(title, y)
		var all []series
		for i, key := range keys {
			all = append(all, series{name: key, x: x, y: over(results, pick, key), look: i})
			if slices.Contains(testKeys, key) {
				if y := over(results, onTest, key); anyDefined(y) {
					all = append(all, series{name: key + ", test rows", x: x, y: y, look: i + len(palette)})
				}
			}
		}
		p.addLogLines(all...)
		return p
	}
	nc1 := group("NC1: variability within classes", "NC1", pickNC1, pickNC1Test, []string{"rank", "quotient"}, "rank", "notebook", "papyan_code", "quotient", "cdnv")
	nc2 := group("NC2: distance from a simplex ETF", "NC2", pickNC2, pickNC2Test, []string{"equinorm", "equiangularity"},
		"equinorm", "equiangularity", "etf_error", "equinorm_weights", "equiangularity_weights", "etf_error_weights")
	nc3 := group("NC3: distance of classifier and means", "NC3", oneLess(pickNC3), oneLess(pickNC3Test), []string{"papyan"},
		"papyan", "row_l2", "1 - mean_cos", "duality_etf", "bias_collapse")
	nc4 := group("NC4: rows off the nearest class mean", "share of rows", pickNC4, nil, nil, "train", "test")
	nc5 := newEpochPanel("NC5: OOD mean against class means", "NC5")
	nc5.addLogLines(nc5Lines(results, x)...)
	accuracy := newEpochPanel("Accuracy without augmentation", "accuracy (%)")
	accuracy.addPercentLines(series{name: "train", x: x, y: over(results, pickAccuracy, "train")}, series{name: "test", x: x, y: over(results, pickAccuracy, "test"), look: 1})
	f := &Figure{rows: [][]*panel{{nc1, nc2, nc3}, {nc4, nc5, accuracy}}, width: 330, height: 290}
	f.markTerminal([][]*nc.Result{results})
	return f
}

// oneLess adds 1 - mean_cos, which falls to 0 as the other variants of NC3 do.
func oneLess(pick func(*nc.Result) analysis.Values) func(*nc.Result) analysis.Values {
	return func(r *nc.Result) (v analysis.Values) {
		from := pick(r)
		for _, key := range from.Keys() {
			if x, ok := from.Get(key); ok {
				v.Set(key, x)
			}
		}
		if cos, ok := from.Get("mean_cos"); ok {
			v.Set("1 - mean_cos", 1-cos)
		}
		return v
	}
}

// nc5Sets lists the OOD sets of results in order.
func nc5Sets(results []*nc.Result) []string {
	var sets analysis.Ordered[bool]
	for _, r := range results {
		for _, set := range r.NC5.Keys() {
			sets.Set(set, true)
		}
	}
	return sets.Keys()
}

// nc5Lines gives every OOD set its colour and every variant its dash (a single set: every variant its colour); the bound and chance, which the sets share, are references.
func nc5Lines(results []*nc.Result, x []float64) (all []series) {
	sets := nc5Sets(results)
	for i, set := range sets {
		pick := pickNC5(set)
		for j, key := range []string{"raw", "centred", "etf_energy"} {
			look := i + j*len(palette)
			if len(sets) == 1 {
				look = j
			}
			all = append(all, series{name: set + " " + key, x: x, y: over(results, pick, key), look: look})
		}
		if i == len(sets)-1 {
			all = append(all, series{name: "upper_bound of centred", x: x, y: over(results, pick, "upper_bound"), look: 6, reference: true},
				series{name: "chance of a cosine", x: x, y: over(results, pick, "chance"), look: 4, reference: true})
		}
	}
	return all
}

func epochs(results []*nc.Result) []float64 {
	return epochsOf(results, func(r *nc.Result) *int { return r.Epoch })
}

func scoredEpochs(results []*ood.Result) []float64 {
	return epochsOf(results, func(r *ood.Result) *int { return r.Epoch })
}

// epochsOf are the epochs of results; where one is unknown its place in the list stands for it.
func epochsOf[R any](results []R, epoch func(R) *int) []float64 {
	x := make([]float64, len(results))
	for i, r := range results {
		x[i] = float64(i)
		if e := epoch(r); e != nil {
			x[i] = float64(*e)
		}
	}
	return x
}

// over takes one value of every result; NaN where it is null.
func over[R any](results []R, pick func(R) analysis.Values, key string) []float64 {
	y := make([]float64, len(results))
	for i, r := range results {
		y[i] = math.NaN()
		if v, ok := pick(r).Get(key); ok {
			y[i] = v
		}
	}
	return y
}
