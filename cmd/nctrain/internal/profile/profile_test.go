package profile

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"nctrain/kernels"
	"nctrain/nn"
)

// steps are three profiles of a plan of two convolutions, one packing and a batch norm. 10 GFLOP/s and 10 GB/s is the roofline; before the last, which takes nine times
// as long, a ninth of that.
func steps() []Step {
	conv := &kernels.Variant{Op: kernels.ConvFprop, Name: "im2col"}
	norm := &kernels.Variant{Op: kernels.BNForward, Name: "direct"}
	step := func(scale time.Duration, peak float64) Step {
		return Step{[]nn.Timing{
			{Op: kernels.ConvFprop, Variant: conv, Pack: true, Duration: scale},
			{Op: kernels.ConvFprop, Variant: conv, Cost: kernels.Cost{Flop: 1e7, Bytes: 1e6}, Duration: 2 * scale},
			{Op: kernels.ConvFprop, Variant: conv, Cost: kernels.Cost{Flop: 3e7, Bytes: 1e6}, Duration: 6 * scale},
			{Op: kernels.BNForward, Variant: norm, Cost: kernels.Cost{Flop: 1e5, Bytes: 1e7}, Duration: scale},
		}, kernels.Roofline{GFLOPS: peak, GBps: peak}}
	}
	return []Step{step(time.Millisecond, 10), step(time.Millisecond, 10), step(9*time.Millisecond, 10./9)}
}

func TestSummarizeSumsMediansAndShares(t *testing.T) {
	got := Summarize(steps())
	if len(got) != 3 {
		t.Fatalf("%d rows: %+v", len(got), got)
	}
	conv, norm := got[0], got[1]
	if got[2].Op == "bn_forward" {
		norm = got[2]
	}
	// 4e7 flop in the median 8 ms are 5 GFLOP/s; at 10 they take 4 ms, half of it. The whole step takes 10 ms.
	if conv.Op != "conv_fprop" || conv.Variant != "im2col" || conv.Calls != 2 || conv.Ms != 8 || conv.Bound != "arithmetic" {
		t.Errorf("convolution: %+v", conv)
	}
	for name, pair := range map[string][2]float64{"GFLOP/s": {conv.GFLOPS, 5}, "limit": {conv.LimitShare, 0.5}, "step": {conv.StepShare, 0.8}, "norm's limit": {norm.LimitShare, 1}} {
		if math.Abs(pair[0]-pair[1]) > 1e-9 {
			t.Errorf("%s is %v, want %v", name, pair[0], pair[1])
		}
	}
	if norm.Op != "bn_forward" || norm.Bound != "memory" {
		t.Errorf("batch norm: %+v", norm)
	}
	if r := Roofline(steps()); r.GFLOPS != 10 || r.GBps != 10 || r.MatrixGFLOPS != 0 {
		t.Errorf("the steps' roofline is %+v, want 10 and 10", r)
	}
}

// A step that others slow down has a limit that they slow down as much.
func TestSharesAreOfThePeakOfTheirStep(t *testing.T) {
	for _, o := range Summarize(steps()[2:]) {
		if want := map[string]float64{"conv_fprop": 0.5, "bn_forward": 1, "conv_fprop_pack": 0}[o.Op]; math.Abs(o.LimitShare-want) > 1e-9 {
			t.Errorf("%s: %v of its limit, want %v", o.Op, o.LimitShare, want)
		}
	}
}

func TestTraceHasEachOperationInOrder(t *testing.T) {
	step := steps()[0]
	path := filepath.Join(t.TempDir(), "trace.json")
	if err := WriteTrace(path, "a device", step.Timings, step.Roof); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var trace struct {
		TraceEvents []event `json:"traceEvents"`
	}
	if err := json.Unmarshal(text, &trace); err != nil {
		t.Fatal(err)
	}
	at := 0.0
	var names []string
	for _, e := range trace.TraceEvents {
		if e.Phase != "X" {
			continue
		}
		if e.Start != at {
			t.Errorf("%s begins at %v us, the one before ends at %v", e.Name, e.Start, at)
		}
		at += e.Duration
		names = append(names, e.Name)
	}
	if len(names) != 4 || names[0] != "conv_fprop_pack" || names[3] != "bn_forward" || at != 10_000 {
		t.Errorf("operations %v, %v us", names, at)
	}
	if share := trace.TraceEvents[3].Args["limit_share"]; share != 0.5 {
		t.Errorf("the first convolution reaches %v of its limit, want half", share)
	}
}
