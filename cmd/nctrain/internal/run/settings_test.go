package run

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/nc"
	"nctrain/analysis/ood"
	"nctrain/nn"
	"nctrain/nn/data"
)

// TestOtherImagesAreSeen: the record of a set changes with its sizes, with one byte of its images and with one label, and a run that finds another one says which set.
func TestOtherImagesAreSeen(t *testing.T) {
	set := func(change func(*data.Set)) *Sets {
		s := &data.Set{Name: "mine", Split: data.Train, Classes: 3, H: 2, W: 4, Images: make([]uint8, 4*2*4*data.Channels), Labels: []int32{0, 1, 2, 1}}
		change(s)
		sets := &Sets{Records: map[string]SetRecord{}}
		sets.record("train", s)
		return sets
	}
	was := set(func(*data.Set) {})
	if err := set(func(*data.Set) {}).checkSame(was.Records); err != nil {
		t.Errorf("the same images: %v", err)
	}
	if r := was.Records["train"]; r.Set != "mine" || r.Split != data.Train || r.N != 4 || r.Classes != 3 || r.Height != 2 || r.Width != 4 {
		t.Errorf("record %+v", r)
	}
	for name, change := range map[string]func(*data.Set){
		"byte": func(s *data.Set) { s.Images[95]++ }, "label": func(s *data.Set) { s.Labels[3] = 2 }, "order": func(s *data.Set) { s.Labels[0], s.Labels[1] = 1, 0 },
		"height and width": func(s *data.Set) { s.H, s.W = 4, 2 },
	} {
		if err := set(change).checkSame(was.Records); err == nil || !strings.Contains(err.Error(), "data: mine: its images or labels are not those") {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

func TestSettingsAreChecked(t *testing.T) {
	good := Settings{Width: 1, Training: nn.NotebookSettings()}
	if err := good.Validate(); err != nil {
		t.Errorf("the least of everything: %v", err)
	}
	good.Width = 1 << 12
	if err := good.Validate(); err != nil {
		t.Errorf("the widest: %v", err)
	}
	for name, change := range map[string]func(*Settings){
		"--width 0": func(s *Settings) { s.Width = 0 }, "--width 4097": func(s *Settings) { s.Width++ }, "--checkpoint-every -1": func(s *Settings) { s.CheckpointEvery = -1 },
		"--limit -1": func(s *Settings) { s.Limit = -1 }, "--val-fraction -0.1": func(s *Settings) { s.ValFraction = -0.1 }, "--val-fraction 1": func(s *Settings) { s.ValFraction = 1 },
		"--val-fraction NaN": func(s *Settings) { s.ValFraction = math.NaN() }, "--epochs 0": func(s *Settings) { s.Training.Epochs = 0 },
	} {
		s := good
		change(&s)
		if err := s.Validate(); err == nil || !strings.HasPrefix(err.Error(), name+":") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEpochsOfARunFromACheckpoint: the first is where it began; without --checkpoint-every the last is the only other.
func TestEpochsOfARunFromACheckpoint(t *testing.T) {
	due := func(s Settings) (epochs []int) {
		for epoch := range 10 {
			if s.due(epoch) {
				epochs = append(epochs, epoch)
			}
		}
		return epochs
	}
	s := Settings{From: &Origin{Epoch: 4}, Training: nn.TrainSettings{Epochs: 9}}
	if got := due(s); !slices.Equal(got, []int{4, 9}) {
		t.Errorf("due are %v", got)
	}
	s.From = nil
	if got := due(s); !slices.Equal(got, []int{0, 9}) {
		t.Errorf("due are %v", got)
	}
}

func TestLimitIsMeantForTheSetsOfTheRun(t *testing.T) {
	s := Settings{Data: "cifar10:/a", OOD: []NamedSet{{"far", "digits"}}}
	for _, c := range []struct {
		test, set, split string
		want             bool
	}{
		{"", "cifar10:/a", data.Train, true}, {"", "digits", data.Train, false}, {"", "cifar10:/a", data.Test, true}, {"", "digits", data.Test, true}, {"", "shapes", data.Test, false},
		{"shapes", "cifar10:/a", data.Test, false}, {"shapes", "shapes", data.Test, true}, {"shapes", "shapes", data.Train, false},
	} {
		s.Test = c.test
		if got := s.Names(c.set, c.split); got != c.want {
			t.Errorf("test %q: %s of %s: %v", c.test, c.split, c.set, got)
		}
	}
}

func TestPathsOfSetsAreAbsolute(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for spec, want := range map[string]string{"shapes": "shapes", "npz:": "npz:", "npz:/a/b.npz": "npz:/a/b.npz", "npz:a/../b.npz": "npz:" + filepath.Join(here, "b.npz")} {
		if got := AbsoluteSet(spec); got != want {
			t.Errorf("%s: %s, want %s", spec, got, want)
		}
	}
}

// TestSeedDirectories: by number and not by name, of those alone that hold a run.
func TestSeedDirectories(t *testing.T) {
	dir := t.TempDir()
	config := func(parts ...string) {
		path := filepath.Join(append([]string{dir}, parts...)...)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, configFile), []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"seed-10", "seed-9", "seed-x", "other-3", "3"} {
		config(name)
	}
	if err := os.Mkdir(filepath.Join(dir, "seed-11"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := SeedDirs(dir); err != nil || !slices.Equal(got, []string{filepath.Join(dir, "seed-9"), filepath.Join(dir, "seed-10")}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := SeedDirs(filepath.Join(dir, "none")); err != nil || len(got) > 0 {
		t.Errorf("of no directory: %v, %v", got, err)
	}
	config()
	if got, err := SeedDirs(dir); err != nil || len(got) > 0 {
		t.Errorf("of a run itself: %v, %v", got, err)
	}
}

// TestSpreadByHand: of accuracies 90, 92, 97 the mean is 93 and the standard deviation sqrt((9+1+16)/2); what a run lacks is left out.
func TestSpreadByHand(t *testing.T) {
	var runs []*Results
	for i, accuracy := range []float64{90, 92, 97} {
		r := &Results{NC: []*nc.Result{{}, {}}}
		r.NC[0].Accuracy.Set("test", 1) // an earlier checkpoint
		r.NC[1].Accuracy.Set("test", accuracy)
		if i > 0 {
			r.NC[1].NC1.Set("rank", 1)
		}
		var scores analysis.Ordered[analysis.Values]
		var v analysis.Values
		v.Set("auroc", 80+float64(i))
		v.Set("aupr_in", 5)
		scores.Set("msp", v)
		row := &ood.Result{}
		row.OOD.Set("digits", scores)
		r.OOD = []*ood.Result{row}
		runs = append(runs, r)
	}
	std, one := math.Sqrt(13), 1.0
	want := []Spread{{"accuracy.test", 3, 93, &std, []float64{90, 92, 97}}, {"digits.msp.auroc", 3, 81, &one, []float64{80, 81, 82}}}
	got := SpreadOver(runs)
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i].Std == nil || math.Abs(*got[i].Std-*want[i].Std) > 1e-14 {
			t.Fatalf("std of %+v, want %g", got[i], *want[i].Std)
		}
		got[i].Std = want[i].Std
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if one := SpreadOver(runs[:1]); len(one) == 0 || one[0].Std != nil || one[0].Mean != 90 {
		t.Errorf("of one seed: %+v", one)
	}
}
