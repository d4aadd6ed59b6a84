package main

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"nctrain/analysis"
	"nctrain/cmd/nctrain/internal/run"
	"nctrain/cmd/nctrain/internal/table"
	"nctrain/cmd/nctrain/internal/version"
	"nctrain/nn"
	"nctrain/nn/data"
)

// exportScript exports the features of any PyTorch model; docs/features.md shows the same text.
//
//go:embed export_features.py
var exportScript string

// featuresFlags are those of `features`.
type featuresFlags struct {
	deviceFlags
	outputFlags
	normalizationFlags
	checkpoint, data, split, out, headOut, trace string
	batch, limit, subset, imageSize              int
}

func newFeaturesCommand() *cobra.Command {
	f := &featuresFlags{}
	c := &cobra.Command{
		Use:   "features --checkpoint F --data SET --split train|val|test --out f.npz",
		Short: "The un-augmented features, logits and labels of a set, and the head",
		Long: `Pass a set through the weights of a checkpoint, without augmentation and in the set's own order, and write features [N,D], logits [N,C]
and labels [N] as .npz, with the checkpoint's hash beside them; --head-out writes the last layer, weight [C,D] and bias [C]. The --limit and --image-size of the
run that trained the weights count for that run's own sets, and of an OOD set larger than its test set the subset that it scored, so that nctrain nc and ood of
these files give the run's numbers; what is given here wins.

The checkpoint may be the notebook's .pth, or a .pth or .safetensors file of this network under the names that OpenOOD and torchvision's kin use;
what was renamed is printed. Nothing in a .pth is run. Names and shapes do not tell how images were normalised: --mean and --std do (OpenOOD's CIFAR-100
networks: --mean 0.5071,0.4867,0.4408 --std 0.2675,0.2565,0.2761), and the accuracy on the network's own test set shows whether all is right.

Any other model's features and head come from PyTorch by this (docs/features.md):

  ` + strings.ReplaceAll(strings.TrimSpace(exportScript), "\n", "\n  "),
		Example: `  nctrain features --checkpoint runs/first/checkpoints/epoch_0010.safetensors --data shapes --split train --out train.npz --head-out head.npz
  nctrain features --checkpoint resnet_400_epoch.pth --data cifar100:cifar-100-binary.tar.gz --split test --out test.npz`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.execute(c) },
	}
	flags := c.Flags()
	flags.StringVar(&f.checkpoint, "checkpoint", "", "weights, .safetensors or .pth")
	flags.StringVar(&f.data, "data", "", "set, KIND:PATH")
	flags.StringVar(&f.split, "split", data.Test, "train, val or test; val is what --val-fraction held out when the weights were trained")
	outputFile(flags, &f.out, "out", "feature file to write, .npz")
	outputFile(flags, &f.headOut, "head-out", "head file to write, .npz")
	flags.IntVar(&f.batch, "batch-size", 0, "images a pass; default that of the training, so that the bits are those of the run's own analysis")
	flags.IntVar(&f.limit, "limit", 0, "take the first N images; 0: all; default that of the weights' own run if the set is one of its sets, else 0")
	flags.IntVar(&f.subset, "subset", 0, "take N images at random where there are more (randperm of seed 42, as a run does of an OOD set larger than its test set); 0: all; default that of the weights' own run if the set is one of its OOD sets, else 0")
	flags.IntVar(&f.imageSize, "image-size", data.DefaultImageSize, "side that images of folder: sets are resized to; default that of the weights' own run, else 32")
	outputFile(flags, &f.trace, "trace", "profile one batch and write it to this file for Perfetto (ui.perfetto.dev)")
	f.normalizationFlags.register(flags)
	f.deviceFlags.register(flags)
	f.outputFlags.register(flags)
	return c
}

// check tells which flags are missing or wrong.
func (f *featuresFlags) check() error {
	switch {
	case f.checkpoint == "":
		return usagef("--checkpoint is missing: name the weights, for example runs/first/checkpoints/epoch_0010.safetensors")
	case f.data == "":
		return usagef("--data is missing: name a set, for example --data shapes")
	case f.out == "" && f.headOut == "":
		return usagef("--out is missing: name the feature file to write, for example --out features.npz")
	case f.split != data.Train && f.split != data.Val && f.split != data.Test:
		return usagef("--split %s: one of train, val, test", f.split)
	case f.batch < 0:
		return usagef("--batch-size %d: at least 1", f.batch)
	case f.subset < 0:
		return usagef("--subset %d: a number of images, or 0 for all", f.subset)
	}
	return f.normalizationFlags.check()
}

func (f *featuresFlags) execute(c *cobra.Command) error {
	if err := f.check(); err != nil {
		return err
	}
	checkpoint, err := nn.LoadCheckpoint(f.checkpoint)
	if err != nil {
		return err
	}
	model, meta := checkpoint.Model, checkpoint.Meta
	f.normalizationFlags.apply(checkpoint)
	var settings run.Settings
	if json.Unmarshal(meta.Settings, &settings) != nil { // none, or somebody else's
		settings = run.Settings{}
	}
	if settings.ImageSize > 0 && !c.Flags().Changed("image-size") {
		f.imageSize = settings.ImageSize
	}
	var asInRun remarks
	f.chooseLimit(settings, c.Flags().Changed("limit"), &asInRun)
	set, err := f.openSet(meta)
	if err != nil {
		return err
	}
	if !c.Flags().Changed("subset") {
		f.subset = f.subsetOfRun(settings, &asInRun)
	}
	if all := set.Len(); f.subset > 0 && f.subset < all {
		set = set.Subset(data.OODSubset(all, f.subset))
		asInRun.note("%s: %s of its %s images, chosen at random as a run does (--subset 0 takes all)", f.data, table.Count(f.subset), table.Count(all))
	}
	m, err := f.open()
	if err != nil {
		return err
	}
	defer m.Close()
	if err := model.Place(m.Device, m.options.Precision); err != nil {
		return err
	}
	if err := model.Load(checkpoint.Tensors); err != nil {
		return fmt.Errorf("weights: %s: %w", f.checkpoint, err)
	}
	var pool nn.MemoryPool
	eval, err := nn.NewEvaluator(m.Device, model, set, f.batchSize(settings), &pool, m.options)
	if err != nil {
		return err
	}
	f.warnAside(c, eval.Plan().Refusals())
	if f.trace != "" {
		if err := writeTrace(f.trace, m, eval.Plan(), eval.Rewind); err != nil {
			return err
		}
	}
	out := f.stdout(c)
	printMapping(out, checkpoint)
	if f.out != "" {
		for _, note := range asInRun.notes {
			fmt.Fprintln(out, note)
		}
		warn(out, asInRun.warnings)
	}
	about := analysis.Meta{Checkpoint: meta.Hash, Normalization: (*analysis.Normalization)(&model.Normalization), Version: version.String()}
	if checkpoint.EpochKnown {
		about.Epoch = &meta.Epoch
	}
	return f.write(c, model, eval, set, checkpoint.Tensors, about)
}

// batchSize is the flag's, else that of the training, else the notebook's.
func (f *featuresFlags) batchSize(settings run.Settings) int {
	return cmp.Or(f.batch, settings.Training.BatchSize, nn.NotebookSettings().BatchSize)
}

// remarks tell which of the run's choices were taken over, and which were not.
type remarks struct{ notes, warnings []string }

func (r *remarks) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

func (r *remarks) warn(format string, args ...any) {
	r.warnings = append(r.warnings, fmt.Sprintf(format, args...))
}

// chooseLimit takes the limit of the weights' own run where none is given and the set is one of its sets.
func (f *featuresFlags) chooseLimit(settings run.Settings, given bool, r *remarks) {
	own, limit := settings.Names(f.data, f.split), settings.Limit
	switch {
	case limit == 0 || f.limit == limit:
	case own && !given:
		f.limit = limit
		r.note("%s: the first %s images at most, as in the run of these weights (--limit 0 takes all)", f.data, table.Count(limit))
	case own:
		r.warn("the run of these weights took the first %s images of %s, this is with --limit %d: its numbers will differ", table.Count(limit), f.data, f.limit)
	case f.split != data.Test:
		r.warn("these weights were trained on the first %s images of %s, the limit does not count for %s: pass --limit %d if it is the same set",
			table.Count(limit), settings.Data, f.data, limit)
	}
}

// subsetOfRun is how many images of the set the weights' own run scored, where that is an OOD set of it; else 0. The run's directory tells, if the weights still lie there:
// its OOD sets may have come after the weights.
func (f *featuresFlags) subsetOfRun(settings run.Settings, r *remarks) int {
	if f.split != data.Test {
		return 0
	}
	same := func(named run.NamedSet) bool { return named.Set == f.data }
	if config, err := run.ReadConfig(filepath.Dir(filepath.Dir(f.checkpoint))); err == nil {
		if at := slices.IndexFunc(config.Settings.OOD, same); at >= 0 {
			return config.Sets["ood/"+config.Settings.OOD[at].Name].N
		}
		return 0
	}
	if slices.ContainsFunc(settings.OOD, same) {
		r.warn("the run of these weights scored no more images of %s than its test set has, and its config.json is not beside checkpoints/ to say how many: pass --subset N",
			f.data)
	}
	return 0
}

// openSet opens the split; where the weights were trained with a part of it held out, train is the rest and val that part.
func (f *featuresFlags) openSet(meta nn.Metadata) (*data.Set, error) {
	stored := f.split
	if stored == data.Val {
		stored = data.Train
		if len(meta.Val) == 0 {
			return nil, fmt.Errorf("weights: %s: nothing was held out when they were trained, so there is no split val: use --split train or test", f.checkpoint)
		}
	}
	set, err := data.Open(f.data, stored, data.Options{Limit: f.limit, ImageSize: f.imageSize})
	if err != nil || stored != data.Train || len(meta.Val) == 0 {
		return set, err
	}
	held := make([]bool, set.Len())
	for _, at := range meta.Val {
		if at < 0 || int(at) >= len(held) {
			return nil, fmt.Errorf("weights: %s: image %d was held out of the training set, %s has %d: name the set of the training (and its --limit)",
				f.checkpoint, at, set.Name, set.Len())
		}
		held[at] = true
	}
	var wanted []int
	for i, out := range held {
		if out == (f.split == data.Val) {
			wanted = append(wanted, i)
		}
	}
	set = set.Subset(wanted)
	set.Split = f.split
	return set, nil
}

func (f *featuresFlags) write(c *cobra.Command, model *nn.ResNet18, eval *nn.Evaluator, set *data.Set, tensors []nn.Tensor, about analysis.Meta) error {
	out := f.stdout(c)
	result := map[string]any{
		"checkpoint": about.Checkpoint, "n": set.Len(), "features": model.Features(), "classes": model.Classes, "normalization": about.Normalization,
	}
	if about.Epoch != nil {
		result["epoch"] = *about.Epoch
	}
	if f.headOut != "" {
		of := about
		of.Normalization = nil // a head sees no image
		head, err := run.HeadOf(tensors, f.checkpoint, of)
		if err != nil {
			return err
		}
		if err := analysis.WriteHead(f.headOut, head); err != nil {
			return err
		}
		result["head_out"] = f.headOut
		fmt.Fprintf(out, "%s: weight [%d,%d] and bias of weights %.12s\n", f.headOut, model.Classes, model.Features(), about.Checkpoint)
	}
	if f.out == "" {
		return f.outputFlags.write(result)
	}
	p := newProgress(out, f.quiet)
	defer p.close()
	began := time.Now()
	correct, err := f.writeRows(c.Context(), model, eval, set, about, p)
	if err != nil {
		return err
	}
	p.close()
	took := time.Since(began).Seconds()
	result["out"] = f.out
	text := fmt.Sprintf("no accuracy (the set has %d classes, the network %d)", set.Classes, model.Classes)
	fewer := set.Uncounted && set.Classes < model.Classes // it may lack images of the last classes, or be no set of these classes at all
	if fewer || set.Classes == model.Classes {
		accuracy := 100 * float64(correct) / float64(set.Len())
		result["accuracy"] = accuracy
		text = "accuracy " + table.Percent(accuracy) + " %"
	}
	if fewer {
		text += fmt.Sprintf(" (if its labels, 0..%d, are those of the network's %d classes)", set.Classes-1, model.Classes)
	}
	fmt.Fprintf(out, "%s: %s rows of %s (%s), %d features and %d logits of weights %.12s, %s; %.1f s, %s images/s\n", f.out, table.Count(set.Len()), set.Name,
		set.Split, model.Features(), model.Classes, about.Checkpoint, text, took, table.Count(int(float64(set.Len())/took)))
	fmt.Fprintln(out, "images "+normalizationText(model.Normalization))
	return f.outputFlags.write(result)
}

// writeRows streams the rows into the file, and counts those whose largest logit is the label's.
func (f *featuresFlags) writeRows(ctx context.Context, model *nn.ResNet18, eval *nn.Evaluator, set *data.Set, about analysis.Meta, p *progress) (correct int, err error) {
	about.Set, about.Split = set.Name, set.Split
	info := analysis.Info{Name: f.out, N: set.Len(), D: model.Features(), C: model.Classes, Meta: about}
	done := 0
	err = analysis.WriteFeatures(f.out, info, func(w *analysis.FeatureWriter) error {
		return eval.Each(ctx, func(r nn.Rows) error {
			labels := make([]int64, r.N)
			for i, label := range r.Labels {
				labels[i] = int64(label)
				logits := r.Logits[i*model.Classes : (i+1)*model.Classes]
				if int(label) == analysis.Argmax(logits) {
					correct++
				}
			}
			done += r.N
			p.show("features", "images", done, set.Len())
			return w.Append(r.Features, r.Logits, labels)
		})
	})
	return correct, err
}
