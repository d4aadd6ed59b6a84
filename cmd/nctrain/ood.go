package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"nctrain/analysis"
	"nctrain/analysis/ood"
	"nctrain/cmd/nctrain/internal/run"
	"nctrain/internal/wholefile"
)

// oodFlags are those of `ood`.
type oodFlags struct {
	outputFlags
	train, stats, id, head, val, run string
	preset, csv                      string
	others, scores, params           []string
	options                          ood.Options
}

func newOODCommand() *cobra.Command {
	f := &oodFlags{}
	var names []string
	for _, d := range ood.Detectors() {
		if !strings.Contains(d.Name, "@") {
			names = append(names, d.Name)
		}
	}
	c := &cobra.Command{
		Use:   "ood --train f.npz --id t.npz --ood NAME=o.npz ... --head h.npz | ood --run DIR",
		Short: "Out-of-distribution scores and how well they tell, of feature files or of a run's checkpoints",
		Long: `Score ID and OOD rows (larger = more in-distribution) and measure how well each score tells them apart, in percent.
Scores: ` + strings.Join(names, ", ") + `; without --scores the notebook's six.`,
		Example: `  nctrain ood --train train.npz --id test.npz --ood digits=digits.npz --head head.npz --notebook --json ood.json
  nctrain ood --preset openood-cifar10 --train train.npz --id test.npz --ood cifar100=c100.npz,tin=tin.npz,svhn=svhn.npz --head head.npz --csv vim.csv --scores vim
  nctrain ood --run runs/first`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.execute(c) },
	}
	flags := c.Flags()
	flags.StringVar(&f.train, "train", "", "un-augmented training features: "+featureSpecs)
	flags.StringVar(&f.stats, "stats", "", "statistics of all training rows instead (nctrain stats), for scores that fit in one sweep")
	flags.StringVar(&f.id, "id", "", "ID test features")
	flags.StringVar(&f.head, "head", "", "head of the same checkpoint: "+headSpecs)
	flags.StringVar(&f.val, "val", "", "ID features in neither training nor test, for scores that fit on them")
	flags.StringArrayVar(&f.others, "ood", nil, "OOD features, [NAME=]o.npz; repeat, or separate by commas")
	flags.StringSliceVar(&f.scores, "scores", nil, "scores to compute, or all")
	flags.BoolVar(&f.options.Notebook, "notebook", false, "add each score as the notebook computes it (SCORE@notebook)")
	flags.StringSliceVar(&f.params, "param", nil, "set a score's parameter, for example vim.dim=64")
	flags.IntVar(&f.options.Replicates, "bootstrap", 0, "replicates of the bootstrap behind 95 % intervals and comparisons, 2000 is usual; 0: none")
	flags.Uint64Var(&f.options.Seed, "seed", 47, "seed of the bootstrap's resamples")
	flags.StringVar(&f.options.Baseline, "baseline", "", "score that the others are compared with, by --bootstrap (default msp)")
	flags.Float64Var(&f.options.ThresholdAt, "threshold-at", 0, "share of ID rows to accept, between 0 and 1: each score's conformal threshold, from --val")
	outputFile(flags, &f.options.SaveTo, "save", "write the fitted scores and their thresholds to this .npz")
	flags.StringVar(&f.preset, "preset", "", "published protocol whose sets --ood names: near and far groups and their means ("+strings.Join(ood.PresetNames(), ", ")+")")
	outputFile(flags, &f.csv, "csv", "write OpenOOD's table (dataset,FPR@95,AUROC,AUPR_IN,AUPR_OUT,ACC) to this file")
	flags.BoolVar(&f.options.DropOverlap, "drop-overlap", false, "leave out scored rows that also occur in a fit set, and rows of --val that occur in --train or --id")
	flags.BoolVar(&f.options.AllowOverlap, "allow-overlap", false, "go on with them in where they are more than 1 % of their set")
	flags.StringVar(&f.run, "run", "", "run directory: every checkpoint it has analysed")
	threadsFlag(flags, &f.options.Threads)
	f.outputFlags.register(flags)
	return c
}

func (f *oodFlags) execute(c *cobra.Command) error {
	if f.run != "" {
		return f.stored(c)
	}
	o, err := f.checked()
	if err != nil {
		return err
	}
	var files files
	defer files.close()
	if err := f.open(&files, &o); err != nil {
		return err
	}
	r, err := ood.Compute(c.Context(), o)
	if err != nil {
		return err
	}
	if err := f.show(c, r); err != nil {
		return err
	}
	return f.write(r)
}

// checked gives the options without their inputs, or tells which flags are wrong or do not fit together.
func (f *oodFlags) checked() (ood.Options, error) {
	o := f.options
	if f.id == "" || f.head == "" || len(f.others) == 0 {
		return o, usagef("--id, --ood and --head are needed (and --train for scores that fit), of one checkpoint (nctrain features writes them), or --run DIR")
	}
	o.Scores = f.scores
	chosen, err := ood.Select(o.Scores, o.Notebook)
	if err != nil {
		return o, usagef("--scores: %w", err)
	}
	if o.Params, err = parseParams(f.params); err != nil {
		return o, err
	}
	if err := ood.CheckParams(chosen, o.Params); err != nil {
		return o, usagef("--param: %w", err)
	}
	if o.Preset, err = f.findPreset(); err != nil {
		return o, err
	}
	switch {
	case o.Replicates != 0 && o.Replicates < ood.LeastReplicates:
		return o, usagef("--bootstrap %d: at least %d for a 95 %% interval, 2000 is usual; 0 for none", o.Replicates, ood.LeastReplicates)
	case o.Baseline != "" && o.Replicates == 0:
		return o, usagef("--baseline %s: scores are compared by the paired intervals of --bootstrap: give it too, 2000 is usual", o.Baseline)
	case !(o.ThresholdAt >= 0 && o.ThresholdAt < 1): // NaN too
		return o, usagef("--threshold-at %v: a share of at least 0 and less than 1", o.ThresholdAt)
	case o.ThresholdAt > 0 && f.val == "":
		return o, usagef("--threshold-at takes its threshold from rows in neither training nor test: name them by --val")
	case f.stats != "" && f.train != "":
		return o, usagef("--stats stands in for --train: give one of them")
	}
	return o, checkExtension("save", o.SaveTo, ".npz")
}

// open opens the inputs of o.
func (f *oodFlags) open(files *files, o *ood.Options) (err error) {
	if f.train != "" || f.stats != "" {
		if o.Train, _, err = files.train(f.train, f.stats); err != nil {
			return err
		}
	}
	for _, each := range []struct {
		to   *analysis.Source
		path string
	}{{&o.ID, f.id}, {&o.Val, f.val}} {
		if each.path == "" {
			continue
		}
		if *each.to, err = files.open(each.path); err != nil {
			return err
		}
	}
	if o.OOD, err = files.named(f.others); err != nil {
		return err
	}
	o.Head, err = analysis.OpenHead(f.head)
	return err
}

// findPreset gives the chosen preset, nil for none.
func (f *oodFlags) findPreset() (*ood.Preset, error) {
	if f.preset == "" {
		return nil, nil
	}
	p, err := ood.FindPreset(f.preset)
	if err != nil {
		return nil, usagef("--preset: %w", err)
	}
	return p, nil
}

// show prints the tables and writes the one for OpenOOD.
func (f *oodFlags) show(c *cobra.Command, r *ood.Result) error {
	if err := printDetection(f.stdout(c), r); err != nil {
		return err
	}
	if f.csv == "" {
		return nil
	}
	if err := wholefile.Write(f.csv, 0o644, r.WriteOpenOOD); err != nil {
		return fmt.Errorf("--csv: %w", err)
	}
	return nil
}

// stored prints what a run has computed: the last checkpoint whole, all of them as JSON.
func (f *oodFlags) stored(c *cobra.Command) error {
	if f.train != "" || f.stats != "" || f.id != "" || f.head != "" || f.val != "" || len(f.others) > 0 || len(f.scores) > 0 || len(f.params) > 0 || f.options.Notebook {
		return usagef("--run reads what the run has stored: leave out the other inputs, and choose --scores when the run is started")
	}
	preset, err := f.findPreset()
	if err != nil {
		return err
	}
	config, err := run.ReadConfig(f.run)
	if err != nil {
		return err
	}
	results, err := run.ReadResults(f.run)
	if err != nil {
		return err
	}
	n := len(results.OOD)
	if n == 0 {
		return fmt.Errorf("ood: %s: no checkpoint has been scored: name OOD sets when the run is started (--ood), or write features and score those", f.run)
	}
	if preset != nil {
		for _, r := range results.OOD {
			if err := preset.Check(config.Sets["train"].Classes, r.OOD.Keys()); err != nil {
				return err
			}
			r.Group(preset)
		}
	}
	if err := f.show(c, results.OOD[n-1]); err != nil {
		return err
	}
	return f.write(results.OOD)
}

// parseParams reads "vim.dim=64" items.
func parseParams(items []string) (map[string]float64, error) {
	params := map[string]float64{}
	for _, item := range items {
		key, text, ok := strings.Cut(item, "=")
		value, err := strconv.ParseFloat(text, 64)
		if !ok || err != nil || !strings.Contains(key, ".") {
			return nil, usagef("--param %s: write SCORE.PARAMETER=NUMBER, for example vim.dim=64", item)
		}
		params[key] = value
	}
	return params, nil
}
