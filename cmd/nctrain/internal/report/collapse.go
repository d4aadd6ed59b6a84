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

// metric is one of NC1..NC5 of a result: for NC5 there is one an OOD set.
type metric struct {
	key, of string
	values  analysis.Values
}

func metrics(r *nc.Result) []metric {
	all := []metric{{"nc1", "", r.NC1}, {"nc2", "", r.NC2}, {"nc3", "", r.NC3}, {"nc4", "", r.NC4}}
	for set, v := range r.NC5.All() {
		all = append(all, metric{"nc5", set, v})
	}
	for _, m := range []metric{{"nc1_test", "", r.NC1Test}, {"nc2_test", "", r.NC2Test}, {"nc3_test", "", r.NC3Test}} {
		if len(m.values.Keys()) > 0 {
			all = append(all, m)
		}
	}
	return all
}

func (m metric) title() string {
	title := collapseTitles[m.key]
	if m.of != "" {
		title += " (" + m.of + ")"
	}
	return title
}

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
	for _, m := range metrics(r.lastNC()) {
		g.begin(m.title())
		for i, key := range m.values.Keys() {
			says := meanings[strings.TrimSuffix(m.key, "_test")+"."+key]
			line := row{Cells: []cell{{Text: key, Note: says.text, Head: true, Code: true}}}
			if i == 0 {
				line.Class = "headline"
			}
			for _, result := range columns {
				line.Cells = append(line.Cells, g.number(valuesOf(result, m), key, table.Number))
			}
			line.Cells = append(line.Cells, cell{Text: says.atCollapse, Class: "n"})
			g.addRow(line)
		}
	}
	return g
}

// valuesOf finds the same metric in another result.
func valuesOf(r *nc.Result, m metric) analysis.Values {
	for _, other := range metrics(r) {
		if other.key == m.key && other.of == m.of {
			return other.values
		}
	}
	return analysis.Values{}
}

func epochOf(r *nc.Result) string { return strconv.Itoa(*r.Epoch) }

// checkpointGrid shows the headlines of every checkpoint of every run.
func (p *page) checkpointGrid(runs []*stored) *grid {
	g := &grid{Caption: "Headlines at every checkpoint", Head: heads("epoch", "train acc %", "test acc %", "NC1 rank", "NC2 equinorm", "NC2 equiangularity", "NC3 papyan", "NC4 train", "NC4 test")}
	sets := oodSets(runs)
	for _, set := range sets {
		g.Head = append(g.Head, cell{Text: "NC5 " + set})
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
			cells := []cell{epoch, g.number(result.Accuracy, "train", table.Percent), g.number(result.Accuracy, "test", table.Percent), g.number(result.NC1, "rank", table.Number),
				g.number(result.NC2, "equinorm", table.Number), g.number(result.NC2, "equiangularity", table.Number), g.number(result.NC3, "papyan", table.Number),
				g.number(result.NC4, "train", table.Number), g.number(result.NC4, "test", table.Number)}
			for _, set := range sets {
				v, _ := result.NC5.Get(set)
				cells = append(cells, g.number(v, "raw", table.Number))
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
