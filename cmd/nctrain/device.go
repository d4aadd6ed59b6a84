package main

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"nctrain/kernels"
	"nctrain/nn"
)

// deviceFlags choose the machine that computes.
type deviceFlags struct {
	device    string
	threads   int
	precision string
	variants  []string
}

func (f *deviceFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.device, "device", "auto", "cpu, cuda or auto")
	flags.IntVar(&f.threads, "threads", 0, "CPU threads, 0 for one a core; does not change a bit of the results")
	flags.StringVar(&f.precision, "precision", "", "fp32 (CPU), tf32 or bf16 (CUDA); default fp32 on the CPU")
	flags.StringSliceVar(&f.variants, "variant", nil, "pin kernel variants, for example conv_fprop=direct (nctrain kernels list)")
}

// machine is an open device and how plans are made for it.
type machine struct {
	kernels.Device
	options nn.PlanOptions
}

// open opens the device. Threads apply to the analysis as well.
func (f *deviceFlags) open() (*machine, error) {
	switch f.device {
	case "cpu", "auto":
	case "cuda":
		return nil, errors.New("device: cuda: this build of nctrain has no CUDA support: use --device cpu")
	default:
		return nil, usagef("--device %s: one of cpu, cuda, auto", f.device)
	}
	if f.threads < 0 || f.threads > 1<<10 {
		return nil, usagef("--threads %d: from 1 to 1024, or 0 for one a core", f.threads)
	}
	if err := f.checkPrecision(); err != nil {
		return nil, err
	}
	choice, err := kernels.ParseChoice(f.variants, kernels.CPU)
	if err != nil {
		return nil, usagef("--%w", err)
	}
	dev, err := kernels.OpenCPU(kernels.CPUOptions{Threads: f.threads})
	if err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}
	return &machine{dev, nn.PlanOptions{Precision: kernels.FP32, Choice: choice}}, nil
}

func (f *deviceFlags) checkPrecision() error {
	switch f.precision {
	case "", "fp32":
		return nil
	case "tf32", "bf16":
		return usagef("--precision %s: the CPU has fp32 alone: leave the flag out, or use it with --device cuda", f.precision)
	}
	return usagef("--precision %s: one of fp32, tf32, bf16", f.precision)
}
