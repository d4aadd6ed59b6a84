// Package nc measures neural collapse, NC1 to NC5, with every variant of the metrics that is in use side by side; the first is the headline.
//
// Notation: h_i features, mu_c class means, mu_G global mean, M the rows mu_c - mu_G, r = min(C-1, D), W and b the head.
// S_W = 1/N sum_i (h_i - mu_c(i))(.)^T, S_B = 1/C sum_c (mu_c - mu_G)(.)^T, ETF = (I - 11^T/C)/sqrt(C-1). mu_G is the mean of class means in NC1 (its variant `notebook`
// excepted) and the mean of all rows elsewhere.
//
// Sources: V. Papyan, X. Han, D. Donoho, "Prevalence of neural collapse during the terminal phase of deep learning training", PNAS 117 (2020), for NC1..NC4;
// M. Ammar et al., "NECO: NEural Collapse Based Out-of-distribution detection", ICLR 2024, for NC5; T. Galanti, A. Gyorgy, M. Hutter, "On the role of neural collapse in transfer
// learning", ICLR 2022, for cdnv.
package nc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"nctrain/analysis"
	"nctrain/analysis/stats"
)

// Options is what Compute works on.
type Options struct {
	// Train rows without augmentation; needed.
	Train analysis.Source
	// Head of the same checkpoint; needed.
	Head *analysis.Head
	// Test rows; nil leaves the test columns null.
	Test analysis.Source
	// OOD sets for NC5, in the order in which they are reported.
	OOD []analysis.Named
	// Threads bounds the goroutines, 0 is one a processor; it does not change the result.
	Threads int
}

// Result is one row of SPEC 9's `nc`.
type Result struct {
	Epoch      *int    `json:"epoch"`
	Checkpoint *string `json:"checkpoint"`
	// N training rows.
	N        int                               `json:"n"`
	Accuracy analysis.Values                   `json:"accuracy"`
	NC1      analysis.Values                   `json:"nc1"`
	NC2      analysis.Values                   `json:"nc2"`
	NC3      analysis.Values                   `json:"nc3"`
	NC4      analysis.Values                   `json:"nc4"`
	NC5      analysis.Ordered[analysis.Values] `json:"nc5"`
	// NC1Test, NC2Test and NC3Test are those of the test rows, absent without a test set.
	NC1Test  analysis.Values `json:"nc1_test,omitzero"`
	NC2Test  analysis.Values `json:"nc2_test,omitzero"`
	NC3Test  analysis.Values `json:"nc3_test,omitzero"`
	Health   analysis.Values `json:"health"`
	PerClass *PerClass       `json:"per_class,omitempty"`
	Warnings []string        `json:"warnings,omitempty"`
	// Classes C, and Cosines [C,C] between the class means less mu_G, for the heat map; nil where undefined.
	Classes int       `json:"-"`
	Cosines []float64 `json:"-"`
	// Unusable tells of the first set with rows that hold NaN or Inf; nil where there is none. What needs that set is null in the result.
	Unusable error `json:"-"`
}

// AllWarnings are those of the checkpoint and of every metric of it, with the set's name before those of NC5.
func (r *Result) AllWarnings() []string {
	all := slices.Concat(r.Warnings, r.NC1.Warnings, r.NC2.Warnings, r.NC3.Warnings, r.NC4.Warnings, r.NC1Test.Warnings, r.NC2Test.Warnings, r.NC3Test.Warnings,
		r.Health.Warnings)
	for set, v := range r.NC5.All() {
		for _, text := range v.Warnings {
			all = append(all, set+": "+text)
		}
	}
	return all
}

// Compute measures NC1..NC5 in two sweeps of Train and of Test and one of each OOD set. An error where the parts do not fit together or a source fails; what is
// mathematically undefined is null in the result.
func Compute(ctx context.Context, o Options) (*Result, error) {
	if o.Train == nil || o.Head == nil {
		return nil, errors.New("analysis: nc: training features and head are needed: give both, from one checkpoint")
	}
	together := []analysis.Source{o.Train}
	if o.Test != nil {
		together = append(together, o.Test)
	}
	for _, s := range o.OOD {
		together = append(together, s.Source)
	}
	warnings, err := analysis.CheckOneCheckpoint(o.Head, together...)
	if err != nil {
		return nil, err
	}
	class, tally, err := stats.Collect(ctx, o.Train, o.Head, o.Threads)
	if err != nil {
		return nil, err
	}
	info := o.Train.Info()
	res := &Result{Epoch: firstEpoch(o.Head, info), Checkpoint: firstHash(o.Head, info), N: int(class.N()), Classes: o.Head.C, Warnings: warnings}
	if tally.NonFinite > 0 {
		reason := holes(tally.Holes, info)
		res.unusable(reason)
		res.undefined(o, reason)
		res.Health.Set("nan_count", float64(tally.NonFinite))
		return res, nil
	}
	warning, err := tally.Mismatch.Judge(o.Head, info)
	if err != nil {
		return nil, err
	}
	if warning != "" {
		res.Warnings = append(res.Warnings, warning)
	}
	m := &measure{class: class, head: o.Head, eps: info.Type.Eps(), threads: o.Threads}
	if err := m.prepare(); err != nil {
		return nil, fmt.Errorf("analysis: %s: %w", info.Name, err)
	}
	res.Accuracy.Set("train", 100*float64(tally.Correct)/float64(class.N()))
	var ofMeans sync.WaitGroup // what needs no rows, beside the sweeps of those
	var healthError error
	ofMeans.Go(func() {
		res.NC1, res.NC2, res.NC3, res.Cosines = m.nc1(), m.nc2(), m.nc3(), m.cosines
		res.Health, healthError = m.health(tally)
	})
	err = res.nearestMeans(ctx, o, m)
	ofMeans.Wait()
	if err != nil {
		return nil, err
	}
	if healthError != nil {
		return nil, fmt.Errorf("analysis: %s: %w", info.Name, healthError)
	}
	for _, s := range o.OOD {
		v, unusable, err := m.nc5(ctx, s, o.Threads)
		if err != nil {
			return nil, err
		}
		res.NC5.Set(s.Name, v)
		if unusable != "" {
			res.unusable(unusable)
		}
	}
	return res, nil
}

// nearestMeans fills NC4, the test accuracy, the metrics of the test rows and those of single classes.
func (r *Result) nearestMeans(ctx context.Context, o Options, m *measure) error {
	train, err := r.onTrain(ctx, o, m)
	if err != nil {
		return err
	}
	if o.Test == nil {
		const reason = "no test set was given"
		r.NC4.Null("test", reason)
		r.Accuracy.Null("test", reason)
		r.PerClass = m.perClass(train, nil, agreement{})
		return nil
	}
	test, err := disagreement(ctx, analysis.WithLogits(o.Test, o.Head), m, analysis.NewHeadCheck(o.Head), o)
	if err != nil {
		return err
	}
	if test.warning != "" {
		r.Warnings = append(r.Warnings, test.warning)
	}
	reason := ""
	switch {
	case test.NonFinite > 0:
		reason = holes(test.Holes, o.Test.Info())
		r.unusable(reason)
		r.NC4.Null("test", reason)
	case m.undefined != "":
		r.NC4.Null("test", m.undefined)
	default:
		r.NC4.Set("test", test.share())
	}
	if reason == "" && test.outside > 0 {
		reason = fmt.Sprintf("%d of %d labels of %s are no class of the head", test.outside, test.n, o.Test.Info().Name)
		r.Warnings = append(r.Warnings, reason)
	}
	if reason != "" {
		r.Accuracy.Null("test", reason)
	} else {
		r.Accuracy.Set("test", 100*float64(test.correct())/float64(test.n))
	}
	class, err := r.testCollapse(ctx, o, m, reason)
	if err != nil {
		return fmt.Errorf("analysis: %s: %w", o.Test.Info().Name, err)
	}
	r.PerClass = m.perClass(train, class, test)
	return nil
}

// onTrain sweeps the training rows again and sets nc4.train; of stored statistics, which have no rows, nothing is counted.
func (r *Result) onTrain(ctx context.Context, o Options, m *measure) (agreement, error) {
	if reason := stats.NoRows(o.Train); reason != "" {
		r.NC4.Null("train", cmp.Or(m.undefined, reason))
		return agreement{ofClass: make([]struct{ n, correct int64 }, m.class.C), uncounted: reason}, nil
	}
	train, err := disagreement(ctx, analysis.WithLogits(o.Train, o.Head), m, nil, o) // the first sweep has held them against the head
	if err != nil {
		return train, err
	}
	if m.undefined != "" {
		r.NC4.Null("train", m.undefined)
	} else {
		r.NC4.Set("train", train.share())
	}
	return train, nil
}

// holes words the reason for what rows with NaN or Inf leave undefined.
func holes(h stats.Holes, info analysis.Info) string {
	return info.Name + ": " + h.Among(fmt.Sprintf("%d rows", info.N))
}

// unusable keeps the first reason as an error, for those who want to stop.
func (r *Result) unusable(reason string) {
	r.Warnings = append(r.Warnings, reason)
	if r.Unusable == nil {
		r.Unusable = fmt.Errorf("analysis: %s: %s", reason, stats.HolesWayOut)
	}
}

// undefined fills every metric with null for one reason.
func (r *Result) undefined(o Options, reason string) {
	r.Accuracy.Null("train", reason)
	r.Accuracy.Null("test", reason)
	nc1Table.undefined(&r.NC1, reason)
	nc2Table.undefined(&r.NC2, reason)
	nc3Table.undefined(&r.NC3, reason)
	nc4Table.undefined(&r.NC4, reason)
	if o.Test != nil {
		r.testUndefined(reason)
	}
	for _, s := range o.OOD {
		var v analysis.Values
		nc5Table.undefined(&v, reason)
		r.NC5.Set(s.Name, v)
	}
}

// TerminalPhase is the index of the first result whose training accuracy is at least 99.9 %, the start of the terminal phase of training; -1 where there is none.
func TerminalPhase(results []*Result) int {
	for i, r := range results {
		if p, ok := r.Accuracy.Get("train"); ok && p >= 99.9 {
			return i
		}
	}
	return -1
}

func firstEpoch(head *analysis.Head, info analysis.Info) *int {
	if head.Meta.Epoch != nil {
		return head.Meta.Epoch
	}
	return info.Meta.Epoch
}

func firstHash(head *analysis.Head, info analysis.Info) *string {
	for _, hash := range []string{head.Meta.Checkpoint, info.Meta.Checkpoint} {
		if hash != "" {
			return &hash
		}
	}
	return nil
}
