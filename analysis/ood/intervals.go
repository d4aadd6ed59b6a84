package ood

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"

	"nctrain/analysis"
	"nctrain/analysis/stats"
)

// IntervalOptions asks for intervals and comparisons.
type IntervalOptions struct {
	// Replicates of the bootstrap; 0 is none, 2,000 is usual.
	Replicates int
	// Seed of the resamples.
	Seed uint64
	// Baseline is the score that the others are compared with; empty is msp where it is among them.
	Baseline string
	// Threads bounds the goroutines, 0 is one a processor; it does not change the result.
	Threads int
}

// LeastReplicates that a 95 % interval is found from: one of them at each end.
const LeastReplicates = 40

func (o IntervalOptions) check() error {
	if o.Replicates < LeastReplicates {
		return fmt.Errorf("analysis: ood: %d bootstrap replicates: a 95 %% interval needs at least %d, usual are 2000", o.Replicates, LeastReplicates)
	}
	return nil
}

// IntervalNote says what the intervals of a result are.
type IntervalNote struct {
	Replicates int    `json:"replicates"`
	Seed       uint64 `json:"seed"`
	Covers     string `json:"covers"`
	// Baseline of the comparisons, empty where there are none, and the number of them that Holm's correction takes together (all scores, all sets).
	Baseline string `json:"baseline,omitempty"`
	Family   int    `json:"family,omitempty"`
}

// IntervalCover is what every interval here covers, and what it does not.
const IntervalCover = "95 % stratified percentile bootstrap of ID and OOD test rows; the sampling of these rows alone, not of training seeds"

// chunkReplicates is the number of replicates that a goroutine draws at once.
const chunkReplicates = 8

// cell is one score on one set.
type cell struct {
	set, score string
	ranking    *ranking
	drawn      [numMetrics][]float64 // by replicate
}

// AddIntervals adds `KEY_ci95` to every metric, and Comparisons with the baseline. ID and OOD rows are resampled apart (stratified); a replicate draws the ID rows once for
// all sets and scores and the OOD rows of a set once for all scores, so differences are paired, and thresholds are found anew in each. Rows are sorted once a
// score, not once a replicate. An AUROC of 100, which every resample repeats, gets the one-sided bound of perfectBound. r must hold its Scores.
func (r *Result) AddIntervals(ctx context.Context, o IntervalOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	id, ok := r.Scores.Get(IDName)
	if !ok {
		return errors.New("analysis: ood: intervals need the scores of a result, which its JSON does not hold: compute it anew")
	}
	if _, there := id.Get(o.Baseline); o.Baseline != "" && !there {
		return fmt.Errorf("analysis: ood: the baseline %q is not among the scores of this result: add it to --scores", o.Baseline)
	}
	cells := r.cells(id, o.Replicates)
	if err := bootstrap(ctx, cells, r.NID, r.NOOD, o); err != nil {
		return err
	}
	note := &IntervalNote{Replicates: o.Replicates, Seed: o.Seed, Covers: IntervalCover}
	r.Intervals = note
	if note.Baseline = o.Baseline; note.Baseline == "" {
		if _, there := id.Get(msp.Name); there {
			note.Baseline = msp.Name
		}
	}
	r.compare(cells, note)
	for _, c := range cells {
		byScore, _ := r.OOD.Get(c.set)
		v, _ := byScore.Get(c.score)
		for k, key := range MetricKeys {
			setInterval(&v, key+"_ci95", c.drawn[k], c.ranking)
		}
		if x, _ := v.Get("auroc"); x == 100 {
			v.SetPair("auroc_ci95", 100*perfectBound(c.ranking.nID, c.ranking.nOOD), 100)
			v.SetText("auroc_ci95_kind", "one-sided: every ID row scored above every OOD row")
		}
		byScore.Set(c.score, v)
		r.OOD.Set(c.set, byScore)
	}
	return nil
}

// lone is why one row of a kind gives no interval; empty where there are more. Its resamples are all itself, and what would be drawn is the spread of the other kind alone.
func (r *ranking) lone() string {
	if min(r.nID, r.nOOD) > 1 {
		return ""
	}
	return fmt.Sprintf("%d ID and %d OOD rows: one row tells nothing of its own sampling", r.nID, r.nOOD)
}

// setInterval stores the central 95 % of drawn, which it sorts.
func setInterval(v *analysis.Values, key string, drawn []float64, of *ranking) {
	if lone := of.lone(); lone != "" {
		v.Null(key, lone)
		return
	}
	low, high := central95(drawn)
	v.SetPair(key, low, high)
}

// cells lists the scores that have metrics, sorted and ready.
func (r *Result) cells(id analysis.Ordered[[]float64], replicates int) (cells []*cell) {
	for set, byScore := range r.OOD.All() {
		scores, _ := r.Scores.Get(set)
		for name, v := range byScore.All() {
			if _, ok := v.Get("auroc"); !ok {
				continue
			}
			a, _ := id.Get(name)
			b, _ := scores.Get(name)
			c := &cell{set: set, score: name, ranking: newRanking(a, b)}
			for k := range c.drawn {
				c.drawn[k] = make([]float64, replicates)
			}
			cells = append(cells, c)
		}
	}
	return cells
}

// streamOf numbers the resamples of a set by its name, so that they do not depend on the other sets.
func streamOf(set string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(set))
	return h.Sum32()
}

// bootstrap fills drawn.
func bootstrap(ctx context.Context, cells []*cell, nID int, nOOD analysis.Ordered[int], o IntervalOptions) error {
	chunks := (o.Replicates + chunkReplicates - 1) / chunkReplicates
	stats.Parallel(chunks, o.Threads, func(chunk int) {
		if ctx.Err() != nil {
			return
		}
		id := make([]uint16, nID)
		ood := map[string][]uint16{}
		for set, n := range nOOD.All() {
			ood[set] = make([]uint16, n)
		}
		var out [numMetrics]float64
		for replicate := chunk * chunkReplicates; replicate < min((chunk+1)*chunkReplicates, o.Replicates); replicate++ {
			resample(id, o.Seed, streamOf(IDName), uint32(replicate))
			for set, counts := range ood {
				resample(counts, o.Seed, streamOf(set), uint32(replicate))
			}
			for _, c := range cells {
				c.ranking.measure(id, ood[c.set], &out)
				for k, x := range out {
					c.drawn[k][replicate] = x
				}
			}
		}
	})
	return ctx.Err()
}

// compare fills Comparisons: differences to the baseline with paired intervals first, DeLong's p with Holm's correction over all of them after.
func (r *Result) compare(cells []*cell, note *IntervalNote) {
	r.Comparisons = analysis.Ordered[analysis.Ordered[analysis.Values]]{}
	baseline := map[string]*cell{}
	for _, c := range cells {
		if c.score == note.Baseline {
			baseline[c.set] = c
		}
	}
	id, _ := r.Scores.Get(IDName)
	var compared []*cell
	var values []analysis.Values
	var p []float64
	for _, c := range cells {
		base := baseline[c.set]
		if base == nil || base == c {
			continue
		}
		metrics, _ := r.OOD.Get(c.set)
		own, _ := metrics.Get(c.score)
		theirs, _ := metrics.Get(base.score)
		var v analysis.Values
		difference := make([]float64, len(c.drawn[0]))
		for k, key := range MetricKeys {
			a, _ := own.Get(key)
			b, _ := theirs.Get(key)
			for i := range difference {
				difference[i] = c.drawn[k][i] - base.drawn[k][i]
			}
			v.Set(key+"_diff", a-b)
			setInterval(&v, key+"_diff_ci95", difference, c.ranking)
		}
		scores, _ := r.Scores.Get(c.set)
		a, _ := id.Get(c.score)
		b, _ := id.Get(base.score)
		x, _ := scores.Get(c.score)
		y, _ := scores.Get(base.score)
		_, se, value := DeLong(a, x, b, y)
		if lone := c.ranking.lone(); lone != "" {
			value = math.NaN()
			v.Null("auroc_diff_se", lone)
		} else {
			v.Set("auroc_diff_se", 100*se)
		}
		if !math.IsNaN(value) {
			note.Family++
		}
		compared, values, p = append(compared, c), append(values, v), append(p, value)
	}
	if len(compared) == 0 {
		note.Baseline = ""
	}
	corrected := Holm(p)
	for i, c := range compared {
		if math.IsNaN(p[i]) {
			reason := cmp.Or(c.ranking.lone(), "the difference has no variance in these rows")
			values[i].Null("delong_p", reason)
			values[i].Null("delong_p_holm", reason)
		} else {
			values[i].Set("delong_p", p[i])
			values[i].Set("delong_p_holm", corrected[i])
		}
		bySet, _ := r.Comparisons.Get(c.set)
		bySet.Set(c.score, values[i])
		r.Comparisons.Set(c.set, bySet)
	}
}
