package main

import (
	"fmt"
	"slices"

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
	flags.StringVar(&f.device, "device", "auto", "cpu, cuda, or auto: the GPU where there is one")
	threadsFlag(flags, &f.threads)
	flags.StringVar(&f.precision, "precision", "", "fp32, tf32 or bf16 (the last two on CUDA); default fp32 on the CPU, tf32 on CUDA")
	flags.StringSliceVar(&f.variants, "variant", nil, "pin kernel variants, for example conv_fprop=direct (nctrain kernels list)")
}

// machine is an open device and how plans are made for it.
type machine struct {
	kernels.Device
	options nn.PlanOptions
}

// open opens the device. Threads apply to the analysis as well.
func (f *deviceFlags) open() (*machine, error) {
	kind, err := f.kind()
	if err != nil {
		return nil, err
	}
	if f.precision == "fp64" {
		return nil, usagef("--precision fp64: one of fp32, tf32, bf16: the CPU's kernels have fp64 for tests alone, and kernels check runs it unasked")
	}
	if f.precision != "" && !slices.Contains([]string{"fp32", "tf32", "bf16"}, f.precision) {
		return nil, usagef("--precision %s: one of fp32, tf32, bf16", f.precision)
	}
	choice, err := kernels.ParseChoice(f.variants, kind)
	if err != nil {
		return nil, usagef("--%w", err)
	}
	var dev kernels.Device
	if kind == kernels.CUDA {
		if dev, err = kernels.OpenCUDA(); err != nil {
			return nil, fmt.Errorf("device: cuda: %w (--device cpu does without)", err)
		}
	} else if dev, err = kernels.OpenCPU(kernels.CPUOptions{Threads: f.threads}); err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}
	precision, err := f.precisionOn(dev)
	if err != nil {
		_ = dev.Close()
		return nil, err
	}
	return &machine{dev, nn.PlanOptions{Precision: precision, Choice: choice}}, nil
}

func (f *deviceFlags) kind() (kernels.Kind, error) {
	switch f.device {
	case "cpu":
		return kernels.CPU, nil
	case "cuda":
		return kernels.CUDA, nil
	case "auto":
		if kernels.HaveCard() {
			return kernels.CUDA, nil
		}
		return kernels.CPU, nil
	}
	return 0, usagef("--device %s: one of cpu, cuda, auto", f.device)
}

// precisionOn is what --precision names, where the device has it; without the flag tf32 on CUDA, as PyTorch's convolutions, else fp32.
func (f *deviceFlags) precisionOn(dev kernels.Device) (kernels.Precision, error) {
	caps := dev.Capabilities()
	has := func(p kernels.Precision) bool { return slices.Contains(caps.Precisions, p) }
	if f.precision == "" {
		if has(kernels.TF32) {
			return kernels.TF32, nil
		}
		return kernels.FP32, nil
	}
	p, err := kernels.ParsePrecision(f.precision)
	switch {
	case err != nil || has(p):
		return p, err
	case caps.Kind == kernels.CPU:
		return 0, usagef("--precision %v: the CPU trains in fp32 alone: leave the flag out, or use it with --device cuda", p)
	}
	return 0, usagef("--precision %v: %s has fp32 alone: %v needs sm_%d or later", p, dev.Description(), p, p.LeastSM())
}
