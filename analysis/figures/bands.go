package figures

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"

	"nctrain/analysis"
	"nctrain/analysis/nc"
	"nctrain/analysis/ood"
)

// Runs that differ in their seed alone are drawn as their mean at each epoch, in a band of the mean less and plus the standard deviation (ddof 1), over the single runs in faint lines. A
// mean stands only where every run has a value. On a logarithmic axis a band whose lower end is not positive runs to the edge.

// bandTitle says what a band is.
func bandTitle(n int) string {
	return fmt.Sprintf("mean ± standard deviation (ddof 1) over n = %d seeds; faint: each seed", n)
}

// CollapseBands draws the headline of each of NC1..NC5 on training rows, that of the test rows and one more variant beside it, and the accuracies, of runs that differ in their seed alone.
func CollapseBands(runs [][]*nc.Result) *Figure {
	x, ofRun := commonEpochs(runs, epochs)
	sets := nc5Sets(slices.Concat(runs...))
	var panels []*panel
	for _, m := range nc.Metrics() {
		var all []series
		look := 0
		add := func(name string, pick func(*nc.Result) analysis.Values, key string) {
			all = append(all, bandsOver(name, x, runs, ofRun, pick, key, look)...)
			look++
		}
		headline := m.Headlines[0]
		for _, set := range m.Sets(sets) {
			add(strings.TrimSpace(set+" "+headline), drawn(m, set), headline)
		}
		if len(m.TestCurves) > 0 {
			add(headline+nc.TestRows, m.OfTest, headline)
		}
		if m.Beside != "" {
			add(m.Beside, drawn(m, ""), m.Beside)
		}
		p := newMetricPanel(m)
		p.addLogLines(all...)
		panels = append(panels, p)
	}
	accuracy := newAccuracyPanel()
	var all []series
	for look, key := range []string{"train", "test"} {
		all = append(all, bandsOver(key, x, runs, ofRun, accuracies, key, look)...)
	}
	accuracy.addPercentLines(all...)
	f := &Figure{title: bandTitle(len(runs)), width: 330, height: 290, rows: inRows(append(panels, accuracy))}
	f.markTerminal(runs)
	return f
}

// bandColumns is how many scores stand side by side.
const bandColumns = 3

// DetectionBands draws, in a panel for each score, AUROC and FPR95 (OOD positive) on one OOD set over epochs, of runs that differ in their seed alone; all panels have the same axes. collapse
// tells where the terminal phases begin.
func DetectionBands(set string, runs [][]*ood.Result, collapse [][]*nc.Result) *Figure {
	x, ofRun := commonEpochs(runs, scoredEpochs)
	f := &Figure{title: set + ": " + bandTitle(len(runs)), width: 330, height: 250}
	low, high := math.Inf(1), math.Inf(-1)
	for _, score := range scoreNames(set, slices.Concat(runs...)) {
		p := newEpochPanel(score, "%")
		var all []series
		for look, metric := range []struct{ name, key string }{{"AUROC", "auroc"}, {"FPR95 (OOD positive)", "fpr95_ood_pos"}} {
			all = append(all, bandsOver(metric.name, x, runs, ofRun, scoreOn(set, score), metric.key, look)...)
		}
		if len(all) == 0 {
			continue // it could not be fitted in any run
		}
		p.addPercentLines(all...)
		low, high = math.Min(low, p.Y.Min), math.Max(high, p.Y.Max)
		if last := len(f.rows) - 1; last < 0 || len(f.rows[last]) == bandColumns {
			f.rows = append(f.rows, nil)
		}
		f.rows[len(f.rows)-1] = append(f.rows[len(f.rows)-1], p)
	}
	for _, row := range f.rows {
		for _, p := range row {
			p.Y.Min, p.Y.Max = low, high
		}
	}
	f.markTerminal(collapse)
	return f
}

// bandsOver gives the series of one number of the results of every run, at the epochs that all have.
func bandsOver[R any](name string, x []float64, runs [][]R, ofRun [][]int, pick func(R) analysis.Values, key string, look int) []series {
	values := make([][]float64, len(runs))
	for i, results := range runs {
		values[i] = at(over(results, pick, key), ofRun[i])
	}
	return banded(name, x, values, look)
}

// banded gives the series of one curve: its single runs, and on top their mean with the band. Nothing where no run has a value.
func banded(name string, x []float64, values [][]float64, look int) []series {
	if !slices.ContainsFunc(values, anyDefined) {
		return nil
	}
	mean := series{name: name, x: x, look: look}
	column := make([]float64, len(values))
	for e := range x {
		for i, y := range values {
			column[i] = y[e]
		}
		m, s := stat.MeanStdDev(column, nil) // NaN where a run has no value; of one run the spread is
		mean.y, mean.low, mean.high = append(mean.y, m), append(mean.low, m-s), append(mean.high, m+s)
	}
	all := []series{mean}
	for _, y := range values {
		all = append(all, series{x: x, y: y, look: look, single: true})
	}
	return all
}

// commonEpochs lists the epochs that every run has, and where each run has them.
func commonEpochs[R any](runs [][]R, epochs func([]R) []float64) (x []float64, ofRun [][]int) {
	ofRun = make([][]int, len(runs))
	if len(runs) == 0 {
		return nil, nil
	}
	for _, e := range epochs(runs[0]) {
		var places []int
		for _, results := range runs {
			if i := slices.Index(epochs(results), e); i >= 0 {
				places = append(places, i)
			}
		}
		if len(places) < len(runs) {
			continue
		}
		x = append(x, e)
		for i, place := range places {
			ofRun[i] = append(ofRun[i], place)
		}
	}
	return x, ofRun
}

func at(values []float64, places []int) []float64 {
	out := make([]float64, len(places))
	for i, place := range places {
		out[i] = values[place]
	}
	return out
}

// markTerminal marks where the terminal phase of each run begins, in every panel and once in the legend.
func (f *Figure) markTerminal(runs [][]*nc.Result) {
	marked := map[float64]bool{}
	for _, results := range runs {
		i := nc.TerminalPhase(results)
		if i < 0 {
			continue
		}
		x := epochs(results)[i]
		if marked[x] {
			continue
		}
		name := ""
		if len(marked) == 0 {
			name = terminal
		}
		marked[x] = true
		for _, row := range f.rows {
			for _, p := range row {
				p.vertical(x, name)
			}
		}
	}
}

func anyDefined(y []float64) bool {
	return slices.ContainsFunc(y, func(v float64) bool { return !math.IsNaN(v) })
}
