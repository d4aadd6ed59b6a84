package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"

	"nctrain/analysis"
	"nctrain/analysis/ood"
	"nctrain/cmd/nctrain/internal/table"
)

// detection sets, for each OOD set, the metrics of every score at the last scored checkpoint, the curves over epochs, and the pictures of single scores.
func (p *page) detection(runs []*stored, d drawings) {
	for _, set := range oodSets(runs) {
		v := &setView{Name: set, Table: p.detectionGrid(runs, set)}
		if v.Table == nil {
			continue
		}
		v.Lead = detectionLead(runs, set)
		name := "detection_" + fileName(set)
		v.Figure = &panelSet{Name: name, Stills: p.stills(d, name),
			Caption: "Detection of " + set + " by every score over checkpoints, beside neural collapse: how the one moves as the other falls." + bandCaption(runs)}
		p.Curves[name] = detectionCurves(runs, set)
		for part := 0; ; part++ {
			svg, ok := d[drawingKey(0, gridName(set, part))]
			if !ok {
				break
			}
			v.Grids = append(v.Grids, still{SVG: svg})
			if p.many() {
				v.Of = runs[0].name // whose scores the pictures are of
			}
		}
		scores, _ := runs[0].scores.Get(set)
		for _, s := range scores {
			v.Sheets = append(v.Sheets, sheetView{set, s.Name, d[drawingKey(0, sheetName(set, s.Name))]})
		}
		p.Detection = append(p.Detection, v)
	}
	if len(p.Detection) == 0 {
		return
	}
	for _, c := range detectionColumns {
		way := "higher is better"
		if c.better == lower {
			way = "lower is better"
		}
		p.Directions = append(p.Directions, cell{Text: c.name, Note: way, Hint: c.text})
	}
	for _, r := range runs {
		if g := p.fitGrid(r); g != nil {
			p.Fits = append(p.Fits, g)
		}
	}
}

func detectionLead(runs []*stored, set string) string {
	var parts []string
	for _, r := range runs {
		row := r.lastOOD()
		if row == nil {
			continue
		}
		n, ok := row.NOOD.Get(set)
		if !ok {
			continue
		}
		text := fmt.Sprintf("epoch %d, %s ID and %s OOD rows (base rate of OOD %s %%)", *row.Epoch, table.Count(row.NID), table.Count(n), table.Percent(100*float64(n)/float64(max(n+row.NID, 1))))
		if row.IDAccuracy != nil {
			text += fmt.Sprintf(", ID accuracy %s %%", table.Percent(*row.IDAccuracy))
		}
		if len(runs) > 1 {
			text = r.name + ": " + text
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

// detectionGrid has a row a score (and run), a column a metric; nil where no run scored the set. The best of a column, over all rows that are shown, is marked.
func (p *page) detectionGrid(runs []*stored, set string) *grid {
	var lines []scoreLine
	var extra []string // metrics that this program does not know yet
	for _, r := range runs {
		result := r.lastOOD()
		if result == nil {
			continue
		}
		byScore, _ := result.OOD.Get(set)
		for score, v := range byScore.All() {
			// The area of the risk-coverage curve is of the ID rows alone, and stands in every table.
			if selective, ok := result.Selective.Get(score); ok {
				if x, ok := selective.Get("aurc"); ok {
					v.Set("aurc", x)
				} else {
					v.Null("aurc", selective.Reason("aurc"))
				}
			}
			lines = append(lines, scoreLine{run: r.name, score: score, values: v})
			for _, key := range v.Keys() {
				if _, isNumber := v.Get(key); isNumber && !isColumn(key) && key != "base_rate" && key != "ties" && !slices.Contains(extra, key) {
					extra = append(extra, key)
				}
			}
		}
	}
	if len(lines) == 0 {
		return nil
	}
	g := &grid{Caption: "Scores on " + set + ", in percent", Head: heads("score"), Sortable: true, Dense: true, Set: set}
	if p.many() {
		g.Head = append(g.Head, cell{Text: "run"})
	}
	for _, c := range detectionColumns {
		arrow := " ↑"
		if c.better == lower {
			arrow = " ↓"
		}
		g.Head = append(g.Head, cell{Text: c.name + arrow, Hint: c.text, Class: "n"})
	}
	for _, key := range extra {
		g.Head = append(g.Head, cell{Text: key, Class: "n", Code: true})
	}
	// Of several seeds the best is looked for among the means: the best of all runs would be the luckiest seed.
	seeds := onlySeedsDiffer(runs)
	best := bestOf(lines)
	if seeds {
		means := meansOver(lines, len(runs))
		best = bestOf(means)
		g.begin(fmt.Sprintf("mean ± standard deviation over n = %d seeds (ddof 1)", len(runs)))
		for _, l := range means {
			g.addScore(l, p.many(), best, extra)
		}
		best = nil
	}
	for i, l := range lines {
		if seeds && (i == 0 || lines[i-1].run != l.run) {
			g.begin(l.run)
		}
		g.addScore(l, p.many(), best, extra)
	}
	return g
}

// scoreLine is a score of a run, or the mean of a score over seeds.
type scoreLine struct {
	run, score string
	values     analysis.Values
	std        map[string]float64 // of a mean
}

// bestOf finds the best value of each metric.
func bestOf(lines []scoreLine) map[string]float64 {
	best := map[string]float64{}
	for _, c := range detectionColumns {
		best[c.key] = math.Inf(-1)
		for _, l := range lines {
			if x, ok := l.values.Get(c.key); ok {
				best[c.key] = math.Max(best[c.key], float64(c.better)*x)
			}
		}
	}
	return best
}

// meansOver gives mean and spread of each score over n runs; what some run does not have is left out.
func meansOver(lines []scoreLine, n int) (means []scoreLine) {
	var byScore analysis.Ordered[[]scoreLine]
	for _, l := range lines {
		analysis.Gather(&byScore, l.score, l)
	}
	for score, of := range byScore.All() {
		mean := scoreLine{run: "mean", score: score, std: map[string]float64{}}
		for _, c := range detectionColumns {
			var values []float64
			for _, l := range of {
				if x, ok := l.values.Get(c.key); ok {
					values = append(values, x)
				}
			}
			if len(values) == n {
				m, s := stat.MeanStdDev(values, nil)
				mean.values.Set(c.key, m)
				mean.std[c.key] = s
			}
		}
		means = append(means, mean)
	}
	return means
}

func (g *grid) addScore(l scoreLine, withRun bool, best map[string]float64, extra []string) {
	cells := []cell{{Text: l.score, Head: true, Code: true}}
	if withRun {
		cells = append(cells, cell{Text: l.run, Class: "run"})
	}
	for _, c := range detectionColumns {
		n := g.number(l.values, c.key, c.format)
		if x, ok := l.values.Get(c.key); ok && best != nil && float64(c.better)*x == best[c.key] {
			n.Class += " best"
		}
		if low, high, ok := l.values.Pair(c.key + "_ci95"); ok {
			n.Note = c.format(low) + "–" + c.format(high)
		}
		if s, ok := l.std[c.key]; ok {
			n.Note = "± " + c.format(s)
		}
		cells = append(cells, n)
	}
	for _, key := range extra {
		cells = append(cells, g.number(l.values, key, table.Number))
	}
	g.add(cells...)
}

func isColumn(key string) bool {
	for _, c := range detectionColumns {
		if c.key == key {
			return true
		}
	}
	return false
}

// fitGrid says what each score is, and what its fit found; nil where nothing is scored.
func (p *page) fitGrid(r *stored) *grid {
	result := r.lastOOD()
	if result == nil {
		return nil
	}
	g := &grid{Caption: "What each score is and what its fit found", Head: heads("score", "formula; larger means more in-distribution", "fitted on", "fit")}
	if p.many() {
		g.Caption += ": " + r.name
	}
	known := map[string]ood.Detector{}
	for _, d := range ood.Detectors() {
		known[d.Name] = d
	}
	for score, v := range result.Detectors.All() {
		fit := v.Text("fit")
		if fit == "" {
			fit = missing
		}
		var found []string
		for _, key := range v.Keys() {
			if x, ok := v.Get(key); ok {
				found = append(found, key+" "+table.Figure(x))
			} else if reason := v.Reason(key); reason != "" {
				found = append(found, key+" –")
				g.because(score + " " + key + ": " + reason)
			} else if text := v.Text(key); text != "" && key != "fit" {
				found = append(found, key+" "+text)
			}
		}
		d := known[score]
		g.add(cell{Text: score, Head: true, Code: true}, cell{Text: d.Formula, Note: d.Source, Class: "words"}, cell{Text: fit}, cell{Text: strings.Join(found, ", "), Class: "words"})
	}
	return g
}
