package figures

import (
	"math"

	"nctrain/analysis"
	"nctrain/analysis/nc"
)

// terminal names the marker at the first checkpoint with 99.9 % training accuracy.
const terminal = "terminal phase (train accuracy 99.9 %)"

// Collapse draws NC1..NC5 with all their variants over the epochs of results on logarithmic axes, and the accuracies. The start of the terminal phase of training is marked.
// Results without an epoch stand at their index.
func Collapse(results []*nc.Result) *Figure {
	x := epochs(results)
	group := func(title, y string, pick func(*nc.Result) analysis.Values, keys ...string) *panel {
		p := newEpochPanel(title, y)
		var all []series
		for i, key := range keys {
			all = append(all, series{name: key, x: x, y: over(results, pick, key), look: i})
		}
		p.addLogLines(all...)
		return p
	}
	nc1 := group("NC1: variability within classes", "NC1", func(r *nc.Result) analysis.Values { return r.NC1 }, "rank", "notebook", "papyan_code", "quotient", "cdnv")
	nc2 := group("NC2: distance from a simplex ETF", "NC2", func(r *nc.Result) analysis.Values { return r.NC2 },
		"equinorm", "equiangularity", "etf_error", "equinorm_weights", "equiangularity_weights", "etf_error_weights")
	nc3 := newEpochPanel("NC3: distance of classifier and means", "NC3")
	pick3 := func(r *nc.Result) analysis.Values { return r.NC3 }
	oneMinus := over(results, pick3, "mean_cos")
	for i, cos := range oneMinus {
		oneMinus[i] = 1 - cos
	}
	nc3.addLogLines(series{name: "papyan", x: x, y: over(results, pick3, "papyan")}, series{name: "row_l2", x: x, y: over(results, pick3, "row_l2"), look: 1},
		series{name: "1 - mean_cos", x: x, y: oneMinus, look: 2}, series{name: "duality_etf", x: x, y: over(results, pick3, "duality_etf"), look: 3},
		series{name: "bias_collapse", x: x, y: over(results, pick3, "bias_collapse"), look: 4})
	nc4 := group("NC4: rows off the nearest class mean", "share of rows", func(r *nc.Result) analysis.Values { return r.NC4 }, "train", "test")
	nc5 := newEpochPanel("NC5: OOD mean against class means", "NC5")
	nc5.addLogLines(nc5Lines(results, x)...)
	accuracy := newEpochPanel("Accuracy without augmentation", "accuracy (%)")
	pickAccuracy := func(r *nc.Result) analysis.Values { return r.Accuracy }
	accuracy.addLines(series{name: "train", x: x, y: over(results, pickAccuracy, "train")}, series{name: "test", x: x, y: over(results, pickAccuracy, "test"), look: 1})
	f := &Figure{rows: [][]*panel{{nc1, nc2, nc3}, {nc4, nc5, accuracy}}, width: 330, height: 290}
	if at := nc.TerminalPhase(results); at >= 0 {
		for _, row := range f.rows {
			for _, p := range row {
				p.vertical(x[at], terminal)
			}
		}
	}
	return f
}

// nc5Lines gives every OOD set its colour and every variant its dash; the bound and chance, which the sets share, are references.
func nc5Lines(results []*nc.Result, x []float64) (all []series) {
	var sets []string
	seen := map[string]bool{}
	for _, r := range results {
		for _, set := range r.NC5.Keys() {
			if !seen[set] {
				seen[set] = true
				sets = append(sets, set)
			}
		}
	}
	for i, set := range sets {
		pick := func(r *nc.Result) analysis.Values { v, _ := r.NC5.Get(set); return v }
		for j, key := range []string{"raw", "centred", "etf_energy"} {
			all = append(all, series{name: set + " " + key, x: x, y: over(results, pick, key), look: i + j*len(palette)})
		}
		if i == len(sets)-1 {
			all = append(all, series{name: "upper_bound of centred", x: x, y: over(results, pick, "upper_bound"), look: 6, reference: true},
				series{name: "chance of a cosine", x: x, y: over(results, pick, "chance"), look: 4, reference: true})
		}
	}
	return all
}

func epochs(results []*nc.Result) []float64 {
	x := make([]float64, len(results))
	for i, r := range results {
		x[i] = float64(i)
		if r.Epoch != nil {
			x[i] = float64(*r.Epoch)
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
