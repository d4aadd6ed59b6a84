package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nctrain/internal/npz"
	"nctrain/nn"
)

func decode(t *testing.T, text []byte, to any) {
	t.Helper()
	if err := json.Unmarshal(text, to); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
}

// wantKeys asserts that a JSON object has keys, each a number or null with a reason.
func wantKeys(t *testing.T, where string, object map[string]any, keys ...string) {
	t.Helper()
	reasons, _ := object["reasons"].(map[string]any)
	for _, key := range keys {
		value, there := object[key]
		if !there {
			t.Errorf("%s has no %s", where, key)
		}
		if x, isNumber := value.(float64); isNumber && math.IsNaN(x) || value == nil && reasons[key] == nil {
			t.Errorf("%s.%s is %v without a reason", where, key, value)
		}
	}
}

func object(t *testing.T, from map[string]any, key string) map[string]any {
	t.Helper()
	o, ok := from[key].(map[string]any)
	if !ok {
		t.Fatalf("%s is %v, no object", key, from[key])
	}
	return o
}

func TestRunWritesTheDirectoryOfSpec(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "first")
	out := filepath.Join(t.TempDir(), "run.json")
	text := must(t, append([]string{"run", "--no-report"}, tiny(dir, "--ood", "digits", "--ood", "also=digits", "--keep-features", "--val-fraction", "0.2", "--json", out)...)...)
	for _, part := range []string{"epoch 2/2", "nc1 rank", "AUROC", "mahalanobis", "also:"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in the output:\n%s", part, text)
		}
	}
	if strings.Contains(text, "report.html") {
		t.Error("--no-report, and the output speaks of a report")
	}
	want := []string{"config.json", "history.csv", "log.jsonl", "nc.json", "nc2_cosines.npz", "ood.json", "scores.npz", "state/last.safetensors", "state/prev.safetensors",
		"thumbs/ood_also.png", "thumbs/ood_digits.png", "thumbs/test.png", "thumbs/train.png", "thumbs/val.png"}
	for _, e := range []string{"0000", "0001", "0002"} {
		want = append(want, "checkpoints/epoch_"+e+".safetensors", "features/epoch_"+e+"_head.npz")
		for _, set := range []string{"train", "val", "test", "ood_digits", "ood_also"} {
			want = append(want, "features/epoch_"+e+"_"+set+".npz")
		}
	}
	slices.Sort(want)
	if got := filesIn(t, dir); !slices.Equal(got, want) {
		t.Errorf("files are\n%v\nwant\n%v", got, want)
	}
	checkTables(t, dir, out)

	history, err := csv.NewReader(bytes.NewReader(read(t, dir, "history.csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(history) != 3 || strings.Join(history[0], ",") != "epoch,lr,train_loss,train_accuracy,test_loss,test_accuracy,val_loss,val_accuracy" {
		t.Errorf("history is %v", history)
	}
	cosines, err := npz.Open(filepath.Join(dir, "nc2_cosines.npz"))
	if err != nil {
		t.Fatal(err)
	}
	defer cosines.Close()
	if info, ok := cosines.Info("epoch_0002"); !ok || !slices.Equal(info.Shape, []int{10, 10}) {
		t.Errorf("cosines of epoch 2: %v", info)
	}
	scores, err := npz.Open(filepath.Join(dir, "scores.npz"))
	if err != nil {
		t.Fatal(err)
	}
	defer scores.Close()
	for _, name := range []string{"id/msp", "digits/vim", "also/neco"} {
		if info, ok := scores.Info(name); !ok || info.DType != npz.Float64 || info.Len() != 60 {
			t.Errorf("scores %s: %v", name, info)
		}
	}
	if _, err := png.Decode(bytes.NewReader(read(t, dir, "thumbs", "test.png"))); err != nil {
		t.Error(err)
	}
	for line := range bytes.Lines(read(t, dir, "log.jsonl")) {
		var event struct{ Time, Event string }
		decode(t, line, &event)
		if event.Time == "" || event.Event == "" {
			t.Errorf("log line %s", line)
		}
	}
	var config struct {
		Settings map[string]any
		Sessions []map[string]any
	}
	decode(t, read(t, dir, "config.json"), &config)
	if config.Settings["width"] != 4.0 || len(config.Sessions) != 1 || config.Sessions[0]["device"] == "" || len(config.Sessions[0]["variants"].([]any)) < 10 {
		t.Errorf("config is %+v", config)
	}
}

// A run ends in its figures and its page; what they show is the report's own test.
func TestRunEndsInItsReport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	text := must(t, append([]string{"run"}, tiny(dir, "--ood", "digits", "--epochs", "1", "--scores", "msp")...)...)
	for _, name := range []string{"report.html", "figures/training.svg", "figures/collapse.png", "figures/ood_grid_digits.svg"} {
		if len(read(t, dir, name)) == 0 {
			t.Errorf("%s is empty", name)
		}
	}
	if !strings.Contains(text, "report.html") {
		t.Errorf("the output does not say where the report is:\n%s", text)
	}
}

// checkTables looks at nc.json and ood.json, and that --json holds the same.
func checkTables(t *testing.T, dir, out string) {
	t.Helper()
	var nc, ood []map[string]any
	decode(t, read(t, dir, "nc.json"), &nc)
	decode(t, read(t, dir, "ood.json"), &ood)
	if len(nc) != 3 || len(ood) != 3 {
		t.Fatalf("%d rows of nc and %d of ood for three checkpoints", len(nc), len(ood))
	}
	for i, row := range nc {
		_, meta, err := nn.LoadWeights(nn.CheckpointPath(dir, i))
		if err != nil {
			t.Fatal(err)
		}
		if row["epoch"] != float64(i) || row["checkpoint"] != meta.Hash || ood[i]["checkpoint"] != meta.Hash || meta.Epoch != i || len(meta.Val) != 12 {
			t.Errorf("row %d is of epoch %v, weights %v; the checkpoint says %d, %s, %d held out", i, row["epoch"], row["checkpoint"], meta.Epoch, meta.Hash, len(meta.Val))
		}
		wantKeys(t, "accuracy", object(t, row, "accuracy"), "train", "test")
		wantKeys(t, "nc1", object(t, row, "nc1"), "rank", "notebook", "papyan_code", "quotient", "cdnv")
		wantKeys(t, "nc2", object(t, row, "nc2"), "equinorm", "equinorm_weights", "equiangularity", "equiangularity_weights", "etf_error", "etf_error_weights")
		wantKeys(t, "nc3", object(t, row, "nc3"), "papyan", "row_l2", "mean_cos", "duality_etf", "bias_collapse")
		wantKeys(t, "nc4", object(t, row, "nc4"), "train", "test")
		for _, name := range []string{"digits", "also"} {
			wantKeys(t, "nc5", object(t, object(t, row, "nc5"), name), "raw", "centred", "etf_energy", "upper_bound", "chance")
			for score := range object(t, object(t, ood[i], "ood"), name) {
				wantKeys(t, score, object(t, object(t, object(t, ood[i], "ood"), name), score), "auroc", "fpr95_ood_pos", "fpr95_id_pos", "aupr_out", "aupr_in", "aupr_out_trapz", "aupr_in_trapz")
			}
		}
		if object(t, row, "nc1")["rank"] == nil || object(t, row, "health")["rank"] == nil {
			t.Errorf("epoch %d: NC1 or the rank is null", i)
		}
	}
	var all struct {
		History []any
		NC, OOD []map[string]any
	}
	decode(t, read(t, out), &all)
	if len(all.History) != 2 || len(all.NC) != 3 || len(all.OOD) != 3 {
		t.Errorf("--json has %d lines of history, %d rows of nc, %d of ood", len(all.History), len(all.NC), len(all.OOD))
	}
}

// The numbers of a run are those of `features`, `nc` and `ood` on its checkpoint, bit for bit.
func TestFilesGiveTheNumbersOfTheRun(t *testing.T) {
	tmp := t.TempDir()
	dir := filepath.Join(tmp, "run")
	at := func(name string) string { return filepath.Join(tmp, name) }
	// The OOD set, 60 images by the limit, is larger than the test set.
	must(t, "data", "convert", "shapes", "--split", "test", "--limit", "40", "--out", at("unseen.npz"))
	unseen := "npz:" + at("unseen.npz")
	must(t, append([]string{"run", "--no-report"}, tiny(dir, "--test", unseen, "--ood", "digits", "--checkpoint-every", "0")...)...)
	checkpoint := nn.CheckpointPath(dir, 2)
	features := func(set, split, out string, more ...string) string {
		return must(t, append([]string{"features", "--checkpoint", checkpoint, "--data", set, "--split", split, "--out", at(out)}, more...)...)
	}
	// The run's own --limit counts for its sets, and each of them says so.
	for _, c := range []struct{ text, rows string }{
		{features("shapes", "train", "train.npz", "--head-out", at("head.npz"), "--threads", "1"), "60 rows"},
		{features(unseen, "test", "test.npz"), "40 rows"},
		{features("digits", "test", "digits.npz"), "40 rows"},
	} {
		if !strings.Contains(c.text, "the first 60 images at most, as in the run of these weights") || !strings.Contains(c.text, c.rows) || strings.Contains(c.text, "warning") {
			t.Errorf("the run's limit, no %s:\n%s", c.rows, c.text)
		}
	}
	if text := features("digits", "test", "f.npz", "--subset", "0"); !strings.Contains(text, "60 rows") {
		t.Errorf("--subset 0:\n%s", text)
	}
	moved := at("moved.safetensors")
	if err := os.WriteFile(moved, read(t, checkpoint), 0o644); err != nil {
		t.Fatal(err)
	}
	if text := must(t, "features", "--checkpoint", moved, "--data", "digits", "--out", at("f.npz")); !strings.Contains(text, "60 rows") || !strings.Contains(text, "pass --subset N") {
		t.Errorf("weights away from their run:\n%s", text)
	}
	must(t, "data", "convert", "shapes", "--split", "train", "--limit", "70", "--out", at("images.npz"))
	for _, c := range []struct{ text, want string }{
		{features("shapes", "train", "f.npz", "--limit", "60"), "60 rows"},
		{features("shapes", "train", "f.npz", "--limit", "70"), "warning: the run of these weights took the first 60 images of shapes, this is with --limit 70"},
		{features(unseen, "test", "f.npz", "--limit", "0"), "warning: the run of these weights took the first 60 images of " + unseen + ", this is with --limit 0"},
		{features("npz:"+at("images.npz"), "train", "f.npz"), "the limit does not count for npz:" + at("images.npz") + ": pass --limit 60 if it is the same set"},
		{features("npz:"+at("images.npz"), "test", "f.npz"), "70 rows"},
	} {
		if !strings.Contains(c.text, c.want) || strings.Contains(c.text, "as in the run") || strings.Contains(c.text, "warning") != strings.Contains(c.want, "limit") {
			t.Errorf("no %q in\n%s", c.want, c.text)
		}
	}
	text := must(t, "nc", "--features", at("train.npz"), "--head", at("head.npz"), "--test", at("test.npz"), "--ood", at("digits.npz"), "--json", at("nc.json"))
	if !strings.Contains(text, "equiangularity_weights") {
		t.Errorf("the table leaves variants out:\n%s", text)
	}
	must(t, "ood", "--train", at("train.npz"), "--id", at("test.npz"), "--ood", "digits="+at("digits.npz"), "--head", at("head.npz"), "--json", at("ood.json"))
	// Intervals and saved scores come on top, and change none of the numbers.
	text = must(t, "ood", "--train", at("train.npz"), "--id", at("test.npz"), "--ood", "digits="+at("digits.npz"), "--head", at("head.npz"), "--bootstrap", "50",
		"--save", at("fitted.npz"))
	if !strings.Contains(text, "AUROC 95 %") || len(read(t, at("fitted.npz"))) == 0 {
		t.Errorf("no interval or no saved scores:\n%s", text)
	}
	for _, name := range []string{"nc.json", "ood.json"} {
		var rows []any
		var single any
		decode(t, read(t, dir, name), &rows)
		decode(t, read(t, at(name)), &single)
		want, _ := json.Marshal(rows[len(rows)-1])
		got, _ := json.Marshal(single)
		if !bytes.Equal(got, want) {
			t.Errorf("%s from files\n%s\nthe run says\n%s", name, got, want)
		}
	}
	for _, command := range []string{"nc", "ood"} {
		must(t, command, "--run", dir, "--json", at("stored.json"))
		var stored, rows []any
		decode(t, read(t, at("stored.json")), &stored)
		decode(t, read(t, dir, command+".json"), &rows)
		if len(stored) != 2 || len(rows) != 2 {
			t.Errorf("%s --run gives %d rows, the run has %d", command, len(stored), len(rows))
		}
	}
	loose := "features=" + at("train.npz") + ",labels=" + at("train.npz")
	if _, stderr, status := call("nc", "--features", loose, "--head", at("head.npz")); status != exitFailed || strings.Count(stderr, "\n") != 1 {
		t.Errorf("archives as loose arrays: status %d, %q", status, stderr)
	}
}

func TestFeaturesTakeTheImageSizeOfTheRun(t *testing.T) {
	tmp := t.TempDir()
	at := func(name string) string { return filepath.Join(tmp, name) }
	for i := range 6 {
		class := at("images/" + string(rune('a'+i%2)))
		if err := os.MkdirAll(class, 0o755); err != nil {
			t.Fatal(err)
		}
		picture := image.NewGray(image.Rect(0, 0, 20, 20))
		for k := range picture.Pix {
			picture.Pix[k] = byte(k * (i + 1))
		}
		var text bytes.Buffer
		if err := png.Encode(&text, picture); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(class, fmt.Sprintf("%d.png", i)), text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	set := "folder:" + at("images")
	must(t, "train", "--data", set, "--image-size", "24", "--width", "2", "--epochs", "1", "--batch-size", "4", "--out", at("run"))
	features := func(out string, more ...string) []byte {
		must(t, append([]string{"features", "--checkpoint", nn.CheckpointPath(at("run"), 1), "--data", set, "--split", "train", "--out", at(out)}, more...)...)
		return read(t, at(out))
	}
	own := features("own.npz")
	if !bytes.Equal(own, features("24.npz", "--image-size", "24")) {
		t.Error("the run's image size is not the default")
	}
	if bytes.Equal(own, features("32.npz", "--image-size", "32")) {
		t.Error("--image-size changes nothing")
	}
}

func TestTrainAloneThenAnalysis(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	must(t, append([]string{"train"}, tiny(dir)...)...)
	if names := filesIn(t, dir); slices.Contains(names, "nc.json") {
		t.Errorf("train analyses: %v", names)
	}
	whole := filepath.Join(t.TempDir(), "run")
	must(t, append([]string{"run", "--no-report"}, tiny(whole, "--ood", "digits")...)...)
	must(t, "run", "--no-report", "--resume", dir, "--ood", "digits")
	for _, name := range []string{"nc.json", "ood.json", "nc2_cosines.npz", "scores.npz", "history.csv"} {
		if !bytes.Equal(read(t, dir, name), read(t, whole, name)) {
			t.Errorf("%s differs between a run and training with the analysis after it", name)
		}
	}
}

// OOD rows are told from test rows: a run that was given the one without the other says so before it trains, and names no file that it does not write.
func TestOODSetsWithoutTestImagesAreWarnedOf(t *testing.T) {
	tmp := t.TempDir()
	set, dir := filepath.Join(tmp, "set.npz"), filepath.Join(tmp, "run")
	must(t, "data", "convert", "shapes", "--split", "train", "--limit", "60", "--out", set)
	args := append([]string{"run", "--no-report", "--ood", "digits"}, tiny(dir, "--epochs", "1", "--data", "npz:"+set)...)
	text := must(t, args...)
	const warning = "warning: OOD scores are left out"
	if at := strings.Index(text, warning); at < 0 || at > strings.Index(text, "epoch 1/1") || !strings.Contains(text, "set.npz has one split") || !strings.Contains(text, "--test") {
		t.Errorf("no warning before training in\n%s", text)
	}
	if strings.Contains(text, "scores.npz") || !strings.Contains(text, "history.csv, nc.json, checkpoints/") {
		t.Errorf("names files that are not there:\n%s", text)
	}
	if !strings.Contains(string(read(t, dir, "log.jsonl")), "OOD scores are left out") {
		t.Error("the log does not keep the warning")
	}
	if text := must(t, append(args, "--overwrite", "--test", "shapes")...); strings.Contains(text, warning) || !strings.Contains(text, "ood.json, scores.npz, checkpoints/") {
		t.Errorf("with a test set:\n%s", text)
	}
}

func TestDataConvertGivesTheSameImages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "digits.npz")
	must(t, "data", "convert", "digits", "--split", "test", "--limit", "20", "--out", path)
	text := must(t, "data", "info", "npz:"+path)
	if !strings.Contains(text, "20") || !strings.Contains(text, "32x32") {
		t.Errorf("data info says\n%s", text)
	}
	dir := filepath.Join(t.TempDir(), "run")
	must(t, "train", "--data", "npz:"+path, "--width", "2", "--epochs", "1", "--batch-size", "10", "--out", dir)
	rows, err := csv.NewReader(bytes.NewReader(read(t, dir, "history.csv"))).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][4] != "" {
		t.Errorf("without a test set the history is %v (%v)", rows, err)
	}
}
