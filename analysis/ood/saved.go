package ood

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"nctrain/analysis"
	"nctrain/analysis/stats"
	"nctrain/internal/npz"
)

// A file of fitted detectors is a head file (weight, bias, meta) with more arrays:
//
//	detectors           JSON as uint8: savedDetectors
//	fit/SET/count       [C] int64; mean [C,D], deviation [C], scatter [D,D] float64: the class moments of a fit set
//	state/NAME/KEY      what a Learner found in its own sweeps, float64
//
// Detectors are made again from the moments by their own New; only what took further sweeps is stored beside.
const savedFormat = "nctrain detectors 1"

type savedDetectors struct {
	Format    string                            `json:"format"`
	Detectors []savedDetector                   `json:"detectors"`
	Fits      map[string]savedFit               `json:"fits"`
	Threshold analysis.Ordered[analysis.Values] `json:"thresholds"`
}

type savedDetector struct {
	Name   string   `json:"name"`
	Fit    string   `json:"fit"`
	Params Settings `json:"params"`
}

type savedFit struct {
	Name     string         `json:"name"`
	Type     analysis.DType `json:"type"`
	MaxLogit float64        `json:"max_logit"`
}

// keeper is a Learner whose findings go into a file.
type keeper interface {
	Learner
	// keep puts the arrays that restore needs.
	keep(put func(key string, data []float64, shape ...int) error) error
	// restore stands for the sweeps: it takes what keep put.
	restore(from stateReader) error
}

// save writes the fitted detectors.
func save(path string, head *analysis.Head, ready scorers, fits map[string]*Fit, settings map[string]Settings, res *Result) error {
	all := savedDetectors{Format: savedFormat, Fits: map[string]savedFit{}, Threshold: res.Thresholds}
	for name := range ready.All() {
		v, _ := res.Detectors.Get(name)
		all.Detectors = append(all.Detectors, savedDetector{name, v.Text("fit"), settings[name]})
	}
	for set, f := range fits {
		if f.Class != nil {
			all.Fits[set] = savedFit{f.Info.Name, f.Info.Type, f.Tally.MaxLogit}
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("analysis: ood: %s: %w", path, err)
	}
	err = npz.Write(path, func(w *npz.Writer) error {
		if err := analysis.PutHead(w, head); err != nil {
			return err
		}
		if err := npz.Put(w, "detectors", text); err != nil {
			return err
		}
		for _, set := range []string{"train", "val"} {
			f := fits[set]
			if f == nil {
				continue
			}
			c, d, prefix := f.Class.C, f.Class.D, "fit/"+set+"/"
			if err := errors.Join(npz.Put(w, prefix+"count", f.Class.Count), npz.Put(w, prefix+"mean", f.Class.Mean, c, d),
				npz.Put(w, prefix+"deviation", f.Class.Deviation), npz.Put(w, prefix+"scatter", f.Class.Scatter, d, d)); err != nil {
				return err
			}
		}
		for name, scorer := range ready.All() {
			if k, ok := scorer.(keeper); ok {
				put := func(key string, data []float64, shape ...int) error {
					return npz.Put(w, "state/"+name+"/"+key, data, shape...)
				}
				if err := k.keep(put); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("analysis: ood: %w", err)
	}
	return nil
}

// Fitted are detectors read from a file, ready to score rows.
type Fitted struct {
	// Head they belong to; its Meta names the checkpoint.
	Head *analysis.Head
	// Thresholds by score, as in Result; empty where none were asked for.
	Thresholds analysis.Ordered[analysis.Values]
	ready      scorers
}

// Names lists the scores in reporting order.
func (f *Fitted) Names() []string { return f.ready.Keys() }

// Close gives back what the detectors hold beside memory.
func (f *Fitted) Close() {
	for _, s := range f.ready.All() {
		release(s)
	}
}

// Score sweeps src and hands visit the scores of its rows in order, block by block: scores[k][i] is score k of Names of row start + i. An error where src does not belong to
// the head, a row is not finite, or visit fails.
func (f *Fitted) Score(ctx context.Context, src analysis.Source, threads int, visit func(start int, scores [][]float64) error) (warnings []string, err error) {
	if warnings, err = analysis.CheckOneCheckpoint(f.Head, src); err != nil {
		return nil, err
	}
	_, warning, err := scoreRows(ctx, src, f.Head, f.ready, nil, threads, func(b *analysis.Block, rows scoredRows) error {
		return visit(b.Start, rows.scores)
	})
	if err != nil {
		return nil, err
	}
	if warning != "" {
		warnings = append(warnings, warning)
	}
	return warnings, err
}

// OpenFitted reads the file that Compute wrote to Options.SaveTo. The caller closes the Fitted.
func OpenFitted(path string) (f *Fitted, err error) {
	head, err := analysis.OpenHead(path)
	if err != nil {
		return nil, err
	}
	file, err := npz.Open(path)
	if err != nil {
		return nil, fmt.Errorf("analysis: ood: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	wrong := func(err error) error {
		return fmt.Errorf("analysis: ood: %s: %w: take a file that nctrain ood --save wrote", path, err)
	}
	text, err := file.Uint8s("detectors")
	if err != nil {
		return nil, wrong(err)
	}
	var all savedDetectors
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, wrong(fmt.Errorf("array detectors: %w", err))
	}
	if all.Format != savedFormat {
		return nil, wrong(fmt.Errorf("array detectors: format %q, want %q", all.Format, savedFormat))
	}
	fits := map[string]*Fit{"none": {Head: head}}
	for _, set := range []string{"train", "val"} {
		if saved, there := all.Fits[set]; there {
			if fits[set], err = readFit(file, "fit/"+set+"/", head, saved); err != nil {
				return nil, wrong(err)
			}
		}
	}
	f = &Fitted{Head: head, Thresholds: all.Threshold}
	for _, d := range all.Detectors {
		scorer, err := d.restore(file, fits)
		if err != nil {
			f.Close()
			return nil, wrong(fmt.Errorf("detector %s: %w", d.Name, err))
		}
		f.ready.Set(d.Name, scorer)
	}
	return f, nil
}

// restore makes one detector.
func (d savedDetector) restore(file *npz.File, fits map[string]*Fit) (Scorer, error) {
	detector, known := find(d.Name)
	if !known {
		return nil, errors.New("there is no such score in this version")
	}
	fit := fits[d.Fit]
	if fit == nil || (detector.Fit == FitNone) != (fit.Class == nil) {
		return nil, fmt.Errorf("the moments of its fit set %q are missing", d.Fit)
	}
	settings := Settings{}
	for _, p := range detector.Params {
		x, there := d.Params[p.Key]
		if !there {
			return nil, fmt.Errorf("parameter %s is missing", p.Key)
		}
		if err := p.check(x); err != nil {
			return nil, fmt.Errorf("parameter %s is %g: %w", p.Key, x, err)
		}
		settings[p.Key] = x
	}
	scorer, err := detector.prepare(fit, settings)
	if err != nil {
		return nil, err
	}
	if k, ok := scorer.(keeper); ok {
		if err := k.restore(stateReader{file, "state/" + d.Name + "/"}); err != nil {
			release(scorer)
			return nil, err
		}
	}
	return scorer, nil
}

func readFit(file *npz.File, prefix string, head *analysis.Head, saved savedFit) (*Fit, error) {
	c, d := head.C, head.D
	in := stateReader{file, prefix}
	class := &stats.Class{C: c, D: d}
	info, _ := file.Info(prefix + "count")
	if info.Len() != c {
		return nil, fmt.Errorf("array %scount: found %s, want int64 [%d]", prefix, info.Form(), c)
	}
	var err error
	if class.Count, err = file.Int64s(prefix + "count"); err != nil {
		return nil, err
	}
	for k, n := range class.Count {
		if n < 0 || n > 1<<40 {
			return nil, fmt.Errorf("array %scount: class %d has %d rows", prefix, k, n)
		}
	}
	if n := class.N(); n < 1 || n > 1<<40/int64(d) {
		return nil, fmt.Errorf("array %scount: %d rows in all", prefix, n)
	}
	for key, to := range map[string]struct {
		x *[]float64
		n int
	}{"mean": {&class.Mean, c * d}, "deviation": {&class.Deviation, c}, "scatter": {&class.Scatter, d * d}} {
		if *to.x, err = in.finite(key, to.n); err != nil {
			return nil, err
		}
	}
	if saved.Type > analysis.BFloat16 {
		return nil, fmt.Errorf("array detectors: type %d of %s", saved.Type, saved.Name)
	}
	return &Fit{Head: head, Info: analysis.Info{Name: saved.Name, N: int(class.N()), D: d, C: c, Type: saved.Type}, Class: class, Tally: &stats.Tally{MaxLogit: saved.MaxLogit}}, nil
}

// stateReader reads the arrays of one detector or fit set.
type stateReader struct {
	file   *npz.File
	prefix string
}

// floats reads an array of exactly n values.
func (s stateReader) floats(key string, n int) ([]float64, error) {
	info, there := s.file.Info(s.prefix + key)
	if !there || !info.DType.IsFloat() || info.Len() != n {
		return nil, fmt.Errorf("array %s%s: found %s, want float64 [%d]", s.prefix, key, info.Form(), n)
	}
	return s.file.Float64s(s.prefix + key)
}

// finite is floats without NaN and Inf.
func (s stateReader) finite(key string, n int) ([]float64, error) {
	x, err := s.floats(key, n)
	for i, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("array %s%s: value %d is %g", s.prefix, key, i, v)
		}
	}
	return x, err
}

// eachRow reads an array [N,d] row by row.
func (s stateReader) eachRow(key string, d int, visit func(row []float64)) error {
	info, there := s.file.Info(s.prefix + key)
	if there && info.Len() == 0 {
		return nil
	}
	if !there || !info.DType.IsFloat() || len(info.Shape) != 2 || info.Shape[1] != d {
		return fmt.Errorf("array %s%s: found %s, want float64 [N,%d]", s.prefix, key, info.Form(), d)
	}
	rows, err := s.file.Rows(s.prefix + key)
	if err != nil {
		return err
	}
	defer rows.Close()
	block := make([]float64, 256*d)
	for {
		n, err := rows.Float64(block)
		for i := range n {
			visit(block[i*d : (i+1)*d])
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
