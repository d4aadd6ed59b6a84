package report

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"nctrain/analysis"
	"nctrain/analysis/nc"
	"nctrain/analysis/ood"
)

// curves are the panels of one figure for the page's script. In a shared figure one legend serves all panels, by name.
type curves struct {
	Shared bool     `json:"shared"`
	Runs   []string `json:"runs"`
	Off    []int    `json:"off,omitempty"` // runs that are hidden until chosen
	Panels []*plot  `json:"panels"`
}

// plot is one pair of axes. A Measure makes it one of those that the reader chooses from.
type plot struct {
	Title   string  `json:"title"`
	Y       string  `json:"y"`
	Log     bool    `json:"log"`
	Measure string  `json:"measure,omitempty"`
	Own     bool    `json:"own,omitempty"` // has a legend of its own in a shared figure
	Series  []*line `json:"series"`
	Marks   []mark  `json:"marks,omitempty"`
}

// line is one series: colour and marker go by Look, dashes by Run.
type line struct {
	Name string `json:"name"`
	Run  int    `json:"run"`
	Look int    `json:"look"`
	Thin bool   `json:"thin,omitempty"` // a reference
	Off  bool   `json:"off,omitempty"`  // hidden until chosen
	X    points `json:"x"`
	Y    points `json:"y"`
	// Low and High bound the band of a mean over seeds; of a mean's own runs Faint.
	Low   points `json:"low,omitempty"`
	High  points `json:"high,omitempty"`
	Faint bool   `json:"faint,omitempty"`
}

// mark is an epoch to point out.
type mark struct {
	X    float64 `json:"x"`
	Text string  `json:"text"`
}

// points are numbers as JSON, null where there is none.
type points []float64

// MarshalJSON writes six digits, more than a screen shows.
func (p points) MarshalJSON() ([]byte, error) {
	out := []byte{'['}
	for i, x := range p {
		if i > 0 {
			out = append(out, ',')
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			out = append(out, "null"...)
		} else {
			out = strconv.AppendFloat(out, x, 'g', 6, 64)
		}
	}
	return append(out, ']'), nil
}

func newCurves(runs []*stored) *curves {
	c := &curves{}
	for _, r := range runs {
		c.Runs = append(c.Runs, r.name)
	}
	return c
}

func trainingCurves(runs []*stored) *curves {
	c := newCurves(runs)
	c.Shared = true
	accuracy, loss := &plot{Title: "Accuracy", Y: "%"}, &plot{Title: "Loss (cross-entropy)", Y: "nats", Log: true}
	for i, r := range runs {
		h := r.history
		for look, s := range []struct {
			name           string
			accuracy, loss []float64
		}{{"training (augmented)", h.TrainAccuracy, h.TrainLoss}, {"test", h.TestAccuracy, h.TestLoss}, {"val", h.ValAccuracy, h.ValLoss}} {
			if !math.IsNaN(last(s.accuracy)) {
				accuracy.Series = append(accuracy.Series, &line{Name: s.name, Run: i, Look: look, X: h.Epoch, Y: s.accuracy})
			}
			if !math.IsNaN(last(s.loss)) {
				loss.Series = append(loss.Series, &line{Name: s.name, Run: i, Look: look, X: h.Epoch, Y: s.loss})
			}
		}
	}
	c.Panels = []*plot{accuracy, loss}
	c.addMeans(runs)
	return c
}

// epochsOf lists x of the checkpoints.
func epochsOf(rows []*nc.Result) (x points) {
	for _, r := range rows {
		x = append(x, float64(*r.Epoch))
	}
	return x
}

// over takes one number of every row; NaN where it is null.
func over[R any](rows []R, pick func(R) analysis.Values, key string) (y points) {
	for _, r := range rows {
		x, ok := pick(r).Get(key)
		if !ok {
			x = math.NaN()
		}
		y = append(y, x)
	}
	return y
}

// terminalMarks point out where the terminal phase of each run begins; runs that begin it together share a mark.
func terminalMarks(runs []*stored) (marks []mark) {
	names := map[int][]string{} // of the runs, by epoch
	for _, r := range runs {
		if at := nc.TerminalPhase(r.nc); at >= 0 {
			epoch := *r.nc[at].Epoch
			names[epoch] = append(names[epoch], r.name)
		}
	}
	for _, epoch := range slices.Sorted(maps.Keys(names)) {
		text := "terminal phase"
		if of := names[epoch]; len(of) < len(runs) {
			text = "terminal: " + strings.Join(of, ", ")
		}
		marks = append(marks, mark{float64(epoch), text})
	}
	return marks
}

// collapseCurves draws every variant; of several runs the headline alone until others are chosen.
func collapseCurves(runs []*stored) *curves {
	c := newCurves(runs)
	marks := terminalMarks(runs)
	for _, m := range nc.Metrics() {
		keys := slices.Concat(m.Curves, m.References)
		if len(m.TestCurves) > 0 {
			keys = append(keys, m.TestCurves[0]+nc.TestRows)
		}
		for _, set := range m.Sets(oodSets(runs)) {
			p := &plot{Title: m.Panel(set), Y: m.Unit, Log: true, Marks: marks}
			p.addVariants(runs, func(r *nc.Result) analysis.Values {
				v := m.Drawn(r, set)
				for _, key := range m.TestCurves {
					if x, ok := m.OfTest(r).Get(key); ok {
						v.Set(key+nc.TestRows, x)
					}
				}
				return v
			}, keys...)
			for _, s := range p.Series {
				s.Thin = slices.Contains(m.References, s.Name)
			}
			c.Panels = append(c.Panels, p)
		}
	}
	accuracy := &plot{Title: "Accuracy without augmentation", Y: "%", Marks: marks}
	accuracy.addVariants(runs, func(r *nc.Result) analysis.Values { return r.Accuracy }, "train", "test")
	c.Panels = append(c.Panels, accuracy)
	c.addMeans(runs)
	return c
}

// colours of the page's curves; looks beyond them change the dash.
const colours = 7

// addVariants adds a line a run and key that is defined somewhere.
func (p *plot) addVariants(runs []*stored, pick func(*nc.Result) analysis.Values, keys ...string) {
	for i, r := range runs {
		for look, key := range keys {
			// Of test rows: the colour of the training rows, and another dash.
			if base, of := strings.CutSuffix(key, nc.TestRows); of {
				look = slices.Index(keys, base) + colours
			}
			y := over(r.nc, pick, key)
			if math.IsNaN(last(y)) {
				continue
			}
			name := strings.ReplaceAll(key, " - ", " − ")
			p.Series = append(p.Series, &line{Name: name, Run: i, Look: look, Off: len(runs) > 1 && look > 0, X: epochsOf(r.nc), Y: y})
		}
	}
}

// detectionCurves draws each metric of every score on a set, and the headlines of collapse beside them.
func detectionCurves(runs []*stored, set string) *curves {
	c := newCurves(runs)
	c.Shared = true
	marks := terminalMarks(runs)
	var looks analysis.Ordered[int]
	for _, metric := range detectionColumns[:5] {
		p := &plot{Title: metric.name, Y: "%", Marks: marks}
		if metric.key != "auroc" {
			p.Measure = metric.name
		}
		for i, r := range runs {
			var x points
			var names analysis.Ordered[bool]
			for _, row := range r.ood {
				x = append(x, float64(*row.Epoch))
				byScore, _ := row.OOD.Get(set)
				for _, name := range byScore.Keys() {
					names.Set(name, true)
				}
			}
			for _, name := range names.Keys() {
				if _, there := looks.Get(name); !there {
					looks.Set(name, looks.Len())
				}
				look, _ := looks.Get(name)
				y := over(r.ood, func(row *ood.Result) analysis.Values {
					byScore, _ := row.OOD.Get(set)
					v, _ := byScore.Get(name)
					return v
				}, metric.key)
				p.Series = append(p.Series, &line{Name: name, Run: i, Look: look, X: x, Y: y})
			}
		}
		c.Panels = append(c.Panels, p)
	}
	headlines := &plot{Title: "Neural collapse", Log: true, Own: true, Marks: marks}
	for look, m := range nc.Metrics() {
		key := m.Headlines[0]
		for i, r := range runs {
			if y := over(r.nc, func(row *nc.Result) analysis.Values { return m.Of(row, set) }, key); !math.IsNaN(last(y)) {
				headlines.Series = append(headlines.Series, &line{Name: m.Name + " " + key, Run: i, Look: look, Off: len(runs) > 1 && look > 0, X: epochsOf(r.nc), Y: y})
			}
		}
	}
	c.Panels = append(c.Panels, headlines)
	c.addMeans(runs)
	return c
}
