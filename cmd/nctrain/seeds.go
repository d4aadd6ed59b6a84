package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"nctrain/cmd/nctrain/internal/run"
	"nctrain/cmd/nctrain/internal/table"
)

// executeSeeds makes one run a seed, one after the other, and prints mean and spread of their last checkpoints. Runs that were begun go on.
func (f *trainFlags) executeSeeds(c *cobra.Command, seeds []uint, noReport bool) error {
	sorted := slices.Sorted(slices.Values(seeds))
	switch {
	case c.Flags().Changed("seed"):
		return usagef("--seed and --seeds: give one of them")
	case c.Flags().Changed("trace"):
		return usagef("--trace profiles one run: leave it out with --seeds")
	case len(slices.Compact(sorted)) < len(seeds):
		return usagef("--seeds %v: each seed once", seeds)
	}
	var results []*run.Results
	var runs []map[string]any
	var dirs []string
	out := f.stdout(c)
	for i, seed := range seeds {
		one := *f
		one.settings.Training.Seed = uint64(seed)
		one.out = run.SeedDir(f.out, uint64(seed))
		if !f.overwrite {
			begun, err := one.settings.Begun(one.out)
			if err != nil {
				return err
			}
			if begun {
				one.resume = one.out
			}
		}
		fmt.Fprintf(out, "== seed %d, %d of %d\n", seed, i+1, len(seeds))
		r, err := one.execute(c, one.settings.Analysis, one.settings.OOD)
		if err != nil {
			return err
		}
		if err := printRun(out, r); err != nil {
			return err
		}
		results = append(results, r.Results)
		runs = append(runs, asJSON(r))
		dirs = append(dirs, r.Dir.Path)
	}
	if !noReport {
		// A page of each seed, and one above them of all, with mean and spread.
		for _, dir := range append(dirs, f.out) {
			if err := buildReport(out, dir, nil); err != nil {
				return err
			}
		}
	}
	spread := run.SpreadOver(results)
	if err := printSpread(c, f, seeds, spread); err != nil {
		return err
	}
	return f.outputFlags.write(map[string]any{"seeds": seeds, "spread": spread, "runs": runs})
}

func printSpread(c *cobra.Command, f *trainFlags, seeds []uint, spread []run.Spread) error {
	out := f.stdout(c)
	fmt.Fprintf(out, "\nLast checkpoints of %d seeds %v: mean and standard deviation (ddof 1) of training, accuracies and detection in percent\n", len(seeds), seeds)
	t := table.New("number", "mean", "std", "min", "max")
	for _, s := range spread {
		std := table.Missing
		if s.Std != nil {
			std = table.Number(*s.Std)
		}
		t.Row(s.Name, table.Number(s.Mean), std, table.Number(slices.Min(s.Values)), table.Number(slices.Max(s.Values)))
	}
	return t.Write(out, "  ")
}
