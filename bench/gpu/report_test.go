package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// example is what a card might give; its numbers are made up for the test.
func example() *results {
	done := func() *outcome { return &outcome{Status: done} }
	r := &results{Date: "2026-01-02"}
	r.Doctor = doctorResult{Outcome: done(), Device: "NVIDIA H100 80GB HBM3, sm_90, 132 multiprocessors, 81559 MiB", CUDA: "13.0"}
	r.Speed = speedResult{Outcome: done(), Width: 64, Rounds: 3, Groups: []*group{{Title: "Training step", Task: "train", Batch: 128, Contenders: []*contender{
		{Name: "nctrain tf32", Precision: "tf32", Ours: true, Ms: []float64{10, 20, 10}, Profile: json.RawMessage(`{"operations": [{"op": "conv_wgrad", "variant": "mma", "calls": 20, "ms": 4, "step_share": 0.4, "limit_share": 0.5}]}`)},
		{Name: "PyTorch tf32", Precision: "tf32", Ms: []float64{30, 40, 20}},
		{Name: "PyTorch bf16", Precision: "bf16", Problem: "no | luck"},
	}}}}
	r.CuDNN = cudnnResult{Outcome: done(), Bar: cudnnBar, Rounds: 2, Layers: []*layerResult{
		{Op: "conv_fprop", Precision: "tf32", Shape: "a", Ours: contender{Name: "mma", Ours: true, Ms: []float64{0.3, 0.3}}, CuDNN: contender{Ms: []float64{0.2, 0.2}}},
		{Op: "conv_wgrad", Precision: "bf16", Shape: "b", Ours: contender{Name: "mma", Ours: true, Ms: []float64{0.5, 0.5}}, CuDNN: contender{Ms: []float64{0.2, 0.2}}},
		{Op: "conv_dgrad", Precision: "bf16", Shape: "c", Ours: contender{Name: "mma", Ours: true}, CuDNN: contender{Ms: []float64{0.2, 0.2}}},
	}}
	r.Kernels = kernelsResult{Outcome: &outcome{Status: cutOff, Reason: "at sgd fp32"}, Width: 64, Batch: 128, Peaks: map[string]peak{"tf32": {60000, 400000, 3000}}, Rows: []kernelSpeed{
		{Precision: "tf32", Op: "conv_fprop", Variant: "mma", Shape: "a", Ms: 0.3, GFLOPS: 12345, GBps: 678, LimitShare: 0.25}}}
	return r
}

func TestReportOfACard(t *testing.T) {
	r := example()
	if name := r.reportName(); name != "2026-01-02-gpu-nvidia-h100-80gb-hbm3.md" {
		t.Error(name)
	}
	report := string(r.report())
	for _, part := range []string{
		"| nctrain tf32 | 10 | 12800 | 10..20 |  |  |",
		"| PyTorch tf32 | 30 | 4267 | 20..40 | 2 |  |",
		`| PyTorch bf16 | failed |  |  |  | no \| luck |`,
		"| conv_wgrad | mma | 20 | 4 | 40 | 50 |",
		"compared 2, **1 reach it.**",
		"| conv_fprop | tf32 | a | mma | 0.3 | 0.2 | 1.50 | yes |",
		"| conv_wgrad | bf16 | b | mma | 0.5 | 0.2 | 2.50 | no |",
		"| conv_dgrad | bf16 | c | mma |  | 0.2 |  |  |",
		"**This part: cut off after 0 s: at sgd fp32.**",
		"| conv_fprop | mma | tf32 | a | 0.3 | 12345 | 678 | 25 |",
		"- tf32: 400000 GFLOP/s on the tensor cores, 60000 GFLOP/s in float32, 3000 GB/s",
		"| training | ten steps beside the CPU's; resume to the same bits | not run |",
	} {
		if !strings.Contains(report, part) {
			t.Errorf("the report lacks %q:\n%s", part, report)
		}
	}
}

// Whatever times there are, a report of the emulated driver shows none.
func TestReportOfTheEmulatedDriverShowsNoTimes(t *testing.T) {
	r := example()
	r.Emulated, r.Rehearsal = true, true
	r.Speed.Groups[0].Contenders[0].Profile = nil // as us keeps none
	report := string(r.report())
	if !strings.Contains(report, "There was no card") || !strings.HasSuffix(r.reportName(), "-rehearsal.md") {
		t.Error("not marked as emulated")
	}
	for _, part := range []string{"| emulated |", "| rehearsed |", "bytes over the least"} {
		if !strings.Contains(report, part) {
			t.Errorf("the report lacks %q", part)
		}
	}
	for _, part := range []string{"| 30 |", "12800", "0.3 |", "12345"} {
		if strings.Contains(report, part) {
			t.Errorf("the report shows %q", part)
		}
	}
}

func TestVerdict(t *testing.T) {
	ended := func(status string) *outcome { return &outcome{Status: status, Reason: "why"} }
	for name, c := range map[string]struct {
		change func(*results)
		wrong  bool
	}{
		"all is well":                   {func(*results) {}, false},
		"a test fails":                  {func(r *results) { r.Conformance.Outcome = ended(failed) }, true},
		"conformance is cut off":        {func(r *results) { r.Conformance.Outcome = ended(cutOff) }, true},
		"the program was killed in it":  {func(r *results) { r.Conformance.Outcome = ended(running) }, true},
		"a loss is off":                 {func(r *results) { r.Training.Outcome = ended(failed) }, true},
		"the sanitizer finds something": {func(r *results) { r.Sanitizer.Outcome = ended(failed) }, true},
		"the sanitizer is not there":    {func(r *results) { r.Sanitizer.Outcome = ended(leftOut) }, false},
		"the sanitizer is cut off":      {func(r *results) { r.Sanitizer.Outcome = ended(cutOff) }, false},
		"PyTorch fails, or a kernel's time": {func(r *results) {
			r.Speed.Outcome, r.Kernels.Outcome, r.CuDNN.Outcome = ended(failed), ended(failed), ended(cutOff)
		}, false},
	} {
		r := example()
		r.Conformance.Outcome, r.Training.Outcome, r.Sanitizer.Outcome = ended(done), ended(done), ended(done)
		c.change(r)
		if err := r.verdict(); (err != nil) != c.wrong {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := example()
	if got := strings.Join(r.missing(), " "); got != "conformance training" {
		t.Errorf("not run yet: %q", got)
	}
}
