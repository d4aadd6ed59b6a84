package ood_test

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/ood"
	"nctrain/internal/npz"
)

func openFitted(t *testing.T, path string) *ood.Fitted {
	t.Helper()
	f, err := ood.OpenFitted(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// TestScoreFilesHoldTheSameBits: every score of both kinds of file is the one that Compute gave to the same rows, and accepted is score >= threshold.
func TestScoreFilesHoldTheSameBits(t *testing.T) {
	r, o := saved(t)
	f := openFitted(t, o.SaveTo)
	want, _ := r.Scores.Get("noise")
	inCSV, inNPZ := filepath.Join(t.TempDir(), "s.csv"), filepath.Join(t.TempDir(), "s.npz")
	var summaries []*ood.Scored
	for _, path := range []string{inCSV, inNPZ, ""} {
		s, err := f.ScoreTo(t.Context(), o.OOD[0].Source, path, 2)
		if err != nil {
			t.Fatal(err)
		}
		summaries = append(summaries, s)
	}
	file, err := os.Open(inCSV)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	archive, err := npz.Open(inNPZ)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	column := func(name string) int { return slices.Index(lines[0], name) }
	for name, scores := range want.All() {
		stored, err := archive.Float64s("score/" + name)
		if err != nil || !slices.Equal(stored, scores) {
			t.Errorf("%s: other scores in the archive (%v)", name, err)
		}
		flags, err := archive.Uint8s("accepted/" + name)
		if err != nil || len(flags) != len(scores) {
			t.Fatalf("accepted/%s: %d of %d, %v", name, len(flags), len(scores), err)
		}
		v, _ := r.Thresholds.Get(name)
		threshold, _ := v.Get("threshold")
		accepted := 0
		for i, x := range scores {
			says := "0"
			if x >= threshold {
				says = "1"
				accepted++
			}
			line := lines[i+1]
			if got, err := strconv.ParseFloat(line[column(name)], 64); err != nil || math.Float64bits(got) != math.Float64bits(x) || line[0] != strconv.Itoa(i) {
				t.Errorf("%s: row %d of the CSV is %q, want %g", name, i, line[column(name)], x)
			}
			if line[column(name+"_accepted")] != says || strconv.Itoa(int(flags[i])) != says {
				t.Errorf("%s: row %d is accepted %q and %d, want %s", name, i, line[column(name+"_accepted")], flags[i], says)
			}
		}
		for _, s := range summaries {
			v, _ := s.Scores.Get(name)
			if got, ok := v.Get("accepted"); !ok || got != 100*float64(accepted)/float64(len(scores)) {
				t.Errorf("%s: accepted %g %%, want %d of %d", name, got, accepted, len(scores))
			}
			least, _ := v.Get("least")
			if largest, _ := v.Get("largest"); least != slices.Min(scores) || largest != slices.Max(scores) {
				t.Errorf("%s: scores from %g to %g", name, least, largest)
			}
			if s.Checkpoint == nil || *s.Checkpoint != "x" {
				t.Errorf("checkpoint %v", s.Checkpoint)
			}
		}
	}
	if n := o.OOD[0].Source.Info().N; len(lines) != 1+n || len(lines[0]) != 1+2*want.Len() || summaries[0].N != len(lines)-1 {
		t.Errorf("%d lines of %d columns for %d rows and %d scores", len(lines), len(lines[0]), summaries[0].N, want.Len())
	}
}

func TestScoresWithoutThresholds(t *testing.T) {
	o := headed(t, archive(t, "testdata/detectors_golden.npz"), "plain")
	o.Scores, o.SaveTo = []string{"msp", "energy"}, filepath.Join(t.TempDir(), "d.npz")
	compute(t, o)
	f := openFitted(t, o.SaveTo)
	if err := f.Keep([]string{"vim"}); err == nil || !strings.Contains(err.Error(), "msp, energy") {
		t.Errorf("err %v", err)
	}
	if err := f.Keep([]string{"energy"}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "s.csv")
	s, err := f.ScoreTo(t.Context(), o.ID, path, 1)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := s.Scores.Get("energy")
	if s.Scores.Len() != 1 || !strings.Contains(v.Reason("accepted"), "--threshold-at") {
		t.Errorf("%v, reason %q", s.Scores.Keys(), v.Reason("accepted"))
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(text), "row,energy\n0,") {
		t.Errorf("%.40q, %v", text, err)
	}
}

// TestScoresThatCannotBeWritten: a full disk is an error of the file that is written, and not of the rows.
func TestScoresThatCannotBeWritten(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	r, o := saved(t)
	f := openFitted(t, o.SaveTo)
	link := filepath.Join(t.TempDir(), "s.csv")
	if err := os.Symlink("/dev/full", link); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ScoreTo(t.Context(), o.OOD[0].Source, link, 1); err == nil || !strings.Contains(err.Error(), "write "+link) {
		t.Errorf("%d scores: err %v", r.Scores.Len(), err)
	}
}

// TestScoreErrorsLeaveNoFile: another checkpoint, another width, a row that is not finite.
func TestScoreErrorsLeaveNoFile(t *testing.T) {
	_, o := saved(t)
	f := openFitted(t, o.SaveTo)
	source := func(hash string, d int, x float64) analysis.Source {
		rows := make([]float64, 3*d)
		rows[2*d] = x
		src, err := analysis.NewMemory(analysis.Info{Name: "new.npz", Meta: analysis.Meta{Checkpoint: hash}}, rows, nil, make([]int64, 3))
		if err != nil {
			t.Fatal(err)
		}
		return src
	}
	for _, c := range []struct {
		src  analysis.Source
		path string
		want string
	}{
		{source("y", o.Head.D, 1), "s.csv", "one checkpoint"},
		{source("x", o.Head.D+1, 1), "s.npz", "do not fit the head"},
		{source("x", o.Head.D, math.NaN()), "s.csv", "row 2 (features) holds NaN"},
		{source("x", o.Head.D, math.Inf(1)), "s.npz", "row 2 (features) holds NaN"},
		{source("x", o.Head.D, 1), "s.txt", ".csv or .npz"},
	} {
		dir := t.TempDir()
		_, err := f.ScoreTo(t.Context(), c.src, filepath.Join(dir, c.path), 1)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "write") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: err %v, want one line with %q", c.path, err, c.want)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s was left behind", left[0].Name())
		}
	}
}

// TestScoreFilesOfManyBlocks: the columns of an archive are put together from blocks of all scores, which the CSV takes as they come.
func TestScoreFilesOfManyBlocks(t *testing.T) {
	_, o := saved(t)
	f := openFitted(t, o.SaveTo)
	var rows []float64
	if err := o.OOD[0].Source.Sweep(t.Context(), func(b *analysis.Block) error {
		rows = append(rows, b.Features...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	const times = 60
	d := o.Head.D
	n := times * len(rows) / d
	many := make([]float64, 0, times*len(rows))
	for k := range times {
		for _, x := range rows {
			many = append(many, x*(1+float64(k)/times))
		}
	}
	src, err := analysis.NewMemory(analysis.Info{Name: "many", Meta: analysis.Meta{Checkpoint: "x"}}, many, nil, make([]int64, n))
	if err != nil {
		t.Fatal(err)
	}
	inCSV, inNPZ := filepath.Join(t.TempDir(), "s.csv"), filepath.Join(t.TempDir(), "s.npz")
	for _, path := range []string{inCSV, inNPZ} {
		if _, err := f.ScoreTo(t.Context(), src, path, 2); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(inCSV)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil || len(lines) != 1+n {
		t.Fatalf("%d lines for %d rows, %v", len(lines), n, err)
	}
	file, err := npz.Open(inNPZ)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for at, name := range lines[0] {
		decision := slices.Index(lines[0], name+"_accepted")
		if at == 0 || strings.HasSuffix(name, "_accepted") {
			continue
		}
		scores, err1 := file.Float64s("score/" + name)
		flags, err2 := file.Uint8s("accepted/" + name)
		if err1 != nil || err2 != nil || len(scores) != n || len(flags) != n {
			t.Fatalf("%s: %v, %v", name, err1, err2)
		}
		for i, line := range lines[1:] {
			if x, err := strconv.ParseFloat(line[at], 64); err != nil || x != scores[i] || line[decision] != strconv.Itoa(int(flags[i])) {
				t.Fatalf("%s: row %d is %g (%d) in the archive, %s (%s) in the CSV", name, i, scores[i], flags[i], line[at], line[decision])
			}
		}
	}
}
