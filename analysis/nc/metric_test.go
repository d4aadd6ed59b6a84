package nc_test

import (
	"slices"
	"testing"

	"nctrain/analysis/nc"
)

// TestMetricsNameWhatResultsHold: the first headline is the first variant of its metric, every headline, curve and reference is a number of a whole result, and Parts hold all of it.
func TestMetricsNameWhatResultsHold(t *testing.T) {
	inputs, _ := golden(t)
	o := inputs["balanced"]
	o.Test = o.Train
	r := compute(t, o)
	sets := r.NC5.Keys()
	for _, m := range nc.Metrics() {
		for _, set := range m.Sets(sets) {
			of, drawn := m.Of(r, set), m.Drawn(r, set)
			if got := of.Keys()[0]; got != m.Headlines[0] {
				t.Errorf("%s: the headline is %s, the first variant %s", m.Key, m.Headlines[0], got)
			}
			for _, key := range m.Headlines {
				if _, ok := of.Get(key); !ok || !slices.Contains(m.Curves, key) {
					t.Errorf("%s: headline %s is no number of a result, or not drawn", m.Key, key)
				}
			}
			if m.Beside != "" && (m.Beside == m.Headlines[0] || !slices.Contains(m.Curves, m.Beside)) {
				t.Errorf("%s: %s stands beside its headline, and is that or not drawn", m.Key, m.Beside)
			}
			for _, key := range slices.Concat(m.Curves, m.References) {
				if _, ok := drawn.Get(key); !ok {
					t.Errorf("%s: curve %s is no number of a result", m.Key, key)
				}
			}
			for _, key := range m.TestCurves {
				if _, ok := m.OfTest(r).Get(key); !ok || !slices.Contains(m.Curves, key) {
					t.Errorf("%s: curve %s is no number of the test rows, or not drawn of the training rows", m.Key, key)
				}
			}
		}
		if hasTest := len(m.OfTest(r).Keys()) > 0; hasTest != (m.TestTitle != "") || hasTest != (len(m.TestCurves) > 0) {
			t.Errorf("%s: numbers of test rows: %v, title %q, curves %v", m.Key, hasTest, m.TestTitle, m.TestCurves)
		}
	}
	var got []string
	for _, p := range r.Parts() {
		got = append(got, p.Key)
		if p.Title == "" || len(p.Values.Keys()) == 0 || (p.Set != "") != (p.Key == "nc5") {
			t.Errorf("part %+v", p)
		}
	}
	want := []string{"nc1", "nc2", "nc3", "nc4"}
	for range sets {
		want = append(want, "nc5")
	}
	if want = append(want, "nc1_test", "nc2_test", "nc3_test"); len(sets) == 0 || !slices.Equal(got, want) {
		t.Errorf("parts %v, want %v", got, want)
	}
	var short []string
	for _, h := range nc.Headlines([]string{"digits"}) {
		short = append(short, h.Key+" "+h.Short())
	}
	if want := []string{"nc1 rank", "nc2 equinorm", "nc2 equiangularity", "nc3 papyan", "nc4 train", "nc4 test", "nc5 digits"}; !slices.Equal(short, want) {
		t.Errorf("headlines %q, want %q", short, want)
	}
	if got := nc.Metrics()[4].Panel("digits"); got != "NC5: OOD mean of digits against class means" {
		t.Errorf("panel %q", got)
	}
}
