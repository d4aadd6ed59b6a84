// Losses prints the losses of the first training steps as JSON, for bench/pytorch/losses.py, which trains the same network on the same batches in
// PyTorch and compares:
//
//	go run ./bench/losses --data cifar100:PATH | python bench/pytorch/losses.py PATH
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"nctrain/kernels"
	"nctrain/nn"
	"nctrain/nn/data"
)

// result is what the script reads.
type result struct {
	Width     int       `json:"width"`
	Classes   int       `json:"classes"`
	Batch     int       `json:"batch"`
	Seed      uint64    `json:"seed"`
	LR        float64   `json:"lr"`
	Precision string    `json:"precision"`
	Losses    []float64 `json:"losses"`
}

func main() {
	spec := pflag.String("data", "", "training set, cifar100:PATH")
	width := pflag.Int("width", 16, "channels of the first stage")
	steps := pflag.Int("steps", 50, "training steps")
	batch := pflag.Int("batch-size", 128, "images a step")
	precision := pflag.String("precision", "fp32", "fp32 or fp64")
	pins := pflag.StringSlice("variant", nil, "OPERATION=VARIANT")
	pflag.Parse()
	if err := run(*spec, *width, *steps, *batch, *precision, *pins); err != nil {
		fmt.Fprintln(os.Stderr, "losses:", err)
		os.Exit(1)
	}
}

// afterSteps is a context that ends when the trainer has asked for it a number of times: once before each step.
type afterSteps struct {
	context.Context
	left int
}

var errDone = errors.New("done")

func (c *afterSteps) Err() error {
	if c.left == 0 {
		return errDone
	}
	c.left--
	return nil
}

func run(spec string, width, steps, batch int, precisionName string, pins []string) error {
	precision, err := kernels.ParsePrecision(precisionName)
	if err != nil {
		return err
	}
	set, err := data.Open(spec, data.Train, data.Options{})
	if err != nil {
		return err
	}
	choice, err := kernels.ParseChoice(pins, kernels.CPU)
	if err != nil {
		return err
	}
	dev, err := kernels.OpenCPU(kernels.CPUOptions{})
	if err != nil {
		return err
	}
	defer dev.Close()
	model, err := nn.NewResNet18(set.Classes, width)
	if err != nil {
		return err
	}
	s := nn.NotebookSettings()
	s.BatchSize, s.Augment = batch, false
	if err := model.Place(dev, precision); err != nil {
		return err
	}
	if err := model.Load(model.Initial(s.Seed)); err != nil {
		return err
	}
	trainer, err := nn.NewTrainer(dev, model, set, s, nn.PlanOptions{Precision: precision, Choice: choice})
	if err != nil {
		return err
	}
	out := result{Width: width, Classes: set.Classes, Batch: batch, Seed: s.Seed, LR: s.LR, Precision: precisionName}
	for len(out.Losses) < steps {
		line, err := trainer.RunEpoch(&afterSteps{context.Background(), steps - len(out.Losses)}, nil)
		if err != nil && !errors.Is(err, errDone) {
			return err
		}
		if err != nil {
			out.Losses = append(out.Losses, trainer.Progress.Losses...)
		} else {
			out.Losses = append(out.Losses, line.BatchLosses...)
		}
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}
