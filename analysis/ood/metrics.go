package ood

import (
	"fmt"
	"math"
	"slices"

	"nctrain/analysis"
)

// MetricKeys are the metrics of Measure in order, the headline first; all in percent.
var MetricKeys = [...]string{"auroc", "fpr95_ood_pos", "fpr95_id_pos", "aupr_out", "aupr_in", "aupr_out_trapz", "aupr_in_trapz"}

const numMetrics = len(MetricKeys)

// Measure compares scores (larger = more in-distribution) of ID and OOD rows. Rows are labelled 0 = ID, 1 = OOD, and the detector's output is -score. Everything comes
// from integer counts at the distinct scores, so ties are exact and no point is dropped. In percent:
//
//	auroc           area under the ROC curve; ties count half
//	fpr95_ood_pos   share of ID rows rejected at the first threshold that finds 95 % of OOD (the notebook, OpenOOD)
//	fpr95_id_pos    share of OOD rows accepted at the threshold that keeps 95 % of ID (ViM, NECO)
//	aupr_out/_in    step-wise average precision with OOD, with ID positive (scikit-learn's average_precision_score)
//	..._trapz       trapezoid under the precision-recall curve from (0, 1) (OpenOOD, ViM, pytorch-ood)
//	base_rate       share of OOD among all rows, what aupr_out is for a useless score
//	ties            share of (ID, OOD) pairs with equal scores, which auroc counts half; a warning beside it where it is more than 1 %
//
// Without rows on one side, or with a score that is not finite, all are null with the reason.
func Measure(id, ood []float64) (v analysis.Values) {
	v.N = len(id) + len(ood)
	steps, err := Steps(id, ood)
	if err != nil {
		for _, key := range MetricKeys {
			v.Null(key, err.Error())
		}
		return v
	}
	nID, nOOD := len(id), len(ood)
	percent := func(key string, x float64) { v.Set(key, 100*x) }
	percent("auroc", auroc(steps, nID, nOOD))
	findOOD, findID := oodFirst(steps), idFirst(steps)
	percent("fpr95_ood_pos", findOOD.fpr95(nOOD, nID))
	percent("fpr95_id_pos", findID.fpr95(nID, nOOD))
	outStep, outTrapz := findOOD.averagePrecision(nOOD)
	inStep, inTrapz := findID.averagePrecision(nID)
	percent("aupr_out", outStep)
	percent("aupr_in", inStep)
	percent("aupr_out_trapz", outTrapz)
	percent("aupr_in_trapz", inTrapz)
	percent("base_rate", float64(nOOD)/float64(nID+nOOD))
	ties := tied(steps, nID, nOOD)
	percent("ties", ties)
	if ties > 0.01 {
		v.Warn("%.3g %% of the (ID, OOD) pairs have equal scores and count half: the score tells them no better than a coin", 100*ties)
	}
	if few := min(nID, nOOD); few < fewRows {
		v.Warn("%d ID and %d OOD rows: fpr95_ood_pos moves in steps of %.3g points, fpr95_id_pos in steps of %.3g", nID, nOOD, 100/float64(nID), 100/float64(nOOD))
	}
	return v
}

// fewRows of one kind are too few for a rate to be read to a point.
const fewRows = 100

// tied is the share of (ID, OOD) pairs with equal scores.
func tied(steps []Step, nID, nOOD int) float64 {
	var pairs int64
	for _, s := range steps {
		pairs += int64(s.ID) * int64(s.OOD)
	}
	return float64(pairs) / float64(nID) / float64(nOOD)
}

// Step is one distinct score and how many rows of each kind have it.
type Step struct {
	Score   float64
	ID, OOD int
}

// Steps lists the distinct scores in ascending order. An error where a side is empty or a score is not finite.
func Steps(id, ood []float64) ([]Step, error) {
	if len(id) == 0 || len(ood) == 0 {
		return nil, fmt.Errorf("%d ID and %d OOD rows: both are needed", len(id), len(ood))
	}
	return mergeSteps(id, ood)
}

// mergeSteps is Steps where a side may be empty.
func mergeSteps(id, ood []float64) ([]Step, error) {
	for side, scores := range [][]float64{id, ood} {
		for i, x := range scores {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, fmt.Errorf("the score of %s row %d is %g", [...]string{"ID", "OOD"}[side], i, x)
			}
		}
	}
	a, b := slices.Clone(id), slices.Clone(ood)
	sortScores(a)
	sortScores(b)
	steps := make([]Step, 0, len(a)+len(b))
	for i, j := 0, 0; i < len(a) || j < len(b); {
		var s Step
		if j == len(b) || (i < len(a) && a[i] <= b[j]) {
			s.Score = a[i]
		} else {
			s.Score = b[j]
		}
		for ; i < len(a) && a[i] == s.Score; i++ {
			s.ID++
		}
		for ; j < len(b) && b[j] == s.Score; j++ {
			s.OOD++
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// auroc is the share of (ID, OOD) pairs in which the ID row has the larger score, ties counted half, from ascending steps.
func auroc(steps []Step, nID, nOOD int) float64 {
	var halves, below int64 // twice the pairs won; OOD rows under this step
	for _, s := range steps {
		halves += int64(s.ID) * (2*below + int64(s.OOD))
		below += int64(s.OOD)
	}
	return float64(halves) / 2 / float64(nID) / float64(nOOD)
}

// descent is how many positives and negatives have each distinct score, in the order in which a falling threshold of the detector takes them in.
type descent []struct{ pos, neg int }

// oodFirst counts with OOD as the positives: the detector's output is -score.
func oodFirst(steps []Step) descent {
	r := make(descent, len(steps))
	for i, s := range steps {
		r[i].pos, r[i].neg = s.OOD, s.ID
	}
	return r
}

// idFirst counts with ID as the positives, with the score as it is.
func idFirst(steps []Step) descent {
	r := make(descent, len(steps))
	for i, s := range steps {
		r[len(steps)-1-i].pos, r[len(steps)-1-i].neg = s.ID, s.OOD
	}
	return r
}

// fpr95 lets the threshold fall until ceil(0.95 nPos) positives are in; ties come in whole.
func (r descent) fpr95(nPos, nNeg int) float64 {
	need := need95(nPos)
	var tp, fp int
	for _, at := range r {
		tp += at.pos
		fp += at.neg
		if tp >= need {
			break
		}
	}
	return float64(fp) / float64(nNeg)
}

// averagePrecision is the area under the precision-recall curve, as steps and as trapezoids that begin at recall 0, precision 1. The steps are counted in rows and divided by
// their number once, so that 1 is exact and nothing exceeds it.
func (r descent) averagePrecision(nPos int) (stepwise, trapezoid float64) {
	var tp, fp int
	before := 1.0
	for _, at := range r {
		tp += at.pos
		fp += at.neg
		precision := float64(tp) / float64(tp+fp)
		rise := float64(at.pos)
		stepwise += rise * precision
		trapezoid += rise * (precision + before) / 2
		before = precision
	}
	return stepwise / float64(nPos), trapezoid / float64(nPos)
}
