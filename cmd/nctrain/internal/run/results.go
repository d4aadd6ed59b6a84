package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"nctrain/analysis/nc"
	"nctrain/analysis/ood"
	"nctrain/internal/npz"
)

const (
	ncFile      = "nc.json"
	oodFile     = "ood.json"
	scoresFile  = "scores.npz"
	cosinesFile = "nc2_cosines.npz"
)

// Results are the analysed checkpoints of a run, by ascending epoch.
type Results struct {
	NC      []*nc.Result
	OOD     []*ood.Result
	dir     string
	cosines map[int]Cosines // by epoch
}

// Cosines between the class means of one checkpoint, [C,C].
type Cosines struct {
	Epoch, Classes int
	Values         []float64
}

// writeAgain is the way out where a file of results cannot be read.
const writeAgain = "remove the file, and resume the run to write it again"

// ReadResults reads nc.json, ood.json and the cosines of a run directory; files that are not there yet hold nothing.
func ReadResults(dir string) (*Results, error) {
	r := &Results{dir: dir, cosines: map[int]Cosines{}}
	if err := readList(filepath.Join(dir, ncFile), &r.NC); err != nil {
		return nil, err
	}
	if err := readList(filepath.Join(dir, oodFile), &r.OOD); err != nil {
		return nil, err
	}
	for i, row := range r.NC {
		if row == nil || row.Epoch == nil || row.Checkpoint == nil {
			return nil, fmt.Errorf("run: %s: row %d has no epoch or checkpoint: %s", filepath.Join(dir, ncFile), i, writeAgain)
		}
	}
	for i, row := range r.OOD {
		if row == nil || row.Epoch == nil {
			return nil, fmt.Errorf("run: %s: row %d has no epoch: %s", filepath.Join(dir, oodFile), i, writeAgain)
		}
	}
	return r, r.readCosines()
}

func readList[T any](path string, rows *[]T) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return describe(path, err)
	}
	if err := json.Unmarshal(text, rows); err != nil {
		return fmt.Errorf("run: %s: %w: %s", path, err, writeAgain)
	}
	return nil
}

// cosineName of an epoch in the archive.
func cosineName(epoch int) string { return fmt.Sprintf("epoch_%04d", epoch) }

func (r *Results) readCosines() error {
	path := filepath.Join(r.dir, cosinesFile)
	file, err := npz.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("run: %w: %s", err, writeAgain)
	}
	defer file.Close()
	for _, row := range r.NC {
		info, ok := file.Info(cosineName(*row.Epoch))
		if !ok {
			continue
		}
		values, err := file.Float64s(info.Name)
		if err != nil {
			return fmt.Errorf("run: %w: %s", err, writeAgain)
		}
		if len(info.Shape) != 2 || info.Shape[0] != info.Shape[1] {
			return fmt.Errorf("run: %s: %v should be [C,C]: %s", path, info, writeAgain)
		}
		r.cosines[*row.Epoch] = Cosines{*row.Epoch, info.Shape[0], values}
	}
	return nil
}

// LastCosines are those of the last checkpoint that has them; false where none has.
func (r *Results) LastCosines() (Cosines, bool) {
	for _, row := range slices.Backward(r.NC) {
		if c, ok := r.cosines[*row.Epoch]; ok {
			return c, true
		}
	}
	return Cosines{}, false
}

// has tells whether a checkpoint is analysed, its OOD part too where that is wanted.
func (r *Results) has(epoch int, hash string, withOOD bool) bool {
	found := slices.ContainsFunc(r.NC, func(row *nc.Result) bool { return *row.Epoch == epoch && *row.Checkpoint == hash })
	return found && (!withOOD || slices.ContainsFunc(r.OOD, func(row *ood.Result) bool { return *row.Epoch == epoch }))
}

// cutAfter drops what is later than an epoch.
func (r *Results) cutAfter(epoch int) {
	r.NC = slices.DeleteFunc(r.NC, func(row *nc.Result) bool { return *row.Epoch > epoch })
	r.OOD = slices.DeleteFunc(r.OOD, func(row *ood.Result) bool { return *row.Epoch > epoch })
	for e := range r.cosines {
		if e > epoch {
			delete(r.cosines, e)
		}
	}
}

// Put takes in a checkpoint's row and writes the files; nc.json, by which [Results.Has] goes, is the last.
func (r *Results) Put(row *Row) error {
	r.NC = insert(r.NC, row.NC, func(x *nc.Result) int { return *x.Epoch })
	if row.NC.Cosines != nil {
		r.cosines[row.Epoch] = Cosines{row.Epoch, row.NC.Classes, row.NC.Cosines}
	}
	if row.OOD != nil {
		r.OOD = insert(r.OOD, row.OOD, func(x *ood.Result) int { return *x.Epoch })
		if *r.OOD[len(r.OOD)-1].Epoch == row.Epoch {
			if err := r.writeScores(row.OOD); err != nil {
				return err
			}
		}
	}
	return r.Write()
}

func insert[T any](rows []T, row T, epoch func(T) int) []T {
	at, there := slices.BinarySearchFunc(rows, epoch(row), func(x T, e int) int { return epoch(x) - e })
	if there {
		rows[at] = row
		return rows
	}
	return slices.Insert(rows, at, row)
}

// Write writes ood.json, the cosines and nc.json.
func (r *Results) Write() error {
	if err := writeJSON(filepath.Join(r.dir, oodFile), orEmpty(r.OOD)); err != nil {
		return err
	}
	err := npz.Write(filepath.Join(r.dir, cosinesFile), func(w *npz.Writer) error {
		for _, row := range r.NC {
			if c, ok := r.cosines[*row.Epoch]; ok {
				if err := npz.Put(w, cosineName(*row.Epoch), c.Values, c.Classes, c.Classes); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return writeJSON(filepath.Join(r.dir, ncFile), orEmpty(r.NC))
}

// orEmpty makes no rows [] rather than null.
func orEmpty[T any](rows []T) []T {
	if rows == nil {
		return []T{}
	}
	return rows
}

// writeScores writes every score of the checkpoint as SET/SCORE, the ID rows under id/.
func (r *Results) writeScores(row *ood.Result) error {
	err := npz.Write(filepath.Join(r.dir, scoresFile), func(w *npz.Writer) error {
		for set, byScore := range row.Scores.All() {
			for score, values := range byScore.All() {
				if err := npz.Put(w, set+"/"+score, values); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}
