package cpu

import (
	"math"
	"testing"
)

func TestCrossEntropy(t *testing.T) {
	for _, s := range []Shape{{N: 4, K: 10, H: 3}, {N: 1, K: 2, H: 1}, {N: 131, K: 100, H: 5}, {N: 7, K: 33, H: 2}} {
		n, k, slots := int(s.N), int(s.K), int(s.H)
		logits, labels := reals(30, n*k), make([]float64, n)
		state := []float64{6, float64(slots + 1), 0, 0, 0, 0, 0, 0}
		losses, correct := make([]float64, slots), make([]float64, slots)
		for i := range losses {
			losses[i], correct[i] = 77, 55 // the other slots stay
		}
		loss, hits := 0.0, 0.0
		dlogits, bound := make([]float64, n*k), make([]float64, n*k)
		for i := range n {
			row := logits[i*k : (i+1)*k]
			labels[i] = float64(i * 7 % k)
			row[k-1] = row[0] // a tie, of the maximum in some rows
			if i%3 == 0 {
				row[0], row[k-1] = 9, 9
				labels[i] = float64(i % 2 * (k - 1))
			}
			best, sum := 0, 0.0
			for j, l := range row {
				if l > row[best] {
					best = j
				}
				sum += math.Exp(l)
			}
			if best == int(labels[i]) {
				hits++
			}
			loss += (math.Log(sum) - row[int(labels[i])]) / float64(n)
			for j, l := range row {
				d := math.Exp(l) / sum
				if j == int(labels[i]) {
					d--
				}
				dlogits[i*k+j] = d / float64(n)
				bound[i*k+j] = math.Abs(d) / float64(n) // the rounding to T
			}
		}
		wantLosses, wantCorrect := append([]float64(nil), losses...), append([]float64(nil), correct...)
		slot := (slots + 1) % slots
		wantLosses[slot], wantCorrect[slot] = loss, hits
		for _, gradient := range []bool{true, false} {
			args := []arg{
				{name: "logits", in: logits}, {name: "labels", kind: int32Kind, in: labels}, {name: "state", kind: int64Kind, in: state},
				{name: "losses", kind: float64Kind, in: losses, want: wantLosses, slack: 1e-14},
				{name: "correct", kind: int32Kind, in: correct, want: wantCorrect},
				{name: "dlogits", want: dlogits, bound: bound, slack: 1e-14, absent: !gradient},
			}
			checkKernel(t, "cross_entropy_direct", s, args, nil, 0)
		}
	}
}

// A loss that is not finite marks the step, and a mark is never moved.
func TestCrossEntropyMarksNonFinite(t *testing.T) {
	s := Shape{N: 2, K: 3, H: 1}
	for _, c := range []struct{ logit, mark, want, hits float64 }{
		{math.NaN(), 0, 7, 1}, {math.Inf(1), 0, 7, 0}, {math.NaN(), 3, 3, 1}, {1, 0, 0, 0},
	} {
		logits := []float64{0, c.logit, 0, 1, 2, 3}
		state, after := []float64{6, 0, 0, 0, 0, c.mark, 0, 0}, []float64{6, 0, 0, 0, 0, c.want, 0, 0}
		loss := math.NaN()
		if c.logit == 1 {
			loss = (math.Log(2+math.E) - 0 + math.Log(math.E+math.Exp(2)+math.Exp(3)) - 2) / 2
		}
		checkKernel(t, "cross_entropy_direct", s, []arg{
			{name: "logits", in: logits}, {name: "labels", kind: int32Kind, in: []float64{0, 1}},
			{name: "state", kind: int64Kind, in: state, want: after},
			{name: "losses", kind: float64Kind, in: []float64{5}, want: []float64{loss}, slack: 1e-14},
			{name: "correct", kind: int32Kind, in: []float64{5}, want: []float64{c.hits}},
			{name: "dlogits", absent: true},
		}, nil, 0)
	}
}
