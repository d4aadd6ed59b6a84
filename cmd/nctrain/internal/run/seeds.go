package run

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/stat"

	"nctrain/analysis"
	"nctrain/analysis/nc"
)

// SeedDir is where a run of several seeds keeps one of them.
func SeedDir(dir string, seed uint64) string { return filepath.Join(dir, fmt.Sprintf("seed-%d", seed)) }

// SeedDirs lists the runs of several seeds that dir keeps, by ascending seed; none where dir is a run itself or keeps none.
func SeedDirs(dir string) ([]string, error) {
	if has(dir, configFile) {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, describe(dir, err)
	}
	var seeds []uint64
	for _, e := range entries {
		text, is := strings.CutPrefix(e.Name(), "seed-")
		seed, err := strconv.ParseUint(text, 10, 64)
		if is && err == nil && has(SeedDir(dir, seed), configFile) {
			seeds = append(seeds, seed)
		}
	}
	slices.Sort(seeds)
	var dirs []string
	for _, seed := range seeds {
		dirs = append(dirs, SeedDir(dir, seed))
	}
	return dirs, nil
}

// Begun tells whether a directory holds a run of these settings, with which `Resume` goes on; a run with other settings is an error.
func (s *Settings) Begun(dir string) (bool, error) {
	if !has(dir, configFile) {
		return false, nil
	}
	config, err := ReadConfig(dir)
	if err != nil {
		return false, err
	}
	was, err := config.Settings.encoded()
	if err != nil {
		return false, err
	}
	asked := *s
	if asked.Precision == "" { // none named: the run goes on with its own
		asked.Precision = config.Settings.Precision
	}
	now, err := asked.encoded()
	if err != nil {
		return false, err
	}
	if !bytes.Equal(was, now) {
		return false, fmt.Errorf("run: %s: holds a run with other settings: give those it has, remove it with --overwrite, or choose another --out", dir)
	}
	return true, nil
}

// Spread is a number of the last checkpoint over runs that differ in their seed alone: the spread of training, not of the test sample.
type Spread struct {
	Name   string    `json:"name"` // "nc1.rank", "digits.msp.auroc"
	N      int       `json:"n"`
	Mean   float64   `json:"mean"`
	Std    *float64  `json:"std"` // ddof 1; null for one seed
	Values []float64 `json:"values"`
}

// SpreadOver takes the headline numbers of the last checkpoint of each run. A number that some run does not have is left out.
func SpreadOver(runs []*Results) []Spread {
	values := map[string][]float64{}
	var names []string
	add := func(name string, v analysis.Values, key string) {
		if x, ok := v.Get(key); ok {
			if _, known := values[name]; !known {
				names = append(names, name)
			}
			values[name] = append(values[name], x)
		}
	}
	for _, r := range runs {
		if len(r.NC) > 0 {
			addCollapse(add, r.NC[len(r.NC)-1])
		}
		if len(r.OOD) == 0 {
			continue
		}
		for set, scores := range r.OOD[len(r.OOD)-1].OOD.All() {
			for score, v := range scores.All() {
				add(set+"."+score+".auroc", v, "auroc")
				add(set+"."+score+".fpr95_ood_pos", v, "fpr95_ood_pos")
			}
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return len(values[name]) != len(runs) })
	out := make([]Spread, len(names))
	for i, name := range names {
		s := Spread{Name: name, N: len(runs), Values: values[name]}
		mean, std := stat.MeanStdDev(s.Values, nil)
		s.Mean = mean
		if s.N > 1 {
			s.Std = &std
		}
		out[i] = s
	}
	return out
}

func addCollapse(add func(string, analysis.Values, string), row *nc.Result) {
	for _, key := range []string{"train", "test"} {
		add("accuracy."+key, row.Accuracy, key)
	}
	for _, h := range nc.Headlines(row.NC5.Keys()) {
		name := h.Key + "."
		if h.Set != "" {
			name += h.Set + "."
		}
		add(name+h.Variant, h.Of(row, h.Set), h.Variant)
	}
}
