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

// Collapse draws NC1..NC5 with all their variants over the epochs of results on logarithmic axes, the headlines of the test rows dashed beside them, and the accuracies. The start of the
// terminal phase of training is marked. Results without an epoch stand at their index.
func Collapse(results []*nc.Result) *Figure {
	x := epochs(results)
	var panels []*panel
	for _, m := range nc.Metrics() {
		p := newMetricPanel(m)
		if m.OfSet {
			p.addLogLines(setLines(m, results, x)...)
		} else {
			p.addLogLines(metricLines(m, results, x)...)
		}
		panels = append(panels, p)
	}
	accuracy := newAccuracyPanel()
	accuracy.addPercentLines(series{name: "train", x: x, y: over(results, accuracies, "train")}, series{name: "test", x: x, y: over(results, accuracies, "test"), look: 1})
	f := &Figure{rows: inRows(append(panels, accuracy)), width: 330, height: 290}
	f.markTerminal([][]*nc.Result{results})
	return f
}

// inRows sets the panels of collapse, three side by side.
func inRows(panels []*panel) [][]*panel { return slices.Collect(slices.Chunk(panels, 3)) }

func newMetricPanel(m nc.Metric) *panel {
	if m.Unit != "" {
		return newEpochPanel(m.Panel(""), m.Unit+" of rows")
	}
	return newEpochPanel(m.Panel(""), m.Name)
}

func newAccuracyPanel() *panel { return newEpochPanel("Accuracy without augmentation", "accuracy (%)") }

func accuracies(r *nc.Result) analysis.Values { return r.Accuracy }

// drawn picks what to draw of a metric.
func drawn(m nc.Metric, set string) func(*nc.Result) analysis.Values {
	return func(r *nc.Result) analysis.Values { return m.Drawn(r, set) }
}

// metricLines gives every variant its colour, and those of the test rows the same in another dash.
func metricLines(m nc.Metric, results []*nc.Result, x []float64) (all []series) {
	for i, key := range m.Curves {
		all = append(all, series{name: key, x: x, y: over(results, drawn(m, ""), key), look: i})
		if slices.Contains(m.TestCurves, key) {
			if y := over(results, m.OfTest, key); anyDefined(y) {
				all = append(all, series{name: key + nc.TestRows, x: x, y: y, look: i + len(palette)})
			}
		}
	}
	return all
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

// setLines gives every OOD set its colour and every variant its dash (a single set: every variant its colour); the references, which the sets share, are thin.
func setLines(m nc.Metric, results []*nc.Result, x []float64) (all []series) {
	sets := nc5Sets(results)
	for i, set := range sets {
		for j, key := range m.Curves {
			look := i + j*len(palette)
			if len(sets) == 1 {
				look = j
			}
			all = append(all, series{name: set + " " + key, x: x, y: over(results, drawn(m, set), key), look: look})
		}
		if i == len(sets)-1 {
			all = append(all, series{name: "upper_bound of centred", x: x, y: over(results, drawn(m, set), "upper_bound"), look: 6, reference: true},
				series{name: "chance of a cosine", x: x, y: over(results, drawn(m, set), "chance"), look: 4, reference: true})
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
