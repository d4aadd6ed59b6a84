package ood

import "nctrain/analysis"

// healthTable: what a reader needs to trust a result.
var healthTable = []analysis.Part{
	{Name: "head_mismatch", Meaning: "worst ||logits - (W h + b)|| over the scored sets; a head of another checkpoint shows here"},
	{Name: "fit_rows", Meaning: "training rows that detectors are fitted on; 0 where none is"},
	{Name: "fit_smallest_class", Meaning: "rows of the smallest class among them"},
	{Name: "val_rows", Meaning: "held-out rows that detectors are fitted on; 0 where none is"},
	{Name: "overlap", Meaning: "scored rows that also occur in a fit set, and rows of val that occur in the training or ID test rows"},
	{Name: "largest_ties", Meaning: "the largest share of (ID, OOD) pairs with equal scores over sets and scores, percent"},
}

// health fills Health.
func (r *Result) health(fits map[string]*Fit) {
	v := &r.Health
	v.Set("head_mismatch", r.mismatch.Worst)
	v.Set("fit_rows", 0)
	if f := fits["train"]; f != nil {
		v.Set("fit_rows", float64(f.Class.N()))
		smallest, _ := f.Class.Smallest()
		v.Set("fit_smallest_class", float64(smallest))
	} else {
		v.Null("fit_smallest_class", "nothing is fitted on training rows")
	}
	v.Set("val_rows", 0)
	if f := fits["val"]; f != nil {
		v.Set("val_rows", float64(f.Class.N()))
	}
	overlap := len(r.ValOverlap)
	for _, rows := range r.Overlap.All() {
		overlap += len(rows)
	}
	v.Set("overlap", float64(overlap))
	ties := 0.0
	for _, byScore := range r.OOD.All() {
		for _, m := range byScore.All() {
			if x, ok := m.Get("ties"); ok {
				ties = max(ties, x)
			}
		}
	}
	v.Set("largest_ties", ties)
}
