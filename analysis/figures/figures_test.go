package figures_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/figures"
	"nctrain/analysis/nc"
	"nctrain/analysis/ood"
)

// collapse makes results of eleven checkpoints that collapse, the last with NC4 of zero and one value undefined.
func collapse() []*nc.Result {
	var all []*nc.Result
	for i := range 11 {
		epoch, k := 10*i, float64(i)
		r := &nc.Result{Epoch: &epoch}
		fall := math.Pow(10, -k/3)
		for j, key := range []string{"rank", "notebook", "papyan_code", "quotient", "cdnv"} {
			r.NC1.Set(key, fall*math.Pow(3, float64(j)))
		}
		for j, key := range []string{"equinorm", "equiangularity", "etf_error", "equinorm_weights", "equiangularity_weights", "etf_error_weights"} {
			r.NC2.Set(key, math.Sqrt(fall)*(0.2+0.15*float64(j)))
		}
		for j, key := range []string{"papyan", "row_l2", "duality_etf", "bias_collapse"} {
			r.NC3.Set(key, math.Sqrt(fall)*(0.5+0.3*float64(j)))
		}
		r.NC3.Set("mean_cos", 1-0.5*fall)
		r.NC4.Set("train", math.Max(0, 0.3*fall-0.001))
		r.NC4.Set("test", 0.1+0.3*fall)
		for j, set := range []string{"svhn", "shapes"} {
			var v analysis.Values
			v.Set("raw", 0.1+0.5*fall+0.05*float64(j))
			v.Set("centred", 0.08+0.3*fall+0.05*float64(j))
			v.Set("etf_energy", 0.4+0.3*fall)
			v.Set("upper_bound", 0.15+0.2*fall)
			v.Set("chance", 0.035)
			r.NC5.Set(set, v)
		}
		if i == 0 {
			r.NC2.Null("equinorm", "class 3 has no rows")
		}
		for _, v := range []*analysis.Values{&r.NC1Test, &r.NC2Test, &r.NC3Test} {
			for _, key := range []string{"rank", "quotient", "equinorm", "equiangularity", "papyan"} {
				v.Set(key, 2*fall+0.1)
			}
		}
		r.Accuracy.Set("train", 100-50*fall*fall)
		r.Accuracy.Set("test", 75-40*fall)
		all = append(all, r)
	}
	return all
}

// scores draws ID and OOD scores that overlap; the second has ties.
func scores() []figures.Score {
	rng := rand.New(rand.NewPCG(1, 2))
	var all []figures.Score
	for i, name := range []string{"msp", "mls", "energy", "mahalanobis", "vim", "neco"} {
		s := figures.Score{Name: name}
		for range 1500 {
			a, b := rng.NormFloat64()+1+0.3*float64(i), rng.NormFloat64()
			if name == "mls" {
				a, b = math.Round(2*a)/2, math.Round(2*b)/2
			}
			s.ID, s.OOD = append(s.ID, a), append(s.OOD, b)
		}
		s.Metrics = ood.Measure(s.ID, s.OOD)
		all = append(all, s)
	}
	return all
}

func detection() []*ood.Result {
	var all []*ood.Result
	for i := range 11 {
		epoch := 10 * i
		r := &ood.Result{Epoch: &epoch}
		var byScore analysis.Ordered[analysis.Values]
		for j, name := range []string{"msp", "mls", "energy", "mahalanobis", "vim", "neco", "msp@notebook", "mahalanobis@notebook", "vim@notebook", "neco@notebook"} {
			var v analysis.Values
			v.Set("auroc", 60+3*float64(i)-float64(j))
			v.Set("fpr95_ood_pos", 80-4*float64(i)+2*float64(j))
			byScore.Set(name, v)
		}
		r.OOD.Set("svhn", byScore)
		all = append(all, r)
	}
	return all
}

// seeds makes three runs that differ a little, the third with one value undefined and a checkpoint more.
func seeds() (all [][]*nc.Result, scored [][]*ood.Result) {
	for k := range 3 {
		factor := 1 + 0.2*float64(k)
		run, found := collapse(), detection()
		for _, r := range run {
			for _, v := range []*analysis.Values{&r.NC1, &r.NC2, &r.NC3} {
				for _, key := range v.Keys() {
					if x, ok := v.Get(key); ok && key != "mean_cos" {
						v.Set(key, x*factor)
					}
				}
			}
		}
		for _, r := range found {
			byScore, _ := r.OOD.Get("svhn")
			var few analysis.Ordered[analysis.Values] // a panel each takes its time
			for _, name := range []string{"msp", "mahalanobis"} {
				v, _ := byScore.Get(name)
				x, _ := v.Get("auroc")
				v.Set("auroc", x+factor)
				few.Set(name, v)
			}
			r.OOD.Set("svhn", few)
		}
		if k == 2 {
			run[4].NC1.Null("rank", "class 3 has no rows")
			epoch := 110
			run = append(run, &nc.Result{Epoch: &epoch})
		}
		all, scored = append(all, run), append(scored, found)
	}
	return all, scored
}

func history() figures.History {
	var h figures.History
	for i := range 100 {
		x := float64(i + 1)
		h.Epoch = append(h.Epoch, x)
		h.TrainLoss, h.TestLoss = append(h.TrainLoss, 4*math.Exp(-x/12)+1e-3), append(h.TestLoss, 1+3*math.Exp(-x/20))
		h.TrainAccuracy, h.TestAccuracy = append(h.TrainAccuracy, 100-95*math.Exp(-x/12)), append(h.TestAccuracy, 76-70*math.Exp(-x/15))
	}
	return h
}

func cosines(c int, spread float64) []float64 {
	rng := rand.New(rand.NewPCG(3, 4))
	x := make([]float64, c*c)
	for i := range c {
		x[i*c+i] = 1
		for j := range i {
			x[i*c+j] = -1/float64(c-1) + spread*rng.NormFloat64()
			x[j*c+i] = x[i*c+j]
		}
	}
	return x
}

func all(t *testing.T) map[string]*figures.Figure {
	t.Helper()
	cos, err := figures.Cosines(cosines(100, 0.03), 100)
	if err != nil {
		t.Fatal(err)
	}
	few, err := figures.Cosines(cosines(10, 1e-12), 10)
	if err != nil {
		t.Fatal(err)
	}
	columns := scores()
	if os.Getenv("NCTRAIN_FIGURES") == "" {
		columns = columns[3:5] // a picture of all takes seconds
	}
	grid, err := figures.Grid("svhn against cifar100", columns)
	if err != nil {
		t.Fatal(err)
	}
	sheet, err := figures.Sheet("svhn against cifar100: mls", scores()[1])
	if err != nil {
		t.Fatal(err)
	}
	collapses, detections := seeds()
	return map[string]*figures.Figure{"collapse_seeds": figures.CollapseBands(collapses), "detection_seeds": figures.DetectionBands("svhn", detections, collapses), "training": figures.Training(history()), "collapse": figures.Collapse(collapse()), "detection": figures.Detection("svhn", detection(), collapse()),
		"cosines": cos, "cosines_few": few, "grid": grid, "sheet": sheet, "one_checkpoint": figures.Collapse(collapse()[:1])}
}

// TestFiguresAreDrawn checks that every figure is a picture of its size that is not blank, and an SVG that holds its words. With NCTRAIN_FIGURES=DIR they are kept there
// to be looked at.
func TestFiguresAreDrawn(t *testing.T) {
	words := map[string][]string{
		"training":        {"accuracy (%)", "test", "training (augmented)", "cross-entropy (nats)"},
		"collapse":        {"NC1: variability within classes", "cdnv", "etf_error_weights", "1 - mean_cos", "svhn centred", "terminal phase", "rank, test rows"},
		"collapse_seeds":  {"mean ± standard deviation (ddof 1) over n = 3 seeds", "papyan", "1 - mean_cos", "cdnv", "svhn raw", "terminal phase"},
		"detection_seeds": {"svhn: mean ± standard deviation (ddof 1) over n = 3 seeds", "AUROC", "FPR95 (OOD positive)", "mahalanobis", "terminal phase"},
		"one_checkpoint":  {"NC1: variability within classes", "rank"},
		"detection":       {"AUROC on svhn", "FPR95 on svhn (OOD positive)", "mahalanobis", "NC1 rank"},
		"cosines":         {"ideal -1/(C-1) = -0.0101", "pairs of classes"},
		"cosines_few":     {"ideal -1/(C-1) = -0.1111"},
		"grid":            {"mahalanobis", "vim", "ID rejected (%)", "recall of ID (%)", "recall of OOD (%)"},
		"sheet":           {"Precision-recall, ID positive", "base rate 50.0 %", "FPR95"},
	}
	dir := os.Getenv("NCTRAIN_FIGURES")
	if dir == "" {
		dir = t.TempDir()
	}
	for name, f := range all(t) {
		picture, drawing := filepath.Join(dir, name+".png"), filepath.Join(dir, name+".svg")
		if err := errors.Join(f.Save(picture), f.Save(drawing)); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(picture)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		inked, looked := 0, 0
		for y := 0; y < img.Bounds().Dy(); y += 3 {
			for x := 0; x < img.Bounds().Dx(); x += 3 {
				looked++
				if r, g, b, _ := img.At(x, y).RGBA(); r+g+b < 3*0xC000 {
					inked++
				}
			}
		}
		if share := float64(inked) / float64(looked); share < 0.005 || share > 0.6 {
			t.Errorf("%s: %.2g of the picture is inked", name, share)
		}
		if text, err = os.ReadFile(drawing); err != nil {
			t.Fatal(err)
		}
		if len(text) > 2<<20 {
			t.Errorf("%s.svg has %d bytes", name, len(text))
		}
		var said strings.Builder
		for d := xml.NewDecoder(bytes.NewReader(text)); ; {
			token, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s.svg: %v", name, err)
			}
			if c, ok := token.(xml.CharData); ok {
				said.Write(c)
			}
		}
		if n := bytes.Count(text, []byte("<image ")); n != bytes.Count(text, []byte(`<image preserveAspectRatio="none" `)) || n != map[string]int{"cosines": 2, "cosines_few": 2}[name] {
			t.Errorf("%s.svg has %d images, or some that do not fill their axes", name, n)
		}
		for _, word := range words[name] {
			if !strings.Contains(said.String(), word) {
				t.Errorf("%s.svg does not say %q", name, word)
			}
		}
	}
}

func TestWhatCannotBeDrawnIsAnError(t *testing.T) {
	if err := figures.Training(history()).Save(filepath.Join(t.TempDir(), "x.gif")); err == nil || !strings.Contains(err.Error(), ".png or .svg") {
		t.Errorf("err %v", err)
	}
	if _, err := figures.Cosines(make([]float64, 3), 2); err == nil {
		t.Error("three cosines were taken for two classes")
	}
	if _, err := figures.Grid("", []figures.Score{{Name: "msp", ID: []float64{math.NaN()}, OOD: []float64{1}}}); err == nil || !strings.Contains(err.Error(), "msp") {
		t.Errorf("err %v", err)
	}
}
