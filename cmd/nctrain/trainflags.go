package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"nctrain/cmd/nctrain/internal/run"
	"nctrain/nn"
	"nctrain/nn/data"
)

// trainFlags are what `run` and `train` have in common.
type trainFlags struct {
	deviceFlags
	outputFlags
	settings  run.Settings
	noAugment bool
	out       string
	resume    string
	overwrite bool
	trace     string
}

func (f *trainFlags) register(flags *pflag.FlagSet) {
	notebook := nn.NotebookSettings()
	t := &f.settings.Training
	flags.StringVar(&f.settings.Data, "data", "", "training set, KIND:PATH (nctrain data info --help lists the kinds)")
	flags.StringVar(&f.settings.Test, "test", "", "test set, where the training set has one split only")
	flags.StringVar(&f.out, "out", "", "directory of the run; made if it is not there")
	annotate(flags, "out", isOutputDir)
	flags.StringVar(&f.resume, "resume", "", "go on with the run in this directory, with its own settings; or with the notebook's .pth, as a new run in --out")
	flags.BoolVar(&f.overwrite, "overwrite", false, "remove an earlier run that is in --out")
	flags.IntVar(&t.Epochs, "epochs", notebook.Epochs, "epochs; the learning rate falls to 0 over them (cosine)")
	flags.IntVar(&t.BatchSize, "batch-size", notebook.BatchSize, "images a step")
	flags.Float64Var(&t.LR, "lr", notebook.LR, "learning rate of the first epoch")
	flags.Float64Var(&t.Momentum, "momentum", notebook.Momentum, "momentum of SGD")
	flags.Float64Var(&t.WeightDecay, "weight-decay", notebook.WeightDecay, "weight decay, on every parameter")
	flags.IntVar(&f.settings.Width, "width", 64, "channels of the first stage; the network is ResNet-18 at 64")
	flags.IntVar(&f.settings.CheckpointEvery, "checkpoint-every", 10, "epochs between checkpoints; 0: the first and the last alone")
	flags.BoolVar(&f.noAugment, "no-augment", false, "no random crop and flip")
	flags.Float64Var(&f.settings.ValFraction, "val-fraction", 0, "share of the training images held out as the val split")
	flags.IntVar(&f.settings.Limit, "limit", 0, "take the first N images of each split; 0: all")
	flags.IntVar(&f.settings.ImageSize, "image-size", data.DefaultImageSize, "side that images of folder: sets are resized to")
	flags.Uint64Var(&t.Seed, "seed", notebook.Seed, "seed of weights, order and augmentation")
	outputFile(flags, &f.trace, "trace", "profile one training step before the run and write it to this file for Perfetto (ui.perfetto.dev)")
	f.deviceFlags.register(flags)
	f.outputFlags.register(flags)
}

// harmless are the flags that may stand beside --resume DIR: none of them changes the run's settings.
var harmless = []string{"resume", "device", "threads", "precision", "json", "quiet", "trace", "help"}

// adopted are the flags whose values a .pth brings along.
var adopted = []string{"epochs", "lr", "momentum", "weight-decay", "width"}

// fromFile tells --resume F.pth from --resume DIR.
func (f *trainFlags) fromFile() bool {
	if filepath.Ext(f.resume) == ".pth" {
		return true
	}
	info, err := os.Stat(f.resume)
	return err == nil && info.Mode().IsRegular()
}

// check looks at what the flags say together, and completes the settings.
func (f *trainFlags) check(flags *pflag.FlagSet, allowed ...string) error {
	var given []string
	flags.Visit(func(flag *pflag.Flag) { given = append(given, flag.Name) })
	without := func(which func(name string) bool) string {
		var bad []string
		for _, name := range given {
			if which(name) {
				bad = append(bad, "--"+name)
			}
		}
		return strings.Join(bad, ", ")
	}
	switch {
	case f.resume == "":
	case f.fromFile():
		if bad := without(func(name string) bool { return slices.Contains(adopted, name) }); bad != "" {
			return usagef("--resume %s brings its own schedule, optimiser and width: leave out %s", f.resume, bad)
		}
		if bad := without(func(name string) bool { return name == "val-fraction" || name == "seeds" }); bad != "" {
			return usagef("--resume %s: the notebook trained on every image, with one seed: leave out %s", f.resume, bad)
		}
	default:
		if bad := without(func(name string) bool { return !slices.Contains(harmless, name) && !slices.Contains(allowed, name) }); bad != "" {
			return usagef("--resume goes on with the settings in %s/config.json: leave out %s", f.resume, bad)
		}
		return nil
	}
	switch {
	case f.settings.Data == "":
		return usagef("--data is missing: name a training set, for example --data shapes (or --resume DIR)")
	case f.out == "":
		return usagef("--out is missing: name the directory of the run, for example --out runs/first")
	}
	s := &f.settings
	s.Training.Augment = !f.noAugment
	s.Precision = f.precision // empty until the device is known
	s.Pinned = f.variants
	s.Data = run.AbsoluteSet(s.Data)
	if s.Test != "" {
		s.Test = run.AbsoluteSet(s.Test)
	}
	if err := s.Validate(); err != nil {
		return usageError{err}
	}
	return nil
}

// options opens the device, and sets the precision of a new run. With --resume the pinned variants are the run's own, and its precision unless another is named.
func (f *trainFlags) options(progress *progress) (*machine, run.Options, error) {
	if f.resume != "" && !f.fromFile() {
		config, err := run.ReadConfig(f.resume)
		if err != nil {
			return nil, run.Options{}, err
		}
		f.variants = config.Settings.Pinned
		if f.precision == "" {
			f.precision = config.Settings.Precision
		}
	}
	m, err := f.open()
	if err != nil {
		return nil, run.Options{}, err
	}
	f.settings.Precision = m.options.Precision.String()
	o := run.Options{Device: m.Device, Precision: m.options.Precision, Choice: m.options.Choice, Observer: progress, Overwrite: f.overwrite}
	if f.trace != "" {
		o.Probe = func(t *nn.Trainer) error { return writeTrace(f.trace, m, t.Plan(), t.Rewind) }
	}
	return m, o, nil
}
