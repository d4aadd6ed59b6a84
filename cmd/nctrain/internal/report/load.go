package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"nctrain/analysis/nc"
	"nctrain/analysis/ood"
	"nctrain/cmd/nctrain/internal/run"
)

// stored is what a run directory holds, read once and checked.
type stored struct {
	dir     string
	name    string // short, and different for each run of a page
	config  *run.Config
	history history
	nc      []*nc.Result  // by ascending epoch
	ood     []*ood.Result // by ascending epoch
	cosines *run.Cosines  // of the last checkpoint that has them; nil where none has
	scores  scoreSets     // of the last scored checkpoint; empty where they are not of it
	thumbs  []thumb
	ending  string // why the last process stopped before the last epoch; empty where it did not
	notes   []string
}

func readRuns(dirs []string) ([]*stored, error) {
	var runs []*stored
	for i, dir := range dirs {
		for _, before := range dirs[:i] {
			if filepath.Clean(before) == filepath.Clean(dir) {
				return nil, fmt.Errorf("report: %s is named twice: name each run once", dir)
			}
		}
		r, err := readRun(dir)
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	nameApart(runs)
	return runs, nil
}

// nameApart calls each run by its folder, with as many folders above it as tell the runs apart.
func nameApart(runs []*stored) {
	for i, r := range runs {
		whole := absolute(r.dir)
		runs[i].name = filepath.Base(whole)
		for above := filepath.Dir(whole); taken(runs[:i], runs[i].name) && above != filepath.Dir(above); above = filepath.Dir(above) {
			runs[i].name = filepath.Join(filepath.Base(above), runs[i].name)
		}
	}
}

func absolute(dir string) string {
	if whole, err := filepath.Abs(dir); err == nil {
		return whole
	}
	return filepath.Clean(dir)
}

// folderName is a directory's own name, whatever path leads to it.
func folderName(dir string) string { return filepath.Base(absolute(dir)) }

func taken(runs []*stored, name string) bool {
	for _, r := range runs {
		if r.name == name {
			return true
		}
	}
	return false
}

func readRun(dir string) (*stored, error) {
	r := &stored{dir: dir}
	var err error
	if r.config, err = run.ReadConfig(dir); err != nil {
		return nil, err // says whose file it is
	}
	if r.history, err = readHistory(filepath.Join(dir, "history.csv")); err != nil {
		return nil, r.resumable(err)
	}
	if r.ending, err = readEnding(filepath.Join(dir, "log.jsonl")); err != nil {
		return nil, err
	}
	if r.thumbs, err = readThumbs(filepath.Join(dir, "thumbs")); err != nil {
		return nil, err
	}
	if r.config.Settings.Analysis == nil {
		r.note("this run trained alone: nctrain run --resume %s measures its collapse and its OOD detection", dir)
		return r, nil
	}
	return r, r.readAnalysis()
}

func (r *stored) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// resumable adds the way out that mends every file of a run.
func (r *stored) resumable(err error) error {
	return fmt.Errorf("report: %w: remove the file, and nctrain run --resume %s writes it again", err, r.dir)
}

// readAnalysis reads what the run measured of its checkpoints.
func (r *stored) readAnalysis() error {
	for _, name := range []string{"nc.json", "ood.json"} {
		if _, err := os.Stat(filepath.Join(r.dir, name)); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("report: %s: no such file: nctrain run --resume %s measures its checkpoints and writes it", filepath.Join(r.dir, name), r.dir)
		}
	}
	results, err := run.ReadResults(r.dir)
	if err != nil {
		return err // says whose file it is
	}
	r.nc, r.ood = results.NC, results.OOD
	if len(r.nc) == 0 {
		r.note("no checkpoint is analysed yet: nctrain run --resume %s goes on", r.dir)
	}
	if c, ok := results.LastCosines(); ok {
		r.cosines = &c
	}
	last := r.lastOOD()
	if last == nil {
		return nil
	}
	var stale string
	if r.scores, stale, err = readScores(filepath.Join(r.dir, "scores.npz"), last); err != nil {
		return r.resumable(err)
	}
	if stale != "" {
		r.note("%s: the curves of single scores are left out; nctrain run --resume %s brings the files together", stale, r.dir)
	}
	return nil
}

// lastNC is the last analysed checkpoint; nil where there is none.
func (r *stored) lastNC() *nc.Result {
	if len(r.nc) == 0 {
		return nil
	}
	return r.nc[len(r.nc)-1]
}

// lastOOD is the last checkpoint that could be scored; nil where there is none.
func (r *stored) lastOOD() *ood.Result {
	for i := len(r.ood) - 1; i >= 0; i-- {
		if r.ood[i].OOD.Len() > 0 {
			return r.ood[i]
		}
	}
	return nil
}

// oodSets are the names of the OOD sets in the order of the settings, then those that only the results have.
func oodSets(runs []*stored) (names []string) {
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, r := range runs {
		for _, s := range r.config.Settings.OOD {
			add(s.Name)
		}
		for _, row := range r.ood {
			for _, name := range row.OOD.Keys() {
				add(name)
			}
		}
	}
	return names
}
