// Package ood scores rows by how in-distribution they look and measures how well each score tells ID from OOD rows.
//
// Every detector is one file and one row of the table below: command line, tests and documentation read the table. Larger scores mean more in-distribution. A score
// whose usual form rounds to a constant is computed in a form that does not and is monotone in it, in float64.
package ood

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"nctrain/analysis"
	"nctrain/analysis/stats"
)

// FitSet is the set a detector learns from.
type FitSet uint8

const (
	// FitNone: nothing is learned.
	FitNone FitSet = iota
	// FitTrain: un-augmented ID training rows.
	FitTrain
	// FitVal: ID rows in neither training nor test; null with the reason where there are none.
	FitVal
	// FitValOrTrain: val, or train with a warning.
	FitValOrTrain
)

func (f FitSet) String() string {
	return [...]string{"none", "train", "val", "val or train"}[f]
}

// Detector is one row of the table.
type Detector struct {
	// Name as on the command line and in every file.
	Name string
	// Formula of the score, and the publication it is from.
	Formula, Source string
	// Pitfalls: when the score should not be read, and what it does at the edges.
	Pitfalls string
	Fit      FitSet
	Params   []Param
	// Notebook marks the six scores that are reported unless others are chosen.
	Notebook bool
	// New prepares a scorer from what one sweep of the fit set gave, Learn one that has to see the rows once more; a detector has one of the two. An error is the reason why
	// the detector is null.
	New   func(*Fit, Settings) (Scorer, error)
	Learn func(*Fit, Settings) (Learner, error)
}

func (d Detector) prepare(f *Fit, v Settings) (Scorer, error) {
	if d.Learn == nil {
		return d.New(f, v)
	}
	s, err := d.Learn(f, v)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Fit is what a detector learns from.
type Fit struct {
	Head *analysis.Head
	// Info of the fit set, its class moments and its tally; nil for FitNone.
	Info  analysis.Info
	Class *stats.Class
	Tally *stats.Tally
	// Threads bounds goroutines.
	Threads int
	// What several detectors need and costs an eigendecomposition is made once, by the first that asks; detectors are prepared side by side.
	nearMutex      sync.Mutex
	near           *nearestWhitened
	residualsMutex sync.Mutex
	residuals      map[int]*residual
}

// Scorer scores blocks of rows; it is used from several goroutines at once.
type Scorer interface {
	// Score writes the score of each row of b to out [n].
	Score(b *Rows, out []float64)
}

// Learner is a scorer that needs a second sweep of its fit set before it can score: an Observer or a Summer.
type Learner interface {
	Scorer
	// Finish ends the fit; an error is the reason why the detector is null.
	Finish() error
}

// Observer is a learner that sees every block of the fit set in order.
type Observer interface {
	Learner
	Observe(b *analysis.Block)
}

// Summer is a learner that needs no more of the fit set than sums over its rows.
type Summer interface {
	Learner
	// Sum takes those of a block; several blocks at once.
	Sum(b *analysis.Block) []float64
	// Add sees what Sum gave, in the order of the blocks.
	Add(sum []float64)
}

// Resweeper is a learner whose fit takes several sweeps.
type Resweeper interface {
	Learner
	// Again tells, after Finish, whether the fit set is to be swept once more (and Finish called again).
	Again() bool
}

// Reporter is a scorer that has something to say of its fit: ranks, floors, warnings.
type Reporter interface {
	Report(v *analysis.Values)
}

// table of all detectors in the order in which they are reported.
var table = []Detector{
	msp, mls, energy, mahalanobis, vim, neco,
	temperature, entropy, gen, klm, rmds, residualNorm, nci, knn, nnguide, she, react, dice, ashP, ashB, ashS, scale, vra, fdbd, gradnorm, maxcos, openmax,
	mspNotebook, mahalanobisNotebook, vimNotebook, necoNotebook,
}

// Detectors lists all detectors in the order in which they are reported.
func Detectors() []Detector { return slices.Clone(table) }

// find gives the detector of a name.
func find(name string) (d Detector, known bool) {
	at := slices.IndexFunc(table, func(d Detector) bool { return d.Name == name })
	if at < 0 {
		return d, false
	}
	return table[at], true
}

// Select finds the detectors of a comma-free list of names. No names are the notebook's six; "all" is every default form; notebook adds the @notebook forms of what is
// chosen. An error where a name is unknown.
func Select(names []string, notebook bool) ([]Detector, error) {
	chosen := map[string]bool{}
	for _, d := range table {
		isForm := strings.Contains(d.Name, "@")
		if (len(names) == 0 && d.Notebook) || (slices.Contains(names, "all") && !isForm) {
			chosen[d.Name] = true
		}
	}
	for _, name := range names {
		if _, known := find(name); !known && name != "all" {
			return nil, fmt.Errorf("analysis: ood: there is no score %q: choose from %s, or all", name, strings.Join(allNames(), ", "))
		}
		chosen[name] = true
	}
	var out []Detector
	for _, d := range table {
		base, form, _ := strings.Cut(d.Name, "@")
		if chosen[d.Name] || (notebook && form == "notebook" && chosen[base]) {
			out = append(out, d)
		}
	}
	return out, nil
}

func allNames() []string {
	var names []string
	for _, d := range table {
		names = append(names, d.Name)
	}
	return names
}
