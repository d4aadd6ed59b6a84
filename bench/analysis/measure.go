package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"nctrain/analysis"
	"nctrain/analysis/nc"
	"nctrain/analysis/ood"
	"nctrain/analysis/stats"
	"nctrain/internal/npz"
)

// report is what one run of one way prints: seconds by stage, and the numbers that all ways must agree on.
type report struct {
	Seconds map[string]float64 `json:"seconds"`
	Numbers map[string]float64 `json:"numbers"`
	Version string             `json:"version"`
}

// loaded is the folder's arrays in memory.
type loaded struct {
	train, id, ood analysis.Source
	head           *analysis.Head
}

func load(dir string) (l loaded, err error) {
	if l.head, err = analysis.OpenHead(filepath.Join(dir, "head.npz")); err != nil {
		return l, err
	}
	for name, src := range map[string]*analysis.Source{"train": &l.train, "id": &l.id, "ood": &l.ood} {
		f, err := npz.Open(filepath.Join(dir, name+".npz"))
		if err != nil {
			return l, err
		}
		defer f.Close()
		features, err := f.Float32s("features")
		if err != nil {
			return l, err
		}
		logits, err := f.Float32s("logits")
		if err != nil {
			return l, err
		}
		labels, err := f.Int64s("labels")
		if err != nil {
			return l, err
		}
		if *src, err = analysis.NewMemory(analysis.Info{Name: name}, features, logits, labels); err != nil {
			return l, err
		}
	}
	return l, nil
}

// measure times nctrain's analysis of the folder's arrays once, in this process.
func measure(ctx context.Context, dir string, threads int) (r report, err error) {
	l, err := load(dir)
	if err != nil {
		return r, err
	}
	r = report{Seconds: map[string]float64{}, Numbers: map[string]float64{}}
	timed := func(stage string, body func() error) {
		if err != nil {
			return
		}
		start := time.Now()
		err = body()
		r.Seconds[stage] = time.Since(start).Seconds()
	}
	sets := []analysis.Named{{Name: "ood", Source: l.ood}}
	// As a run does, NC and OOD share one sweep for the class statistics.
	train := stats.Remember(l.train, threads)
	var collapse *nc.Result
	timed("collapse", func() error {
		collapse, err = nc.Compute(ctx, nc.Options{Train: train, Head: l.head, OOD: sets, Threads: threads})
		return err
	})
	var detection *ood.Result
	timed("scores", func() error {
		detection, err = ood.Compute(ctx, ood.Options{Train: train, ID: l.id, Head: l.head, OOD: sets, Scores: scores, Threads: threads})
		return err
	})
	// The class moments, from which the covariance follows; scikit-learn has no classes. No head is given, so logits are not checked. Both have the rows in float64.
	if err != nil {
		return r, err
	}
	wide, err := widened(ctx, l.train)
	if err != nil {
		return r, err
	}
	var total []float64
	timed("covariance", func() error {
		sums := stats.NewAccumulator(l.head.C, l.head.D, nil, threads)
		err := sums.Sweep(ctx, wide, nil)
		total = sums.Sums().Class().Total()
		return err
	})
	if err != nil {
		return r, err
	}
	timed("eigen", func() error {
		_, err := stats.SymEigen(total, l.head.D, true)
		return err
	})
	// The principal components of rows are the eigenvectors of their covariance.
	r.Seconds["pca"] = r.Seconds["covariance"] + r.Seconds["eigen"]
	byScore, _ := detection.Scores.Get(ood.IDName)
	id, _ := byScore.Get("mls")
	byScore, _ = detection.Scores.Get("ood")
	far, _ := byScore.Get("mls")
	timed("auroc", func() error {
		ood.Measure(id, far)
		return nil
	})
	r.Seconds["aupr"] = r.Seconds["auroc"] // Measure gives all seven metrics at once
	r.numbers(collapse, detection)
	return r, err
}

// widened holds the rows of src in float64.
func widened(ctx context.Context, src analysis.Source) (analysis.Source, error) {
	var features, logits []float64
	var labels []int64
	err := src.Sweep(ctx, func(b *analysis.Block) error {
		features, logits, labels = append(features, b.Features...), append(logits, b.Logits...), append(labels, b.Labels...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return analysis.NewMemory(src.Info(), features, logits, labels)
}

// numbers takes those that other ways compute too.
func (r *report) numbers(c *nc.Result, d *ood.Result) {
	put := func(prefix string, v analysis.Values) {
		for _, key := range v.Keys() {
			if x, ok := v.Get(key); ok {
				r.Numbers[fmt.Sprintf("%s.%s", prefix, key)] = x
			}
		}
	}
	put("nc1", c.NC1)
	put("nc2", c.NC2)
	put("nc3", c.NC3)
	put("nc4", c.NC4)
	nc5, _ := c.NC5.Get("ood")
	put("nc5", nc5)
	rows, _ := d.OOD.Get("ood")
	for name, v := range rows.All() {
		put(name, v)
	}
}
