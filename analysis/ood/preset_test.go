package ood_test

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/ood"
)

// openOOD gives the rows of testdata/openood_inputs.npz with the named sets.
func openOOD(t *testing.T, sets ...string) ood.Options {
	t.Helper()
	in := archive(t, "testdata/openood_inputs.npz")
	const c, d = 10, 6
	head, err := analysis.NewHead("head", c, d, narrow(in["weight"]), nil, analysis.Meta{Checkpoint: "x"})
	if err != nil {
		t.Fatal(err)
	}
	source := func(name string, labels []int64) analysis.Source {
		if labels == nil {
			labels = make([]int64, len(in[name])/d)
		}
		src, err := analysis.NewMemory(analysis.Info{Name: name, Meta: analysis.Meta{Checkpoint: "x"}}, narrow(in[name]), nil, labels)
		if err != nil {
			t.Fatal(err)
		}
		return src
	}
	var labels []int64
	for _, x := range in["labels"] {
		labels = append(labels, int64(x))
	}
	preset, err := ood.FindPreset("openood-cifar10")
	if err != nil {
		t.Fatal(err)
	}
	o := ood.Options{ID: source("id", labels), Head: head, Scores: []string{"mls"}, Preset: preset}
	for _, name := range sets {
		o.OOD = append(o.OOD, analysis.Named{Name: name, Source: source(name, nil)})
	}
	return o
}

// table reads what WriteOpenOOD writes.
func table(t *testing.T, r *ood.Result) (header []string, rows [][]string) {
	t.Helper()
	var text strings.Builder
	if err := r.WriteOpenOOD(&text); err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(strings.NewReader(text.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all[0], all[1:]
}

// TestOpenOODTable: every number of the table against OpenOOD's formulas in numpy and scikit-learn, in its layout and order, whatever order the sets were given in.
func TestOpenOODTable(t *testing.T) {
	text, err := os.ReadFile("testdata/openood_golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Ties  int
		Table map[string]map[string]float64
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	if golden.Ties < 50 {
		t.Fatalf("%d ties: the case does not tell conventions apart", golden.Ties)
	}
	r := compute(t, openOOD(t, "svhn", "tin", "mnist", "places365", "cifar100", "texture"))
	header, rows := table(t, r)
	if got := strings.Join(header, ","); got != "dataset,FPR@95,AUROC,AUPR_IN,AUPR_OUT,ACC" {
		t.Errorf("header %s", got)
	}
	var order []string
	for _, row := range rows {
		order = append(order, row[0])
		for i, key := range header[1:] {
			got, err := strconv.ParseFloat(row[i+1], 64)
			if want := golden.Table[row[0]][key]; err != nil || strconv.FormatFloat(got, 'f', 2, 64) != row[i+1] || math.Abs(got-want) > 0.005+1e-9 {
				t.Errorf("%s: %s is %s, want %.6f", row[0], key, row[i+1], want)
			}
		}
	}
	if got := strings.Join(order, " "); got != "cifar100 tin nearood mnist svhn texture places365 farood" {
		t.Errorf("rows are %s", got)
	}
	// The digits that the table rounds away.
	for name, group := range r.Groups.All() {
		v, _ := group.Scores.Get("mls")
		for metric, key := range map[string]string{"FPR@95": "fpr95_ood_pos", "AUROC": "auroc", "AUPR_IN": "aupr_in_trapz", "AUPR_OUT": "aupr_out_trapz"} {
			if got, ok := v.Get(key); !ok || math.Abs(got-golden.Table[name][metric]) > 1e-9 {
				t.Errorf("%s: %s is %.12g, want %.12g", name, key, got, golden.Table[name][metric])
			}
		}
	}
	if len(r.Warnings) > 0 {
		t.Errorf("warnings %q", r.Warnings)
	}
}

func TestPresetNamesWhatIsMissing(t *testing.T) {
	o := openOOD(t, "svhn", "tin")
	o.Scores = []string{"msp", "mls"}
	r := compute(t, o)
	for _, want := range []string{"nearood lacks cifar100", "farood lacks mnist, texture, places365", "1 of 4 sets"} {
		if !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, want) }) {
			t.Errorf("no warning %q in %q", want, r.Warnings)
		}
	}
	header, rows := table(t, r)
	var first []string
	for _, row := range rows {
		first = append(first, row[0]+" "+row[1])
	}
	if got := strings.Join(first, ", "); header[0] != "postprocessor" ||
		got != "msp tin, msp nearood (1 of 2 sets), msp svhn, msp farood (1 of 4 sets), mls tin, mls nearood (1 of 2 sets), mls svhn, mls farood (1 of 4 sets)" {
		t.Errorf("%s: %s", header[0], got)
	}
	o = openOOD(t, "svhn")
	if r := compute(t, o); slices.Contains(r.Groups.Keys(), "nearood") {
		t.Error("a group without sets has a mean")
	}
	o.Preset = nil
	if _, rows := table(t, compute(t, o)); len(rows) != 1 || rows[0][0] != "svhn" {
		t.Errorf("without preset: %v", rows)
	}
}

func TestPresetRefusesOtherSetsAndClasses(t *testing.T) {
	o := openOOD(t, "svhn")
	o.OOD[0].Name = "digits"
	if _, err := ood.Compute(t.Context(), o); err == nil || !strings.Contains(err.Error(), `"digits"`) || !strings.Contains(err.Error(), "cifar100, tin, mnist") {
		t.Errorf("err %v", err)
	}
	o = openOOD(t, "svhn")
	var err error
	if o.Preset, err = ood.FindPreset("openood-cifar100"); err != nil {
		t.Fatal(err)
	}
	if _, err := ood.Compute(t.Context(), o); err == nil || !strings.Contains(err.Error(), "100 classes and these are 10") {
		t.Errorf("err %v", err)
	}
	if _, err := ood.FindPreset("imagenet"); err == nil || !strings.Contains(err.Error(), "openood-cifar10, openood-cifar100") {
		t.Errorf("err %v", err)
	}
}
