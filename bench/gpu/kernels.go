package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// kernelsResult is every variant at every shape of the network.
type kernelsResult struct {
	Outcome *outcome        `json:"outcome"`
	Width   int             `json:"width"`
	Batch   int             `json:"batch"`
	Peaks   map[string]peak `json:"peaks"` // by precision, the best of the measurements; none under the emulated driver
	Rows    []kernelSpeed   `json:"rows"`
	Missing []string        `json:"missing,omitempty"` // operations that could not be measured, and why
}

// peak is kernels.Roofline.
type peak struct {
	GFLOPS       float64 `json:"peak_gflops"`
	MatrixGFLOPS float64 `json:"peak_matrix_gflops,omitempty"`
	GBps         float64 `json:"peak_gbps"`
}

func (p peak) String() string {
	text := fmt.Sprintf("%.0f GFLOP/s in float32, %.0f GB/s", p.GFLOPS, p.GBps)
	if p.MatrixGFLOPS > 0 {
		text = fmt.Sprintf("%.0f GFLOP/s on the tensor cores, %s", p.MatrixGFLOPS, text)
	}
	return text
}

// keep takes in another measurement.
func (r *kernelsResult) keep(precision string, p peak) {
	if p.GFLOPS == 0 {
		return
	}
	best := r.Peaks[precision]
	r.Peaks[precision] = peak{max(best.GFLOPS, p.GFLOPS), max(best.MatrixGFLOPS, p.MatrixGFLOPS), max(best.GBps, p.GBps)}
}

// kernelSpeed is a row of `nctrain kernels bench --json`; under the emulated driver, which counts requests of memory and has no speed, with counts alone.
type kernelSpeed struct {
	Precision     string  `json:"precision"`
	Op            string  `json:"op"`
	Variant       string  `json:"variant"`
	Shape         string  `json:"shape"`
	Ms            float64 `json:"ms,omitempty"`
	GFLOPS        float64 `json:"gflops,omitempty"`
	GBps          float64 `json:"gbps,omitempty"`
	LimitShare    float64 `json:"limit_share,omitempty"`
	BytesOfLeast  float64 `json:"bytes_of_least,omitempty"`
	BankConflicts float64 `json:"bank_conflicts,omitempty"`
}

// benchKernels is `nctrain kernels bench` of one operation at one precision.
func (s *session) benchKernels(ctx context.Context, op, precision string, more ...string) (peak, []kernelSpeed, error) {
	var out struct {
		peak
		Kernels []kernelSpeed `json:"kernels"`
	}
	err := s.program(ctx, &out, append([]string{"kernels", "bench", "--device", "cuda", "--precision", precision, "--op", op, "--width", strconv.Itoa(s.scale.Width),
		"--batch", strconv.Itoa(s.scale.Batches[0])}, more...)...)
	for i := range out.Kernels {
		out.Kernels[i].Precision = precision
	}
	return out.peak, out.Kernels, err
}

// kernelJobs are the operations and precisions to measure, convolutions first. What does not multiply is the same in each precision.
func (s *session) kernelJobs(ctx context.Context) ([][2]string, error) {
	var listed []struct{ Op string }
	if err := s.program(ctx, &listed, "kernels", "list", "--device", "cuda"); err != nil {
		return nil, err
	}
	var convolutions, others [][2]string
	for i, row := range listed {
		if i > 0 && row.Op == listed[i-1].Op {
			continue
		}
		if !strings.HasPrefix(row.Op, "conv_") {
			others = append(others, [2]string{row.Op, "fp32"})
			continue
		}
		for _, precision := range []string{"tf32", "bf16", "fp32"} {
			if strings.Contains(s.results.Doctor.Precisions, precision) {
				convolutions = append(convolutions, [2]string{row.Op, precision})
			}
		}
	}
	return append(convolutions, others...), nil
}

func (s *session) kernels(ctx context.Context) error {
	r := &s.results.Kernels
	*r = kernelsResult{Outcome: r.Outcome, Width: s.scale.Width, Batch: s.scale.Batches[0], Peaks: map[string]peak{}}
	jobs, err := s.kernelJobs(ctx)
	if err != nil {
		return err
	}
	for i, job := range jobs {
		p, rows, err := s.benchKernels(ctx, job[0], job[1])
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("at %s %s, %d of %d: %w", job[0], job[1], i+1, len(jobs), ctx.Err())
		case err != nil:
			r.Missing = append(r.Missing, fmt.Sprintf("%s %s: %v", job[0], job[1], err))
		}
		r.keep(job[1], p)
		r.Rows = append(r.Rows, rows...)
		if err := s.save(); err != nil {
			return err
		}
	}
	if len(r.Rows) == 0 {
		return fmt.Errorf("nothing was measured: %s", strings.Join(r.Missing, "; "))
	}
	return nil
}

// layer is a convolution of the network with the variant that nctrain takes for it.
type layer struct {
	Op, Precision, Shape, Variant string
}

// layers are those of the three directions at the precisions of the tensor cores, by the rows of `kernels`: under each shape the first is the one taken.
func (r *kernelsResult) layers() []layer {
	var out []layer
	seen := map[layer]bool{}
	for _, row := range r.Rows {
		key := layer{Op: row.Op, Precision: row.Precision, Shape: row.Shape}
		if !isDirection(row.Op) || row.Precision == "fp32" || seen[key] {
			continue
		}
		seen[key] = true
		key.Variant = row.Variant
		out = append(out, key)
	}
	return out
}

func isDirection(op string) bool {
	return op == "conv_fprop" || op == "conv_dgrad" || op == "conv_wgrad"
}

var shapeName = regexp.MustCompile(`^(\d+)x(\d+)x(\d+)x(\d+)_k(\d+)_(\d+)x(\d+)_s(\d+)$`)

// parseShape reads a convolution's shape as the benchmarks name it: n, h, w, c, k, r, s, stride, pad. The network pads so that a stride of 1 keeps the size.
func parseShape(name string) (shape [9]int, err error) {
	m := shapeName.FindStringSubmatch(name)
	if m == nil {
		return shape, fmt.Errorf("%q is no convolution's shape", name)
	}
	for i, text := range m[1:] {
		if shape[i], err = strconv.Atoi(text); err != nil {
			return shape, err
		}
	}
	shape[8] = (shape[5] - 1) / 2
	return shape, nil
}
