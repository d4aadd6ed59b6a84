package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"nctrain/nn"
)

// longer is a run of some seconds whose checkpoints are the first and the last, so that what follows an epoch is the next epoch.
func longer(out string, more ...string) []string {
	return append([]string{"run", "--data", "shapes", "--limit", "300", "--width", "4", "--epochs", "4", "--batch-size", "8", "--checkpoint-every", "0", "--ood", "digits", "--out", out}, more...)
}

// wait starts a command, waits until the run has an epoch in its history and some more, and sends a signal; it returns how the process ended.
func signalled(t *testing.T, dir string, after time.Duration, signal syscall.Signal, c *exec.Cmd) error {
	t.Helper()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); ; time.Sleep(2 * time.Millisecond) {
		text, _ := os.ReadFile(filepath.Join(dir, "history.csv"))
		if bytes.Count(text, []byte("\n")) >= 2 {
			break
		}
		if time.Since(begun) > 2*time.Minute {
			t.Fatal("no epoch was done in two minutes")
		}
	}
	time.Sleep(after)
	if err := c.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	return c.Wait()
}

// sameBits asserts that two runs ended in the same files.
func sameBits(t *testing.T, got, want string) {
	t.Helper()
	for _, name := range []string{"checkpoints/epoch_0000.safetensors", "checkpoints/epoch_0004.safetensors", "history.csv", "nc.json", "ood.json", "scores.npz", "nc2_cosines.npz",
		"state/last.safetensors"} {
		if !bytes.Equal(read(t, got, name), read(t, want, name)) {
			t.Errorf("%s is not that of a run that was never stopped", name)
		}
	}
}

func unfinished(t *testing.T, dir string) nn.State {
	t.Helper()
	state, warning, err := nn.LoadState(dir)
	if err != nil || warning != "" {
		t.Fatalf("the state after the signal: %v %s", err, warning)
	}
	if state.Progress.Epoch < 1 || state.Progress.Epoch >= 4 {
		t.Fatalf("the signal came after epoch %d: this test is blind", state.Progress.Epoch)
	}
	return state
}

func TestStoppedRunsEndInTheSameBits(t *testing.T) {
	if testing.Short() {
		t.Skip("takes many seconds")
	}
	tmp := t.TempDir()
	whole := filepath.Join(tmp, "whole")
	must(t, longer(whole, "--threads", "1")...)

	t.Run("kill", func(t *testing.T) {
		dir := filepath.Join(tmp, "killed")
		c, _ := program(t, longer(dir, "--threads", "2")...)
		var exit *exec.ExitError
		if err := signalled(t, dir, 30*time.Millisecond, syscall.SIGKILL, c); !errors.As(err, &exit) || exit.Success() {
			t.Fatalf("the killed process ended with %v", err)
		}
		unfinished(t, dir)
		must(t, "run", "--no-report", "--resume", dir, "--threads", "3")
		sameBits(t, dir, whole)
	})
	t.Run("interrupt", func(t *testing.T) {
		dir := filepath.Join(tmp, "interrupted")
		c, stderr := program(t, longer(dir)...)
		var exit *exec.ExitError
		if err := signalled(t, dir, 30*time.Millisecond, syscall.SIGINT, c); !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
			t.Fatalf("the interrupted process ended with %v: %s", err, stderr)
		}
		if !strings.Contains(stderr.String(), "go on with: nctrain run --resume "+dir) {
			t.Errorf("stderr does not say how to go on: %s", stderr)
		}
		if state := unfinished(t, dir); state.Progress.Batch == 0 {
			t.Logf("interrupted between two epochs")
		}
		must(t, "run", "--no-report", "--resume", dir, "--threads", "2")
		sameBits(t, dir, whole)
	})
	t.Run("damaged state", func(t *testing.T) {
		dir := filepath.Join(tmp, "killed")
		last, _ := nn.StatePaths(dir)
		if err := os.Truncate(last, 1000); err != nil {
			t.Fatal(err)
		}
		stdout := must(t, "run", "--no-report", "--resume", dir)
		if !strings.Contains(stdout, "warning: ") || !strings.Contains(stdout, "going on from the state before it") {
			t.Errorf("no warning of the damaged state:\n%s", stdout)
		}
		sameBits(t, dir, whole)
	})
}
