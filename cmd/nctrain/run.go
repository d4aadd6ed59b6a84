package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"nctrain/analysis/ood"
	"nctrain/cmd/nctrain/internal/run"
)

func newRunCommand() *cobra.Command {
	f := &trainFlags{}
	var others []string
	var analysis run.Analysis
	var seeds []uint
	var noReport bool
	c := &cobra.Command{
		Use:   "run --data SET [--ood [NAME=]SET ...] --out DIR",
		Short: "The whole experiment: train, then measure collapse and OOD detection at every checkpoint",
		Long: `Train, and measure neural collapse (NC1..NC5) and out-of-distribution detection at every checkpoint as it comes.

The directory --out then holds config.json, history.csv, checkpoints/, state/ (to resume from), nc.json, ood.json, scores.npz,
nc2_cosines.npz, thumbs/, log.jsonl, figures/ and report.html. Ctrl-C finishes the step and saves; --resume goes on to the bits of a run that was never
stopped.`,
		Example: `  nctrain run --data shapes --ood digits --width 8 --epochs 10 --out runs/first
  nctrain run --data cifar100:cifar-100-binary.tar.gz --ood shapes --ood digits --out runs/cifar100
  nctrain run --resume runs/cifar100
  nctrain run --resume resnet_200_epoch.pth --data cifar100:cifar-100-binary.tar.gz --ood svhn:test_32x32.mat --out runs/cifar100`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(c.Flags(), "ood", "scores", "notebook", "keep-features", "no-report"); err != nil {
				return err
			}
			sets, err := run.ParseNamed(others)
			if err != nil {
				return usagef("--ood %w", err)
			}
			for i := range sets {
				sets[i].Set = run.AbsoluteSet(sets[i].Set)
			}
			if _, err := ood.Select(analysis.Scores, analysis.Notebook); err != nil {
				return usagef("--scores: %w", err)
			}
			f.settings.OOD, f.settings.Analysis = sets, &analysis
			if len(seeds) > 0 {
				return f.executeSeeds(c, seeds, noReport)
			}
			r, err := f.execute(c, &analysis, sets)
			if err != nil {
				return err
			}
			if err := printRun(f.stdout(c), r); err != nil {
				return err
			}
			if !noReport {
				if err := buildReport(f.stdout(c), r.Dir.Path, nil); err != nil {
					return err
				}
			}
			return f.outputFlags.write(asJSON(r))
		},
	}
	f.register(c.Flags())
	flags := c.Flags()
	flags.UintSliceVar(&seeds, "seeds", nil, "one run a seed, in seed-N/ of --out, with mean and spread; the same command goes on where it stopped")
	flags.StringSliceVar(&others, "ood", nil, "out-of-distribution set, [NAME=]KIND:PATH; repeat, or separate by commas")
	flags.StringSliceVar(&analysis.Scores, "scores", nil, "OOD scores, or all; default the notebook's six")
	flags.BoolVar(&analysis.Notebook, "notebook", false, "add each score as the notebook computes it (SCORE@notebook)")
	flags.BoolVar(&noReport, "no-report", false, "leave figures and report.html out; nctrain report draws them later")
	flags.BoolVar(&analysis.KeepFeatures, "keep-features", false, "keep the features of every checkpoint in features/")
	return c
}

// printRun prints what a run found: collapse at every checkpoint, detection at the last.
func printRun(out io.Writer, r *run.Run) error {
	fmt.Fprintln(out)
	if err := printCollapse(out, r.Results.NC); err != nil {
		return err
	}
	if n := len(r.Results.OOD); n > 0 {
		fmt.Fprintln(out)
		if err := printDetection(out, r.Results.OOD[n-1]); err != nil {
			return err
		}
	}
	files := "config.json, history.csv, nc.json"
	if len(r.Results.OOD) > 0 {
		files += ", ood.json, scores.npz"
	}
	_, err := fmt.Fprintf(out, "\nThe numbers are in %s: %s, checkpoints/.\n", r.Dir.Path, files)
	return err
}

func asJSON(r *run.Run) map[string]any {
	return map[string]any{"run": r.Dir.Path, "history": r.HistoryRows(), "nc": r.Results.NC, "ood": r.Results.OOD}
}
