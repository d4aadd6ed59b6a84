package ood

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"nctrain/analysis"
	"nctrain/analysis/stats"
)

// fitTable: what a Reporter says of its fit.
var fitTable = []analysis.Part{
	{Name: "rank", Meaning: "eigenvalues of S_W above floor (mahalanobis, rmds)"},
	{Name: "floor", Meaning: "what an eigenvalue of S_W has to exceed to be inverted"},
	{Name: "rank_eps32", Meaning: "eigenvalues of S_W above floor_eps32"},
	{Name: "floor_eps32", Meaning: "D eps32 lambda_1, the floor of a pseudo-inverse in float32, for comparison"},
	{Name: "smallest_eigenvalue", Meaning: "of S_W, the smallest that is inverted"},
	{Name: "rank_total", Meaning: "eigenvalues of S_T above floor_total (rmds)"},
	{Name: "floor_total", Meaning: "what an eigenvalue of S_T has to exceed to be inverted"},
	{Name: "dim", Meaning: "dimension of the principal subspace that was used (vim, residual)"},
	{Name: "alpha", Meaning: "mean largest logit over mean_residual (vim)"},
	{Name: "mean_residual", Meaning: "mean ||X R|| of the training rows (vim, residual)"},
	{Name: "k", Meaning: "principal components that were used (neco)"},
	{Name: "explained_variance", Meaning: "share of the training rows' variance that the components hold (neco)"},
	{Name: "temperature", Meaning: "T at the minimum of the NLL"},
	{Name: "classes", Meaning: "classes that are predicted on the fit set and have a typical softmax (klm)"},
	{Name: "rows", Meaning: "training rows among which neighbours are looked for (knn, nnguide)"},
	{Name: "threshold", Meaning: "activation at which features are clipped (react)"},
	{Name: "low_threshold", Meaning: "activation below which features are set to 0 (vra)"},
	{Name: "high_threshold", Meaning: "activation at which features are clipped (vra)"},
	{Name: "weights_kept", Meaning: "of the C D weights, those that the mask keeps (dice)"},
}

// fitting is the fit of the chosen detectors while it is under way.
type fitting struct {
	o        Options
	chosen   []Detector
	settings map[string]Settings
	index    *rowIndex
	res      *Result
	fits     map[string]*Fit // by the name of the set
	started  []pending       // one for each of chosen
}

// pending is a detector on its way: the set that it learns from, and its scorer or the reason why there is none.
type pending struct {
	scorer       Scorer
	set, warning string
	reason       error
}

// fit prepares the chosen detectors and fills Detectors. Each fit set in use is swept once for its class moments, once more for detectors that learn from
// final means and for the hashes of its rows where index lacks them, and on while a learner asks for it.
func fit(ctx context.Context, o Options, chosen []Detector, settings map[string]Settings, index *rowIndex, res *Result) (ready scorers, fits map[string]*Fit, err error) {
	f := &fitting{o: o, chosen: chosen, settings: settings, index: index, res: res, started: make([]pending, len(chosen))}
	f.fits = map[string]*Fit{"none": {Head: o.Head, Threads: o.Threads}}
	defer func() {
		for i, p := range f.started {
			// Where the fit has failed nobody else will release what a scorer holds.
			if _, used := ready.Get(chosen[i].Name); err != nil || !used {
				release(p.scorer)
			}
		}
	}()
	learning, others, err := f.firstSweeps(ctx)
	if err != nil {
		return ready, f.fits, err
	}
	var beside sync.WaitGroup // what needs no more rows, beside the sweeps for what does
	beside.Go(func() { f.prepare(others) })
	defer beside.Wait()
	f.prepare(learning)
	for _, set := range []string{"train", "val"} {
		if f.fits[set] == nil {
			continue
		}
		if err := f.laterSweeps(ctx, set, learning); err != nil {
			return ready, f.fits, err
		}
	}
	beside.Wait()
	return f.finished(), f.fits, nil
}

func (f *fitting) source(set string) analysis.Source {
	if set == "train" {
		return f.o.Train
	}
	return f.o.Val
}

// firstSweeps chooses the set of each detector, takes the moments of the sets in use, and gives the places of the detectors that see the rows again, and of the others.
func (f *fitting) firstSweeps(ctx context.Context) (learning, others []int, err error) {
	for i, d := range f.chosen {
		p := &f.started[i]
		p.set, p.warning, p.reason = fitSet(d, f.o)
		if p.reason != nil {
			continue
		}
		if f.fits[p.set] == nil {
			if f.fits[p.set], err = firstSweep(ctx, f.o, f.source(p.set), f.res); err != nil {
				return nil, nil, err
			}
		}
		if d.Learn != nil {
			learning = append(learning, i)
		} else {
			others = append(others, i)
		}
	}
	return learning, others, nil
}

func (f *fitting) prepare(which []int) {
	stats.Parallel(len(which), f.o.Threads, func(k int) {
		p, d := &f.started[which[k]], f.chosen[which[k]]
		p.scorer, p.reason = d.prepare(f.fits[p.set], f.settings[d.Name])
	})
}

// laterSweeps shows the rows of a set to those of the learning detectors that learn from it, as often as they ask for.
func (f *fitting) laterSweeps(ctx context.Context, set string, learning []int) error {
	var learners []*pending
	for _, i := range learning {
		if f.started[i].set == set && f.started[i].reason == nil {
			learners = append(learners, &f.started[i])
		}
	}
	src := f.source(set)
	if reason := stats.NoRows(src); reason != "" {
		for _, p := range learners {
			p.reason = errors.New(reason)
		}
		f.res.Warnings = append(f.res.Warnings, fmt.Sprintf("scored rows were not looked for among those of %s, of which there are statistics only", src.Info().Name))
		return nil
	}
	src = analysis.WithLogits(src, f.o.Head)
	for unseen := f.index.begin(set); unseen || len(learners) > 0; unseen = false {
		scorers := make([]Learner, len(learners))
		for i, p := range learners {
			scorers[i] = p.scorer.(Learner)
		}
		into := f.index
		if !unseen {
			into = nil
		}
		if err := learn(ctx, src, scorers, into, set, f.o.Threads); err != nil {
			return err
		}
		stats.Parallel(len(learners), f.o.Threads, func(i int) { learners[i].reason = scorers[i].Finish() })
		learners = slices.DeleteFunc(learners, func(p *pending) bool {
			more, ok := p.scorer.(Resweeper)
			return p.reason != nil || !ok || !more.Again()
		})
	}
	return nil
}

// finished fills Detectors and gives the scorers that were fitted.
func (f *fitting) finished() (ready scorers) {
	for i, d := range f.chosen {
		p := &f.started[i]
		var v analysis.Values
		if p.reason != nil {
			v.Null("fit", p.reason.Error())
			f.res.Detectors.Set(d.Name, v)
			f.res.Warnings = append(f.res.Warnings, fmt.Sprintf("%s is left out: %v", d.Name, p.reason))
			continue
		}
		v.SetText("fit", p.set)
		for _, param := range d.Params {
			v.Set(param.Key, f.settings[d.Name][param.Key])
		}
		if p.warning != "" {
			v.Warn("%s", p.warning)
		}
		if r, ok := p.scorer.(Reporter); ok {
			r.Report(&v)
		}
		f.res.Detectors.Set(d.Name, v)
		ready.Set(d.Name, p.scorer)
	}
	return ready
}

// learn sweeps a fit set once for the learners among its scorers, and for the hashes of its rows unless index is nil.
func learn(ctx context.Context, src analysis.Source, learners []Learner, index *rowIndex, set string, threads int) error {
	var observers []Observer
	var summers []Summer
	for _, s := range learners {
		switch s := s.(type) {
		case Observer:
			observers = append(observers, s)
		case Summer:
			summers = append(summers, s)
		}
	}
	type learned struct {
		sums   [][]float64
		hashes []uint64
	}
	return analysis.Stages[learned]{
		Work: func(b *analysis.Block) (l learned, err error) {
			if index != nil {
				l.hashes = index.hashes(b) // first, while the rows are in the cache
			}
			l.sums = make([][]float64, len(summers))
			for i, s := range summers {
				l.sums[i] = s.Sum(b)
			}
			return l, nil
		},
		Then: func(b *analysis.Block, l learned) error {
			for i, s := range summers {
				s.Add(l.sums[i])
			}
			if index != nil {
				index.add(set, l.hashes)
			}
			stats.Parallel(len(observers), threads, func(i int) { observers[i].Observe(b) })
			return nil
		},
	}.Sweep(ctx, src, analysis.WorkRows, threads)
}

// fitSet chooses the set a detector learns from; a reason where there is none.
func fitSet(d Detector, o Options) (set, warning string, reason error) {
	train := o.Train != nil
	switch d.Fit {
	case FitNone:
		return "none", "", nil
	case FitTrain:
		if !train {
			return "", "", errors.New("it is fitted on training rows and none were given (--train)")
		}
		return "train", "", nil
	}
	switch {
	case o.Val != nil:
		return "val", "", nil
	case d.Fit == FitValOrTrain && train:
		return "train", "there is no val set: fitted on the training rows, which the network has seen", nil
	}
	return "", "", errors.New("it is fitted on held-out rows and no val set was given (--val, or --val-fraction when training)")
}

// firstSweep takes the class moments of a fit set.
func firstSweep(ctx context.Context, o Options, src analysis.Source, res *Result) (*Fit, error) {
	class, tally, err := stats.Collect(ctx, src, o.Head, o.Threads)
	if err != nil {
		return nil, err
	}
	info := src.Info()
	if tally.NonFinite > 0 {
		return nil, fmt.Errorf("analysis: %s: %s: %s", info.Name, tally.Among(fmt.Sprintf("%d rows", info.N)), stats.HolesWayOut)
	}
	warning, err := tally.Mismatch.Judge(o.Head, info)
	if err != nil {
		return nil, err
	}
	if warning != "" {
		res.Warnings = append(res.Warnings, warning)
	}
	return &Fit{Head: o.Head, Info: info, Class: class, Tally: tally, Threads: o.Threads}, nil
}

// release frees what a scorer holds beside memory (the file of a bank of rows).
func release(s Scorer) {
	if c, ok := s.(io.Closer); ok {
		c.Close() // the file has no name and nothing in it is needed: there is nothing to report
	}
}
