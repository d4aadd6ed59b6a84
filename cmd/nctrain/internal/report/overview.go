package report

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/stat"

	"nctrain/analysis"
	"nctrain/analysis/nc"
	"nctrain/cmd/nctrain/internal/table"
)

// onlySeedsDiffer tells whether several runs repeat each other but for the seed.
func onlySeedsDiffer(runs []*stored) bool {
	if len(runs) < 2 {
		return false
	}
	var first []byte
	seeds := map[uint64]bool{}
	for _, r := range runs {
		s := r.config.Settings
		seeds[s.Training.Seed] = true
		s.Training.Seed = 0
		text, err := json.Marshal(s)
		if err != nil || (first != nil && string(text) != string(first)) {
			return false
		}
		first = text
	}
	return len(seeds) == len(runs)
}

// headline of a metric at a run's last checkpoint.
type headline struct {
	label, note string
	value       float64
	format      func(float64) string
}

func (r *stored) headlines() (all []headline) {
	percent := func(x float64) string { return table.Percent(x) + " %" }
	add := func(label, note string, v analysis.Values, key string, format func(float64) string) {
		x, ok := v.Get(key)
		if !ok {
			x = math.NaN()
		}
		all = append(all, headline{label, note, x, format})
	}
	row := r.lastNC()
	if row == nil {
		all = append(all, headline{"train accuracy", "running, augmented", last(r.history.TrainAccuracy), percent},
			headline{"test accuracy", "", last(r.history.TestAccuracy), percent})
	} else {
		add("train accuracy", "without augmentation", row.Accuracy, "train", percent)
		add("test accuracy", "", row.Accuracy, "test", percent)
		first := r.nc[0]
		for _, m := range nc.Metrics() {
			for _, set := range m.Sets(row.NC5.Keys()) {
				key, v := m.Headlines[0], m.Of(row, set)
				label := m.Name + " " + key
				if set != "" {
					label += ", " + set
				}
				add(label, since(m.Of(first, set), v, key), v, key, table.Number)
			}
		}
	}
	if scored := r.lastOOD(); scored != nil {
		for set, byScore := range scored.OOD.All() {
			best, name := math.NaN(), ""
			for score, v := range byScore.All() {
				if x, ok := v.Get("auroc"); ok && !(x <= best) {
					best, name = x, score
				}
			}
			all = append(all, headline{"best AUROC, " + set, name, best, percent})
		}
	}
	return all
}

// since words how a falling number changed.
func since(before, now analysis.Values, key string) string {
	a, ok := before.Get(key)
	b, there := now.Get(key)
	switch {
	case !ok || !there || a <= 0 || b <= 0 || a == b:
		return ""
	case b < a:
		return fmt.Sprintf("fell %s-fold", fold(a/b))
	}
	return fmt.Sprintf("rose %s-fold", fold(b/a))
}

func fold(x float64) string {
	switch {
	case x >= 1e6:
		return strconv.FormatFloat(x, 'e', 1, 64)
	case x >= 10:
		return table.Count(int(math.Round(x)))
	}
	return strconv.FormatFloat(x, 'f', 1, 64)
}

func tiles(r *stored) (all []tile) {
	for _, h := range r.headlines() {
		if !math.IsNaN(h.value) {
			all = append(all, tile{h.label, h.format(h.value), h.note})
		}
	}
	return all
}

// overview sets the headlines of several runs side by side, and their mean and spread where they are repetitions.
func overview(runs []*stored) *grid {
	g := &grid{Caption: "Runs at a glance", Head: heads("run"), Sortable: true, Dense: true}
	var labels []string
	byRun := make([]map[string]headline, len(runs))
	for i, r := range runs {
		byRun[i] = map[string]headline{}
		for _, h := range r.headlines() {
			if !slices.Contains(labels, h.label) {
				labels = append(labels, h.label)
			}
			byRun[i][h.label] = h
		}
	}
	for _, label := range labels {
		g.Head = append(g.Head, cell{Text: label, Class: "n"})
	}
	for i, r := range runs {
		s := r.config.Settings
		cells := []cell{{Text: r.name, Head: true, Note: fmt.Sprintf("%s, width %d, seed %d, %d of %d epochs", s.Data, s.Width, s.Training.Seed, r.history.epochs(), s.Training.Epochs)}}
		for _, label := range labels {
			h, ok := byRun[i][label]
			if !ok {
				cells = append(cells, cell{Text: missing, Class: "n"})
				continue
			}
			c := plain(h.value, h.format)
			if strings.HasPrefix(label, "best AUROC") {
				c.Note = h.note
			}
			cells = append(cells, c)
		}
		g.add(cells...)
	}
	if !onlySeedsDiffer(runs) {
		return g
	}
	mean := row{Class: "total", Cells: []cell{{Text: "mean ± std", Head: true, Note: fmt.Sprintf("over n = %d seeds, ddof 1", len(runs))}}}
	for _, label := range labels {
		var values []float64
		for _, have := range byRun {
			if h, ok := have[label]; ok && !math.IsNaN(h.value) {
				values = append(values, h.value)
			}
		}
		// The best score of each run is another one: their mean is of no score.
		if len(values) < len(runs) || strings.HasPrefix(label, "best AUROC") {
			mean.Cells = append(mean.Cells, cell{Text: missing, Class: "n"})
			continue
		}
		m, s := stat.MeanStdDev(values, nil)
		format := byRun[0][label].format
		mean.Cells = append(mean.Cells, cell{Text: format(m), Note: "± " + format(s), Class: "n"})
	}
	g.Groups = append(g.Groups, group{Rows: []row{mean}})
	return g
}
