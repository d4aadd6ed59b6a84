package main

import (
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"nctrain/internal/npz"
)

// TestScoreGoesOnWhereOODSaved: a run's features, detectors fitted on them by ood and saved, and score in a process that knows neither training rows nor head gives the bits that
// the run stored.
func TestScoreGoesOnWhereOODSaved(t *testing.T) {
	tmp := t.TempDir()
	dir := filepath.Join(tmp, "run")
	must(t, append([]string{"run", "--no-report"}, tiny(dir, "--ood", "digits", "--keep-features", "--val-fraction", "0.4")...)...)
	features := func(set string) string { return filepath.Join(dir, "features", "epoch_0002_"+set+".npz") }
	detectors, out := filepath.Join(tmp, "d.npz"), filepath.Join(tmp, "s.npz")
	must(t, "ood", "--train", features("train"), "--id", features("test"), "--ood", "digits="+features("ood_digits"), "--head", features("head"), "--val", features("val"),
		"--threshold-at", "0.9", "--save", detectors, "--allow-overlap")
	text := must(t, "score", "--detector", detectors, "--features", features("ood_digits"), "--out", out, "--json", filepath.Join(tmp, "s.json"))
	for _, part := range []string{"60 rows scored", "mahalanobis", "threshold", out} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
	stored, scored := opened(t, filepath.Join(dir, "scores.npz")), opened(t, out)
	for _, name := range []string{"msp", "mls", "energy", "mahalanobis", "vim", "neco"} {
		want, err := stored.Float64s("digits/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := scored.Float64s("score/" + name); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: not the scores that the run stored (%v)", name, err)
		}
	}
	var result struct {
		N      int
		Scores map[string]map[string]any
	}
	decode(t, read(t, tmp, "s.json"), &result)
	if x, ok := result.Scores["vim"]["accepted"].(float64); result.N != 60 || len(result.Scores) != 6 || !ok || x < 0 || x > 100 {
		t.Errorf("%+v", result)
	}

	// Rows without labels, as they come in deployment, get the same scores.
	bare, again := filepath.Join(tmp, "bare.npz"), filepath.Join(tmp, "again.csv")
	rows := opened(t, features("ood_digits"))
	info, _ := rows.Info("features")
	values, err := rows.Float32s("features")
	if err != nil {
		t.Fatal(err)
	}
	meta, err := rows.Uint8s("meta")
	if err != nil {
		t.Fatal(err)
	}
	if err := npz.Write(bare, func(w *npz.Writer) error {
		return errors.Join(npz.Put(w, "features", values[:info.Shape[1]], 1, info.Shape[1]), npz.Put(w, "meta", meta))
	}); err != nil {
		t.Fatal(err)
	}
	must(t, "score", "--detector", detectors, "--features", bare, "--out", again, "--scores", "mahalanobis", "--quiet")
	want, err := stored.Float64s("digits/mahalanobis")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(read(t, again))), "\n")
	if len(lines) != 2 || lines[0] != "row,mahalanobis,mahalanobis_accepted" || !strings.HasPrefix(lines[1], "0,"+strconv.FormatFloat(want[0], 'g', -1, 64)+",") {
		t.Errorf("%q, want the score %g", lines, want[0])
	}

	// The features of another checkpoint are refused in one line that names both.
	_, stderr, status := call("score", "--detector", detectors, "--features", filepath.Join(dir, "features", "epoch_0001_test.npz"), "--out", filepath.Join(tmp, "no.csv"))
	if status != exitFailed {
		t.Errorf("status %d", status)
	}
	wantLine(t, stderr, "epoch_0001_test.npz", "d.npz", "one checkpoint")
	if slices.Contains(filesIn(t, tmp), "no.csv") {
		t.Error("a file was left behind")
	}
}

func opened(t *testing.T, path string) *npz.File {
	t.Helper()
	file, err := npz.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// TestOpenOODPresetOfARun: a run's sets named as the protocol names them; the table has its layout and a partial group says so.
func TestOpenOODPresetOfARun(t *testing.T) {
	tmp := t.TempDir()
	dir, path := filepath.Join(tmp, "run"), filepath.Join(tmp, "vim.csv")
	must(t, append([]string{"run", "--no-report", "--scores", "vim"}, tiny(dir, "--ood", "svhn=digits", "--epochs", "1")...)...)
	text := must(t, "ood", "--run", dir, "--preset", "openood-cifar10", "--csv", path)
	for _, part := range []string{"openood-cifar10: means", "farood (1 of 4 sets)", "warning: openood-cifar10: nearood lacks cifar100, tin", "OSCR", "AURC", "ID accuracy"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
	lines := strings.Split(string(read(t, path)), "\n")
	if len(lines) != 4 || lines[0] != "dataset,FPR@95,AUROC,AUPR_IN,AUPR_OUT,ACC" || !strings.HasPrefix(lines[1], "svhn,") || !strings.HasPrefix(lines[2], "farood (1 of 4 sets),") {
		t.Errorf("table %q", lines)
	}
	_, stderr, status := call("ood", "--run", dir, "--preset", "openood-cifar100")
	if status != exitFailed {
		t.Errorf("status %d", status)
	}
	wantLine(t, stderr, "openood-cifar100", "100 classes", "10")
}
