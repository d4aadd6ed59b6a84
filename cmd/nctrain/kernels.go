package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"nctrain/cmd/nctrain/internal/profile"
	"nctrain/cmd/nctrain/internal/table"
	"nctrain/kernels"
)

// kernelFlags are those of `kernels list`, `check` and `bench`.
type kernelFlags struct {
	deviceFlags
	outputFlags
	ops          []string
	width, batch int
	seed         uint64
}

func newKernelsCommand() *cobra.Command {
	c := &cobra.Command{Use: "kernels", Short: "The table of operations and their variants: list, check, measure", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(
		newKernelsOne("list", "Every operation and its variants, and where each applies", (*kernelFlags).list),
		newKernelsOne("check", "Conformance of every variant, at every precision that the device has, against the float64 reference", (*kernelFlags).check),
		newKernelsOne("bench", "Speed of every variant at the network's shapes, beside the roofline", (*kernelFlags).bench),
	)
	return c
}

func newKernelsOne(use, short string, do func(*kernelFlags, *cobra.Command, *machine, []kernels.OpID) error) *cobra.Command {
	f := &kernelFlags{}
	c := &cobra.Command{
		Use: use, Short: short, Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			ops, err := f.operations()
			if err != nil {
				return err
			}
			m, err := f.open()
			if err != nil {
				return err
			}
			defer m.Close()
			return do(f, c, m, ops)
		},
	}
	flags := c.Flags()
	flags.StringSliceVar(&f.ops, "op", nil, "operations, for example conv_fprop; default all")
	switch use {
	case "check":
		flags.Uint64Var(&f.seed, "seed", 47, "seed of the random inputs")
	case "bench":
		flags.IntVar(&f.width, "width", 64, "channels of the network's first stage")
		flags.IntVar(&f.batch, "batch", 128, "images")
	}
	f.deviceFlags.register(flags)
	f.outputFlags.register(flags)
	return c
}

// operations are those that --op names, else all.
func (f *kernelFlags) operations() ([]kernels.OpID, error) {
	var ids []kernels.OpID
	var names []string
	for _, op := range kernels.Ops() {
		names = append(names, op.Name)
		if len(f.ops) == 0 || slices.Contains(f.ops, op.Name) {
			ids = append(ids, op.ID)
		}
	}
	for _, name := range f.ops {
		if !slices.Contains(names, name) {
			return nil, usagef("--op %s: no such operation: one of %s", name, strings.Join(names, ", "))
		}
	}
	return ids, nil
}

// chosen tells whether --variant leaves a variant in.
func (m *machine) chosen(v *kernels.Variant) bool {
	pinned := m.options.Choice[v.Op]
	return pinned == "" || pinned == v.Name
}

func (f *kernelFlags) list(c *cobra.Command, m *machine, ops []kernels.OpID) error {
	type row struct {
		Op         string   `json:"op"`
		Formula    string   `json:"formula"`
		Variant    string   `json:"variant"`
		Device     string   `json:"device"`
		Precisions []string `json:"precisions"`
		Here       []string `json:"precisions_here"` // that this device has too; none: it cannot do the variant
		Needs      []string `json:"needs"`           // of every call
		Unpinned   []string `json:"needs_unpinned"`  // of calls that --variant pins nothing for, beside those
		Class      string   `json:"error_class"`
		Pack       bool     `json:"packs_weights"`
		Why        string   `json:"why"`
	}
	var rows []row
	out := f.stdout(c)
	fmt.Fprintf(out, "on %s\na call takes the variant that --variant pins, where it meets the needs; else the operation's first whose needs it meets, those marked unpinned too\n", m.Description())
	t := table.New("operation", "variant", "precision", "needs", "what it is").Left(1, 2, 3, 4)
	for _, id := range ops {
		name := id.String()
		for _, v := range kernels.Variants(id, m.Kind()) {
			if !m.chosen(v) {
				continue
			}
			names, here := []string{}, []string{}
			for _, p := range v.Precisions {
				names = append(names, p.String())
				if slices.Contains(m.Capabilities().Precisions, p) {
					here = append(here, p.String())
				}
			}
			conditions, unpinned := append([]string{}, v.Conditions()...), append([]string{}, v.Unpinned()...)
			rows = append(rows, row{id.String(), id.Op().Formula, v.Name, v.Kind.String(), names, here, conditions, unpinned, v.Class.Name, v.Pack, v.Why})
			needs := slices.Clone(conditions)
			if len(here) == 0 {
				needs = append([]string{"not on this device"}, needs...)
			}
			for _, text := range unpinned {
				needs = append(needs, "unpinned: "+text)
			}
			t.Row(name, v.Name, strings.Join(names, " "), strings.Join(needs, "; "), v.Why)
			name = ""
		}
	}
	if err := t.Write(out, "  "); err != nil {
		return err
	}
	return f.write(rows)
}

// checkRow is what `kernels check` tells of one variant at one precision.
type checkRow struct {
	Op        string  `json:"op"`
	Variant   string  `json:"variant"`
	Precision string  `json:"precision"`
	Shapes    int     `json:"shapes"`
	Calls     int     `json:"calls"`
	Worst     float64 `json:"worst_share_of_bound"`
	At        string  `json:"worst_at"`
	Error     string  `json:"error,omitempty"`
}

func (f *kernelFlags) check(c *cobra.Command, m *machine, ops []kernels.OpID) error {
	var rows []checkRow
	failed := 0
	out := f.stdout(c)
	fmt.Fprintf(out, "on %s; worst error as a share of its derived bound\n", m.Description())
	t := table.New("operation", "variant", "precision", "shapes", "calls", "worst", "").Left(1, 2, 6)
	for _, id := range ops {
		for _, v := range kernels.Variants(id, m.Kind()) {
			for _, p := range f.checked(m, v) {
				if err := c.Context().Err(); err != nil {
					return err
				}
				row := f.checkOne(m, v, p)
				verdict := "ok"
				if row.Error != "" {
					failed++
					verdict = "FAILED: " + row.Error
				}
				rows = append(rows, row)
				t.Row(row.Op, row.Variant, row.Precision, table.Count(row.Shapes), table.Count(row.Calls), table.Number(row.Worst), verdict)
			}
		}
	}
	if err := t.Write(out, "  "); err != nil {
		return err
	}
	if err := f.write(rows); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("kernels: %d of %d checks of variants failed on %s: see the table, and report it with the output of nctrain doctor", failed, len(rows), m.Description())
	}
	return nil
}

// checked are the precisions at which a variant is checked: all that it and the device have, unless --precision or --variant says less.
func (f *kernelFlags) checked(m *machine, v *kernels.Variant) []kernels.Precision {
	var out []kernels.Precision
	for _, p := range m.Capabilities().Precisions {
		if m.chosen(v) && slices.Contains(v.Precisions, p) && (f.precision == "" || p == m.options.Precision) {
			out = append(out, p)
		}
	}
	return out
}

func (f *kernelFlags) checkOne(m *machine, v *kernels.Variant, p kernels.Precision) checkRow {
	row := checkRow{Op: v.Op.String(), Variant: v.Name, Precision: p.String()}
	var sum kernels.CheckResult
	for _, s := range v.Op.Op().Shapes {
		if v.Check(s, p, m.Capabilities()) != nil {
			continue
		}
		row.Shapes++
		result, err := kernels.Check(m.Device, v, p, s, f.seed)
		if err != nil {
			row.Error = err.Error()
			break
		}
		sum.Add(result)
	}
	row.Calls, row.Worst, row.At = sum.Calls, sum.Worst, sum.WorstAt
	return row
}

// atLayers visits every chosen variant of the operations at the network's shapes that it does.
func (f *kernelFlags) atLayers(ctx context.Context, m *machine, ops []kernels.OpID, visit func(*kernels.Variant, kernels.Shape) error) error {
	for _, id := range ops {
		for _, s := range kernels.LayerShapes(id, f.width, f.batch) {
			for _, v := range kernels.Variants(id, m.Kind()) {
				if !m.chosen(v) || v.Check(s, m.options.Precision, m.Capabilities()) != nil {
					continue
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := visit(v, s); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// kernelSpeed is what `kernels bench` tells of one variant at one shape.
type kernelSpeed struct {
	Op         string  `json:"op"`
	Variant    string  `json:"variant"`
	Shape      string  `json:"shape"`
	Ms         float64 `json:"ms"`
	GFLOPS     float64 `json:"gflops"`
	GBps       float64 `json:"gbps"`
	LimitShare float64 `json:"limit_share"`
}

func (f *kernelFlags) bench(c *cobra.Command, m *machine, ops []kernels.OpID) error {
	if f.width < 1 || f.batch < 1 {
		return usagef("--width %d, --batch %d: at least 1", f.width, f.batch)
	}
	if m.Capabilities().Emulated {
		return f.count(c, m, ops)
	}
	var peaks []profile.Step
	var rows []kernelSpeed
	t := table.New("operation", "variant", "shape", "ms", "GFLOP/s", "GB/s", "of limit %").Left(1, 2)
	err := f.atLayers(c.Context(), m, ops, func(v *kernels.Variant, s kernels.Shape) error {
		// A processor's peak changes within seconds, by its clock and by who else uses it; a card is ours alone, and measuring it takes 1 GiB.
		if len(peaks) == 0 || m.Kind() == kernels.CPU {
			roof, err := kernels.MeasureRoofline(m.Device, m.options.Precision)
			if err != nil {
				return err
			}
			peaks = append(peaks, profile.Step{Roof: roof})
		}
		b, err := kernels.Bench(m.Device, v, m.options.Precision, s, kernels.BenchOptions{Roofline: peaks[len(peaks)-1].Roof})
		if err != nil {
			return err
		}
		row := kernelSpeed{v.Op.String(), v.Name, s.String(), 1e3 * b.Median.Seconds(), b.GFLOPS, b.GBps, b.Share}
		rows = append(rows, row)
		t.Row(row.Op, row.Variant, row.Shape, table.Number(row.Ms), rate(row.GFLOPS), rate(row.GBps), rate(100*row.LimitShare))
		return nil
	})
	if err != nil {
		return err
	}
	out := f.stdout(c)
	roof := profile.Roofline(peaks)
	fmt.Fprintf(out, "on %s; its peak, median of %d measured now: %v (rates count the direct algorithm, each operand moved once)\n", m.Description(), len(peaks), roof)
	if err := t.Write(out, "  "); err != nil {
		return err
	}
	return f.write(struct {
		Device string `json:"device"`
		kernels.Roofline
		Kernels []kernelSpeed `json:"kernels"`
	}{m.Description(), roof, rows})
}

// kernelRequests is what `kernels bench` tells of one variant at one shape under the emulated driver, which has no speed.
type kernelRequests struct {
	Op            string  `json:"op"`
	Variant       string  `json:"variant"`
	Shape         string  `json:"shape"`
	LoadSectors   float64 `json:"sectors_per_load"` // of 32 bytes; 4 where each lane of a warp wants 4 bytes and they lie together
	StoreSectors  float64 `json:"sectors_per_store"`
	BytesOfLeast  float64 `json:"bytes_of_least"` // moved, caches left out, over each operand moved once
	BankConflicts float64 `json:"bank_conflicts"` // of a call
	ConflictShare float64 `json:"bank_conflicts_per_request"`
}

func (f *kernelFlags) count(c *cobra.Command, m *machine, ops []kernels.OpID) error {
	var rows []kernelRequests
	t := table.New("operation", "variant", "shape", "sectors/load", "sectors/store", "bytes/least", "bank conflicts", "a request").Left(1, 2)
	err := f.atLayers(c.Context(), m, ops, func(v *kernels.Variant, s kernels.Shape) error {
		n, err := kernels.Count(m.Device, v, m.options.Precision, s)
		if err != nil {
			return err
		}
		least := v.Op.Op().Cost(s, m.options.Precision, nil).Bytes
		row := kernelRequests{v.Op.String(), v.Name, s.String(), over(n.LoadSectors, n.LoadRequests), over(n.StoreSectors, n.StoreRequests),
			n.Bytes() / least, n.SharedConflicts, over(n.SharedConflicts, n.SharedRequests)}
		rows = append(rows, row)
		t.Row(row.Op, row.Variant, row.Shape, rate(row.LoadSectors), rate(row.StoreSectors), rate(row.BytesOfLeast), fmt.Sprintf("%.0f", row.BankConflicts),
			table.Number(row.ConflictShare))
		return nil
	})
	if err != nil {
		return err
	}
	out := f.stdout(c)
	fmt.Fprintf(out, "on %s, %v: memory requests of a warp, counted (the emulated driver has no speed)\n", m.Description(), m.options.Precision)
	if err := t.Write(out, "  "); err != nil {
		return err
	}
	return f.write(map[string]any{"device": m.Description(), "kernels": rows})
}

// over is a quotient, 0 of nothing.
func over(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
