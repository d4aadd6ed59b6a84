package ood_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/ood"
)

// TestEverythingInAResultIsExplained: every detector, and every key of a result with intervals.
func TestEverythingInAResultIsExplained(t *testing.T) {
	o := plain(t)
	o.Replicates = 40
	r := compute(t, o)
	var names []string
	for _, d := range ood.Detectors() {
		names = append(names, d.Name)
	}
	for _, byScore := range r.OOD.All() {
		for _, v := range byScore.All() {
			names = append(names, v.Keys()...)
		}
	}
	for _, byScore := range r.Comparisons.All() {
		for _, v := range byScore.All() {
			names = append(names, v.Keys()...)
		}
	}
	e, err := ood.Explain("ood.health")
	if err != nil {
		t.Fatal(err)
	}
	for i, key := range r.Health.Keys() {
		if i >= len(e.Parts) || e.Parts[i].Name != key {
			t.Errorf("health has %s, which is not explained in its place: %v", key, e.Parts)
		}
	}
	o = headed(t, archive(t, "testdata/detectors_golden.npz"), "plain")
	o.Notebook = true
	if e, err = ood.Explain("ood.fit"); err != nil {
		t.Fatal(err)
	}
	unused := map[string]bool{}
	for _, p := range e.Parts {
		unused[p.Name] = true
	}
	all := compute(t, o)
	for _, d := range ood.Detectors() {
		v, _ := all.Detectors.Get(d.Name)
		for _, key := range v.Keys() {
			is := func(name string) bool { return name == key }
			if !slices.ContainsFunc(e.Parts, func(p analysis.Part) bool { return is(p.Name) }) && !slices.ContainsFunc(d.Params, func(p ood.Param) bool { return is(p.Key) }) && !is("fit") {
				t.Errorf("%s reports %s, which is not explained", d.Name, key)
			}
			delete(unused, key)
		}
	}
	if len(unused) > 0 {
		t.Errorf("nothing reports %v", slices.Sorted(maps.Keys(unused)))
	}
	for _, v := range r.Selective.All() {
		names = append(names, v.Keys()...)
	}
	for _, name := range append(names, ood.Explainable()...) {
		e, err := ood.Explain(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if (e.Name != name && !strings.Contains(name, "_")) || e.Definition == "" || e.Source == "" || e.Pitfalls == "" {
			t.Errorf("%s lacks definition, source or pitfalls: %+v", name, e)
		}
	}
	if _, err := ood.Explain("magic"); err == nil || !strings.Contains(err.Error(), "knn") || !strings.Contains(err.Error(), "auroc") {
		t.Errorf("err %v", err)
	}
	e, _ = ood.Explain("knn")
	if text := e.String(); !strings.Contains(text, "--param knn.k=50") || !strings.Contains(text, "Y. Sun") || !strings.Contains(text, "training rows") {
		t.Errorf("explanation %q", text)
	}
}
