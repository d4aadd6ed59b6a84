package ood

import (
	"fmt"
	"slices"
	"strings"

	"nctrain/analysis"
)

// metricTable explains every number of a result that is not a score.
var metricTable = []analysis.Explanation{
	{Name: "auroc", Definition: "share of (ID, OOD) pairs in which the ID row scores higher, ties count half; percent", Source: "J. Hanley, B. McNeil, Radiology 143, 1982",
		Pitfalls: "does not depend on the number of rows of either kind, so it says nothing of precision where OOD is rare"},
	{Name: "fpr95_ood_pos", Definition: "share of ID rows rejected at the first threshold that finds 95 % of OOD rows (ceil(0.95 n), ties whole); percent", Source: "OpenOOD and the notebook",
		Pitfalls: "published FPR95 is of two kinds: this one takes OOD as positive, fpr95_id_pos takes ID; they are different numbers"},
	{Name: "fpr95_id_pos", Definition: "share of OOD rows accepted at the threshold that keeps 95 % of ID rows (ceil(0.95 n), ties whole); percent", Source: "ViM, NECO and most of the literature since ODIN",
		Pitfalls: "published FPR95 is of two kinds: this one takes ID as positive, fpr95_ood_pos takes OOD. scikit-learn's roc_curve drops points that this needs unless told otherwise; ViM's code keeps floor(0.95 n)"},
	{Name: "aupr_out", Definition: "step-wise average precision with OOD rows positive; percent", Source: "scikit-learn's average_precision_score", Pitfalls: "read it against base_rate, what a useless score gets"},
	{Name: "aupr_in", Definition: "step-wise average precision with ID rows positive; percent", Source: "scikit-learn's average_precision_score", Pitfalls: "read it against 100 - base_rate, what a useless score gets"},
	{Name: "aupr_out_trapz", Definition: "trapezoid under the precision-recall curve with OOD rows positive, from recall 0 and precision 1; percent", Source: "OpenOOD, ViM, pytorch-ood",
		Pitfalls: "linear interpolation between points flatters scores with many ties (J. Davis, M. Goadrich, ICML 2006)"},
	{Name: "aupr_in_trapz", Definition: "trapezoid under the precision-recall curve with ID rows positive, from recall 0 and precision 1; percent", Source: "OpenOOD, ViM, pytorch-ood",
		Pitfalls: "linear interpolation between points flatters scores with many ties (J. Davis, M. Goadrich, ICML 2006)"},
	{Name: "base_rate", Definition: "share of OOD rows among all that are scored; percent", Source: "-", Pitfalls: "an average precision of this size is chance"},
	{Name: "ties", Definition: "share of (ID, OOD) pairs with equal scores; auroc counts them half; percent", Source: "-",
		Pitfalls: "a score that saturates (a float32 softmax) ties: what it would say of those rows is lost, and curves between them are straight lines"},
	{Name: "ood.health", Definition: "what a reader needs to trust a result", Source: "-", Pitfalls: "a warning beside a number says that it should not be read", Parts: healthTable},
	{Name: "ood.fit", Definition: "what the fit of a score found, beside the fit set and the parameters (nctrain explain SCORE)", Source: "-",
		Pitfalls: "a figure belongs to this network and fit set; a rank or dimension near an end says that a floor or a choice decided", Parts: fitTable},
	{Name: "oscr", Definition: "area under correct classification rate against false positive rate: share of (ID, OOD) pairs in which the ID row is classified correctly and scores higher, ties half; percent",
		Source: "A. Dhamija, M. Günther, T. Boult, NeurIPS 2018", Pitfalls: "bounded by the ID accuracy: compare networks by it, not scores across networks"},
	{Name: "aurc", Definition: "area under the risk-coverage curve of the ID rows: mean over k of the error among the k rows of largest score, ties in random order; percent",
		Source: "Y. Geifman, G. Uziel, R. El-Yaniv, ICLR 2019", Pitfalls: "depends on the accuracy: aurc_best is what the best order of the same mistakes would get. Papers also report it times 1000"},
	{Name: "aurc_best", Definition: "aurc of an order that puts every mistake last; percent", Source: "Y. Geifman, G. Uziel, R. El-Yaniv, ICLR 2019", Pitfalls: "a property of the classifier alone"},
	{Name: "id_accuracy", Definition: "share of ID rows whose largest logit is that of their label; percent", Source: "-", Pitfalls: "OOD metrics of networks of different accuracy are not comparable without it"},
	{Name: "threshold", Definition: "score at and above which a row is accepted, so that the asked share of new ID rows is accepted: that of rank floor((1-acceptance)(n+1)) among n held-out rows; " +
		"acceptance_ci95 holds the true share (Beta(n+1-rank, rank))", Source: "V. Vovk, ACML 2012",
		Pitfalls: "for rows drawn as the held-out ones were, seen by neither network nor detector; says nothing of how many OOD rows pass"},
	{Name: "ci95", Definition: "KEY_ci95: " + IntervalCover + "; the same ID rows for all sets and scores, the same OOD rows for all scores of a set, thresholds anew in each replicate",
		Source: "B. Efron, R. Tibshirani, 1993", Pitfalls: "does not cover the spread over training seeds, which is usually larger. An AUROC of 100 gets the one-sided bound 0.05^(1/min(n_id, n_ood)), " +
			"since no resample differs; other metrics at their limit get an interval of no width, which is too narrow. Null where a kind has one row"},
	{Name: "diff", Definition: "KEY_diff: score less baseline, in points; KEY_diff_ci95 from the same replicates of both (paired)", Source: "B. Efron, R. Tibshirani, 1993",
		Pitfalls: "two intervals that overlap do not mean a difference that could be 0: read this one"},
	{Name: "delong_p", Definition: "two-sided p-value of no difference between two AUROCs of the same rows; delong_p_holm is corrected over all comparisons of a result",
		Source:   "E. DeLong, D. DeLong, D. Clarke-Pearson, Biometrics 44, 1988; X. Sun, W. Xu, IEEE SPL 21, 2014; S. Holm, Scand. J. Stat. 6, 1979",
		Pitfalls: "a small p says that a difference is there, not that it matters: read the difference first. It tells of these networks and rows, not of the method"},
}

// Explain gives definition, source, fit set, parameters and pitfalls of a detector, or definition, source and pitfalls of any key of a result.
func Explain(name string) (analysis.Explanation, error) {
	if detector, known := find(name); known {
		return detector.explain(), nil
	}
	// A key made of a metric and a suffix is explained by its suffix.
	entry := strings.TrimSuffix(name, "_holm")
	switch {
	case slices.Contains([]string{"acceptance", "acceptance_ci95", "accepted", "id_accepted"}, name):
		entry = "threshold"
	case strings.Contains(name, "_diff"):
		entry = "diff"
	case strings.Contains(name, "_ci95"):
		entry = "ci95"
	}
	if at := slices.IndexFunc(metricTable, func(e analysis.Explanation) bool { return e.Name == entry }); at >= 0 {
		return metricTable[at], nil
	}
	if p, err := FindPreset(name); err == nil {
		return p.explain(), nil
	}
	return analysis.Explanation{}, fmt.Errorf("analysis: ood: there is nothing named %q: choose from %s", name, strings.Join(Explainable(), ", "))
}

// Explainable lists the names that Explain knows: detectors, then metrics, then presets.
func Explainable() []string {
	names := allNames()
	for _, e := range metricTable {
		names = append(names, e.Name)
	}
	return append(names, PresetNames()...)
}

func (p *Preset) explain() analysis.Explanation {
	e := analysis.Explanation{Name: p.Name, Definition: "OpenOOD's CIFAR protocol (--preset): the mean of each metric over the sets of a group, every set with the same weight; FPR@95 is fpr95_ood_pos, " +
		"AUPR_IN and AUPR_OUT are aupr_in_trapz and aupr_out_trapz, ACC is id_accuracy", Source: "J. Zhang et al., OpenOOD v1.5, DMLR 2024",
		Pitfalls: "a row stands beside the leaderboard's only for its own lists of test images (1,000 of the ID test images are its validation set), its network and " +
			"its training; the leaderboard shows mean and standard deviation (ddof 0) over three trainings. A group that lacks a set says so in its name"}
	for _, g := range p.Groups {
		e.Parts = append(e.Parts, analysis.Part{Name: g.Name, Meaning: "--ood " + strings.Join(g.Sets, "=..., ") + "=..."})
	}
	return e
}

func (d Detector) explain() analysis.Explanation {
	fit := map[FitSet]string{
		FitNone: "nothing", FitTrain: "training rows without augmentation",
		FitVal:        "ID rows in neither training nor test (--val); left out without",
		FitValOrTrain: "ID rows in neither training nor test (--val); training rows, with a warning, without",
	}[d.Fit]
	e := analysis.Explanation{Name: d.Name, Definition: d.Formula + " (larger is more in-distribution)", Source: d.Source, Fit: fit, Pitfalls: d.Pitfalls}
	for _, p := range d.Params {
		e.Parts = append(e.Parts, analysis.Part{Name: fmt.Sprintf("--param %s.%s=%g", d.Name, p.Key, p.Default), Meaning: p.Doc})
	}
	return e
}
