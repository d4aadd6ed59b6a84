package ood

import (
	"fmt"
	"math"
	"slices"

	"nctrain/analysis"
)

// MetricKeys are the metrics of Measure in order, the headline first; all in percent.
var MetricKeys = []string{"auroc", "fpr95_ood_pos", "fpr95_id_pos", "aupr_out", "aupr_in", "aupr_out_trapz", "aupr_in_trapz"}

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
	percent("fpr95_ood_pos", fpr95(steps, nOOD, nID, Step.oodCount, Step.idCount))
	down := slices.Clone(steps)
	slices.Reverse(down)
	percent("fpr95_id_pos", fpr95(down, nID, nOOD, Step.idCount, Step.oodCount))
	outStep, outTrapz := averagePrecision(steps, nOOD, Step.oodCount, Step.idCount)
	inStep, inTrapz := averagePrecision(down, nID, Step.idCount, Step.oodCount)
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
		v.Warn("%d ID and %d OOD rows: FPR95 moves in steps of %.2g points", nID, nOOD, 100/float64(few))
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

func (s Step) idCount() int  { return s.ID }
func (s Step) oodCount() int { return s.OOD }

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
	slices.Sort(a)
	slices.Sort(b)
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

// fpr95 walks the steps in the order in which a falling threshold takes them in, until ceil(0.95 nPos) positives are in; ties come in whole.
func fpr95(steps []Step, nPos, nNeg int, pos, neg func(Step) int) float64 {
	need := need95(nPos)
	var tp, fp int
	for _, s := range steps {
		tp += pos(s)
		fp += neg(s)
		if tp >= need {
			break
		}
	}
	return float64(fp) / float64(nNeg)
}

// averagePrecision is the area under the precision-recall curve, as steps and as trapezoids that begin at recall 0, precision 1.
func averagePrecision(steps []Step, nPos int, pos, neg func(Step) int) (stepwise, trapezoid float64) {
	var tp, fp int
	before := 1.0
	for _, s := range steps {
		tp += pos(s)
		fp += neg(s)
		precision := float64(tp) / float64(tp+fp)
		rise := float64(pos(s)) / float64(nPos)
		stepwise += rise * precision
		trapezoid += rise * (precision + before) / 2
		before = precision
	}
	return stepwise, trapezoid
}
