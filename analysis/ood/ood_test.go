package ood_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/ood"
)

func compute(t *testing.T, o ood.Options) *ood.Result {
	t.Helper()
	r, err := ood.Compute(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func plain(t *testing.T) ood.Options {
	t.Helper()
	return options(t, archive(t, "testdata/ood_inputs.npz"), "plain")
}

func TestEveryDetectorIsDescribed(t *testing.T) {
	seen := map[string]bool{}
	var six []string
	for _, d := range ood.Detectors() {
		if d.Name == "" || seen[d.Name] || d.Formula == "" || d.Source == "" || d.Pitfalls == "" || (d.New == nil) == (d.Learn == nil) {
			t.Errorf("detector %q lacks a name of its own, formula, source, pitfalls or one constructor", d.Name)
		}
		seen[d.Name] = true
		for _, p := range d.Params {
			if p.Key == "" || p.Doc == "" {
				t.Errorf("%s: parameter %q is not described", d.Name, p.Key)
			}
		}
		if d.Notebook {
			six = append(six, d.Name)
		}
	}
	if want := []string{"msp", "mls", "energy", "mahalanobis", "vim", "neco"}; !slices.Equal(six, want) {
		t.Errorf("the notebook's scores are %v, want %v", six, want)
	}
}

func TestSelect(t *testing.T) {
	names := func(scores []string, notebook bool) string {
		t.Helper()
		chosen, err := ood.Select(scores, notebook)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, d := range chosen {
			out = append(out, d.Name)
		}
		return strings.Join(out, " ")
	}
	for want, got := range map[string]string{
		"msp mls energy mahalanobis vim neco": names(nil, false),
		"msp mls energy mahalanobis vim neco msp@notebook mahalanobis@notebook vim@notebook neco@notebook": names(nil, true),
		"mls vim":              names([]string{"vim", "mls"}, false),
		"vim vim@notebook":     names([]string{"vim"}, true),
		"neco neco@notebook":   names([]string{"neco@notebook", "neco"}, false),
		"energy msp@notebook":  names([]string{"energy", "msp@notebook"}, true),
		"mahalanobis@notebook": names([]string{"mahalanobis@notebook"}, false),
	} {
		if got != want {
			t.Errorf("selected %q, want %q", got, want)
		}
	}
	if _, err := ood.Select([]string{"magic"}, false); err == nil || !strings.Contains(err.Error(), "magic") || !strings.Contains(err.Error(), "energy") {
		t.Errorf("err %v", err)
	}
}

func TestParametersAreChecked(t *testing.T) {
	for setting, c := range map[string]struct {
		value float64
		want  string
	}{
		"magic.k": {1, "no score"}, "vim.size": {1, "vim.dim"}, "msp.t": {1, "has none"}, "vim.dim": {2.5, "whole number"}, "knn.k": {0, "at least 1"},
		"react.percentile": {1.5, "between 0 and 1"}, "neco.scaler": {2, "0 or 1"}, "nci.a": {math.NaN(), "a number"}, "gen.gamma": {-1, "at least 0"},
	} {
		o := plain(t)
		o.Params = map[string]float64{setting: c.value}
		if _, err := ood.Compute(t.Context(), o); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), setting) {
			t.Errorf("%s: err %v", setting, err)
		}
		if err := ood.CheckParams(ood.Detectors(), o.Params); err == nil {
			t.Errorf("%s = %g was taken", setting, c.value)
		}
	}
	for _, d := range ood.Detectors() {
		for _, p := range d.Params {
			name := d.Name + "." + p.Key
			if err := ood.CheckParams(ood.Detectors(), map[string]float64{name: p.Default}); err != nil {
				t.Errorf("the default of %s is refused: %v", name, err)
			}
		}
	}
	if chosen, _ := ood.Select([]string{"vim"}, false); ood.CheckParams(chosen, map[string]float64{"vim.dim": 3}) != nil {
		t.Error("vim.dim is refused for vim")
	} else if err := ood.CheckParams(chosen, map[string]float64{"knn.k": 3}); err == nil || !strings.Contains(err.Error(), "knn is not among") {
		t.Errorf("knn.k without knn: err %v", err)
	}
	for setting, want := range map[string]string{"msp.t": "msp has none", "react.k": "react has react.percentile"} {
		if err := ood.CheckParams(ood.Detectors(), map[string]float64{setting: 1}); err == nil || !strings.HasSuffix(err.Error(), "there is no parameter "+setting+": "+want) {
			t.Errorf("%s: err %v", setting, err)
		}
	}
	o := plain(t)
	o.Params = map[string]float64{"vim.dim": 300, "neco.k": 400, "vim@notebook.dim": 20}
	r := compute(t, o)
	for name, want := range map[string]string{"vim": "leaves no residual", "neco": "do not exist", "vim@notebook": "leaves no residual"} {
		v, _ := r.Detectors.Get(name)
		if !strings.Contains(v.Reason("fit"), want) {
			t.Errorf("%s: reason %q, want %q", name, v.Reason("fit"), want)
		}
	}
}

// TestLogOddsDoNotSaturate: logits so far apart that the softmax is 1 in float64 still rank.
func TestLogOddsDoNotSaturate(t *testing.T) {
	head, err := analysis.NewHead("h", 2, 2, []float64{1, 0, 0, 1}, nil, analysis.Meta{Checkpoint: "x"})
	if err != nil {
		t.Fatal(err)
	}
	source := func(features ...float64) analysis.Source {
		src, err := analysis.NewMemory(analysis.Info{Name: "m", Meta: analysis.Meta{Checkpoint: "x"}}, features, nil, make([]int64, len(features)/2))
		if err != nil {
			t.Fatal(err)
		}
		return src
	}
	o := ood.Options{ID: source(100, 0, 90, 0), OOD: []analysis.Named{{Name: "n", Source: source(80, 0, 70, 0)}}, Head: head, Scores: []string{"msp", "energy", "mls"}, Notebook: true}
	r := compute(t, o)
	for score, want := range map[string]float64{"msp": 100, "energy": 100, "mls": 100, "msp@notebook": 50} {
		set, _ := r.OOD.Get("n")
		v, _ := set.Get(score)
		if got, _ := v.Get("auroc"); got != want {
			t.Errorf("%s: AUROC %g, want %g", score, got, want)
		}
	}
	if len(r.Warnings) > 0 {
		t.Errorf("warnings %q", r.Warnings)
	}
}

func TestWhatCannotBeFittedIsNullWithReason(t *testing.T) {
	o := plain(t)
	o.Train = nil
	r := compute(t, o)
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		OOD       map[string]map[string]map[string]any `json:"ood"`
		Detectors map[string]map[string]any            `json:"detectors"`
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	vim := all.OOD["noise"]["vim"]
	if reasons, _ := vim["reasons"].(map[string]any); vim["auroc"] != nil || !strings.Contains(reasons["auroc"].(string), "training rows") {
		t.Errorf("vim without training rows: %v", vim)
	}
	if all.OOD["noise"]["energy"]["auroc"] == nil || all.Detectors["energy"]["fit"] != "none" {
		t.Error("energy needs no training rows")
	}
	if !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.HasPrefix(w, "vim is left out") }) {
		t.Errorf("warnings %q", r.Warnings)
	}
}

func TestResidualThatIsRoundingIsRefused(t *testing.T) {
	// Features in a plane of D = 4 dimensions leave vim's default residual (D/2 = 2 dimensions) empty.
	features := []float64{1, 2, 0, 0, 2, 1, 0, 0, 3, -1, 0, 0, -1, 3, 0, 0}
	src, err := analysis.NewMemory(analysis.Info{Name: "m"}, features, nil, []int64{0, 1, 0, 1})
	if err != nil {
		t.Fatal(err)
	}
	head, err := analysis.NewHead("h", 2, 4, []float64{1, 0, 0, 0, 0, 1, 0, 0}, nil, analysis.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	r := compute(t, ood.Options{Train: src, ID: src, OOD: []analysis.Named{{Name: "n", Source: src}}, Head: head, Scores: []string{"vim"}, AllowOverlap: true})
	v, _ := r.Detectors.Get("vim")
	if !strings.Contains(v.Reason("fit"), "rounding") {
		t.Errorf("reason %q", v.Reason("fit"))
	}
}

// withRows replaces the first k rows of a golden case's ID set by its first k training rows.
func withRows(t *testing.T, k int) ood.Options {
	t.Helper()
	inputs := archive(t, "testdata/ood_inputs.npz")
	d := len(inputs["plain_weight"]) / classes
	copy(inputs["plain_id_features"][:k*d], inputs["plain_train_features"][:k*d])
	copy(inputs["plain_id_logits"][:k*classes], inputs["plain_train_logits"][:k*classes])
	for range 100 { // 160 ID rows, so that one is less than 1 %
		last := inputs["plain_id_features"][len(inputs["plain_id_features"])-d:]
		inputs["plain_id_features"] = append(inputs["plain_id_features"], last...)
		l := inputs["plain_id_logits"]
		inputs["plain_id_logits"] = append(l, l[len(l)-classes:]...)
	}
	return options(t, inputs, "plain")
}

func TestOverlapIsCountedListedAndBounded(t *testing.T) {
	if r := compute(t, withRows(t, 0)); r.Overlap.Len() != 0 {
		t.Error("sets apart are said to overlap")
	}
	r := compute(t, withRows(t, 1))
	if rows, _ := r.Overlap.Get(ood.IDName); !slices.Equal(rows, []int{0}) || r.NID != 160 {
		t.Errorf("overlap %v of %d", rows, r.NID)
	}
	if !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "1 of 160 rows also occur") }) {
		t.Errorf("warnings %q", r.Warnings)
	}
	if _, err := ood.Compute(t.Context(), withRows(t, 2)); err == nil || !strings.Contains(err.Error(), "--drop-overlap to leave these rows out") || !strings.Contains(err.Error(), "--allow-overlap to go on") {
		t.Errorf("2 of 160: err %v", err)
	}
	o := withRows(t, 2)
	o.DropOverlap = true
	r = compute(t, o)
	if !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "2 of 160 rows") && strings.Contains(w, "left out") }) {
		t.Errorf("warnings %q", r.Warnings)
	}
	scores, _ := r.Scores.Get(ood.IDName)
	if energy, _ := scores.Get("energy"); r.NID != 158 || len(energy) != 158 {
		t.Errorf("%d rows and %d scores after dropping 2 of 160", r.NID, len(energy))
	}
	o = withRows(t, 2)
	o.Scores = []string{"energy"} // fits nothing, so there is nothing to overlap with
	if r = compute(t, o); r.Overlap.Len() != 0 {
		t.Error("overlap without a fit set")
	}
}

func TestRowsWithNaNAreNamed(t *testing.T) {
	inputs := archive(t, "testdata/ood_inputs.npz")
	d := len(inputs["plain_weight"]) / classes
	for set, row := range map[string]int{"train": 5, "id": 7, "ood": 3} {
		x := inputs["plain_"+set+"_features"]
		keep := x[row*d]
		x[row*d] = math.NaN()
		_, err := ood.Compute(t.Context(), options(t, inputs, "plain"))
		if err == nil || !strings.Contains(err.Error(), set) || !strings.Contains(err.Error(), "NaN") {
			t.Errorf("%s: err %v", set, err)
		}
		x[row*d] = keep
	}
}

func TestNamesOfSets(t *testing.T) {
	for _, name := range []string{"", "id", "a/b", "noise"} {
		o := plain(t)
		o.OOD = append(o.OOD, analysis.Named{Name: name, Source: o.OOD[0].Source})
		if _, err := ood.Compute(t.Context(), o); err == nil {
			t.Errorf("the name %q was taken", name)
		}
	}
}

func TestResultLayoutAndThreads(t *testing.T) {
	var first string
	for _, threads := range []int{1, 2, 7} {
		o := plain(t)
		o.Threads = threads
		r := compute(t, o)
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = string(text)
		} else if string(text) != first {
			t.Errorf("%d threads give other numbers", threads)
		}
		var back ood.Result
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if again, _ := json.Marshal(&back); string(again) != string(text) {
			t.Error("a round trip changes the result")
		}
		if n, _ := r.NOOD.Get("noise"); n != 50 || r.NID != 60 || r.IDAccuracy == nil {
			t.Errorf("n_ood %d, n_id %d, id_accuracy %v", n, r.NID, r.IDAccuracy)
		}
	}
}

func TestMeasureWithoutRowsOrWithNaNIsNull(t *testing.T) {
	for _, v := range []analysis.Values{ood.Measure(nil, []float64{1}), ood.Measure([]float64{1}, nil), ood.Measure([]float64{1, math.NaN()}, []float64{1})} {
		for _, key := range ood.MetricKeys {
			if _, ok := v.Get(key); ok || v.Reason(key) == "" {
				t.Errorf("%s is defined, or null without a reason", key)
			}
		}
	}
}

func TestPartsThatAreNeeded(t *testing.T) {
	for name, leave := range map[string]func(*ood.Options){
		"ID": func(o *ood.Options) { o.ID = nil }, "head": func(o *ood.Options) { o.Head = nil }, "OOD": func(o *ood.Options) { o.OOD = nil },
	} {
		o := plain(t)
		leave(&o)
		if _, err := ood.Compute(t.Context(), o); err == nil || !strings.Contains(err.Error(), "an ID test set, a head and at least one OOD set are needed") {
			t.Errorf("without %s: err %v", name, err)
		}
	}
}

// TestOneLabelOutsideTheHead leaves out what needs the labels of the ID rows, and nothing else.
func TestOneLabelOutsideTheHead(t *testing.T) {
	s := identity()
	s.id = []float64{3, 0, 0, 2, 1, 5}
	o := s.options(t, "msp")
	id, err := analysis.NewMemory(analysis.Info{Name: "id", Meta: analysis.Meta{Checkpoint: "x"}}, s.id, nil, []int64{0, 2, 1})
	if err != nil {
		t.Fatal(err)
	}
	o.ID = id
	r := compute(t, o)
	if r.IDAccuracy != nil || r.Correct != nil || r.Reasons["id_accuracy"] != "1 of 3 ID labels are no class of the head" {
		t.Errorf("id_accuracy %v, %q", r.IDAccuracy, r.Reasons["id_accuracy"])
	}
	selective, _ := r.Selective.Get("msp")
	set, _ := r.OOD.Get("n")
	v, _ := set.Get("msp")
	for key, reason := range map[string]string{"aurc": selective.Reason("aurc"), "aurc_best": selective.Reason("aurc_best"), "oscr": v.Reason("oscr")} {
		if reason != "the ID labels are no classes of the head" {
			t.Errorf("%s: reason %q", key, reason)
		}
	}
	if _, ok := v.Get("auroc"); !ok {
		t.Error("auroc needs no labels and is null")
	}
}

// TestDefaults: those of SPEC 5, which has them from the papers or the authors' code. 0 stands for what depends on D and C.
func TestDefaults(t *testing.T) {
	want := map[string]float64{"neco.scaler": 1, "gen.gamma": 0.1, "gen.m": 100, "nci.a": 1e-4, "knn.k": 50, "nnguide.k": 10, "react.percentile": 0.9, "dice.keep": 0.3, "ash_p.percentile": 0.6,
		"ash_b.percentile": 0.65, "ash_s.percentile": 0.9, "scale.percentile": 0.85, "vra.low": 0.1, "vra.high": 0.9, "openmax.tail": 20, "openmax.alpha": 10, "vim@notebook.dim": 64}
	for _, d := range ood.Detectors() {
		for _, p := range d.Params {
			if name := d.Name + "." + p.Key; p.Default != want[name] {
				t.Errorf("%s is %g, want %g", name, p.Default, want[name])
			}
		}
	}
}
