package ood

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"nctrain/analysis"
	"nctrain/analysis/stats"
)

// Options is what Compute works on.
type Options struct {
	// Train rows without augmentation, for detectors that fit; may be nil where none chosen does.
	Train analysis.Source
	// Val rows in neither training nor test; nil where there are none.
	Val analysis.Source
	// ID test rows and Head; needed.
	ID   analysis.Source
	Head *analysis.Head
	// OOD sets, at least one, in the order in which they are reported.
	OOD []analysis.Named
	// Scores to compute and whether to add the @notebook forms: see Select.
	Scores   []string
	Notebook bool
	// Params are hyper-parameters by "NAME.KEY", e.g. "vim.dim".
	Params map[string]float64
	// DropOverlap leaves out scored rows that occur in a fit set, and rows of Val that occur in Train or ID; AllowOverlap lets more than 1 % of them stay in.
	DropOverlap, AllowOverlap bool
	// Replicates of the bootstrap behind intervals and comparisons, 0 for none; Seed of its resamples; Baseline of the comparisons (empty: msp). See AddIntervals.
	Replicates int
	Seed       uint64
	Baseline   string
	// ThresholdAt is the share of ID rows to be accepted, for which each score's threshold is taken from Val; 0 for none.
	ThresholdAt float64
	// Preset groups the OOD sets as a published protocol does; nil for none. See FindPreset.
	Preset *Preset
	// SaveTo is the file that the fitted detectors and their thresholds are written to, for OpenFitted; empty for none.
	SaveTo string
	// Threads bounds the goroutines, 0 is one a processor; it does not change the result.
	Threads int
}

// IDName is the key of the ID set in Result.Scores and Result.Overlap; no OOD set may have it.
const IDName = "id"

// Result is one row of SPEC 9's `ood`. Percent where SPEC has p.
type Result struct {
	Epoch      *int                  `json:"epoch"`
	Checkpoint *string               `json:"checkpoint"`
	IDAccuracy *float64              `json:"id_accuracy"`
	NID        int                   `json:"n_id"`
	NOOD       analysis.Ordered[int] `json:"n_ood"`
	// OOD: set -> score -> metrics of Measure and OSCR, and with intervals `KEY_ci95`.
	OOD analysis.Ordered[analysis.Ordered[analysis.Values]] `json:"ood"`
	// Preset is the name of Options.Preset, and Groups its groups: group -> sets and mean metrics over them.
	Preset string                  `json:"preset,omitempty"`
	Groups analysis.Ordered[Group] `json:"groups,omitzero"`
	// Health is what a reader needs to trust the numbers: see healthTable.
	Health analysis.Values `json:"health,omitzero"`
	// Detectors: score -> what its fit used (fit set, ranks, floors, parameters).
	Detectors analysis.Ordered[analysis.Values] `json:"detectors"`
	// Selective: score -> aurc, aurc_best of the ID rows.
	Selective analysis.Ordered[analysis.Values] `json:"selective,omitzero"`
	// Thresholds: score -> threshold, rank, n, acceptance_ci95 and what it accepts of the ID rows; see ConformalThreshold.
	Thresholds analysis.Ordered[analysis.Values] `json:"thresholds,omitzero"`
	// Intervals says what the intervals are; nil without. Comparisons: set -> score -> differences to the baseline.
	Intervals   *IntervalNote                                       `json:"intervals,omitempty"`
	Comparisons analysis.Ordered[analysis.Ordered[analysis.Values]] `json:"comparisons,omitzero"`
	Warnings    []string                                            `json:"warnings,omitempty"`
	Reasons     map[string]string                                   `json:"reasons,omitempty"`
	// Scores: set (IDName first) -> score -> one value a row, in the set's order less dropped rows. A detector that could not be fitted is absent.
	Scores analysis.Ordered[analysis.Ordered[[]float64]] `json:"-"`
	// Overlap: set -> rows that occur in a fit set; those of ID that occur in Val stand in ValOverlap.
	Overlap analysis.Ordered[[]int] `json:"-"`
	// ValOverlap lists the rows of Val, where it is used, that occur in Train or ID.
	ValOverlap []int `json:"-"`
	// mismatch of logits and head, the worst over the scored sets.
	mismatch analysis.HeadMismatch
	// Correct [n_id]: whether each ID row is classified correctly; nil where its labels are no classes of the head.
	Correct []bool `json:"-"`
}

// Compute fits the chosen detectors (one sweep of the fit set, a second where one needs final means), scores ID and OOD rows, and measures. A detector that cannot be
// fitted is null with its reason. An error where parts do not fit together, a source fails, rows hold NaN, or fit and scored sets overlap too much.
func Compute(ctx context.Context, o Options) (*Result, error) {
	if o.ID == nil || o.Head == nil || len(o.OOD) == 0 {
		return nil, errors.New("analysis: ood: an ID test set, a head and at least one OOD set are needed: give them, from one checkpoint")
	}
	chosen, err := Select(o.Scores, o.Notebook)
	if err != nil {
		return nil, err
	}
	settings, err := params(chosen, o.Params)
	if err != nil {
		return nil, err
	}
	intervals := IntervalOptions{Replicates: o.Replicates, Seed: o.Seed, Baseline: o.Baseline, Threads: o.Threads}
	if err := o.check(chosen, intervals); err != nil {
		return nil, err
	}
	together := []analysis.Source{o.ID}
	for _, s := range o.OOD {
		together = append(together, s.Source)
	}
	for _, s := range []analysis.Source{o.Train, o.Val} {
		if s != nil {
			together = append(together, s)
		}
	}
	res := &Result{Reasons: map[string]string{}}
	if res.Warnings, err = analysis.CheckOneCheckpoint(o.Head, together...); err != nil {
		return nil, err
	}
	res.identify(o)
	index := newRowIndex()
	if o.Val, err = res.holdVal(ctx, o, chosen, index); err != nil {
		return nil, err
	}
	ready, fits, err := fit(ctx, o, chosen, settings, index, res)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, scorer := range ready.All() {
			release(scorer)
		}
	}()
	for _, set := range slices.Concat([]analysis.Named{{Name: IDName, Source: o.ID}}, o.OOD) {
		if err := res.score(ctx, o, set, ready, fits, index); err != nil {
			return nil, err
		}
	}
	res.measure(o, chosen)
	res.health(fits)
	res.selective(o.Threads)
	if o.Preset != nil {
		res.Group(o.Preset)
	}
	if o.ThresholdAt > 0 {
		if err := res.thresholds(ctx, o, ready); err != nil {
			return nil, err
		}
	}
	if o.Replicates != 0 {
		if err := res.AddIntervals(ctx, intervals); err != nil {
			return nil, err
		}
	}
	if o.SaveTo != "" { // last: what fails leaves no file
		if err := save(o.SaveTo, o.Head, ready, fits, settings, res); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// check refuses options that do not fit together, before any row is read.
func (o *Options) check(chosen []Detector, intervals IntervalOptions) error {
	if o.Baseline != "" && !slices.ContainsFunc(chosen, func(d Detector) bool { return d.Name == o.Baseline }) {
		return fmt.Errorf("analysis: ood: the baseline %q is not among the chosen scores: add it to --scores", o.Baseline)
	}
	if o.Replicates != 0 {
		if err := intervals.check(); err != nil {
			return err
		}
	}
	if o.Preset != nil {
		var names []string
		for _, s := range o.OOD {
			names = append(names, s.Name)
		}
		if err := o.Preset.Check(o.Head.C, names); err != nil {
			return err
		}
	}
	seen := map[string]bool{IDName: true}
	for _, s := range o.OOD {
		if seen[s.Name] || s.Name == "" || strings.Contains(s.Name, "/") {
			return fmt.Errorf("analysis: ood: %s: the name %q is taken, empty or holds a slash: name each OOD set apart", s.Source.Info().Name, s.Name)
		}
		seen[s.Name] = true
	}
	return nil
}

// identify takes epoch and hash from the first part that carries them.
func (r *Result) identify(o Options) {
	for _, meta := range []analysis.Meta{o.Head.Meta, o.ID.Info().Meta} {
		if r.Epoch == nil {
			r.Epoch = meta.Epoch
		}
		if r.Checkpoint == nil && meta.Checkpoint != "" {
			r.Checkpoint = &meta.Checkpoint
		}
	}
}

// setRows gathers what is known of the rows of one set while they are scored.
type setRows struct {
	scores      [][]float64 // of each detector
	right       []bool      // whether each is classified correctly
	outside     int         // labels that are no class of the head
	inFit, inID overlap
}

// score computes every score of one set, the ID accuracy where it is the ID set, and the overlap with the fit sets, of an OOD set with the ID set too.
func (r *Result) score(ctx context.Context, o Options, set analysis.Named, ready scorers, fits map[string]*Fit, index *rowIndex) error {
	isID, info := set.Name == IDName, set.Source.Info()
	var against []string
	if fits["train"] != nil {
		against = append(against, "train")
	}
	if fits["val"] != nil && !isID { // val was held against the ID rows
		against = append(against, "val")
	}
	newID := isID && index.begin(IDName)
	search := func(b *analysis.Block) (f found) {
		f.hashes = index.hashes(b)
		f.inFit = index.find(f.hashes, against...)
		if !isID {
			f.inID = index.find(f.hashes, IDName)
		}
		return f
	}
	rows := &setRows{scores: make([][]float64, ready.Len()), inFit: overlap{set: info, where: "a fit set"}, inID: overlap{set: info, where: "the ID set " + o.ID.Info().Name}}
	mismatch, warning, err := scoreRows(ctx, set.Source, o.Head, ready, search, o.Threads, func(b *analysis.Block, block scoredRows) error {
		if newID {
			index.add(IDName, block.hashes)
		}
		rows.take(b, block, o)
		return nil
	})
	if err != nil {
		return err
	}
	r.mismatch.Merge(mismatch)
	if warning != "" {
		r.Warnings = append(r.Warnings, warning)
	}
	if err := r.judgeOverlap(o, set.Name, rows); err != nil {
		return err
	}
	var byScore analysis.Ordered[[]float64]
	for k, name := range ready.Keys() {
		byScore.Set(name, rows.scores[k])
	}
	r.Scores.Set(set.Name, byScore)
	if isID {
		r.judgeID(rows)
	} else {
		r.NOOD.Set(set.Name, len(rows.right))
	}
	return nil
}

// take adds a block, less the rows that are dropped.
func (s *setRows) take(b *analysis.Block, block scoredRows, o Options) {
	drop := map[int]bool{}
	for _, i := range block.inFit {
		s.inFit.rows = append(s.inFit.rows, b.Start+i)
		drop[i] = o.DropOverlap
	}
	for _, i := range block.inID {
		if !drop[i] {
			s.inID.rows = append(s.inID.rows, b.Start+i)
		}
	}
	for i, label := range b.Labels {
		if drop[i] {
			continue
		}
		if label < 0 || label >= int64(o.Head.C) {
			s.outside++
		}
		s.right = append(s.right, int64(block.predicted[i]) == label)
		for k := range s.scores {
			s.scores[k] = append(s.scores[k], block.scores[k][i])
		}
	}
}

// judgeOverlap warns of rows of a set that occur in another, and refuses more of them than are allowed.
func (r *Result) judgeOverlap(o Options, name string, rows *setRows) error {
	warning, err := rows.inFit.judge(o, ", as in published tables")
	if err != nil {
		return err
	}
	if warning != "" {
		r.Warnings = append(r.Warnings, warning)
		r.Overlap.Set(name, rows.inFit.rows)
	}
	if len(rows.inID.rows) > 0 {
		r.Warnings = append(r.Warnings, rows.inID.String()+": no score can tell a row from itself")
	}
	return nil
}

// judgeID sets the number of ID rows and their accuracy.
func (r *Result) judgeID(rows *setRows) {
	r.NID = len(rows.right)
	switch {
	case r.NID == 0:
		r.Reasons["id_accuracy"] = "no ID rows are left"
	case rows.outside > 0:
		r.Reasons["id_accuracy"] = fmt.Sprintf("%d of %d ID labels are no class of the head", rows.outside, r.NID)
	default:
		correct := 0
		for _, right := range rows.right {
			if right {
				correct++
			}
		}
		accuracy := 100 * float64(correct) / float64(r.NID)
		r.IDAccuracy, r.Correct = &accuracy, rows.right
	}
}

// measure fills OOD from the scores, with nulls for detectors that have none.
func (r *Result) measure(o Options, chosen []Detector) {
	id, _ := r.Scores.Get(IDName)
	values := make([]analysis.Values, len(o.OOD)*len(chosen))
	stats.Parallel(len(values), o.Threads, func(i int) {
		d := chosen[i%len(chosen)]
		a, ok := id.Get(d.Name)
		if !ok {
			detector, _ := r.Detectors.Get(d.Name)
			for _, key := range MetricKeys {
				values[i].Null(key, detector.Reason("fit"))
			}
			return
		}
		scores, _ := r.Scores.Get(o.OOD[i/len(chosen)].Name)
		b, _ := scores.Get(d.Name)
		values[i] = Measure(a, b)
	})
	for i, set := range o.OOD {
		var byScore analysis.Ordered[analysis.Values]
		for j, d := range chosen {
			byScore.Set(d.Name, values[i*len(chosen)+j])
		}
		r.OOD.Set(set.Name, byScore)
	}
}
