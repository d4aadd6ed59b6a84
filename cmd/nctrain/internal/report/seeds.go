package report

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"nctrain/analysis"
	"nctrain/analysis/figures"
	"nctrain/analysis/nc"
	"nctrain/analysis/ood"
	"nctrain/cmd/nctrain/internal/run"
	"nctrain/cmd/nctrain/internal/table"
)

// What runs that differ in their seed alone show together: figures and curves of mean and band, and the spread of every headline.

// seedsName is the figure of all seeds beside that of each.
func seedsName(name string) string { return name + "_seeds" }

// bandCaption says what a band is where there are bands.
func bandCaption(runs []*stored) string {
	if !onlySeedsDiffer(runs) {
		return ""
	}
	return fmt.Sprintf(" Lines are means over n = %d seeds, in bands of one standard deviation (ddof 1); on a logarithmic axis a band that reaches zero runs to the edge.", len(runs))
}

// seedFigures draws the figures of all seeds; none for other runs.
func seedFigures(runs []*stored) (all []drawing) {
	if !onlySeedsDiffer(runs) {
		return nil
	}
	var collapses [][]*nc.Result
	var detections [][]*ood.Result
	for _, r := range runs {
		if len(r.nc) == 0 {
			return nil
		}
		collapses, detections = append(collapses, r.nc), append(detections, r.ood)
	}
	all = append(all, drawing{figures.CollapseBands(collapses), seedsName("collapse"), fmt.Sprintf("NC1 to NC5 over checkpoints: mean and standard deviation over %d seeds.", len(runs)), false})
	for _, set := range oodSets(runs) {
		alt := fmt.Sprintf("AUROC and FPR95 of every score on %s over checkpoints: mean and standard deviation over %d seeds.", set, len(runs))
		all = append(all, drawing{figures.DetectionBands(set, detections, collapses), seedsName("detection_" + fileName(set)), alt, false})
	}
	return all
}

// spreadGrid sets mean and spread of the last checkpoints; nil unless the runs differ in their seed alone.
func spreadGrid(runs []*stored) *grid {
	if !onlySeedsDiffer(runs) {
		return nil
	}
	var results []*run.Results
	for _, r := range runs {
		results = append(results, &run.Results{NC: r.nc, OOD: r.ood})
	}
	g := &grid{Caption: fmt.Sprintf("Last checkpoints over n = %d seeds: the spread of training, not of the test rows; accuracies and detection in percent", len(runs)), Sortable: true,
		Head: append(heads("number"), cell{Text: "mean", Class: "n"}, cell{Text: "std (ddof 1)", Class: "n"}, cell{Text: "min", Class: "n"}, cell{Text: "max", Class: "n"})}
	for _, s := range run.SpreadOver(results) {
		std := math.NaN()
		if s.Std != nil {
			std = *s.Std
		}
		g.add(cell{Text: s.Name, Head: true, Code: true}, plain(s.Mean, table.Number), plain(std, table.Number), plain(slices.Min(s.Values), table.Number), plain(slices.Max(s.Values), table.Number))
	}
	if g.Rows() == 0 {
		return nil
	}
	return g
}

// addMeans adds to each panel the mean over seeds of every line, with its band of one standard deviation (ddof 1), and hides the single runs until they are chosen. A mean stands at
// the epochs where every run has a value.
func (c *curves) addMeans(runs []*stored) {
	if !onlySeedsDiffer(runs) {
		return
	}
	n := len(runs)
	for i := range runs {
		c.Off = append(c.Off, i)
	}
	c.Runs = append(c.Runs, fmt.Sprintf("mean ± std (n = %d)", n))
	for _, p := range c.Panels {
		var byName analysis.Ordered[[]*line]
		for _, l := range p.Series {
			analysis.Gather(&byName, l.Name, l)
			l.Faint = true
		}
		for name, lines := range byName.All() {
			mean := &line{Name: name, Run: n, Look: lines[0].Look, Thin: lines[0].Thin, Off: lines[0].Off}
			for i, x := range lines[0].X {
				var values []float64
				for _, l := range lines {
					if at := slices.Index(l.X, x); at >= 0 && !math.IsNaN(l.Y[at]) {
						values = append(values, l.Y[at])
					}
				}
				if len(values) < n {
					continue
				}
				m, s := stat.MeanStdDev(values, nil)
				mean.X, mean.Y = append(mean.X, lines[0].X[i]), append(mean.Y, m)
				mean.Low, mean.High = append(mean.Low, m-s), append(mean.High, m+s)
			}
			if len(mean.X) > 0 {
				p.Series = append(p.Series, mean)
			}
		}
	}
}
