package nn

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"nctrain/kernels"
)

func pinnedTrainer(t *testing.T, p kernels.Precision, choice kernels.Choice) (*Trainer, error) {
	t.Helper()
	dev := openDevice(t, 1)
	s := NotebookSettings()
	s.BatchSize = 4
	return NewTrainer(dev, placed(t, dev, p, goldenClasses, 3), goldenSet(), s, PlanOptions{Precision: p, Choice: choice})
}

// A pin's counts are those of the plan's launches, also where the pinned operation is another's part, or fuses others.
func TestPinsTellWhereTheyApply(t *testing.T) {
	choice := kernels.Choice{kernels.ConvFprop: "winograd_f42", kernels.ConvDgradAdd: "im2col", kernels.ConvWgrad: "direct", kernels.ReLUForward: "direct"}
	tr, err := pinnedTrainer(t, kernels.FP32, choice)
	if err != nil {
		t.Fatal(err)
	}
	plan := tr.Plan()
	done := func(op kernels.OpID) int {
		n := 0
		for _, s := range plan.steps {
			if !s.pack && s.variant.Name == choice[op] && (s.node.op == op || slices.Index(s.node.op.Op().Fuses, op) == 0) {
				n++
			}
		}
		return n
	}
	// A ResNet-18 has 20 convolutions, of which 3 are 3x3 with a stride of 2 and 3 are 1x1, each with a block's other gradient to add to.
	want := []struct {
		op             kernels.OpID
		calls, refused int
	}{{kernels.ConvFprop, 20, 17}, {kernels.ConvWgrad, 20, 0}, {kernels.ConvDgradAdd, 8, 5}, {kernels.ReLUForward, 0, 0}}
	pins := plan.Pins()
	if len(pins) != len(want) {
		t.Fatalf("%d pins, want %d", len(pins), len(want))
	}
	for i, w := range want {
		if p := pins[i]; p.Variant.Op != w.op || p.Calls != w.calls || p.Refused != w.refused || p.Calls-p.Refused != done(w.op) {
			t.Errorf("%v: %d calls, %d refused, %d done by it; want %v, %d, %d", p.Variant, p.Calls, p.Refused, done(w.op), w.op, w.calls, w.refused)
		}
	}
	refusals := plan.Refusals()
	if len(refusals) != 2 || !strings.HasPrefix(refusals[0], "conv_fprop=winograd_f42: needs a 3x3 filter with stride 2") || !strings.Contains(refusals[0], "it does 3 of 20 calls") {
		t.Errorf("refusals %q", refusals)
	}
}

// A pin that does no call is refused, with the reason of the first; an operation that is not there refuses nothing.
func TestPinsThatApplyNowhereAreRefused(t *testing.T) {
	for _, choice := range []kernels.Choice{{kernels.ConvFprop: "im2col"}, {kernels.ConvFpropStats: "winograd_f43"}} {
		_, err := pinnedTrainer(t, kernels.FP64, choice)
		var pin *PinError
		if !errors.As(err, &pin) || pin.Calls != 20 || !strings.Contains(err.Error(), "has no fp64") || !strings.Contains(err.Error(), "4x32x32x3_k3") {
			t.Errorf("%v: %v", choice, err)
		}
	}
	if _, err := pinnedTrainer(t, kernels.FP64, kernels.Choice{kernels.ConvFpropBN: "im2col"}); err != nil { // evaluation's
		t.Error(err)
	}
}
