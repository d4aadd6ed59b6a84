package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"nctrain/analysis"
	"nctrain/analysis/nc"
	"nctrain/analysis/ood"
	"nctrain/cmd/nctrain/internal/table"
)

// health gathers every warning, those of the last checkpoint first, and sets the table of what the collapse numbers stand on.
func (p *page) health(runs []*stored) {
	for _, r := range runs {
		name := ""
		if len(runs) > 1 {
			name = r.name
		}
		now, earlier := r.warnings()
		for _, text := range now {
			p.Warnings = append(p.Warnings, warning{name, text})
		}
		for _, text := range earlier {
			p.Earlier = append(p.Earlier, warning{name, text})
		}
	}
	if len(runs) == 1 {
		p.Facts = facts(runs[0].lastNC())
	} else {
		p.Health = healthGrid(runs)
	}
}

// fact is one number of health with what it means, and what is wrong with it if something is.
type fact struct{ Label, Value, Text, Concern string }

// facts are the health of a checkpoint; none where nothing is analysed.
func facts(r *nc.Result) (all []fact) {
	if r == nil {
		return nil
	}
	known := map[string]bool{}
	add := func(key, label, text string) {
		known[key] = true
		x, ok := r.Health.Get(key)
		switch {
		case ok:
			all = append(all, fact{label, table.Figure(x), text, concern(r, key, x)})
		case r.Health.Reason(key) != "":
			all = append(all, fact{label, missing, text, r.Health.Reason(key)})
		}
	}
	for _, c := range nc.Checks() {
		add(c.Key, c.Name, c.Meaning)
	}
	for _, key := range r.Health.Keys() {
		if !known[key] {
			add(key, key, "")
		}
	}
	return all
}

// warnings of a run: what holds now, and what only earlier checkpoints said, with their epochs.
func (r *stored) warnings() (now, earlier []string) {
	if r.ending != "" {
		now = append(now, r.ending)
	}
	if done, all := r.history.epochs(), r.config.Settings.Training.Epochs; done < all && r.ending == "" {
		now = append(now, fmt.Sprintf("%d of %d epochs are done: nctrain run --resume %s goes on", done, all, r.dir))
	}
	if text := r.config.WithoutDetection(); text != "" {
		now = append(now, text)
	}
	now = append(now, r.notes...)
	var epochs analysis.Ordered[[]string] // warning -> epochs that gave it
	gather := func(epoch int, isLast bool, texts []string) {
		for _, text := range texts {
			if isLast && !slices.Contains(now, text) {
				now = append(now, text)
			} else {
				at, _ := epochs.Get(text)
				if e := strconv.Itoa(epoch); !slices.Contains(at, e) {
					epochs.Set(text, append(at, e))
				}
			}
		}
	}
	for i := len(r.nc) - 1; i >= 0; i-- {
		gather(*r.nc[i].Epoch, i == len(r.nc)-1, r.nc[i].AllWarnings())
	}
	for i := len(r.ood) - 1; i >= 0; i-- {
		gather(*r.ood[i].Epoch, i == len(r.ood)-1, detectionWarnings(r.ood[i]))
	}
	for text, at := range epochs.All() {
		if slices.Contains(now, text) {
			continue
		}
		slices.Reverse(at)
		word := "epoch "
		if len(at) > 1 {
			word = "epochs "
		}
		earlier = append(earlier, word+strings.Join(at, ", ")+": "+text)
	}
	return now, earlier
}

func detectionWarnings(r *ood.Result) []string {
	all := slices.Clone(r.Warnings)
	for set, byScore := range r.OOD.All() {
		var scores analysis.Ordered[[]string] // text -> scores that give it
		for score, v := range byScore.All() {
			for _, text := range v.Warnings {
				analysis.Gather(&scores, text, score)
			}
		}
		for text, of := range scores.All() {
			all = append(all, fmt.Sprintf("%s on %s: %s", strings.Join(of, ", "), set, text))
		}
	}
	for name, v := range r.Detectors.All() {
		for _, text := range v.Warnings {
			all = append(all, name+": "+text)
		}
		for _, key := range v.Keys() {
			if reason := v.Reason(key); reason != "" {
				all = append(all, fmt.Sprintf("%s: no %s: %s", name, key, reason))
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(r.Reasons)) {
		all = append(all, fmt.Sprintf("no %s: %s", key, r.Reasons[key]))
	}
	return all
}

// healthGrid has a column a run, at its last checkpoint; nil where nothing is analysed.
func healthGrid(runs []*stored) *grid {
	g := &grid{Caption: "What the numbers stand on, at the last checkpoint", Head: heads("check")}
	var last []*nc.Result
	for _, r := range runs {
		name := r.name
		if len(runs) == 1 {
			name = "value"
		}
		g.Head = append(g.Head, cell{Text: name, Class: "n"})
		last = append(last, r.lastNC())
	}
	known := map[string]bool{}
	for _, c := range nc.Checks() {
		known[c.Key] = true
		g.healthRow(last, c.Key, c.Name, c.Meaning)
	}
	for _, r := range last {
		if r == nil {
			continue
		}
		for _, key := range r.Health.Keys() {
			if !known[key] {
				known[key] = true
				g.healthRow(last, key, key, "")
			}
		}
	}
	if len(g.Groups) == 0 {
		return nil
	}
	return g
}

func (g *grid) healthRow(last []*nc.Result, key, name, text string) {
	cells := []cell{{Text: name, Note: text, Head: true}}
	there := false
	for _, r := range last {
		if r == nil || !slices.Contains(r.Health.Keys(), key) {
			cells = append(cells, cell{Text: missing, Class: "n"})
			continue
		}
		there = true
		c := g.number(r.Health, key, table.Figure)
		x, ok := r.Health.Get(key)
		if text := concern(r, key, x); !ok || text != "" {
			c.Class += " bad"
			c.Note = text
		}
		cells = append(cells, c)
	}
	if there {
		g.add(cells...)
	}
}

// concern words what is wrong with a health number; empty where nothing is. What needs a judgement the analysis made is among its warnings.
func concern(r *nc.Result, key string, x float64) string {
	d, _ := r.Health.Get("d")
	switch {
	case key == "nan_count" && x > 0:
		return "the checkpoint has diverged"
	case key == "smallest_class" && x < 2:
		return "its variance is not measured"
	case key == "rows_less_classes" && x < d:
		return fmt.Sprintf("less than D = %s", table.Count(int(d)))
	case key == "within_rank" && x < d:
		return fmt.Sprintf("of D = %s", table.Count(int(d)))
	case key == "zero_units" && x > 0:
		return fmt.Sprintf("of D = %s", table.Count(int(d)))
	}
	return ""
}
