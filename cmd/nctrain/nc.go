package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"nctrain/analysis"
	"nctrain/analysis/nc"
	"nctrain/cmd/nctrain/internal/run"
)

// ncFlags are those of `nc`.
type ncFlags struct {
	outputFlags
	features, stats, head, test, run string
	others                           []string
	threads                          int
	perClass                         bool
}

func newNCCommand() *cobra.Command {
	f := &ncFlags{}
	c := &cobra.Command{
		Use:   "nc --features f.npz|--stats all.npz --head h.npz [--test t.npz] [--ood NAME=o.npz ...] | nc --run DIR",
		Short: "Neural collapse NC1..NC5, every variant, of a feature file or of a run's checkpoints",
		Example: `  nctrain nc --features train.npz --head head.npz --test test.npz --ood digits=digits.npz
  nctrain nc --stats all.npz --head head.npz
  nctrain nc --run runs/first --json nc.json`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.execute(c) },
	}
	flags := c.Flags()
	flags.StringVar(&f.features, "features", "", "un-augmented training features: "+featureSpecs)
	flags.StringVar(&f.stats, "stats", "", "statistics of all training rows instead, as nctrain stats has written them")
	flags.StringVar(&f.head, "head", "", "head of the same checkpoint: "+headSpecs)
	flags.StringVar(&f.test, "test", "", "test features, for nc4 and the test accuracy")
	flags.StringArrayVar(&f.others, "ood", nil, "OOD features for nc5, [NAME=]o.npz; repeat, or separate by commas")
	flags.StringVar(&f.run, "run", "", "run directory: every checkpoint it has analysed")
	flags.BoolVar(&f.perClass, "per-class", false, "print the numbers of every class too (the last checkpoint's with --run)")
	threadsFlag(flags, &f.threads)
	f.outputFlags.register(flags)
	return c
}

func (f *ncFlags) execute(c *cobra.Command) error {
	out := f.stdout(c)
	if f.run != "" {
		if f.features != "" || f.stats != "" || f.head != "" || f.test != "" || len(f.others) > 0 {
			return usagef("--run reads what the run has stored: leave out --features, --stats, --head, --test and --ood")
		}
		rows, err := storedCollapse(f.run)
		if err != nil {
			return err
		}
		if err := printCollapse(out, rows); err != nil {
			return err
		}
		if err := f.printClasses(out, rows[len(rows)-1]); err != nil {
			return err
		}
		return f.write(rows)
	}
	switch {
	case (f.features == "" && f.stats == "") || f.head == "":
		return usagef("--features and --head are needed, of one checkpoint (nctrain features writes them), or --run DIR")
	case f.features != "" && f.stats != "":
		return usagef("--stats stands in for --features: give one of them")
	}
	var files files
	defer files.close()
	o := nc.Options{Threads: f.threads}
	var err error
	var health string
	if o.Train, health, err = files.train(f.features, f.stats); err != nil {
		return err
	}
	if o.Head, err = analysis.OpenHead(f.head); err != nil {
		return err
	}
	if f.test != "" {
		if o.Test, err = files.open(f.test); err != nil {
			return err
		}
	}
	if o.OOD, err = files.named(f.others); err != nil {
		return err
	}
	r, err := nc.Compute(c.Context(), o)
	if err != nil {
		return err
	}
	if r.Unusable != nil {
		return r.Unusable
	}
	if health != "" {
		r.Health.Warn("%s", health)
	}
	if err := printCollapseWhole(out, r); err != nil {
		return err
	}
	if err := f.printClasses(out, r); err != nil {
		return err
	}
	return f.write(r)
}

// printClasses prints the classes of a checkpoint if they are wanted.
func (f *ncFlags) printClasses(w io.Writer, r *nc.Result) error {
	if !f.perClass {
		return nil
	}
	return printPerClass(w, r)
}

// storedCollapse reads the rows of a run.
func storedCollapse(dir string) ([]*nc.Result, error) {
	if _, err := run.ReadConfig(dir); err != nil {
		return nil, err
	}
	results, err := run.ReadResults(dir)
	if err != nil {
		return nil, err
	}
	if len(results.NC) == 0 {
		return nil, fmt.Errorf("nc: %s: no checkpoint has been analysed: nctrain run --resume %s does it", dir, dir)
	}
	return results.NC, nil
}
