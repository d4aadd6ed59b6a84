package ood_test

import (
	"context"
	"slices"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/ood"
)

// times is a source whose features are those of another times a power of two.
type times struct {
	analysis.Source
	scale float64
}

func (s times) Sweep(ctx context.Context, visit func(*analysis.Block) error) error {
	return s.Source.Sweep(ctx, func(b *analysis.Block) error {
		scaled := *b
		scaled.Features = slices.Clone(b.Features)
		for i := range scaled.Features {
			scaled.Features[i] *= s.scale
		}
		return visit(&scaled)
	})
}

// TestUnitOfTheFeatures: features times a power of two under a head divided by it have the same logits, and no detector ranks any row otherwise: a threshold that is not relative
// to the features would.
func TestUnitOfTheFeatures(t *testing.T) {
	metrics := func(scale float64) map[string]analysis.Values {
		o := headed(t, archive(t, "testdata/detectors_golden.npz"), "zero_units")
		o.Notebook, o.Params = true, map[string]float64{"nci.a": 0} // its second term has the unit of the features
		o.Train, o.Val, o.ID, o.OOD[0].Source = times{o.Train, scale}, times{o.Val, scale}, times{o.ID, scale}, times{o.OOD[0].Source, scale}
		head := *o.Head
		head.Weight = slices.Clone(head.Weight)
		for i := range head.Weight {
			head.Weight[i] /= scale
		}
		o.Head = &head
		all := map[string]analysis.Values{}
		r := compute(t, o)
		byScore, _ := r.OOD.Get("noise")
		for name, v := range byScore.All() {
			all[name] = v
		}
		return all
	}
	want := metrics(1)
	for _, scale := range []float64{0x1p-15, 0x1p15} {
		got := metrics(scale)
		for name, v := range want {
			for _, key := range ood.MetricKeys {
				a, okA := got[name].Get(key)
				b, okB := v.Get(key)
				if a != b || okA != okB {
					t.Errorf("features times %g: %s of %s is %g (%s), in their own unit %g", scale, key, name, a, got[name].Reason(key), b)
					break
				}
			}
		}
	}
}
