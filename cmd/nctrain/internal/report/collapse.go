package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"nctrain/analysis"
	"nctrain/analysis/nc"
	"nctrain/cmd/nctrain/internal/table"
)

// collapse sets every variant of NC1..NC5, the headlines of every checkpoint, and the curves.
func (p *page) collapse(runs []*stored, d drawings) {
	for _, r := range runs {
		if len(r.nc) > 0 {
			p.Collapse = append(p.Collapse, p.collapseGrid(r))
		}
	}
	if len(p.Collapse) == 0 {
		return
	}
	p.Checkpoints = p.checkpointGrid(runs)
	p.CollapseFigure = &panelSet{Name: "collapse", Stills: p.stills(d, "collapse"),
		Caption: "NC1 to NC5 over checkpoints, logarithmic: every variant side by side. Open triangles on the lower edge are zeros. The upright line is the start of the terminal phase, where training accuracy reaches 99.9 %." + bandCaption(runs)}
	p.Curves["collapse"] = collapseCurves(runs)
	p.Cosines = p.stills(d, "nc2_cosines")
	for _, r := range runs {
		if g := p.classGrid(r); g != nil {
			p.Classes = append(p.Classes, g)
		}
	}
}

// classGrid shows every class at the last checkpoint; nil where nothing is stored of them.
func (p *page) classGrid(r *stored) *grid {
	row := r.lastNC()
	if row == nil || row.PerClass == nil {
		return nil
	}
	c := row.PerClass
	g := &grid{Caption: fmt.Sprintf("Every class at epoch %s", epochOf(row)), Sortable: true, Head: heads("class", "training rows", "variance", "length of mean", "cos(w, mean)", "train acc %")}
	if p.many() {
		g.Caption += ": " + r.name
	}
	if c.NTest != nil {
		g.Head = append(g.Head, heads("test rows", "variance, test", "test acc %")...)
	}
	for i := range g.Head {
		g.Head[i].Class = "n"
	}
	for k, n := range c.N {
		cells := []cell{{Text: strconv.Itoa(k), Head: true, Class: "n", Sort: strconv.Itoa(k)}, plain(float64(n), table.Figure), plain(c.Variance[k], table.Number),
			plain(c.MeanNorm[k], table.Number), plain(c.WeightCosine[k], table.Number), plain(c.AccuracyTrain[k], table.Percent)}
		if c.NTest != nil {
			cells = append(cells, plain(float64(c.NTest[k]), table.Figure), plain(c.VarianceTest[k], table.Number), plain(c.AccuracyTest[k], table.Percent))
		}
		g.add(cells...)
	}
	for _, key := range slices.Sorted(maps.Keys(c.Reasons)) {
		g.because(key + ": " + c.Reasons[key])
	}
	return g
}

// collapseGrid shows every variant at the first checkpoint, where the terminal phase begins, and at the last. The first variant of a metric is the headline.
func (p *page) collapseGrid(r *stored) *grid {
	columns := []*nc.Result{r.nc[0]}
	names := []string{"epoch " + epochOf(r.nc[0])}
	if at := nc.TerminalPhase(r.nc); at > 0 && at < len(r.nc)-1 {
		columns, names = append(columns, r.nc[at]), append(names, "terminal phase: "+epochOf(r.nc[at]))
	}
	if len(r.nc) > 1 {
		columns, names = append(columns, r.lastNC()), append(names, "epoch "+epochOf(r.lastNC()))
	}
	g := &grid{Caption: "Every variant of NC1 to NC5", Head: heads("variant")}
	if p.many() {
		g.Caption += ": " + r.name
	}
	for _, name := range names {
		g.Head = append(g.Head, cell{Text: name, Class: "n"})
	}
	g.Head = append(g.Head, cell{Text: "at collapse", Class: "n"})
	for _, p := range r.lastNC().Parts() {
		title := p.Title
		if p.Set != "" {
			title += " (" + p.Set + ")"
		}
		g.begin(title)
		for i, key := range p.Values.Keys() {
			says := meanings[strings.TrimSuffix(p.Key, "_test")+"."+key]
			line := row{Cells: []cell{{Text: key, Note: says.text, Head: true, Code: true}}}
			if i == 0 {
				line.Class = "headline"
			}
			for _, result := range columns {
				line.Cells = append(line.Cells, g.number(valuesOf(result, p), key, table.Number))
			}
			line.Cells = append(line.Cells, cell{Text: says.atCollapse, Class: "n"})
			g.addRow(line)
		}
	}
	return g
}

// valuesOf finds the same part in another result.
func valuesOf(r *nc.Result, p nc.Part) analysis.Values {
	for _, other := range r.Parts() {
		if other.Key == p.Key && other.Set == p.Set {
			return other.Values
		}
	}
	return analysis.Values{}
}

func epochOf(r *nc.Result) string { return strconv.Itoa(*r.Epoch) }

// checkpointGrid shows the headlines of every checkpoint of every run.
func (p *page) checkpointGrid(runs []*stored) *grid {
	g := &grid{Caption: "Headlines at every checkpoint", Head: heads("epoch", "train acc %", "test acc %")}
	columns := nc.Headlines(oodSets(runs))
	for _, h := range columns {
		g.Head = append(g.Head, cell{Text: h.Name + " " + h.Short()})
	}
	for i := range g.Head[1:] {
		g.Head[i+1].Class = "n"
	}
	for _, r := range runs {
		if p.many() {
			g.begin(r.name)
		}
		terminal := nc.TerminalPhase(r.nc)
		for i, result := range r.nc {
			epoch := cell{Text: epochOf(result), Head: true, Hint: "weights " + *result.Checkpoint}
			if i == terminal {
				epoch.Note = "terminal phase begins"
			}
			cells := []cell{epoch, g.number(result.Accuracy, "train", table.Percent), g.number(result.Accuracy, "test", table.Percent)}
			for _, h := range columns {
				cells = append(cells, g.number(h.Of(result, h.Set), h.Variant, table.Number))
			}
			g.add(cells...)
		}
	}
	return g
}

func (r *stored) collapseAlt() string {
	text := fmt.Sprintf("NC1 to NC5 over %d checkpoints on logarithmic axes", len(r.nc))
	first, okFirst := r.nc[0].NC1.Get("rank")
	final, ok := r.lastNC().NC1.Get("rank")
	if ok && okFirst {
		text += fmt.Sprintf("; NC1 goes from %s to %s", table.Number(first), table.Number(final))
	}
	return text + "."
}
