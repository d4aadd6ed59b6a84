package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"nctrain/nn"
)

// normalizationFlags say by what the images of foreign weights are normalised.
type normalizationFlags struct {
	mean, std []float32
}

func (f *normalizationFlags) register(flags *pflag.FlagSet) {
	flags.Float32SliceVar(&f.mean, "mean", nil, "mean of each channel of images in [0,1], as the weights were trained; default what the file says, else CIFAR's (the notebook's)")
	flags.Float32SliceVar(&f.std, "std", nil, "standard deviation of each channel, as --mean")
	for _, name := range []string{"mean", "std"} {
		flags.Lookup(name).DefValue = "" // help would say (default [])
	}
}

func (f *normalizationFlags) check() error {
	var n nn.Normalization
	switch {
	case f.mean == nil && f.std == nil:
		return nil
	case len(f.mean) != len(n.Mean) || len(f.std) != len(n.Std):
		return usagef("--mean of %d numbers and --std of %d: give both, a number a channel, for example --mean 0.5071,0.4867,0.4408 --std 0.2675,0.2565,0.2761", len(f.mean), len(f.std))
	}
	for c := range n.Mean {
		if !(f.mean[c] >= 0 && f.mean[c] <= 1) {
			return usagef("--mean %v: of images scaled to [0,1]", f.mean[c])
		}
		if !(f.std[c] > 0 && f.std[c] <= 1) {
			return usagef("--std %v: above 0, of images scaled to [0,1]", f.std[c])
		}
	}
	return nil
}

// apply gives a checkpoint the flags' normalisation, where there are flags.
func (f *normalizationFlags) apply(c *nn.Checkpoint) {
	if f.mean == nil {
		return
	}
	copy(c.Model.Normalization.Mean[:], f.mean)
	copy(c.Model.Normalization.Std[:], f.std)
}

func normalizationText(n nn.Normalization) string {
	text := fmt.Sprintf("normalised by mean %v, std %v", n.Mean, n.Std)
	if n == nn.CIFARNormalization {
		text += " (CIFAR's, as in the notebook)"
	}
	return text
}

// printMapping says how a foreign file's tensors became the network's.
func printMapping(out io.Writer, c *nn.Checkpoint) {
	if lines := c.Mapping.Lines(); len(lines) > 0 {
		fmt.Fprintf(out, "%s: %s\n", c.Path, strings.Join(lines, "; "))
	}
}
