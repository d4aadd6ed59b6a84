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
	add := func(title, y string, pick func(*nc.Result) analysis.Values, keys ...string) {
		p := &plot{Title: title, Y: y, Log: true, Marks: marks}
		p.addVariants(runs, pick, keys...)
		c.Panels = append(c.Panels, p)
	}
	add("NC1: variability within classes", "", func(r *nc.Result) analysis.Values { return withTest(r.NC1, r.NC1Test, "rank") },
		"rank", "notebook", "papyan_code", "quotient", "cdnv", "rank"+testRows)
	add("NC2: distance from a simplex ETF", "", func(r *nc.Result) analysis.Values { return withTest(r.NC2, r.NC2Test, "equinorm") },
		"equinorm", "equiangularity", "etf_error", "equinorm_weights", "equiangularity_weights", "etf_error_weights", "equinorm"+testRows)
	add("NC3: distance of classifier and means", "", func(r *nc.Result) analysis.Values {
		v := analysis.Values{}
		for _, key := range []string{"papyan", "row_l2", "duality_etf", "bias_collapse"} {
			if x, ok := r.NC3.Get(key); ok {
				v.Set(key, x)
			}
		}
		if x, ok := r.NC3.Get("mean_cos"); ok {
			v.Set("1 − mean_cos", 1-x)
		}
		return withTest(v, r.NC3Test, "papyan")
	}, "papyan", "row_l2", "1 − mean_cos", "duality_etf", "bias_collapse", "papyan"+testRows)
	add("NC4: rows off the nearest class mean", "share", func(r *nc.Result) analysis.Values { return r.NC4 }, "train", "test")
	for _, set := range oodSets(runs) {
		p := &plot{Title: "NC5: OOD mean of " + set + " against class means", Log: true, Marks: marks}
		pick := func(r *nc.Result) analysis.Values { v, _ := r.NC5.Get(set); return v }
		p.addVariants(runs, pick, "raw", "centred", "etf_energy", "upper_bound", "chance")
		for _, s := range p.Series {
			s.Thin = s.Name == "upper_bound" || s.Name == "chance"
		}
		c.Panels = append(c.Panels, p)
	}
	accuracy := &plot{Title: "Accuracy without augmentation", Y: "%", Marks: marks}
	accuracy.addVariants(runs, func(r *nc.Result) analysis.Values { return r.Accuracy }, "train", "test")
	c.Panels = append(c.Panels, accuracy)
	c.addMeans(runs)
	return c
}

// testRows ends the names of curves of the test rows.
const testRows = ", test rows"

// colours of the page's curves; looks beyond them change the dash.
const colours = 7

// withTest adds to metrics of the training rows one of the test rows under a name of its own.
func withTest(train, test analysis.Values, key string) (v analysis.Values) {
	for _, k := range train.Keys() {
		if x, ok := train.Get(k); ok {
			v.Set(k, x)
		}
	}
	if x, ok := test.Get(key); ok {
		v.Set(key+testRows, x)
	}
	return v
}

// addVariants adds a line a run and key that is defined somewhere.
func (p *plot) addVariants(runs []*stored, pick func(*nc.Result) analysis.Values, keys ...string) {
	for i, r := range runs {
		for look, key := range keys {
			// Of test rows: the colour of the training rows, and another dash.
			if base, of := strings.CutSuffix(key, testRows); of {
				look = slices.Index(keys, base) + colours
			}
			y := over(r.nc, pick, key)
			if math.IsNaN(last(y)) {
				continue
			}
			p.Series = append(p.Series, &line{Name: key, Run: i, Look: look, Off: len(runs) > 1 && look > 0, X: epochsOf(r.nc), Y: y})
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
	for look, m := range []struct {
		name, key string
		pick      func(*nc.Result) analysis.Values
	}{
		{"NC1", "rank", func(r *nc.Result) analysis.Values { return r.NC1 }},
		{"NC2", "equinorm", func(r *nc.Result) analysis.Values { return r.NC2 }},
		{"NC3", "papyan", func(r *nc.Result) analysis.Values { return r.NC3 }},
		{"NC4", "train", func(r *nc.Result) analysis.Values { return r.NC4 }},
		{"NC5", "raw", func(r *nc.Result) analysis.Values { v, _ := r.NC5.Get(set); return v }},
	} {
		for i, r := range runs {
			if y := over(r.nc, m.pick, m.key); !math.IsNaN(last(y)) {
				headlines.Series = append(headlines.Series, &line{Name: m.name + " " + m.key, Run: i, Look: look, Off: len(runs) > 1 && look > 0, X: epochsOf(r.nc), Y: y})
			}
		}
	}
	c.Panels = append(c.Panels, headlines)
	c.addMeans(runs)
	return c
}
