//go:build cuda

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nctrain/kernels"
	"nctrain/nn"
)

// cudaProgram runs a command line as a process of its own: which driver there is, and what the emulated one is, is read once in a process.
func cudaProgram(t *testing.T, environment []string, args ...string) (stderr string, status int) {
	t.Helper()
	if _, problem := kernels.DriverState(); problem != "" {
		t.Skipf("no CUDA driver (%s): make emu, and set NCTRAIN_CUDA_DRIVER=build/libcuda_emu.so", problem)
	}
	if kernels.HaveCard() {
		t.Skip("the driver is a real one: only the emulated one can be told to fail")
	}
	c, text := program(t, args...)
	c.Env = append(append(c.Env, "NCTRAIN_EMU_WATCH=0"), environment...)
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return text.String(), c.ProcessState.ExitCode()
}

// cudaTiny is a training of two epochs of two batches.
func cudaTiny(out string, more ...string) []string {
	return append([]string{"train", "--device", "cuda", "--precision", "fp32", "--data", "shapes", "--limit", "10", "--width", "1", "--epochs", "2", "--batch-size", "6",
		"--checkpoint-every", "1", "--out", out}, more...)
}

// What can be wrong with a driver or a card is one line that says the way out, and nothing is written.
func TestCUDAErrorsAreOneLine(t *testing.T) {
	for _, test := range []struct {
		name        string
		environment string
		flags       []string
		status      int
		says        []string
	}{
		{"no driver", "NCTRAIN_CUDA_DRIVER=/nowhere/libcuda.so", nil, exitFailed, []string{"device: cuda: ", "/nowhere/libcuda.so", "--device cpu"}},
		{"a driver too old", "NCTRAIN_EMU_CUDA=11040", nil, exitFailed, []string{"device: cuda: ", "too old", "CUDA 11.4", "update"}},
		{"a card too old", "NCTRAIN_EMU_SM=60", nil, exitFailed, []string{"device: cuda: ", "sm_60", "sm_75", "--device cpu"}},
		{"a precision that the card lacks", "NCTRAIN_EMU_SM=75", []string{"--precision", "bf16"}, exitUsage, []string{"--precision bf16", "sm_75", "fp32 alone"}},
		{"a pin that applies nowhere", "NCTRAIN_EMU_SM=80", []string{"--variant", "conv_fprop=mma"}, exitUsage, []string{"conv_fprop=mma: has no fp32", "none of 20 calls"}},
		{"no memory", "NCTRAIN_EMU_MEMORY=500000", nil, exitFailed, []string{"out of device memory: asked for", "MiB are free", "a smaller batch or width"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "run")
			stderr, status := cudaProgram(t, []string{test.environment}, cudaTiny(out, test.flags...)...)
			if status != test.status || strings.Count(stderr, "\n") != 1 {
				t.Errorf("status %d, want %d; stderr %q", status, test.status, stderr)
			}
			rest := stderr
			for _, part := range test.says {
				_, after, found := strings.Cut(rest, part)
				if !found {
					t.Errorf("%q does not say %q (in this order)", stderr, part)
				}
				rest = after
			}
			if names, err := os.ReadDir(out); err == nil {
				t.Errorf("%v was written", names)
			}
		})
	}
}

// What a card cannot do is listed as that.
func TestCUDAListTellsWhatTheCardLacks(t *testing.T) {
	for sm, want := range map[string]int{"75": 1, "80": 0} {
		path := filepath.Join(t.TempDir(), "list.json")
		if stderr, status := cudaProgram(t, []string{"NCTRAIN_EMU_SM=" + sm}, "kernels", "list", "--device", "cuda", "--op", "conv_fprop", "--json", path); status != 0 {
			t.Fatalf("status %d: %s", status, stderr)
		}
		var rows []struct {
			Variant string
			Needs   []string
			Here    []string `json:"precisions_here"`
		}
		decode(t, read(t, path), &rows)
		idle := 0
		for _, r := range rows {
			if len(r.Here) == 0 {
				idle++
			}
		}
		if idle != want || rows[0].Variant != "mma" || rows[0].Needs[0] != "sm_80 or later" {
			t.Errorf("sm_%s: %d variants that it cannot do, want %d: %+v", sm, idle, want, rows)
		}
	}
}

// A device that is lost in the middle of a run ends it with one line; the last state is whole, and the run goes on from there to the bits of one that was
// never stopped.
func TestCUDALostDevice(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "whole")
	if stderr, status := cudaProgram(t, nil, cudaTiny(whole)...); status != 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	lost := filepath.Join(t.TempDir(), "lost")
	stderr, status := cudaProgram(t, []string{"NCTRAIN_EMU_FAIL=" + lostAt}, cudaTiny(lost)...)
	if status != exitFailed || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "the device is lost") {
		t.Fatalf("status %d, stderr %q", status, stderr)
	}
	state, warning, err := nn.LoadState(lost)
	if err != nil || warning != "" {
		t.Fatal(err, warning)
	}
	if state.Progress.Epoch != 1 {
		t.Fatalf("the device was lost after %d epochs, this test wants it lost in the second of two: adjust lostAt", state.Progress.Epoch)
	}
	if stderr, status := cudaProgram(t, nil, "train", "--device", "cuda", "--resume", lost); status != 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	for _, name := range []string{"history.csv", "checkpoints/epoch_0002.safetensors"} {
		if !bytes.Equal(read(t, whole, name), read(t, lost, name)) {
			t.Errorf("%s has other bits than that of a run that was never stopped", name)
		}
	}
}

// lostAt is a piece of queued work in the second epoch of cudaTiny.
const lostAt = "800"
