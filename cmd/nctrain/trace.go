package main

import (
	"nctrain/cmd/nctrain/internal/profile"
	"nctrain/kernels"
	"nctrain/nn"
)

// writeTrace profiles one run of a plan, after one that warms caches and touches memory, and writes it for Perfetto. The plan's counters stand at their
// start (Rewind of trainer or evaluator).
func writeTrace(path string, m *machine, plan *nn.Plan, rewind func() error) error {
	roof, err := kernels.MeasureRoofline(m.Device, m.options.Precision)
	if err != nil {
		return err
	}
	var timings []nn.Timing
	for range 2 {
		if err := rewind(); err != nil {
			return err
		}
		if timings, err = plan.Profile(); err != nil {
			return err
		}
	}
	return profile.WriteTrace(path, m.Description(), timings, roof)
}
