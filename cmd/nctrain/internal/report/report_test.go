package report_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"html"
	"image/png"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"nctrain/cmd/nctrain/internal/report"
	"nctrain/cmd/nctrain/internal/run"
)

// build makes the page of a synthetic run beside others, and gives its directory and the page.
func build(t *testing.T, compare ...string) (dir, page string) {
	t.Helper()
	dir = writeRun(t, "first", 1)
	return dir, rebuild(t, dir, compare...)
}

func rebuild(t *testing.T, dir string, compare ...string) (page string) {
	t.Helper()
	if err := report.Build(dir, compare, report.Options{Version: "v1.2.3", PageOnly: true}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, report.PageFile))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// void elements of HTML have no end tag.
var void = []string{"meta", "link", "img", "input", "br"}

var tag = regexp.MustCompile(`<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s+[a-zA-Z:-]+(?:="[^"]*")?)*)\s*(/?)>`)

// withoutScripts is the page less what stands in script and style elements, which is no markup.
func withoutScripts(page string) string {
	return regexp.MustCompile(`(?s)(<(script|style)[^>]*>).*?(</(?:script|style)>)`).ReplaceAllString(page, "$1$3")
}

// TestPageIsWellFormed: every tag is one, closes what it opened, and no angle bracket of the data became markup.
func TestPageIsWellFormed(t *testing.T) {
	_, page := build(t, writeRun(t, "second", 2))
	body := withoutScripts(strings.TrimPrefix(page, "<!DOCTYPE html>\n"))
	var open []string
	ids := map[string]bool{}
	for _, m := range tag.FindAllStringSubmatch(body, -1) {
		name := strings.ToLower(m[2])
		switch {
		case m[1] == "/":
			if len(open) == 0 || open[len(open)-1] != name {
				t.Fatalf("</%s> closes %v", name, open)
			}
			open = open[:len(open)-1]
		case m[4] == "" && !slices.Contains(void, name):
			open = append(open, name)
		}
		if id := regexp.MustCompile(` id="([^"]*)"`).FindStringSubmatch(m[3]); id != nil {
			if ids[id[1]] {
				t.Errorf("two elements have the id %s", id[1])
			}
			ids[id[1]] = true
		}
	}
	if len(open) > 0 {
		t.Errorf("%v are left open", open)
	}
	if rest := tag.ReplaceAllString(body, ""); strings.ContainsAny(rest, "<>") {
		at := strings.IndexAny(rest, "<>")
		t.Errorf("a bracket is no tag: %q", rest[max(0, at-40):min(len(rest), at+40)])
	}
	for _, target := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(body, -1) {
		if !ids[target[1]] {
			t.Errorf("#%s leads nowhere", target[1])
		}
	}
	if strings.Contains(body, hostile) || !strings.Contains(body, html.EscapeString(hostile)[:10]) {
		t.Error("the name of a set is not set as text")
	}
}

// TestPageHoldsEveryNumber: every metric of every result by its name, its warnings and reasons, and each number as the tables set it.
func TestPageHoldsEveryNumber(t *testing.T) {
	_, page := build(t)
	body := html.UnescapeString(withoutScripts(page))
	for _, want := range []string{
		">rank<", ">notebook<", ">papyan_code<", ">quotient<", ">cdnv<", ">equinorm<", ">equinorm_weights<", ">equiangularity<", ">equiangularity_weights<", ">etf_error<",
		">etf_error_weights<", ">papyan<", ">row_l2<", ">mean_cos<", ">duality_etf<", ">bias_collapse<", ">raw<", ">centred<", ">etf_energy<", ">upper_bound<", ">chance<", ">etf_energy_chance<",
		"AUROC ↑", "FPR95 ↓", "FPR95 ID+ ↓", "AUPR out ↑", "AUPR in ↑", "AUPR out trapz ↑", "AUPR in trapz ↑", ">neco@notebook<", "12.25–98.75", "higher is better", "lower is better",
		"a warning <of> the last checkpoint", "epoch 0: an early warning", "equinorm: class 3 has no rows", "vim: no fit: the residual is rounding",
		"0.001020", // nc1 rank at the last checkpoint: 1e-3 (1 + 1/50)
		"smallest class", "head mismatch", "of D = 64", "training.weight_decay", "conv_fprop=im2col", "a processor", "v1.2.3", "fell 1,000-fold", "2,000 images",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not hold %q", want)
		}
	}
	if n := strings.Count(page, `<img src="data:image/png;base64,`); n != 3 {
		t.Errorf("%d contact sheets, not 3", n)
	}
	if regexp.MustCompile(`[>" (]([-+]?Inf|NaN)[<",) ]`).MatchString(strings.NewReplacer("NaN rows", "", "NaN or Inf", "").Replace(body)) {
		t.Error("a number is NaN or Inf")
	}
}

// TestPageLoadsNothing: no element, style or script names anything outside the page, and the policy in its head forbids it.
func TestPageLoadsNothing(t *testing.T) {
	_, page := build(t)
	for _, m := range regexp.MustCompile(`(?:src|href|action|data|poster|srcset)="([^"]*)"|url\(([^)]*)\)|@import[^;]*`).FindAllStringSubmatch(page, -1) {
		if target := m[1] + m[2]; !strings.HasPrefix(target, "data:") && !strings.HasPrefix(target, "#") {
			t.Errorf("the page names %q", m[0])
		}
	}
	const space = "http://www.w3.org/2000/svg" // a name, not an address
	if rest := strings.ReplaceAll(page, space, ""); strings.Contains(rest, "http:") || strings.Contains(rest, "https:") || strings.Contains(rest, "fetch(") {
		t.Error("the page holds an address")
	}
	if !strings.Contains(page, `http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; `) {
		t.Error("no policy forbids loading")
	}
}

// TestCurvesAreJSON: what the script reads is JSON, and holds a curve for each score and variant.
func TestCurvesAreJSON(t *testing.T) {
	_, page := build(t, writeRun(t, "second", 2))
	m := regexp.MustCompile(`(?s)<script type="application/json" id="curves">(.*?)</script>`).FindStringSubmatch(page)
	if m == nil {
		t.Fatal("no curves")
	}
	var all map[string]struct {
		Runs   []string
		Off    []int
		Panels []struct {
			Title  string
			Series []struct {
				Name            string
				X, Y, Low, High []*float64
			}
		}
	}
	if err := json.Unmarshal([]byte(m[1]), &all); err != nil {
		t.Fatal(err)
	}
	if keys := slices.Sorted(maps.Keys(all)); len(keys) != 4 || keys[0] != "collapse" || keys[2] != "detection_digits" || keys[3] != "training" {
		t.Errorf("curves of %v", keys)
	}
	// Both runs and, since their seeds alone differ, the mean; vim has no values and so no mean.
	detection := all["detection_digits"]
	if len(detection.Runs) != 3 || !slices.Equal(detection.Off, []int{0, 1}) || len(detection.Panels) != 6 || len(detection.Panels[0].Series) != 3*len(scoreNames)-1 {
		t.Fatalf("detection: runs %v, off %v, %d panels, %d series", detection.Runs, detection.Off, len(detection.Panels), len(detection.Panels[0].Series))
	}
	byName := map[string][][]*float64{}
	for _, s := range detection.Panels[0].Series {
		byName[s.Name] = append(byName[s.Name], s.Y)
		if s.Low != nil {
			a, b := *byName[s.Name][0][3], *byName[s.Name][1][3]
			if got := *s.Y[3]; math.Abs(got-(a+b)/2) > 1e-3 || math.Abs(*s.High[3]-got-math.Abs(a-b)/math.Sqrt2) > 1e-3 || math.Abs(got-*s.Low[3]-math.Abs(a-b)/math.Sqrt2) > 1e-3 {
				t.Errorf("%s: mean %g in %g..%g of %g and %g", s.Name, got, *s.Low[3], *s.High[3], a, b)
			}
		}
		if len(s.X) != 4 || len(s.Y) != 4 || (s.Y[3] == nil) != (s.Name == "vim") {
			t.Errorf("%s: %d epochs, %d values", s.Name, len(s.X), len(s.Y))
		}
	}
	equinorm := all["collapse"].Panels[1].Series[0]
	if equinorm.Name != "equinorm" || equinorm.Y[0] != nil || equinorm.Y[1] == nil {
		t.Errorf("what is undefined at epoch 0 should be null, and no more: %v", equinorm)
	}
}

// TestFiguresAreKept: a PNG and an SVG of every figure, whole.
func TestFiguresAreKept(t *testing.T) {
	dir := writeRun(t, "run", 1)
	killed := filepath.Join(dir, "figures", ".training.png123") // half a figure of a process that was killed
	if err := errors.Join(os.MkdirAll(filepath.Dir(killed), 0o755), os.WriteFile(killed, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	var drawn []string
	if err := report.Build(dir, nil, report.Options{Drawn: func(name string) { drawn = append(drawn, name) }}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "figures"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]int{}
	for _, e := range entries {
		path := filepath.Join(dir, "figures", e.Name())
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		ext := filepath.Ext(path)
		names[strings.TrimSuffix(e.Name(), ext)]++
		if ext == ".png" {
			if size, err := png.DecodeConfig(bytes.NewReader(text)); err != nil || size.Width < 2000 {
				t.Errorf("%s: %v, %d pixels wide", e.Name(), err, size.Width)
			}
			continue
		}
		for d := xml.NewDecoder(bytes.NewReader(text)); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", e.Name(), err)
			}
		}
	}
	for _, want := range []string{"training", "collapse", "nc2_cosines", "detection_digits", "ood_grid_digits", "ood_sheet_digits_msp", "ood_sheet_digits_neco@notebook"} {
		if names[want] != 2 {
			t.Errorf("figure %s has %d files, not a PNG and an SVG", want, names[want])
		}
	}
	// Training, collapse, cosines; of two sets the detection, the grid and six sheets each.
	if len(names) != 3+2*8 || len(drawn) != len(names) {
		t.Errorf("figures: %v, told of %v", slices.Sorted(maps.Keys(names)), drawn)
	}
}

// TestAgainIsTheSame: a page made again from the same numbers has the same bytes.
func TestAgainIsTheSame(t *testing.T) {
	dir, page := build(t)
	if rebuild(t, dir) != page {
		t.Error("the page differs")
	}
}

// TestRunsSideBySide: every table has each run, and runs that differ in their seed alone get mean and spread.
func TestRunsSideBySide(t *testing.T) {
	_, page := build(t, writeRun(t, "second", 2), writeRun(t, "third", 3))
	body := withoutScripts(page)
	for _, want := range []string{"mean ± std", "over n = 3 seeds, ddof 1", "Every variant of NC1 to NC5: second", "Runs at a glance",
		"; n = 3 seeds: 1, 2, 3.", "the spread of training, not of the test rows", "digits.msp.auroc", "<h4>all seeds</h4>", "mean and standard deviation over 3 seeds",
		`<tr class="differs"><th scope="row"><code>training.seed</code></th><td>1</td><td>2</td><td>3</td></tr>`,
		"0.001040<small>± 2.00e-05</small>", // nc1 rank: 1e-3 times 1.02, 1.04, 1.06
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not hold %q", want)
		}
	}
}

// TestPageOfAllSeeds: the directory above seed-N/ gets a page and the figures of all seeds together, in the order of the seeds, and none of a single one.
func TestPageOfAllSeeds(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "many")
	for _, seed := range []uint64{10, 9, 2} {
		if err := os.CopyFS(run.SeedDir(parent, seed), os.DirFS(writeRun(t, "one", seed))); err != nil {
			t.Fatal(err)
		}
	}
	var drawn []string
	if err := report.Build(parent, nil, report.Options{Drawn: func(name string) { drawn = append(drawn, name) }}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(parent, report.PageFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<h1>many</h1>", "n = 3 seeds: 2, 9, 10.", "mean ± std", "over n = 3 seeds, ddof 1"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the page does not hold %q", want)
		}
	}
	if len(drawn) != 3 || drawn[0] != "collapse_seeds" || drawn[1] != "detection_digits_seeds" {
		t.Errorf("figures %v", drawn)
	}
	if _, err := os.Stat(filepath.Join(parent, "figures", "collapse_seeds.svg")); err != nil {
		t.Error(err)
	}
	if err := report.Build(t.TempDir(), nil, report.Options{}); err == nil || !strings.Contains(err.Error(), "config.json") {
		t.Errorf("an empty directory: err %v", err)
	}
}

// TestEveryClassIsShown: the table of classes, with what is undefined left out and its reason below.
func TestEveryClassIsShown(t *testing.T) {
	dir := writeRun(t, "run", 1)
	edit(t, filepath.Join(dir, "nc.json"), `"health": {`, `"nc1_test": {"rank": 0.25, "quotient_train_means": 0.75, "warnings": ["test rows: few"]},
    "per_class": {"n": [200, 0], "variance": [0.125, null], "mean_norm": [3, null], "cos_weight": [0.5, null], "accuracy_train": [99.5, null], "reasons": {"variance": "a class has no rows"}},
    "health": {`)
	page := html.UnescapeString(rebuild(t, dir))
	for _, want := range []string{"Every class at epoch 30", `<td class="n" data-v="0.125">0.1250</td>`, "variance: a class has no rows", "NC1 of the test rows", ">quotient_train_means<", "test rows: few", "rank, test rows"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not hold %q", want)
		}
	}
}

func TestTrainingAloneHasAReport(t *testing.T) {
	dir := writeRun(t, "alone", 1)
	edit(t, filepath.Join(dir, "config.json"), `"analysis": {
      "notebook": true
    }`, `"limit": 0`)
	for _, name := range []string{"nc.json", "ood.json", "scores.npz", "nc2_cosines.npz"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	page := rebuild(t, dir)
	if !strings.Contains(page, "this run trained alone") || !strings.Contains(page, `id="training"`) || strings.Contains(page, `id="collapse"`) {
		t.Error("a run without analysis should show its training and say so")
	}
}

// TestOODSetsWithoutTestImages: the page has no section of detection and says why.
func TestOODSetsWithoutTestImages(t *testing.T) {
	dir := writeRun(t, "untested", 1)
	edit(t, filepath.Join(dir, "config.json"), `"test": {`, `"val": {`)
	put(t, dir, "ood.json", []any{})
	if err := os.Remove(filepath.Join(dir, "scores.npz")); err != nil {
		t.Fatal(err)
	}
	const want = "OOD scores are left out, and nc5 alone looks at the OOD sets: shapes has one split"
	if page := rebuild(t, dir); !strings.Contains(page, want) || strings.Contains(page, `id="detection"`) {
		t.Errorf("the page does not say %q", want)
	}
	if _, page := build(t); strings.Contains(page, want) {
		t.Error("a run with test images is warned of")
	}
}

func edit(t *testing.T, path, old, new string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(old)) {
		t.Fatalf("%s does not hold %q", path, old)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(text, []byte(old), []byte(new)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDamageIsNamed: what is missing or damaged is one line that names the file, the field and a way out, and no page is written.
func TestDamageIsNamed(t *testing.T) {
	pristine := writeRun(t, "run", 1)
	for name, c := range map[string]struct {
		break_ func(dir string) error
		want   []string
	}{
		"no config":       {func(dir string) error { return os.Remove(filepath.Join(dir, "config.json")) }, []string{"config.json", "run directory"}},
		"no nc.json":      {func(dir string) error { return os.Remove(filepath.Join(dir, "nc.json")) }, []string{"nc.json", "--resume"}},
		"no ood.json":     {func(dir string) error { return os.Remove(filepath.Join(dir, "ood.json")) }, []string{"ood.json", "--resume"}},
		"no history":      {func(dir string) error { return os.Remove(filepath.Join(dir, "history.csv")) }, []string{"history.csv", "--resume"}},
		"half nc.json":    {cut("nc.json"), []string{"nc.json", "resume"}},
		"half history":    {func(dir string) error { return rewrite(dir, "history.csv", "2,", "two,") }, []string{"history.csv", "line 3", "epoch", `"two"`, "--resume"}},
		"other columns":   {func(dir string) error { return rewrite(dir, "history.csv", "train_loss", "loss") }, []string{"history.csv", "column 3", "train_loss"}},
		"text for number": {func(dir string) error { return rewrite(dir, "nc.json", `"n": 2000`, `"n": "many"`) }, []string{"nc.json", "n", "resume"}},
		"half scores":     {cut("scores.npz"), []string{"scores.npz", "--resume"}},
		"half cosines":    {cut("nc2_cosines.npz"), []string{"nc2_cosines.npz", "resume"}},
		"no picture":      {cut("thumbs/test.png"), []string{"thumbs/test.png", "remove it"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(pristine)); err != nil {
				t.Fatal(err)
			}
			if err := c.break_(dir); err != nil {
				t.Fatal(err)
			}
			err := report.Build(dir, nil, report.Options{})
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q has two lines", err)
			}
			if _, err := os.Stat(filepath.Join(dir, report.PageFile)); err == nil {
				t.Error("a page was written")
			}
		})
	}
}

// cut leaves two thirds of a file.
func cut(name string) func(string) error {
	return func(dir string) error {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		size := info.Size() * 2 / 3
		if strings.HasSuffix(name, ".png") {
			size = 12 // in the header
		}
		return os.Truncate(filepath.Join(dir, name), size)
	}
}

func rewrite(dir, name, old, new string) error {
	path := filepath.Join(dir, name)
	text, err := os.ReadFile(path)
	if err == nil && !bytes.Contains(text, []byte(old)) {
		err = errors.New(path + " does not hold " + old)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(path, bytes.Replace(text, []byte(old), []byte(new), 1), 0o644)
}

// TestScoresOfAnotherCheckpointAreLeftOut: a kill between two files leaves scores that ood.json does not know yet.
func TestScoresOfAnotherCheckpointAreLeftOut(t *testing.T) {
	dir, other := writeRun(t, "first", 1), writeRun(t, "other", 9)
	text, err := os.ReadFile(filepath.Join(other, "scores.npz"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "scores.npz"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	page := rebuild(t, dir)
	if !strings.Contains(page, "they are not of one checkpoint") {
		t.Error("the page does not say that the scores are of another checkpoint")
	}
	if strings.Contains(page, "Score by score") {
		t.Error("the page shows them all the same")
	}
}

// TestFailureIsShownFirst: what ended a run stands among the warnings until a later process finished it.
func TestFailureIsShownFirst(t *testing.T) {
	for log, want := range map[string]bool{
		`{"event":"start"}` + "\n" + `{"event":"failed","epoch":7,"error":"the loss is NaN"}` + "\n":                              true,
		`{"event":"failed","epoch":7,"error":"the loss is NaN"}` + "\n" + `{"event":"resume"}` + "\n" + `{"event":"done"}` + "\n": false,
		`{"event":"failed","epoch":7,"error":"the loss is NaN"}` + "\n" + `{"event":"resu`:                                        true,
	} {
		dir := writeRun(t, "run", 1)
		if err := os.WriteFile(filepath.Join(dir, "log.jsonl"), []byte(log), 0o644); err != nil {
			t.Fatal(err)
		}
		page := rebuild(t, dir)
		if got := strings.Contains(page, "training stopped after epoch 7: the loss is NaN"); got != want {
			t.Errorf("%q: shown %v", log, got)
		}
	}
}

func TestScriptHashIsInThePolicy(t *testing.T) {
	_, page := build(t)
	hash := regexp.MustCompile(`script-src &#39;sha256-([^&]*)&#39;|script-src 'sha256-([^']*)'`).FindStringSubmatch(page)
	if hash == nil {
		t.Fatal("no hash in the policy")
	}
	if sum, err := base64.StdEncoding.DecodeString(html.UnescapeString(hash[1] + hash[2])); err != nil || len(sum) != 32 {
		t.Errorf("%q is no SHA-256: %v", hash[0], err)
	}
}
