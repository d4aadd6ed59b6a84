package figures

import (
	"nctrain/analysis"
	"nctrain/analysis/nc"
	"nctrain/analysis/ood"
)

// Detection draws AUROC and FPR95 (OOD positive) of every score on one OOD set over epochs, beside the headlines of NC1..NC5: how detection moves as the network
// collapses. results and collapse may be of different checkpoints; each stands at its epoch (or index).
func Detection(set string, results []*ood.Result, collapse []*nc.Result) *Figure {
	x, names := scoredEpochs(results), scoreNames(set, results)
	percent := func(title, y, key string) *panel {
		p := newEpochPanel(title, y)
		var all []series
		for i, name := range names {
			all = append(all, series{name: name, x: x, y: over(results, scoreOn(set, name), key), look: i})
		}
		p.addPercentLines(all...)
		return p
	}
	auroc := percent("AUROC on "+set, "AUROC (%)", "auroc")
	fpr := percent("FPR95 on "+set+" (OOD positive)", "FPR95 (%)", "fpr95_ood_pos")
	row := []*panel{auroc, fpr}
	if len(collapse) > 0 {
		row = append(row, headlines(set, collapse))
	}
	f := &Figure{rows: [][]*panel{row}, width: 340, height: 310}
	f.markTerminal([][]*nc.Result{collapse})
	return f
}

// scoreNames lists the scores that some result has on a set, in order.
func scoreNames(set string, results []*ood.Result) []string {
	var names analysis.Ordered[bool]
	for _, r := range results {
		scores, _ := r.OOD.Get(set)
		for _, name := range scores.Keys() {
			names.Set(name, true)
		}
	}
	return names.Keys()
}

// scoreOn picks the metrics of a score on a set.
func scoreOn(set, score string) func(*ood.Result) analysis.Values {
	return func(r *ood.Result) analysis.Values {
		scores, _ := r.OOD.Get(set)
		v, _ := scores.Get(score)
		return v
	}
}

// headlines draws the first variant of each metric.
func headlines(set string, collapse []*nc.Result) *panel {
	p := newEpochPanel("Neural collapse", "NC1..NC5")
	var all []series
	for look, m := range nc.Metrics() {
		key := m.Headlines[0]
		all = append(all, series{name: m.Name + " " + key, x: epochs(collapse), y: over(collapse, drawn(m, set), key), look: look})
	}
	p.addLogLines(all...)
	return p
}
