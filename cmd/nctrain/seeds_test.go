package main

import (
	"bytes"
	"math"
	"path/filepath"
	"strings"
	"testing"
)

func TestSeedsGiveMeanAndSpread(t *testing.T) {
	tmp := t.TempDir()
	dir, out := filepath.Join(tmp, "seeds"), filepath.Join(tmp, "seeds.json")
	args := append([]string{"run", "--no-report", "--seeds", "1,3", "--json", out}, tiny(dir, "--ood", "digits", "--epochs", "1")...)
	text := must(t, args...)
	if !strings.Contains(text, "digits.msp.auroc") || !strings.Contains(text, "nc1.rank") {
		t.Errorf("no spread in\n%s", text)
	}
	var got struct {
		Spread []struct {
			Name      string
			N         int
			Mean, Std float64
			Values    []float64
		}
		Runs []map[string]any
	}
	decode(t, read(t, out), &got)
	if len(got.Runs) != 2 || len(got.Spread) < 10 {
		t.Fatalf("%d runs and %d numbers", len(got.Runs), len(got.Spread))
	}
	for _, s := range got.Spread {
		half := (s.Values[1] - s.Values[0]) / 2
		if s.N != 2 || math.Abs(s.Mean-s.Values[0]-half) > 1e-9*math.Abs(s.Mean) || math.Abs(s.Std-math.Sqrt2*math.Abs(half)) > 1e-9*(math.Abs(half)+1e-12) {
			t.Errorf("%+v", s)
		}
	}
	single := filepath.Join(tmp, "single")
	must(t, append([]string{"run", "--no-report", "--seed", "3"}, tiny(single, "--ood", "digits", "--epochs", "1")...)...)
	if !bytes.Equal(read(t, dir, "seed-3", "nc.json"), read(t, single, "nc.json")) {
		t.Error("seed-3 is not the run of --seed 3")
	}
	if text := must(t, args...); !strings.Contains(text, "all epochs are trained already") { // goes on: nothing is left to do
		t.Errorf("a finished run is not said to be one:\n%s", text)
	}
	// Where one run is wanted, the directory of several is known as such.
	for _, command := range [][]string{{"nc", "--run", dir}, {"ood", "--run", dir}, {"run", "--resume", dir}, {"report", "--run", single, "--compare", dir}} {
		_, stderr, status := call(command...)
		if status != exitFailed {
			t.Errorf("%v: status %d", command, status)
		}
		wantLine(t, stderr, "run: ", "seeds", "keeps the runs of 2 seeds", filepath.Join(dir, "seed-1"), "nctrain report --run")
	}
	_, stderr, status := call(append(args, "--lr", "0.5")...)
	if status != exitFailed {
		t.Errorf("other settings on the same seeds: status %d", status)
	}
	wantLine(t, stderr, "run: ", "seed-1", "other settings")
	_, stderr, status = call(append(args, "--seed", "4")...)
	if status != exitUsage {
		t.Errorf("--seed beside --seeds: status %d", status)
	}
	wantLine(t, stderr, "--seed and --seeds")
}
