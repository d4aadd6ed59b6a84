package figures

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"nctrain/analysis"
	"nctrain/analysis/ood"
)

// Score is what one detector gave on one OOD set.
type Score struct {
	Name    string
	ID, OOD []float64
	// Metrics of ood.Measure.
	Metrics analysis.Values
}

// Grid draws a column for each score: distributions, ROC curve, precision-recall with ID positive, with OOD positive.
func Grid(title string, scores []Score) (*Figure, error) {
	f := &Figure{title: title, rows: make([][]*panel, 4), width: 235, height: 215}
	for _, s := range scores {
		panels, err := scorePanels(s)
		if err != nil {
			return nil, err
		}
		for i, p := range panels {
			if i == 0 {
				p.Title.Text = s.Name
			}
			f.rows[i] = append(f.rows[i], p)
		}
	}
	return f, nil
}

// Sheet draws the same four panels of one score larger.
func Sheet(title string, s Score) (*Figure, error) {
	panels, err := scorePanels(s)
	if err != nil {
		return nil, err
	}
	return &Figure{title: title, rows: [][]*panel{panels[:2], {panels[2], panels[3]}}, width: 340, height: 290}, nil
}

func scorePanels(s Score) ([]*panel, error) {
	steps, err := ood.Steps(s.ID, s.OOD)
	if err != nil {
		return nil, fmt.Errorf("figures: %s: %w", s.Name, err)
	}
	return []*panel{distribution(s), roc(s, steps), precisionRecall(s, steps, true), precisionRecall(s, steps, false)}, nil
}

// distribution shows the central 99 % of both sets, in the same bins.
func distribution(s Score) *panel {
	p := newPanel("Distribution", "score (central 99 %)", "density")
	all := slices.Concat(s.ID, s.OOD)
	slices.Sort(all)
	low, high := all[len(all)/200], all[len(all)-1-len(all)/200]
	if !(high > low) {
		low, high = low-0.5, high+0.5
	}
	const n = 50
	width := (high - low) / n
	for i, set := range [][]float64{s.ID, s.OOD} {
		bars := bins(set, low, high, n)
		for j := range bars {
			bars[j].Y /= float64(len(set)) * width
		}
		p.addOutline([]string{"ID", "OOD"}[i], bars, width, palette[i])
	}
	p.Y.Min = 0
	return p
}

// roc has OOD as the positive class, and so the mark is at fpr95_ood_pos: the first threshold, ties whole, that finds 95 % of OOD.
func roc(s Score, steps []ood.Step) *panel {
	p := newPanel("ROC, OOD positive", "ID rejected (%)", "OOD found (%)")
	curve := plotter.XYs{{}}
	var id, found int
	reached := -1
	for i, step := range steps {
		id += step.ID
		found += step.OOD
		if reached < 0 && 100*found >= 95*len(s.OOD) {
			reached = i + 1 // the curve begins one point before the steps
		}
		curve = append(curve, plotter.XY{X: 100 * float64(id) / float64(len(s.ID)), Y: 100 * float64(found) / float64(len(s.OOD))})
	}
	p.addCurve(curve, named("AUROC", s.Metrics, "auroc"), blue)
	p.Add(&plotter.Line{XYs: plotter.XYs{{}, {X: 100, Y: 100}}, LineStyle: draw.LineStyle{Color: grey, Width: 0.7, Dashes: dashes[2]}})
	mark := &plotter.Scatter{XYs: curve[reached : reached+1], GlyphStyle: draw.GlyphStyle{Color: vermillion, Radius: 3.5, Shape: draw.CircleGlyph{}}}
	p.Add(mark)
	p.legend.add(named("FPR95", s.Metrics, "fpr95_ood_pos"), mark)
	p.percentAxes()
	return p
}

// precisionRecall draws the curve in steps, as average precision sums it, with the base rate a useless score would have.
func precisionRecall(s Score, steps []ood.Step, idPositive bool) *panel {
	title, kind, key, colour := "Precision-recall, OOD positive", "OOD", "aupr_out", vermillion
	positives, negatives := len(s.OOD), len(s.ID)
	if idPositive {
		title, kind, key, colour = "Precision-recall, ID positive", "ID", "aupr_in", blue
		positives, negatives = negatives, positives
		steps = slices.Clone(steps)
		slices.Reverse(steps)
	}
	p := newPanel(title, "recall of "+kind+" (%)", "precision (%)")
	var curve plotter.XYs
	var tp, fp int
	recall := 0.0
	for _, step := range steps {
		if idPositive {
			tp, fp = tp+step.ID, fp+step.OOD
		} else {
			tp, fp = tp+step.OOD, fp+step.ID
		}
		precision := 100 * float64(tp) / float64(tp+fp)
		curve = append(curve, plotter.XY{X: recall, Y: precision})
		recall = 100 * float64(tp) / float64(positives)
		curve = append(curve, plotter.XY{X: recall, Y: precision})
	}
	p.addCurve(curve, named("AUPR", s.Metrics, key), colour)
	base := 100 * float64(positives) / float64(positives+negatives)
	line := &plotter.Line{XYs: plotter.XYs{{X: 0, Y: base}, {X: 100, Y: base}}, LineStyle: draw.LineStyle{Color: grey, Width: 0.7, Dashes: dashes[2]}}
	p.Add(line)
	p.legend.add(fmt.Sprintf("base rate %.1f %%", base), line)
	p.percentAxes()
	return p
}

func named(name string, v analysis.Values, key string) string {
	if x, ok := v.Get(key); ok {
		return fmt.Sprintf("%s %.2f %%", name, x)
	}
	return name
}

// addCurve draws a curve thinned to what can be seen: points nearer than 0.15 % to the last one drawn are left out.
func (p *panel) addCurve(curve plotter.XYs, name string, c color.Color) {
	var seen plotter.XYs
	for i, pt := range curve {
		if i == 0 || i == len(curve)-1 || math.Hypot(pt.X-seen[len(seen)-1].X, pt.Y-seen[len(seen)-1].Y) >= 0.15 {
			seen = append(seen, pt)
		}
	}
	line := &plotter.Line{XYs: seen, LineStyle: draw.LineStyle{Color: c, Width: 1.6}}
	p.Add(line)
	p.legend.add(name, line)
}

func (p *panel) percentAxes() {
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 100, 0, 100
}
