package ood

import (
	"errors"
	"slices"

	"nctrain/analysis"
	"nctrain/analysis/stats"
)

// RiskPoint is a point of the risk-coverage curve: of the share Coverage of rows with the largest scores, the share Risk is classified wrongly.
type RiskPoint struct{ Coverage, Risk float64 }

// RiskCoverage gives the risk-coverage curve at the distinct scores in falling order (R. El-Yaniv, Y. Wiener, JMLR 2010), and the area under it in 0..1: the mean of the risk over
// the coverages 1/n .. 1 (Y. Geifman, G. Uziel, R. El-Yaniv, ICLR 2019). Rows of equal score come in random order; the area is the expectation over it. An
// error without rows, or where a score is not finite.
func RiskCoverage(scores []float64, correct []bool) (curve []RiskPoint, area float64, err error) {
	var right, wrong []float64
	for i, x := range scores {
		if correct[i] {
			right = append(right, x)
		} else {
			wrong = append(wrong, x)
		}
	}
	if len(scores) == 0 {
		return nil, 0, errors.New("there are no rows")
	}
	steps, err := mergeSteps(right, wrong)
	if err != nil {
		return nil, 0, err
	}
	slices.Reverse(steps)
	n := float64(len(scores))
	var kept, errorsKept float64
	for _, s := range steps {
		tied, mistakes := float64(s.ID+s.OOD), float64(s.OOD)
		for i := 1.0; i <= tied; i++ {
			area += (errorsKept + mistakes*i/tied) / (kept + i) / n
		}
		kept, errorsKept = kept+tied, errorsKept+mistakes
		curve = append(curve, RiskPoint{kept / n, errorsKept / kept})
	}
	return curve, area, nil
}

// bestArea is the area of an order that puts every mistake last.
func bestArea(n, mistakes int) (area float64) {
	for i := 1; i <= mistakes; i++ {
		area += float64(i) / float64(n-mistakes+i) / float64(n)
	}
	return area
}

// OSCR is the area in 0..1 under the open-set classification rate (A. Dhamija, M. Günther, T. Boult, NeurIPS 2018): the share of ID rows that are accepted and classified correctly,
// against the share of OOD rows accepted. It is the share of (ID, OOD) pairs in which the ID row is right and scores higher; ties count half.
func OSCR(id []float64, correct []bool, ood []float64) (float64, error) {
	var right []float64
	for i, x := range id {
		if correct[i] {
			right = append(right, x)
		}
	}
	if len(id) == 0 || len(ood) == 0 {
		return 0, errors.New("rows of both kinds are needed")
	}
	steps, err := mergeSteps(right, ood)
	if err != nil {
		return 0, err
	}
	return auroc(steps, len(id), len(ood)), nil
}

// selective fills Selective and adds OSCR beside AUROC.
func (r *Result) selective(threads int) {
	id, _ := r.Scores.Get(IDName)
	const reason = "the ID labels are no classes of the head"
	mistakes := 0
	for _, right := range r.Correct {
		if !right {
			mistakes++
		}
	}
	names := id.Keys()
	bySelf := make([]analysis.Values, len(names))
	stats.Parallel(len(names), threads, func(i int) {
		scores, _ := id.Get(names[i])
		v := &bySelf[i]
		if r.Correct == nil {
			v.Null("aurc", reason)
			v.Null("aurc_best", reason)
		} else if _, area, err := RiskCoverage(scores, r.Correct); err != nil {
			v.Null("aurc", err.Error())
			v.Null("aurc_best", err.Error())
		} else {
			v.Set("aurc", 100*area)
			v.Set("aurc_best", 100*bestArea(len(scores), mistakes))
		}
	})
	for i, name := range names {
		r.Selective.Set(name, bySelf[i])
	}
	for set, byScore := range r.OOD.All() {
		scores, _ := r.Scores.Get(set)
		names := byScore.Keys()
		values := make([]analysis.Values, len(names))
		stats.Parallel(len(names), threads, func(i int) {
			v, _ := byScore.Get(names[i])
			a, ok := id.Get(names[i])
			b, _ := scores.Get(names[i])
			switch {
			case !ok:
				v.Null("oscr", v.Reason("auroc"))
			case r.Correct == nil:
				v.Null("oscr", reason)
			default:
				if x, err := OSCR(a, r.Correct, b); err != nil {
					v.Null("oscr", err.Error())
				} else {
					v.Set("oscr", 100*x)
				}
			}
			values[i] = v
		})
		for i, name := range names {
			byScore.Set(name, values[i])
		}
		r.OOD.Set(set, byScore)
	}
}
