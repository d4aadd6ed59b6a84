package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"nctrain/analysis"
	"nctrain/analysis/stats"
)

// What the flags for features and heads take.
const (
	filesOfRows  = ".npz, .safetensors, .csv, a directory, pattern or list of shards, or "
	featureSpecs = filesOfRows + "features=F.npy,labels=L.npy[,logits=G.npy]"
	rowSpecs     = filesOfRows + "features=F.npy[,logits=G.npy]" // where nobody asks for labels
	headSpecs    = ".npz, .safetensors, or weight=W.npy[,bias=B.npy]"
)

// files are the open feature files of a command.
type files struct{ opened []io.Closer }

func (f *files) open(spec string) (analysis.Source, error) {
	return f.keep(analysis.OpenFeatures(spec))
}

// openRows opens rows whose labels nobody asks for.
func (f *files) openRows(spec string) (analysis.Source, error) {
	return f.keep(analysis.OpenRows(spec))
}

// keep takes what was opened, to close it with the rest.
func (f *files) keep(file *analysis.File, err error) (analysis.Source, error) {
	if err != nil {
		return nil, err
	}
	f.opened = append(f.opened, file)
	return file, nil
}

// train opens the training rows, or the statistics that stand in for them, with what is then to be said of the result's health.
func (f *files) train(features, statistics string) (src analysis.Source, health string, err error) {
	if statistics == "" {
		src, err = f.open(features)
		return src, "", err
	}
	part, err := stats.ReadPart(statistics)
	if err != nil {
		return nil, "", err
	}
	if err := part.Complete(); err != nil {
		return nil, "", fmt.Errorf("--stats %s: %w", statistics, err)
	}
	if !part.Checked {
		health = "head_mismatch is that of the class means: the worst row's takes a second sweep (or nctrain stats --head)"
	}
	return part.Stored(), health, nil
}

func (f *files) close() error {
	var err error
	for _, file := range f.opened {
		err = errors.Join(err, file.Close())
	}
	return err
}

// named opens "[NAME=]SPEC" items; a file without a name is called by its own.
func (f *files) named(items []string) ([]analysis.Named, error) {
	var all []analysis.Named
	for _, item := range splitSpecs(items) {
		name, spec := nameOf(item)
		if slices.ContainsFunc(all, func(n analysis.Named) bool { return n.Name == name }) {
			return nil, usagef("--ood %s: two sets are called %q: write NAME=FILE with another name", item, name)
		}
		src, err := f.openRows(spec)
		if err != nil {
			return nil, err
		}
		all = append(all, analysis.Named{Name: name, Source: src})
	}
	return all, nil
}

func nameOf(item string) (name, spec string) {
	if !analysis.IsLoose(item) {
		if before, after, ok := strings.Cut(item, "="); ok && !strings.Contains(before, "/") {
			return before, after
		}
	}
	base := filepath.Base(item)
	return strings.TrimSuffix(base, filepath.Ext(base)), item
}

// splitSpecs cuts items at commas, but for those inside a spec of loose arrays.
func splitSpecs(items []string) []string {
	var out []string
	for _, item := range items {
		for _, part := range strings.Split(item, ",") {
			if analysis.IsLoose(part) && len(out) > 0 {
				_, last := nameOf(out[len(out)-1])
				if analysis.IsLoose(last) && !strings.Contains(last, part[:strings.Index(part, "=")+1]) {
					out[len(out)-1] += "," + part
					continue
				}
			}
			out = append(out, part)
		}
	}
	return out
}
