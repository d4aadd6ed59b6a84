package figures

import (
	"nctrain/analysis"
	"nctrain/analysis/nc"
	"nctrain/analysis/ood"
)

// Detection draws AUROC and FPR95 (OOD positive) of every score on one OOD set over epochs, beside the headlines of NC1..NC5: how detection moves as the network
// collapses. results and collapse may be of different checkpoints; each stands at its epoch (or index).
func Detection(set string, results []*ood.Result, collapse []*nc.Result) *Figure {
	x := make([]float64, len(results))
	var names []string
	seen := map[string]bool{}
	for i, r := range results {
		x[i] = float64(i)
		if r.Epoch != nil {
			x[i] = float64(*r.Epoch)
		}
		scores, _ := r.OOD.Get(set)
		for _, name := range scores.Keys() {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	percent := func(title, y, key string) *panel {
		p := newEpochPanel(title, y)
		for i, name := range names {
			pick := func(r *ood.Result) analysis.Values {
				scores, _ := r.OOD.Get(set)
				v, _ := scores.Get(name)
				return v
			}
			p.addLines(series{name: name, x: x, y: over(results, pick, key), look: i})
		}
		return p
	}
	auroc := percent("AUROC on "+set, "AUROC (%)", "auroc")
	fpr := percent("FPR95 on "+set+" (OOD positive)", "FPR95 (%)", "fpr95_ood_pos")
	row := []*panel{auroc, fpr}
	if len(collapse) > 0 {
		row = append(row, headlines(set, collapse))
		if at := nc.TerminalPhase(collapse); at >= 0 {
			for _, p := range row {
				p.vertical(epochs(collapse)[at], terminal)
			}
		}
	}
	return &Figure{rows: [][]*panel{row}, width: 340, height: 310}
}

// headlines draws the first variant of each metric.
func headlines(set string, collapse []*nc.Result) *panel {
	x := epochs(collapse)
	p := newEpochPanel("Neural collapse", "NC1..NC5")
	pick := func(get func(*nc.Result) analysis.Values, key string, look int, name string) series {
		return series{name: name, x: x, y: over(collapse, get, key), look: look}
	}
	p.addLogLines(
		pick(func(r *nc.Result) analysis.Values { return r.NC1 }, "rank", 0, "NC1 rank"),
		pick(func(r *nc.Result) analysis.Values { return r.NC2 }, "equinorm", 1, "NC2 equinorm"),
		pick(func(r *nc.Result) analysis.Values { return r.NC3 }, "papyan", 2, "NC3 papyan"),
		pick(func(r *nc.Result) analysis.Values { return r.NC4 }, "train", 3, "NC4 train"),
		pick(func(r *nc.Result) analysis.Values { v, _ := r.NC5.Get(set); return v }, "raw", 4, "NC5 raw"))
	return p
}
