package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// trainingResult is a training on the card beside the CPU's.
type trainingResult struct {
	Outcome *outcome     `json:"outcome"`
	Width   int          `json:"width"`
	Batch   int          `json:"batch"`
	LR      float64      `json:"lr"`
	CPU     []float64    `json:"cpu_losses"`
	Runs    []trainedRun `json:"runs"`
	Resume  string       `json:"resume,omitempty"` // what was seen of it
}

// trainedRun is one precision's.
type trainedRun struct {
	Precision string    `json:"precision"`
	Bar       float64   `json:"bar"`   // of the relative difference from the CPU's loss
	Worst     float64   `json:"worst"` // relative difference
	Losses    []float64 `json:"losses"`
	Problem   string    `json:"problem,omitempty"`
}

// trainingLR is a hundredth of the notebook's, because every step amplifies what rounding did to the one before: between float32 sums in two orders (im2col with
// AVX2 and with AVX-512, width 64, batch 128) ten losses differ by up to 2.9e-4 at 0.001, and by 6.5e-6 at this rate.
const trainingLR = 0.0001

// plainSums pins the CPU's convolutions to sums of the products themselves, as the card's are.
const plainSums = "conv_fprop=im2col,conv_dgrad=im2col,conv_wgrad=im2col"

// lossBars are the greatest relative differences from the CPU's losses.
var lossBars = []struct {
	precision string
	bar       float64
}{{"fp32", 1e-4}, {"tf32", 1e-2}, {"bf16", 1e-2}}

// train is the command line of a training of so many images; an epoch of one step gives the loss of each step in history.csv.
func (s *session) train(device, precision, out string, images, batch, epochs int) process {
	return process{env: s.unwatched(), args: []string{s.nctrain(), "train", "--device", device, "--precision", precision, "--data", "shapes", "--limit", strconv.Itoa(images),
		"--width", strconv.Itoa(s.scale.TrainWidth), "--batch-size", strconv.Itoa(batch), "--epochs", strconv.Itoa(epochs), "--lr", fmt.Sprint(trainingLR),
		"--checkpoint-every", strconv.Itoa(epochs), "--out", out, "--quiet"}}
}

func (s *session) training(ctx context.Context) error {
	work, err := os.MkdirTemp("", "nctrain-gpu")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	batch, epochs := s.scale.TrainBatch, s.scale.TrainEpochs
	losses := func(device, precision string, more ...string) ([]float64, error) {
		out := filepath.Join(work, device+"-"+precision)
		p := s.train(device, precision, out, batch, batch, epochs)
		p.args = append(p.args, more...)
		if _, err := s.do(ctx, p); err != nil {
			return nil, err
		}
		return trainLosses(out)
	}
	t := &s.results.Training
	*t = trainingResult{Outcome: t.Outcome, Width: s.scale.TrainWidth, Batch: batch, LR: trainingLR}
	if t.CPU, err = losses("cpu", "fp32", "--variant", plainSums); err != nil {
		return err
	}
	var broken []string
	for _, b := range lossBars {
		if !strings.Contains(s.results.Doctor.Precisions, b.precision) {
			continue // of a card before sm_80
		}
		run := trainedRun{Precision: b.precision, Bar: b.bar}
		if run.Losses, err = losses("cuda", b.precision); err == nil {
			run.Worst, err = compareLosses(run.Losses, t.CPU, b.bar)
		}
		if err != nil {
			run.Problem = err.Error()
			broken = append(broken, b.precision+": "+run.Problem)
		}
		t.Runs = append(t.Runs, run)
		if err := s.save(); err != nil {
			return err
		}
	}
	if t.Resume, err = s.resumes(ctx, work); err != nil {
		t.Resume = err.Error()
		broken = append(broken, "resume: "+t.Resume)
	}
	if len(broken) > 0 {
		return errors.New(strings.Join(broken, "; "))
	}
	return nil
}

// trainLosses reads history.csv.
func trainLosses(dir string) ([]float64, error) {
	f, err := os.Open(filepath.Join(dir, "history.csv"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	var losses []float64
	for _, row := range rows[1:] {
		loss, err := strconv.ParseFloat(row[2], 64) // epoch,lr,train_loss
		if err != nil {
			return nil, err
		}
		losses = append(losses, loss)
	}
	return losses, nil
}

// compareLosses gives the worst relative difference, and an error where it is over the bar.
func compareLosses(got, want []float64, bar float64) (float64, error) {
	if len(got) != len(want) || len(want) == 0 {
		return 0, fmt.Errorf("%d losses, the CPU has %d", len(got), len(want))
	}
	worst := 0.0
	var first error
	for i := range want {
		off := math.Abs(got[i]-want[i]) / math.Abs(want[i])
		if !(off <= bar) && first == nil {
			first = fmt.Errorf("the loss of step %d is %.9g, the CPU's %.9g: off by %.2g, more than %g", i+1, got[i], want[i], off, bar)
		}
		if off > worst && !math.IsInf(off, 0) { // JSON holds no infinity; the error tells of it
			worst = off
		}
	}
	return worst, first
}

// stepsOfResumed is the number of steps in an epoch of the run that is interrupted: so that it can be within one.
const stepsOfResumed = 4

// resumes interrupts a training, resumes it, and compares its bits with those of one that was not interrupted.
func (s *session) resumes(ctx context.Context, work string) (string, error) {
	epochs, batch := s.scale.ResumeEpochs, s.scale.TrainBatch
	whole, broken := filepath.Join(work, "whole"), filepath.Join(work, "broken")
	precision := "tf32"
	if !strings.Contains(s.results.Doctor.Precisions, precision) {
		precision = "fp32"
	}
	command := func(out string) process { return s.train("cuda", precision, out, stepsOfResumed*batch, batch, epochs) }
	if _, err := s.do(ctx, command(whole)); err != nil {
		return "", err
	}
	at, err := s.interrupt(ctx, command(broken), broken)
	if err != nil {
		return "", err
	}
	if _, err := s.do(ctx, process{env: s.unwatched(), args: []string{s.nctrain(), "train", "--device", "cuda", "--resume", broken, "--quiet"}}); err != nil {
		return "", err
	}
	for _, name := range []string{"history.csv", fmt.Sprintf("checkpoints/epoch_%04d.safetensors", epochs)} {
		want, err := os.ReadFile(filepath.Join(whole, name))
		if err != nil {
			return "", err
		}
		got, err := os.ReadFile(filepath.Join(broken, name))
		if err != nil {
			return "", err
		}
		if !bytes.Equal(got, want) {
			return "", fmt.Errorf("%s has other bits than that of a run that was not interrupted", name)
		}
	}
	return fmt.Sprintf("interrupted after epoch %d of %d (%s), resumed: the same bits as a run that was not", at, epochs, precision), nil
}

// exitInterrupted is nctrain's status after an interrupt (SPEC 9).
const exitInterrupted = 130

// interrupt starts a training, interrupts it as Ctrl-C does when an epoch is done, and says how many were.
func (s *session) interrupt(ctx context.Context, p process, dir string) (epochs int, err error) {
	cmd, stderr := s.command(ctx, p)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	watch := time.NewTicker(2 * time.Millisecond)
	defer watch.Stop()
	for sent := false; ; {
		select {
		case err := <-ended:
			var exit *exec.ExitError
			switch {
			case ctx.Err() != nil:
				return 0, ctx.Err()
			case err == nil:
				return 0, errors.New("the training had ended before it could be interrupted: nothing is known of resuming")
			case errors.As(err, &exit) && exit.ExitCode() == exitInterrupted:
				losses, err := trainLosses(dir)
				return len(losses), err
			}
			return 0, said(fmt.Errorf("an interrupted training: %w", err), stderr)
		case <-watch.C:
			if losses, err := trainLosses(dir); !sent && err == nil && len(losses) > 0 {
				sent = true
				if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
					return 0, err
				}
			}
		}
	}
}
