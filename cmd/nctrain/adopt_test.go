package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/internal/npz"
	"nctrain/nn"
)

const (
	notebookPTH = "../../nn/testdata/notebook.pth" // of testdata/notebook.py: 10 classes, width 1, two of four epochs done
	foreignPTH  = "../../nn/testdata/foreign.pth"
)

// fromNotebook is a run that goes on from the notebook's checkpoint: 32 images in batches of 8, as it was trained.
func fromNotebook(command, out string, more ...string) []string {
	return append([]string{command, "--resume", notebookPTH, "--data", "shapes", "--limit", "32", "--batch-size", "8", "--checkpoint-every", "1", "--out", out}, more...)
}

func TestRunGoesOnFromTheNotebook(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	stdout := must(t, fromNotebook("run", dir, "--no-report", "--ood", "digits")...)
	if strings.Contains(stdout, "has seen") || strings.Contains(stdout, "is gone") {
		t.Errorf("warnings of a run that fits:\n%s", stdout)
	}
	lines := strings.Split(strings.TrimSpace(string(read(t, dir, "history.csv"))), "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[1], "1,0.01,2.4215859174728394,0.125,2.3137478828430176,0.125") || !strings.HasPrefix(lines[3], "3,0.005,") {
		t.Errorf("history:\n%s", strings.Join(lines, "\n"))
	}
	var rows []struct{ Epoch int }
	decode(t, read(t, dir, "nc.json"), &rows)
	if len(rows) != 3 || rows[0].Epoch != 2 || rows[2].Epoch != 4 {
		t.Errorf("collapse of epochs %v, want 2, 3, 4", rows)
	}
	// The first checkpoint is the notebook's network.
	_, meta, err := nn.LoadWeights(nn.CheckpointPath(dir, 2))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := nn.LoadCheckpoint(notebookPTH)
	if err != nil {
		t.Fatal(err)
	}
	if meta.Hash != theirs.Meta.Hash || meta.Epoch != 2 {
		t.Errorf("epoch %d of weights %.12s, the notebook's are %.12s", meta.Epoch, meta.Hash, theirs.Meta.Hash)
	}
	var config struct{ Settings map[string]json.RawMessage }
	decode(t, read(t, dir, "config.json"), &config)
	if !strings.Contains(string(config.Settings["from"]), meta.Hash) || string(config.Settings["width"]) != "1" {
		t.Errorf("settings %s", config.Settings)
	}
	before := read(t, dir, "nc.json")
	if again := must(t, "run", "--no-report", "--resume", dir); strings.Contains(again, "is gone") { // nothing before epoch 2 is missed
		t.Errorf("resumed:\n%s", again)
	}
	if !bytes.Equal(before, read(t, dir, "nc.json")) {
		t.Error("a resumed run of no more epochs has other numbers")
	}
}

func TestOtherBatchesThanTheNotebooksAreSaid(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	stdout := must(t, fromNotebook("train", dir, "--limit", "40")...)
	if !strings.Contains(stdout, "warning: "+notebookPTH+" has seen 8 batches in 2 epochs, an epoch has 5 here") {
		t.Errorf("no warning:\n%s", stdout)
	}
	if !strings.Contains(string(read(t, dir, "log.jsonl")), "an epoch has 5 here") {
		t.Error("the warning is not in the log")
	}
}

func TestResumingFromFilesThatDoNotFit(t *testing.T) {
	tmp := t.TempDir()
	out := filepath.Join(tmp, "run")
	text := filepath.Join(tmp, "text.pth")
	if err := os.WriteFile(text, []byte("no checkpoint"), 0o644); err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(tmp, "cut.pth")
	if err := os.WriteFile(cut, read(t, notebookPTH)[:40000], 0o644); err != nil {
		t.Fatal(err)
	}
	cifar := filepath.Join(tmp, "cifar.tar.gz")
	cifarArchive(t, cifar, bytes.Repeat(cifarRecord(3), 16), cifarRecord(3))
	with := func(pth string, more ...string) []string {
		return append([]string{"train", "--resume", pth, "--data", "shapes", "--out", out}, more...)
	}
	for _, c := range []struct {
		args   []string
		status int
		says   []string
	}{
		{with(text), exitFailed, []string{"text.pth", "neither a run directory nor a .pth"}},
		{with(cut), exitFailed, []string{"cut.pth", "no whole archive", "copy or save it again"}},
		{with(filepath.Join(tmp, "gone.pth")), exitFailed, []string{"gone.pth", "no such file", "check the path"}},
		{with(foreignPTH), exitFailed, []string{"foreign.pth", "weights alone", "the notebook's training loop"}},
		{with("../../internal/pth/testdata/code.pth"), exitFailed, []string{"code.pth", "a pickle with code", "posix.system"}},
		{with(notebookPTH, "--data", "cifar100:"+cifar), exitFailed, []string{"notebook.pth", "10 classes", "cifar.tar.gz", "100", "name the training set"}},
		{with(notebookPTH, "--lr", "0.1", "--width", "2"), exitUsage, []string{"notebook.pth", "leave out", "--lr", "--width"}},
		{with(notebookPTH, "--val-fraction", "0.1"), exitUsage, []string{"notebook.pth", "leave out", "--val-fraction"}},
		{[]string{"train", "--resume", notebookPTH, "--out", out}, exitUsage, []string{"--data is missing"}},
		{[]string{"train", "--resume", notebookPTH, "--data", "shapes"}, exitUsage, []string{"--out is missing"}},
		{[]string{"run", "--resume", notebookPTH, "--data", "shapes", "--out", out, "--seeds", "1,2"}, exitUsage, []string{"notebook.pth", "--seeds"}},
	} {
		_, stderr, status := call(c.args...)
		if status != c.status {
			t.Errorf("%v: status %d, want %d", c.args, status, c.status)
		}
		wantLine(t, stderr, c.says...)
		if _, err := os.Stat(out); err == nil {
			t.Fatalf("%v left a run directory", c.args)
		}
	}
}

// Features of foreign weights carry by what their images were normalised, and parts of two normalisations are refused.
func TestFeaturesOfForeignWeights(t *testing.T) {
	tmp := t.TempDir()
	at := func(name string) string { return filepath.Join(tmp, name) }
	features := func(out string, more ...string) string {
		return must(t, append([]string{"features", "--checkpoint", foreignPTH, "--data", "shapes", "--limit", "100", "--out", out, "--head-out", at("head.npz")}, more...)...)
	}
	own := []string{"--mean", "0.5071,0.4867,0.4408", "--std", "0.2675,0.2565,0.2761"}
	stdout := features(at("own.npz"), own...)
	for _, part := range []string{"linear -> fc (2 tensors)", "normalised by mean [0.5071 0.4867 0.4408], std [0.2675 0.2565 0.2761]\n"} {
		if !strings.Contains(stdout, part) {
			t.Errorf("no %q in:\n%s", part, stdout)
		}
	}
	if stdout := features(at("cifar.npz")); !strings.Contains(stdout, "(CIFAR's, as in the notebook)") {
		t.Errorf("the default is not told:\n%s", stdout)
	}
	opened, err := analysis.OpenFeatures(at("own.npz"))
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	meta := opened.Info().Meta
	if meta.Normalization == nil || meta.Normalization.Std[2] != 0.2761 || meta.Epoch != nil {
		t.Errorf("meta %+v", meta)
	}
	_, stderr, status := call("nc", "--features", at("own.npz"), "--test", at("cifar.npz"), "--head", at("head.npz"))
	if status != exitFailed {
		t.Errorf("features of two normalisations: status %d", status)
	}
	wantLine(t, stderr, "cifar.npz", "normalised by", "own.npz", "--mean")
	for _, c := range []struct{ mean, std, says string }{
		{"0.5,0.5,0.5", "", "--std of 0"}, {"0.5,0.5", "0.2,0.2", "--mean of 2"}, {"125,123,114", "51,51,51", "--mean 125"}, {"0.5,0.5,0.5", "0,1,1", "--std 0"},
	} {
		args := []string{"features", "--checkpoint", foreignPTH, "--data", "shapes", "--out", at("f.npz"), "--mean", c.mean}
		if c.std != "" {
			args = append(args, "--std", c.std)
		}
		_, stderr, status := call(args...)
		if status != exitUsage {
			t.Errorf("%v: status %d", args, status)
		}
		wantLine(t, stderr, c.says)
	}
}

// The accuracy is over all rows whose labels may be the network's classes; where a set does not say how many it has, that is told, and where it has another number, why there is none.
func TestFeaturesTellTheAccuracyOrWhyNot(t *testing.T) {
	tmp := t.TempDir()
	const n = 4
	features := func(labels []int64) (text string, accuracy *float64) {
		t.Helper()
		set, out := filepath.Join(tmp, "set.npz"), filepath.Join(tmp, "out.json")
		if err := npz.Write(set, func(w *npz.Writer) error {
			return errors.Join(npz.Put(w, "images", make([]uint8, n*32*32*3), n, 32, 32, 3), npz.Put(w, "labels", labels))
		}); err != nil {
			t.Fatal(err)
		}
		text = must(t, "features", "--checkpoint", foreignPTH, "--data", "npz:"+set, "--out", filepath.Join(tmp, "f.npz"), "--json", out)
		var got struct{ Accuracy *float64 }
		decode(t, read(t, out), &got)
		return text, got.Accuracy
	}
	features([]int64{0, 0, 0, 0}) // one image four times, which the network calls one class
	file, err := npz.Open(filepath.Join(tmp, "f.npz"))
	if err != nil {
		t.Fatal(err)
	}
	logits, err := file.Float64s("logits")
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	class := int64(analysis.Argmax(logits[:10]))
	other := (class + 1) % 9
	for _, c := range []struct {
		labels   []int64
		accuracy float64
		want     string
	}{
		{[]int64{class, class, class, other}, 75, fmt.Sprintf(", accuracy 75.00 %% (if its labels, 0..%d, are those of the network's 10 classes); ", max(class, other))},
		{[]int64{class, 9, other, 9}, 25, ", accuracy 25.00 %; "},
		{[]int64{class, 10, 0, 0}, -1, ", no accuracy (the set has 11 classes, the network 10); "},
	} {
		text, accuracy := features(c.labels)
		if !strings.Contains(text, c.want) || (accuracy == nil) != (c.accuracy < 0) || accuracy != nil && *accuracy != c.accuracy {
			t.Errorf("labels %v: accuracy %v, no %q in:\n%s", c.labels, accuracy, c.want, text)
		}
	}
	if class == 9 {
		t.Fatal("the network calls the image 9: its labels are those of all classes, and the first case shows nothing")
	}
}

func TestConvert(t *testing.T) {
	tmp := t.TempDir()
	out := filepath.Join(tmp, "w.safetensors")
	stdout := must(t, "convert", foreignPTH, out, "--mean", "0.5071,0.4867,0.4408", "--std", "0.2675,0.2565,0.2761", "--json", filepath.Join(tmp, "c.json"))
	theirs, err := nn.LoadCheckpoint(foreignPTH)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"module.* -> *", "linear -> fc", "122 tensors of a ResNet-18 of width 2 with 10 classes, weights " + theirs.Meta.Hash[:12], "mean [0.5071 0.4867 0.4408]"} {
		if !strings.Contains(stdout, part) {
			t.Errorf("no %q in:\n%s", part, stdout)
		}
	}
	ours, err := nn.LoadCheckpoint(out)
	if err != nil {
		t.Fatal(err)
	}
	if ours.Meta.Hash != theirs.Meta.Hash || ours.EpochKnown || ours.Meta.Version == "" || len(ours.Mapping.Lines()) != 0 || ours.Model.Normalization.Mean[0] != 0.5071 {
		t.Errorf("converted: %+v, mapping %q, %+v", ours.Meta, ours.Mapping.Lines(), ours.Model.Normalization)
	}
	junk := filepath.Join(tmp, "junk.pth")
	if err := os.WriteFile(junk, []byte("junk\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := read(t, out)
	_, stderr, status := call("convert", notebookPTH, out)
	if status != exitFailed || !slices.Equal(before, read(t, out)) {
		t.Errorf("an existing file: status %d", status)
	}
	wantLine(t, stderr, "convert: ", out, "is there already", "--overwrite")
	must(t, "convert", notebookPTH, out, "--overwrite")
	if ours, err = nn.LoadCheckpoint(out); err != nil || !ours.EpochKnown || ours.Meta.Epoch != 2 {
		t.Errorf("the notebook's, converted: %+v, %v", ours, err)
	}
	for _, c := range []struct {
		args   []string
		status int
		says   []string
	}{
		{[]string{"convert", foreignPTH}, exitUsage, []string{"convert: ", "1 files named"}},
		{[]string{"convert", foreignPTH, filepath.Join(tmp, "w.pth")}, exitUsage, []string{"w.pth", "only .safetensors"}},
		{[]string{"convert", "../../internal/pth/testdata/legacy.pth", filepath.Join(tmp, "l.safetensors")}, exitFailed, []string{"weights: ", "legacy.pth", "before PyTorch 1.6", "torch.save("}},
		{[]string{"convert", junk, filepath.Join(tmp, "j.safetensors")}, exitFailed, []string{"weights: ", "junk.pth", "a .pth is what torch.save writes", "torch.save(model.state_dict(), F)"}},
		{[]string{"convert", filepath.Join(tmp, "gone"), filepath.Join(tmp, "g.safetensors")}, exitFailed, []string{"weights: ", "gone", "no such file", "check the path"}},
	} {
		_, stderr, status := call(c.args...)
		if status != c.status {
			t.Errorf("%v: status %d, want %d", c.args, status, c.status)
		}
		wantLine(t, stderr, c.says...)
	}
}
