package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"nctrain/cmd/nctrain/internal/profile"
	"nctrain/cmd/nctrain/internal/table"
	"nctrain/kernels"
	"nctrain/nn"
	"nctrain/nn/data"
)

// benchFlags are those of `bench train-step` and `bench infer`.
type benchFlags struct {
	deviceFlags
	outputFlags
	batch, width, classes, steps int
	byOperation                  bool
	trace                        string
}

func newBenchCommand() *cobra.Command {
	c := &cobra.Command{Use: "bench", Short: "Images a second of a training step or of inference, by operation", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(
		newBenchOne("train-step", "A whole training step: augmentation, forward, backward, update", (*benchFlags).trainStep),
		newBenchOne("infer", "The forward pass in eval mode: normalisation, features, logits", (*benchFlags).infer),
	)
	return c
}

func newBenchOne(use, short string, prepare func(*benchFlags, *machine, *nn.ResNet18, *data.Set) (*benchPlan, error)) *cobra.Command {
	f := &benchFlags{}
	c := &cobra.Command{
		Use: use, Short: short, Args: noArguments,
		Long: short + `.

Times are of whole steps, on random weights and images of the built-in set shapes; the table by operation is of profiled steps, which wait after each
operation. Rates count the arithmetic of the plain algorithm. Limit share: the least time that this device's peak of arithmetic (of the tensor
cores, for a variant that multiplies on them) and bandwidth of memory, measured before each of these steps, allow the variant's own algorithm (of
a transform: its products, and its operands moved), over the time taken; the median of the steps. More than 100 % says that operands came from a
cache, faster than memory gives them: so it is for small batches and widths.`,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case f.batch < 1 || f.width < 1 || f.steps < 1 || f.classes < 2:
				return usagef("--batch, --width and --steps: at least 1; --classes: at least 2")
			}
			return f.execute(c, use, prepare)
		},
	}
	flags := c.Flags()
	flags.IntVar(&f.batch, "batch", 128, "images a step")
	flags.IntVar(&f.width, "width", 64, "channels of the first stage; the network is ResNet-18 at 64")
	flags.IntVar(&f.classes, "classes", 100, "classes of the last layer")
	flags.IntVar(&f.steps, "steps", 20, "timed steps, after two that warm up")
	flags.BoolVar(&f.byOperation, "by-operation", true, "profile further steps for the table by operation; measuring the roofline beside it takes 130 MiB (CUDA: 1 GiB) of its own")
	outputFile(flags, &f.trace, "trace", "write one profiled step to this file for Perfetto (ui.perfetto.dev)")
	f.deviceFlags.register(flags)
	f.outputFlags.register(flags)
	return c
}

// benchPlan is a plan that can be run over and over.
type benchPlan struct {
	*nn.Plan
	rewind func() error
}

func (f *benchFlags) trainStep(m *machine, model *nn.ResNet18, set *data.Set) (*benchPlan, error) {
	s := nn.NotebookSettings()
	s.BatchSize = f.batch
	t, err := nn.NewTrainer(m.Device, model, set, s, m.options)
	if err != nil {
		return nil, err
	}
	return &benchPlan{t.Plan(), t.Rewind}, nil
}

func (f *benchFlags) infer(m *machine, model *nn.ResNet18, set *data.Set) (*benchPlan, error) {
	e, err := nn.NewEvaluator(m.Device, model, set, f.batch, new(nn.MemoryPool), m.options)
	if err != nil {
		return nil, err
	}
	return &benchPlan{e.Plan(), e.Rewind}, nil
}

// benchResult is SPEC 9's `bench`.
type benchResult struct {
	Bench           string              `json:"bench"`
	ImagesPerSecond float64             `json:"images_per_second"`
	StepMs          stepTimes           `json:"step_ms"`
	Device          string              `json:"device"`
	Batch           int                 `json:"batch"`
	Width           int                 `json:"width"`
	Steps           int                 `json:"steps"`
	MemoryBytes     int                 `json:"memory_bytes"`
	Operations      []profile.Operation `json:"operations,omitempty"`
	*kernels.Roofline
}

type stepTimes struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func (f *benchFlags) execute(c *cobra.Command, name string, prepare func(*benchFlags, *machine, *nn.ResNet18, *data.Set) (*benchPlan, error)) error {
	m, err := f.open()
	if err != nil {
		return err
	}
	defer m.Close()
	model, err := nn.NewResNet18(f.classes, f.width)
	if err != nil {
		return err
	}
	if err := model.Place(m.Device, m.options.Precision); err != nil {
		return err
	}
	if err := f.checkMemory(m); err != nil {
		return err
	}
	set, err := f.images()
	if err != nil {
		return err
	}
	if err := model.Load(model.Initial(nn.NotebookSettings().Seed)); err != nil {
		return err
	}
	plan, err := prepare(f, m, model, set)
	if err != nil {
		return err
	}
	f.warnAside(c, slices.Concat(plan.Refusals(), idlePins(name, plan.Pins())))
	r, err := f.measure(c.Context(), m, plan)
	if err != nil {
		return err
	}
	r.Bench = name
	if f.trace != "" {
		if err := writeTrace(f.trace, m, plan.Plan, plan.rewind); err != nil {
			return err
		}
	}
	if err := f.print(c, r); err != nil {
		return err
	}
	return f.write(r)
}

// idlePins tells of pinned variants whose operation a bench does not have: it computes no gradients, or another operation does it in the same pass.
func idlePins(bench string, pins []nn.Pin) []string {
	var out []string
	for _, p := range pins {
		if p.Calls == 0 {
			out = append(out, fmt.Sprintf("%v: pinned for nothing: no call of %v by itself in %s", p.Variant, p.Variant.Op, bench))
		}
	}
	return out
}

// checkMemory refuses a batch of which not even the images and the first convolution's output have room on the device, before the images are made on the host. A
// gigabyte of them has room there, and the plan says the rest: no memory is touched for that.
func (f *benchFlags) checkMemory(m *machine) error {
	const pixels = 32 * 32
	if f.batch <= 1<<30/(pixels*data.Channels) {
		return nil
	}
	bytes := pixels*data.Channels + 4*pixels*f.width // of an image and its outputs
	b, err := m.Alloc(min(f.batch, math.MaxInt/2/bytes) * bytes)
	if err != nil {
		return fmt.Errorf("--batch %d: %w", f.batch, err)
	}
	m.Free(b)
	return nil
}

// images is a batch of real images, with labels of as many classes as are asked for.
func (f *benchFlags) images() (*data.Set, error) {
	set, err := data.Open("shapes", data.Train, data.Options{Limit: f.batch})
	if err != nil {
		return nil, err
	}
	if n := set.Len(); n < f.batch {
		positions := make([]int, f.batch)
		for i := range positions {
			positions[i] = i % n
		}
		set = set.Subset(positions)
	}
	set.Classes, set.ClassNames = f.classes, make([]string, f.classes)
	for i := range set.Labels {
		set.Labels[i] = int32(i % f.classes)
	}
	return set, nil
}

const (
	warmSteps     = 2
	profiledSteps = 9
)

func (f *benchFlags) measure(ctx context.Context, m *machine, plan *benchPlan) (*benchResult, error) {
	var times []float64 // ms
	for i := range warmSteps + f.steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := plan.rewind(); err != nil {
			return nil, err
		}
		began := time.Now()
		if err := plan.Run(); err != nil {
			return nil, err
		}
		if err := m.Synchronize(); err != nil {
			return nil, err
		}
		if i >= warmSteps {
			times = append(times, float64(time.Since(began).Nanoseconds())/1e6)
		}
	}
	slices.Sort(times)
	median := (times[(len(times)-1)/2] + times[len(times)/2]) / 2
	memory, _ := plan.Memory()
	r := &benchResult{
		ImagesPerSecond: float64(f.batch) / median * 1e3, StepMs: stepTimes{median, times[0], times[len(times)-1]}, Device: m.Description(),
		Batch: f.batch, Width: f.width, Steps: f.steps, MemoryBytes: memory,
	}
	if !f.byOperation {
		return r, nil
	}
	var profiles []profile.Step
	for range profiledSteps {
		if err := plan.rewind(); err != nil {
			return nil, err
		}
		roof, err := kernels.MeasureRoofline(m.Device, m.options.Precision)
		if err != nil {
			return nil, err
		}
		timings, err := plan.Profile()
		if err != nil {
			return nil, err
		}
		profiles = append(profiles, profile.Step{Timings: timings, Roof: roof})
	}
	typical := profile.Roofline(profiles)
	r.Operations, r.Roofline = profile.Summarize(profiles), &typical
	return r, nil
}

func (f *benchFlags) print(c *cobra.Command, r *benchResult) error {
	out := f.stdout(c)
	fmt.Fprintf(out, "%s, width %d, batch %d, on %s\n", r.Bench, r.Width, r.Batch, r.Device)
	fmt.Fprintf(out, "%.1f images/s: %.2f ms a step (median of %d; %.2f to %.2f); activations and workspaces take %s\n", r.ImagesPerSecond, r.StepMs.Median, r.Steps,
		r.StepMs.Min, r.StepMs.Max, table.Bytes(float64(r.MemoryBytes)))
	if r.Roofline == nil {
		return nil
	}
	fmt.Fprintf(out, "peak of this device, measured between the steps: %v\n", r.Roofline)
	t := table.New("operation", "variant", "calls", "ms", "of step %", "GFLOP/s", "GB/s", "bound by", "of limit %").Left(1, 7)
	for _, o := range r.Operations {
		t.Row(o.Op, o.Variant, table.Count(o.Calls), fmt.Sprintf("%.3f", o.Ms), fmt.Sprintf("%.1f", 100*o.StepShare), rate(o.GFLOPS), rate(o.GBps), o.Bound,
			rate(100*o.LimitShare))
	}
	return t.Write(out, "  ")
}

// rate leaves out what is not counted.
func rate(x float64) string {
	if x == 0 {
		return table.Missing
	}
	return fmt.Sprintf("%.1f", x)
}
