package main

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/internal/npz"
)

// featureSet is a small set of rows around class means under a head, as files in a directory.
type featureSet struct {
	dir              string
	n, d, c          int
	features, logits []float32
	labels           []int64
}

func (s featureSet) at(name string) string { return filepath.Join(s.dir, name) }

func newFeatureSet(t *testing.T) featureSet {
	t.Helper()
	s := featureSet{dir: t.TempDir(), n: 300, d: 6, c: 4}
	rng := rand.New(rand.NewPCG(4, 7))
	weight := make([]float32, s.c*s.d)
	for i := range weight {
		weight[i] = float32(rng.NormFloat64())
	}
	for i := range s.n {
		k := i % s.c
		row := make([]float32, s.d)
		for j := range row {
			row[j] = float32(math.Max(0, 1+float64(weight[k*s.d+j])+0.1*rng.NormFloat64()))
		}
		s.features, s.labels = append(s.features, row...), append(s.labels, int64(k))
		for c := range s.c {
			var sum float32
			for j, x := range row {
				sum += x * weight[c*s.d+j]
			}
			s.logits = append(s.logits, sum)
		}
	}
	s.write(t, "train.npz", 0, s.n, analysis.Meta{Checkpoint: "abc"})
	head, err := analysis.NewHead("h", s.c, s.d, weight, nil, analysis.Meta{Checkpoint: "abc"})
	if err != nil {
		t.Fatal(err)
	}
	if err := analysis.WriteHead(s.at("head.npz"), head); err != nil {
		t.Fatal(err)
	}
	return s
}

// write writes rows from..to-1 as a feature file.
func (s featureSet) write(t *testing.T, name string, from, to int, meta analysis.Meta) {
	t.Helper()
	err := analysis.WriteFeatures(s.at(name), analysis.Info{N: to - from, D: s.d, C: s.c, Meta: meta}, func(w *analysis.FeatureWriter) error {
		return w.Append(s.features[from*s.d:to*s.d], s.logits[from*s.c:to*s.c], s.labels[from:to])
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestStatisticsByShardsAreThoseOfTheWhole(t *testing.T) {
	s := newFeatureSet(t)
	if err := os.Mkdir(s.at("shards"), 0o700); err != nil {
		t.Fatal(err)
	}
	for k, from := range []int{0, 10, 170} { // files of other sizes than the shards
		s.write(t, fmt.Sprintf("shards/%d.npz", k), from, []int{10, 170, 300}[k], analysis.Meta{Checkpoint: "abc"})
	}
	const of = 7
	for i := 1; i <= of; i++ {
		args := []string{"stats", "--features", s.at("shards"), "--shard", fmt.Sprintf("%d/%d", i, of), "--out", s.at(fmt.Sprintf("part_%d.npz", i)), "--json", s.at("part.json")}
		if text := must(t, args...); !strings.Contains(text, fmt.Sprintf("shard %d/7", i)) || !strings.Contains(text, "of 300 rows") {
			t.Error(text)
		}
	}
	var part struct {
		N, Classes int
		Shards     []int
	}
	decode(t, read(t, s.at("part.json")), &part)
	if part.N != 43 || part.Classes != s.c || len(part.Shards) != 1 || part.Shards[0] != of {
		t.Errorf("%+v", part)
	}
	must(t, "stats", "--merge", s.at("part_[1-3].npz"), "--partial", "--out", s.at("first.npz"))
	_, stderr, status := call("stats", "--merge", s.at("first.npz"), s.at("part_5.npz"), s.at("part_7.npz"), "--out", s.at("all.npz"))
	if status != exitFailed {
		t.Errorf("status %d with shards missing", status)
	}
	wantLine(t, stderr, "stats: ", "shards 4/7, 6/7 are missing", "--partial")
	must(t, "stats", "--merge", s.at("part_7.npz"), s.at("part_5.npz"), s.at("first.npz"), s.at("part_4.npz"), s.at("part_6.npz"), "--out", s.at("all.npz"), "--quiet")

	must(t, "nc", "--stats", s.at("all.npz"), "--head", s.at("head.npz"), "--test", s.at("train.npz"), "--ood", "same="+s.at("train.npz"), "--json", s.at("stats.json"))
	must(t, "nc", "--features", s.at("train.npz"), "--head", s.at("head.npz"), "--test", s.at("train.npz"), "--ood", "same="+s.at("train.npz"), "--json", s.at("whole.json"))
	type result struct {
		NC1, NC2, NC3, NC4, Accuracy map[string]any
		Health                       struct{ Warnings []string }
	}
	var merged, whole result
	decode(t, read(t, s.at("stats.json")), &merged)
	decode(t, read(t, s.at("whole.json")), &whole)
	for k, each := range [][2]map[string]any{{merged.NC1, whole.NC1}, {merged.NC2, whole.NC2}, {merged.NC3, whole.NC3}, {merged.Accuracy, whole.Accuracy}} {
		compared := 0
		for key, want := range each[1] {
			if x, ok := want.(float64); ok {
				compared++
				if got, _ := each[0][key].(float64); math.Abs(got-x) > 1e-9*math.Abs(x)+1e-14 { // 1e-12 in S_W times the condition of S_B
					t.Errorf("%s is %v, of the whole %v", key, each[0][key], x)
				}
			}
		}
		if compared < 2 {
			t.Errorf("group %d: %d numbers compared", k, compared)
		}
	}
	reasons, _ := merged.NC4["reasons"].(map[string]any)
	if text, _ := reasons["train"].(string); merged.NC4["train"] != nil || !strings.Contains(text, "second sweep") {
		t.Errorf("nc4 %v", merged.NC4)
	}
	if len(merged.Health.Warnings) == 0 || !strings.Contains(merged.Health.Warnings[0], "of the class means") {
		t.Errorf("health says %v", merged.Health.Warnings)
	}

	must(t, "ood", "--stats", s.at("all.npz"), "--id", s.at("train.npz"), "--ood", "same="+s.at("train.npz"), "--head", s.at("head.npz"), "--scores", "mahalanobis,she", "--json", s.at("ood.json"))
	var scored struct {
		OOD map[string]map[string]struct {
			AUROC   *float64
			Reasons map[string]string
		}
	}
	decode(t, read(t, s.at("ood.json")), &scored)
	if m := scored.OOD["same"]["mahalanobis"]; m.AUROC == nil || *m.AUROC != 50 {
		t.Errorf("mahalanobis of a set against itself: %+v", m)
	}
	if she := scored.OOD["same"]["she"]; she.AUROC != nil || !strings.Contains(she.Reasons["auroc"], "second sweep") {
		t.Errorf("she: %+v", she)
	}
}

// TestBadFeatures: each kind of wrong input is one line with file, field and way out, exit 1 (2 for wrong usage), and nothing is written.
func TestBadFeatures(t *testing.T) {
	s := newFeatureSet(t)
	archive := func(name string, d int, features []float32, labels []int64, more func(*npz.Writer) error) {
		err := npz.Write(s.at(name), func(w *npz.Writer) error {
			if err := npz.Put(w, "features", features, len(features)/d, d); err != nil {
				return err
			}
			if labels != nil {
				if err := npz.Put(w, "labels", labels); err != nil {
					return err
				}
			}
			if more != nil {
				return more(w)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	nan := append([]float32(nil), s.features...)
	nan[17*s.d] = float32(math.NaN())
	archive("nan.npz", s.d, nan, s.labels, nil)
	archive("wide.npz", 5, s.features[:300*5], s.labels, nil)
	archive("nolabels.npz", s.d, s.features, nil, nil)
	outside := append([]int64(nil), s.labels...)
	outside[5] = 99
	archive("outside.npz", s.d, s.features, outside, nil)
	empty := append([]int64(nil), s.labels...)
	for i := range empty {
		empty[i] %= 3
	}
	archive("empty.npz", s.d, s.features, empty, nil)
	s.write(t, "other.npz", 0, 100, analysis.Meta{Checkpoint: "xyz"})
	s.write(t, "a.npz", 0, 100, analysis.Meta{Checkpoint: "abc"})
	wrong, err := analysis.NewHead("h", s.c, s.d, make([]float32, s.c*s.d), nil, analysis.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	if err := analysis.WriteHead(s.at("wrong.npz"), wrong); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"cut.npz": read(t, s.at("train.npz"))[:3000], "cut.npy": []byte("\x93NUMPY\x01\x00v\x00{'descr': '<f4'"), "cut.csv": []byte("f0,f1,f2,f3,f4,f5,label\n1,2,3,4,5,6,0\n1,2,3\n"),
		"cut.safetensors": []byte("\x40\x00\x00\x00\x00\x00\x00\x00{\"features\":"),
	} {
		if err := os.WriteFile(s.at(name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	must(t, "stats", "--features", s.at("train.npz"), "--shard", "1/2", "--out", s.at("part.npz"))
	head := []string{"--head", s.at("head.npz")}
	nc := func(features string) []string { return append([]string{"nc", "--features", features}, head...) }
	sum := func(features string) []string {
		return append([]string{"stats", "--out", s.at("out.npz"), "--features", features}, head...)
	}
	for _, c := range []struct {
		args   []string
		status int
		says   []string
	}{
		{nc(s.at("nan.npz")), exitFailed, []string{"nan.npz", "1 of 300 rows hold NaN or Inf, the first is row 17 (features)", "leave out the rows", "not diverged"}},
		{sum(s.at("nan.npz")), exitFailed, []string{"nan.npz", "NaN or Inf", "row 17", "not diverged"}},
		{nc(s.at("wide.npz")), exitFailed, []string{"wide.npz", "features [300,5]", "head.npz", "[4,6]", "one checkpoint"}},
		{sum(s.at("wide.npz")), exitFailed, []string{"wide.npz", "features [300,5]", "head.npz"}},
		{nc(s.at("nolabels.npz")), exitFailed, []string{"nolabels.npz", "no labels", "add an array labels, integers [300]"}},
		{nc(s.at("outside.npz")), exitFailed, []string{"outside.npz", "row 5 has label 99", "0..3"}},
		{sum(s.at("outside.npz")), exitFailed, []string{"outside.npz", "row 5 has label 99", "0..3"}},
		{nc(s.at("a.npz") + "," + s.at("other.npz")), exitFailed, []string{"other.npz", "meta.checkpoint xyz", "a.npz", "abc", "one model"}},
		{nc(s.at("a.npz") + "," + s.at("wide.npz")), exitFailed, []string{"wide.npz", "[300,5]", "a.npz", "[100,6]"}},
		{nc(s.at("other.npz")), exitFailed, []string{"other.npz", "meta.checkpoint xyz", "head.npz", "one checkpoint"}},
		{[]string{"nc", "--features", s.at("train.npz"), "--head", s.at("wrong.npz")}, exitFailed, []string{"train.npz", "row", "||logits - (W h + b)||", "wrong.npz"}},
		{nc(s.at("cut.npz")), exitFailed, []string{"cut.npz", "cut short", "write it again"}},
		{nc("features=" + s.at("cut.npy") + ",labels=x.npy"), exitFailed, []string{"cut.npy", "header"}},
		{nc(s.at("cut.csv")), exitFailed, []string{"cut.csv", "line 3", "3 fields", "7", "write it again"}},
		{nc(s.at("cut.safetensors")), exitFailed, []string{"cut.safetensors", "header of 64 bytes"}},
		{nc(s.at("nowhere/*.npz")), exitFailed, []string{"nowhere/*.npz", "no file matches"}},
		{[]string{"nc", "--stats", s.at("part.npz"), "--head", s.at("head.npz")}, exitFailed, []string{"part.npz", "shard 2/2 is missing"}},
		{[]string{"nc", "--stats", s.at("train.npz"), "--head", s.at("head.npz")}, exitFailed, []string{"train.npz", "no statistics", "nctrain stats"}},
		{[]string{"nc", "--stats", s.at("part.npz"), "--features", s.at("train.npz"), "--head", s.at("head.npz")}, exitUsage, []string{"--stats", "--features"}},
		{[]string{"stats", "--merge", s.at("part.npz"), s.at("part.npz"), "--out", s.at("out.npz")}, exitFailed, []string{"part.npz", "shard 1/2 twice"}},
		{[]string{"stats", "--merge", s.at("part.npz"), "--out", s.at("out.npz")}, exitFailed, []string{"shard 2/2 is missing"}},
		{[]string{"stats", "--merge", s.at("part.npz"), "--head", "h", "--out", s.at("out.npz")}, exitUsage, []string{"--merge", "leave out"}},
		{append(sum(s.at("train.npz")), "--shard", "3"), exitUsage, []string{"--shard 3", "3/8"}},
		{append(sum(s.at("train.npz")), "--shard", "9/8"), exitUsage, []string{"--shard 9/8"}},
		{append(sum(s.at("train.npz")), "--shard", "1/301"), exitFailed, []string{"train.npz", "300 rows do not make 301 shards"}},
		{append(sum(s.at("train.npz")), "more"), exitUsage, []string{"more", "--merge"}},
		{[]string{"stats", "--features", s.at("empty.npz"), "--out", s.at("out.npz")}, exitUsage, []string{"--head is missing", "empty.npz"}},
		{[]string{"stats", "--out", s.at("out.npz")}, exitUsage, []string{"--features is missing"}},
		{[]string{"stats", "--features", s.at("train.npz")}, exitUsage, []string{"--out is missing"}},
	} {
		_, stderr, status := call(c.args...)
		if status != c.status {
			t.Errorf("%v: status %d, want %d", c.args, status, c.status)
		}
		wantLine(t, stderr, c.says...)
		if _, err := os.Stat(s.at("out.npz")); err == nil {
			t.Fatalf("%v: out.npz was left behind", c.args)
		}
	}
	// An empty class is no failure: what it leaves undefined is null and names it.
	must(t, append(nc(s.at("empty.npz")), "--json", s.at("empty.json"))...)
	var r struct {
		NC1 struct{ Reasons map[string]string }
	}
	if err := json.Unmarshal(read(t, s.at("empty.json")), &r); err != nil || !strings.Contains(r.NC1.Reasons["rank"], "class 3 has no rows") {
		t.Errorf("nc1 of an empty class: %+v, %v", r, err)
	}
}

// The script that exports features of other models is one text: in the help, in docs/features.md and in the file that is embedded.
func TestExportScriptIsInHelpAndDocs(t *testing.T) {
	if docs := string(read(t, "../../docs/features.md")); !strings.Contains(docs, "```python\n"+exportScript+"```") {
		t.Error("docs/features.md does not show cmd/nctrain/export_features.py")
	}
	help := must(t, "features", "--help")
	for line := range strings.Lines(exportScript) {
		if !strings.Contains(help, line) {
			t.Errorf("features --help does not print %q", line)
		}
	}
}

// The Slurm scripts of docs/scale.md, with a loop in Slurm's place.
func TestSlurmScripts(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash to run the scripts: ", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := newFeatureSet(t)
	script := func(name string, args ...string) {
		t.Helper()
		if docs := string(read(t, "../../docs/scale.md")); !strings.Contains(docs, "```sh\n"+string(read(t, "../../docs/slurm", name))+"```") {
			t.Errorf("docs/scale.md does not show docs/slurm/%s", name)
		}
		c := exec.CommandContext(t.Context(), bash, append([]string{"../../docs/slurm/" + name}, args...)...)
		c.Env = append(os.Environ(), "NCTRAIN="+self, asProgram+"=1")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
	}
	dir := s.at("parts")
	t.Setenv("SLURM_ARRAY_TASK_COUNT", "3")
	for i := range 2 {
		t.Setenv("SLURM_ARRAY_TASK_ID", fmt.Sprint(i+1))
		script("stats.sbatch", s.at("train.npz"), s.at("head.npz"), dir)
	}
	t.Setenv("SLURM_ARRAY_TASK_COUNT", "1") // the third alone
	t.Setenv("SLURM_ARRAY_TASK_ID", "3")
	script("stats.sbatch", s.at("train.npz"), s.at("head.npz"), dir, "3")
	script("merge.sbatch", s.at("head.npz"), dir, "--test", s.at("train.npz"))
	var r struct {
		N   int
		NC4 struct{ Test *float64 }
	}
	decode(t, read(t, dir, "nc.json"), &r)
	if r.N != s.n || r.NC4.Test == nil {
		t.Errorf("%+v", r)
	}
}
