package report

import (
	"errors"
	"fmt"
	"io/fs"
	"math"

	"nctrain/analysis"
	"nctrain/analysis/figures"
	"nctrain/analysis/ood"
	"nctrain/internal/npz"
)

// scoreSets are OOD set -> what each detector gave on it, in the order of the results.
type scoreSets = analysis.Ordered[[]figures.Score]

// readScores reads the scores of every detector that has metrics in a result. stale says why the file is not of this result, in which case there are none: a run that was
// killed between two files leaves such a pair.
func readScores(path string, result *ood.Result) (sets scoreSets, stale string, err error) {
	file, err := npz.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return sets, path + " is not there", nil
	}
	if err != nil {
		return sets, "", err
	}
	defer file.Close()
	read := func(set, score string, n int) ([]float64, error) {
		name := set + "/" + score
		info, ok := file.Info(name)
		if !ok {
			stale = fmt.Sprintf("%s holds no %s, which ood.json has", path, name)
			return nil, nil
		}
		if len(info.Shape) != 1 {
			return nil, fmt.Errorf("%s: %s: shape %v should be [N]", path, name, info.Shape)
		}
		if info.Len() != n {
			stale = fmt.Sprintf("%s: %s has %d values for the %d rows of ood.json", path, name, info.Len(), n)
			return nil, nil
		}
		return file.Float64s(name)
	}
	id := map[string][]float64{}
	for set, byScore := range result.OOD.All() {
		n, _ := result.NOOD.Get(set)
		var all []figures.Score
		for name, metrics := range byScore.All() {
			auroc, ok := metrics.Get("auroc")
			if !ok {
				continue
			}
			s := figures.Score{Name: name, Metrics: metrics, ID: id[name]}
			if s.ID == nil {
				if s.ID, err = read(ood.IDName, name, result.NID); err != nil || stale != "" {
					return scoreSets{}, stale, err
				}
				id[name] = s.ID
			}
			if s.OOD, err = read(set, name, n); err != nil || stale != "" {
				return scoreSets{}, stale, err
			}
			if again, _ := ood.Measure(s.ID, s.OOD).Get("auroc"); math.Abs(again-auroc) > 1e-6 {
				return scoreSets{}, fmt.Sprintf("%s: %s/%s has an AUROC of %.4f %%, ood.json says %.4f %%: they are not of one checkpoint", path, set, name, again, auroc), nil
			}
			all = append(all, s)
		}
		if len(all) > 0 {
			sets.Set(set, all)
		}
	}
	return sets, "", nil
}
