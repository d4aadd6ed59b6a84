package nc_test

import (
	"slices"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/nc"
)

// TestEverythingInAResultIsExplained: every key of results with and without room for a simplex ETF, and nothing that no result has.
func TestEverythingInAResultIsExplained(t *testing.T) {
	inputs, _ := golden(t)
	seen := map[string]bool{}
	take := func(metric string, v analysis.Values) {
		for _, key := range v.Keys() {
			seen[metric+"."+key] = true
		}
	}
	many := small(t, 6, []int64{0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5}) // C-1 > D
	many.Test = many.Train
	results := []*nc.Result{compute(t, many)}
	for _, o := range inputs {
		results = append(results, compute(t, o))
	}
	for _, r := range results {
		for metric, v := range map[string]analysis.Values{"accuracy": r.Accuracy, "nc1": r.NC1, "nc2": r.NC2, "nc3": r.NC3, "nc4": r.NC4, "health": r.Health,
			"nc1_test": r.NC1Test, "nc2_test": r.NC2Test, "nc3_test": r.NC3Test} {
			take(metric, v)
		}
		for _, v := range r.NC5.All() {
			take("nc5", v)
		}
		columns, _ := marshal(t, r)["per_class"].(map[string]any)
		for key := range columns {
			if key != "reasons" {
				seen["per_class."+key] = true
			}
		}
	}
	explained := nc.Explainable()
	for name := range seen {
		if !slices.Contains(explained, name) {
			t.Errorf("%s is not explained", name)
		}
	}
	for _, name := range explained {
		e, err := nc.Explain(name)
		if err != nil || e.Definition == "" || e.Source == "" || e.Pitfalls == "" {
			t.Errorf("%s lacks definition, source or pitfalls: %+v, err %v", name, e, err)
		}
		if strings.Contains(name, ".") && !seen[name] {
			t.Errorf("%s is explained and in no result", name)
		}
	}
	for _, name := range []string{"nc6", "nc1.magic"} {
		if _, err := nc.Explain(name); err == nil || !strings.Contains(err.Error(), "nc1.cdnv") {
			t.Errorf("%s: err %v", name, err)
		}
	}
	if e, _ := nc.Explain("nc1"); !strings.Contains(e.String(), "cdnv") || !strings.Contains(e.String(), "Papyan") {
		t.Errorf("explanation %q", e)
	}
}
