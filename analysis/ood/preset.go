package ood

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"nctrain/analysis"
)

// Preset is a published protocol: which OOD sets are held against an ID set, and in which groups their metrics are averaged.
type Preset struct {
	Name string
	// Classes of the ID set.
	Classes int
	Groups  []PresetGroup
}

// PresetGroup is a group of OOD sets by name.
type PresetGroup struct {
	Name string
	Sets []string
}

// openOODFar are the far sets of both CIFAR benchmarks.
var openOODFar = PresetGroup{"farood", []string{"mnist", "svhn", "texture", "places365"}}

// presets: J. Zhang et al., "OpenOOD v1.5", DMLR 2024; names and groups of its evaluation API (openood/evaluation_api/datasets.py, commit 3c35632).
var presets = []Preset{
	{"openood-cifar10", 10, []PresetGroup{{"nearood", []string{"cifar100", "tin"}}, openOODFar}},
	{"openood-cifar100", 100, []PresetGroup{{"nearood", []string{"cifar10", "tin"}}, openOODFar}},
}

// PresetNames lists the presets.
func PresetNames() (names []string) {
	for _, p := range presets {
		names = append(names, p.Name)
	}
	return names
}

// FindPreset gives a preset by name; an error lists those that there are.
func FindPreset(name string) (*Preset, error) {
	at := slices.IndexFunc(presets, func(p Preset) bool { return p.Name == name })
	if at < 0 {
		return nil, fmt.Errorf("analysis: ood: there is no preset %q: choose from %s", name, strings.Join(PresetNames(), ", "))
	}
	return &presets[at], nil
}

// sets lists all sets in order.
func (p *Preset) sets() (names []string) {
	for _, g := range p.Groups {
		names = append(names, g.Sets...)
	}
	return names
}

// Check refuses an ID set of other classes and OOD sets that are not of the preset; sets may be missing (see Result.Group).
func (p *Preset) Check(classes int, sets []string) error {
	if classes != p.Classes {
		return fmt.Errorf("analysis: ood: %s is for %d classes and these are %d: take the preset of the training set", p.Name, p.Classes, classes)
	}
	known := p.sets()
	for _, name := range sets {
		if !slices.Contains(known, name) {
			return fmt.Errorf("analysis: ood: the set %q is not of %s: name its sets by NAME=FILE: %s", name, p.Name, strings.Join(known, ", "))
		}
	}
	return nil
}

// Group holds the metrics of a group of OOD sets: each the mean over the sets, every set with the same weight.
type Group struct {
	// Sets that the means are over, and those of the preset that were not given.
	Sets    []string `json:"sets"`
	Missing []string `json:"missing,omitempty"`
	// Scores: score -> means of MetricKeys, in percent.
	Scores analysis.Ordered[analysis.Values] `json:"scores"`
}

// Label is the group's name in tables, with how many of its sets it is over where that is not all.
func (g Group) Label(name string) string {
	if len(g.Missing) == 0 {
		return name
	}
	return fmt.Sprintf("%s (%d of %d sets)", name, len(g.Sets), len(g.Sets)+len(g.Missing))
}

// Group fills Groups by a preset that the result's sets are of. A group without sets is left out; a warning names what is missing.
func (r *Result) Group(p *Preset) {
	r.Preset, r.Groups = p.Name, analysis.Ordered[Group]{}
	for _, group := range p.Groups {
		var g Group
		for _, set := range group.Sets {
			if _, there := r.OOD.Get(set); there {
				g.Sets = append(g.Sets, set)
			} else {
				g.Missing = append(g.Missing, set)
			}
		}
		if len(g.Missing) > 0 {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s: %s lacks %s: its mean is over %d of %d sets and no number to set beside OpenOOD's", p.Name, group.Name,
				strings.Join(g.Missing, ", "), len(g.Sets), len(group.Sets)))
		}
		if len(g.Sets) == 0 {
			continue
		}
		first, _ := r.OOD.Get(g.Sets[0])
		for score := range first.All() {
			v := analysis.Values{N: len(g.Sets)}
			for _, key := range MetricKeys {
				mean, reason := 0.0, ""
				for _, set := range g.Sets {
					byScore, _ := r.OOD.Get(set)
					each, _ := byScore.Get(score)
					x, ok := each.Get(key)
					if !ok && reason == "" {
						reason = set + ": " + each.Reason(key)
					}
					mean += x / float64(len(g.Sets))
				}
				if reason != "" {
					v.Null(key, reason)
				} else {
					v.Set(key, mean)
				}
			}
			g.Scores.Set(score, v)
		}
		r.Groups.Set(group.Name, g)
	}
}

// openOODColumns are the columns of OpenOOD's tables and the metrics that have its conventions: FPR at the first threshold that finds 95 % of OOD, AUPR by trapezoids.
var openOODColumns = []struct{ name, key string }{{"FPR@95", "fpr95_ood_pos"}, {"AUROC", "auroc"}, {"AUPR_IN", "aupr_in_trapz"}, {"AUPR_OUT", "aupr_out_trapz"}}

// WriteOpenOOD writes the result as OpenOOD's evaluator writes its ood.csv: dataset,FPR@95,AUROC,AUPR_IN,AUPR_OUT,ACC in percent with two decimals, a row a set, and after the sets of
// each group their mean. With several scores a column postprocessor stands first. What is undefined is left empty.
func (r *Result) WriteOpenOOD(w io.Writer) error {
	scores := r.Detectors.Keys()
	out := csv.NewWriter(w)
	header := []string{"dataset"}
	for _, c := range openOODColumns {
		header = append(header, c.name)
	}
	header = append(header, "ACC")
	several := len(scores) > 1
	if several {
		header = append([]string{"postprocessor"}, header...)
	}
	out.Write(header) // errors stay with the writer until Flush
	for _, score := range scores {
		row := func(dataset string, v analysis.Values) {
			cells := []string{dataset}
			if several {
				cells = []string{score, dataset}
			}
			for _, c := range openOODColumns {
				x, ok := v.Get(c.key)
				cells = append(cells, twoDecimals(x, ok))
			}
			if r.IDAccuracy == nil {
				cells = append(cells, "")
			} else {
				cells = append(cells, twoDecimals(*r.IDAccuracy, true))
			}
			out.Write(cells)
		}
		for _, dataset := range r.tableOrder() {
			if g, isGroup := r.Groups.Get(dataset); isGroup {
				v, _ := g.Scores.Get(score)
				row(g.Label(dataset), v)
				continue
			}
			byScore, _ := r.OOD.Get(dataset)
			v, _ := byScore.Get(score)
			row(dataset, v)
		}
	}
	out.Flush()
	return out.Error()
}

// tableOrder lists the sets of each group and then the group, or all sets where there are no groups.
func (r *Result) tableOrder() (names []string) {
	if r.Groups.Len() == 0 {
		return r.OOD.Keys()
	}
	for name, g := range r.Groups.All() {
		names = append(append(names, g.Sets...), name)
	}
	return names
}

func twoDecimals(x float64, ok bool) string {
	if !ok {
		return ""
	}
	return strconv.FormatFloat(x, 'f', 2, 64)
}
