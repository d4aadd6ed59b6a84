package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"nctrain/cmd/nctrain/internal/version"
	"nctrain/nn"
)

// convertFlags are those of `convert`.
type convertFlags struct {
	outputFlags
	normalizationFlags
	overwrite bool
}

func newConvertCommand() *cobra.Command {
	f := &convertFlags{}
	c := &cobra.Command{
		Use:   "convert A B.safetensors",
		Short: "Weights from .pth or .safetensors to .safetensors, under this program's names",
		Long: `Read the weights A (a .pth of the notebook, OpenOOD or torchvision's kin, or a .safetensors file under any of their names) and write them as
.safetensors under the names of the notebook's class, which load_state_dict(strict=True) takes. Nothing in a .pth is run.`,
		Example: `  nctrain convert resnet_400_epoch.pth resnet_400_epoch.safetensors
  nctrain convert openood.ckpt openood.safetensors --mean 0.5071,0.4867,0.4408 --std 0.2675,0.2565,0.2761`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("convert: %d files named: write what to read and what to write, for example nctrain convert resnet_400_epoch.pth weights.safetensors", len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return f.execute(c, args[0], args[1]) },
	}
	c.Flags().BoolVar(&f.overwrite, "overwrite", false, "replace B where it exists")
	f.normalizationFlags.register(c.Flags())
	f.outputFlags.register(c.Flags())
	return c
}

func (f *convertFlags) execute(c *cobra.Command, from, to string) error {
	if filepath.Ext(to) != ".safetensors" {
		return usagef("convert: %s: only .safetensors can be written: give the second file that ending", to)
	}
	if err := f.normalizationFlags.check(); err != nil {
		return err
	}
	if _, err := os.Stat(to); err == nil && !f.overwrite {
		return fmt.Errorf("convert: %s: is there already: replace it with --overwrite, or choose another name", to)
	}
	checkpoint, err := nn.LoadCheckpoint(from)
	if err != nil {
		return err
	}
	f.normalizationFlags.apply(checkpoint)
	model, meta := checkpoint.Model, checkpoint.Meta
	if meta.Version == "" {
		meta.Version, meta.NoEpoch = version.String(), !checkpoint.EpochKnown
	}
	meta.Normalization = nil
	if model.Normalization != nn.CIFARNormalization {
		meta.Normalization = &model.Normalization
	}
	hash, err := nn.SaveWeights(to, checkpoint.Tensors, meta)
	if err != nil {
		return err
	}
	out := f.stdout(c)
	printMapping(out, checkpoint)
	fmt.Fprintf(out, "%s: %d tensors of a ResNet-18 of width %d with %d classes, weights %.12s; images %s\n", to, len(checkpoint.Tensors), model.Width, model.Classes, hash,
		normalizationText(model.Normalization))
	result := map[string]any{
		"checkpoint": hash, "out": to, "width": model.Width, "classes": model.Classes, "mapping": checkpoint.Mapping, "normalization": model.Normalization,
	}
	if checkpoint.EpochKnown {
		result["epoch"] = meta.Epoch
	}
	return f.outputFlags.write(result)
}
