// Package profile sets what the operations of a plan took beside what they could at best.
package profile

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"nctrain/internal/wholefile"
	"nctrain/kernels"
	"nctrain/nn"
)

// Operation sums the calls of one variant in a step.
type Operation struct {
	Op         string  `json:"op"`
	Variant    string  `json:"variant"`
	Calls      int     `json:"calls"`
	Ms         float64 `json:"ms"`          // of all calls in one step, median over steps
	StepShare  float64 `json:"step_share"`  // of the time of all operations
	GFLOPS     float64 `json:"gflops"`      // 1e9 flop a second
	GBps       float64 `json:"gbps"`        // 1e9 bytes a second, each operand moved once
	LimitShare float64 `json:"limit_share"` // least time that the variant's algorithm allows ([nn.Timing.Limit]), as a share of the time taken, median over steps
	Bound      string  `json:"bound"`       // what the roofline says limits it: "arithmetic", "memory", or "" where nothing is counted
}

// name of a timing: packing of a weight operand is told apart.
func name(t nn.Timing) string {
	if t.Pack {
		return t.Op.String() + "_pack"
	}
	return t.Op.String()
}

// Step is one profiled step, and the roofline measured just before it: others on the machine slow both.
type Step struct {
	Timings []nn.Timing
	Roof    kernels.Roofline
}

// Roofline is the median of each part of the steps' rooflines.
func Roofline(steps []Step) kernels.Roofline {
	part := func(of func(kernels.Roofline) float64) float64 {
		var x []float64
		for _, s := range steps {
			x = append(x, of(s.Roof))
		}
		return median(x)
	}
	return kernels.Roofline{
		GFLOPS:       part(func(r kernels.Roofline) float64 { return r.GFLOPS }),
		MatrixGFLOPS: part(func(r kernels.Roofline) float64 { return r.MatrixGFLOPS }),
		GBps:         part(func(r kernels.Roofline) float64 { return r.GBps }),
	}
}

// median is the upper one of an even number; 0 of none.
func median[T float64 | time.Duration](x []T) T {
	if len(x) == 0 {
		return 0
	}
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}

// Summarize sums several profiles of one plan by operation and variant, the slowest first.
func Summarize(steps []Step) []Operation {
	type key struct{ op, variant string }
	type sums struct {
		calls         int
		took          []time.Duration // by step
		limit         []float64       // seconds, by step
		cost          kernels.Cost
		arith, memory float64 // seconds
	}
	all := map[key]*sums{}
	typical := Roofline(steps)
	for i, step := range steps {
		for _, t := range step.Timings {
			k := key{name(t), t.Variant.Name}
			s := all[k]
			if s == nil {
				s = &sums{took: make([]time.Duration, len(steps)), limit: make([]float64, len(steps))}
				all[k] = s
			}
			s.took[i] += t.Duration
			s.limit[i] += t.Limit(step.Roof)
			if i > 0 {
				continue
			}
			s.calls++
			s.cost.Flop += t.Cost.Flop
			s.cost.Bytes += t.Cost.Bytes
			own := typical.For(t.Variant)
			s.arith += own.Limit(kernels.Cost{Flop: t.Cost.Flop})
			s.memory += own.Limit(kernels.Cost{Bytes: t.Cost.Bytes})
		}
	}
	var out []Operation
	total := 0.0
	for k, s := range all {
		seconds := median(s.took).Seconds()
		o := Operation{Op: k.op, Variant: k.variant, Calls: s.calls, Ms: 1e3 * seconds}
		if seconds > 0 {
			o.GFLOPS, o.GBps = s.cost.Flop/seconds/1e9, s.cost.Bytes/seconds/1e9
			for i, limit := range s.limit {
				s.limit[i] = limit / max(s.took[i], 1).Seconds()
			}
			o.LimitShare = median(s.limit)
		}
		switch {
		case s.arith > s.memory:
			o.Bound = "arithmetic"
		case s.memory > 0:
			o.Bound = "memory"
		}
		total += o.Ms
		out = append(out, o)
	}
	for i := range out {
		if total > 0 {
			out[i].StepShare = out[i].Ms / total
		}
	}
	slices.SortFunc(out, func(a, b Operation) int {
		return cmp.Or(cmp.Compare(b.Ms, a.Ms), cmp.Compare(a.Op, b.Op), cmp.Compare(a.Variant, b.Variant))
	})
	return out
}

// event is a complete event of the Trace Event Format, which Perfetto reads; times in microseconds.
type event struct {
	Name     string         `json:"name"`
	Category string         `json:"cat,omitempty"`
	Phase    string         `json:"ph"`
	Start    float64        `json:"ts"`
	Duration float64        `json:"dur,omitempty"`
	Process  int            `json:"pid"`
	Thread   int            `json:"tid"`
	Args     map[string]any `json:"args,omitempty"`
}

// WriteTrace writes the operations of one profiled step, one after the other as the device ran them, for Perfetto (https://ui.perfetto.dev).
func WriteTrace(path, device string, timings []nn.Timing, roof kernels.Roofline) error {
	events := []event{
		{Name: "process_name", Phase: "M", Process: 1, Args: map[string]any{"name": "nctrain, one step on " + device}},
		{Name: "thread_name", Phase: "M", Process: 1, Thread: 1, Args: map[string]any{"name": "operations"}},
	}
	at := 0.0
	for i, t := range timings {
		took := float64(t.Duration.Nanoseconds()) / 1e3
		args := map[string]any{
			"index": i, "variant": t.Variant.Name, "shape": t.Shape.String(), "flop": t.Cost.Flop, "bytes": t.Cost.Bytes,
		}
		if limit := t.Limit(roof); limit > 0 && t.Duration > 0 {
			args["limit_us"] = 1e6 * limit
			args["limit_share"] = limit / t.Duration.Seconds()
		}
		events = append(events, event{Name: name(t), Category: t.Variant.Name, Phase: "X", Start: at, Duration: took, Process: 1, Thread: 1, Args: args})
		at += took
	}
	text, err := json.Marshal(map[string]any{
		"traceEvents": events, "displayTimeUnit": "ms",
		"otherData": struct {
			Device string `json:"device"`
			kernels.Roofline
		}{device, roof},
	})
	if err != nil {
		return fmt.Errorf("trace: %s: %w", path, err)
	}
	if err := wholefile.WriteBytes(path, 0o644, append(text, '\n')); err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	return nil
}
