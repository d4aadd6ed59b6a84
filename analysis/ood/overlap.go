package ood

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"unsafe"

	"nctrain/analysis"
	"nctrain/analysis/stats"
)

// rowIndex holds the hashes of the rows of sets that others are held against: the fit sets "train" and "val", and the ID test rows as IDName. Two different rows share a
// 64-bit hash with a probability of about 1e-10 for sets of CIFAR's size.
type rowIndex struct {
	seed maphash.Seed
	sets map[string]map[uint64]struct{}
}

func newRowIndex() *rowIndex {
	return &rowIndex{maphash.MakeSeed(), map[string]map[uint64]struct{}{}}
}

// hashes gives the hash of each row's features. It is safe for concurrent use, as find is.
func (x *rowIndex) hashes(b *analysis.Block) []uint64 {
	out, d := make([]uint64, b.N), len(b.Features)/b.N
	for i := range out {
		row := b.Features[i*d : (i+1)*d]
		out[i] = maphash.Bytes(x.seed, unsafe.Slice((*byte)(unsafe.Pointer(&row[0])), 8*d))
	}
	return out
}

// begin makes room for the rows of a set; false where they are there already.
func (x *rowIndex) begin(set string) bool {
	if x.sets[set] != nil {
		return false
	}
	x.sets[set] = map[uint64]struct{}{}
	return true
}

// add takes hashes of rows of a set that has begun.
func (x *rowIndex) add(set string, hashes []uint64) {
	for _, hash := range hashes {
		x.sets[set][hash] = struct{}{}
	}
}

// find lists which of the hashes (by index) are of rows of a set.
func (x *rowIndex) find(hashes []uint64, sets ...string) (at []int) {
	for i, hash := range hashes {
		for _, set := range sets {
			if _, there := x.sets[set][hash]; there {
				at = append(at, i)
				break
			}
		}
	}
	return at
}

// sweep hands then the hashes of the rows of src, block by block.
func (x *rowIndex) sweep(ctx context.Context, src analysis.Source, threads int, then func(start int, hashes []uint64)) error {
	return analysis.Stages[[]uint64]{
		Work: func(b *analysis.Block) ([]uint64, error) { return x.hashes(b), nil },
		Then: func(b *analysis.Block, hashes []uint64) error {
			then(b.Start, hashes)
			return nil
		},
	}.Sweep(ctx, src, analysis.WorkRows, threads)
}

// overlap is the rows of a set, by index, that occur elsewhere too.
type overlap struct {
	set   analysis.Info
	rows  []int
	where string // what they also occur in
}

// String counts and lists the rows.
func (v overlap) String() string {
	const listed = 20
	var list []string
	for _, r := range v.rows[:min(listed, len(v.rows))] {
		list = append(list, fmt.Sprint(r))
	}
	more := ""
	if len(v.rows) > listed {
		more = fmt.Sprintf(" and %d more", len(v.rows)-listed)
	}
	return fmt.Sprintf("%s: %d of %d rows also occur in %s (rows %s%s)", v.set.Name, len(v.rows), v.set.N, v.where, strings.Join(list, ", "), more)
}

// judge decides what the overlap means: a warning where the rows are left out or few, an error where more than 1 % would stay in, unless allowed. asUsual says why they may.
func (v overlap) judge(o Options, asUsual string) (warning string, err error) {
	switch {
	case len(v.rows) == 0:
		return "", nil
	case o.DropOverlap:
		return v.String() + "; they are left out", nil
	case 100*len(v.rows) > v.set.N && !o.AllowOverlap:
		return "", fmt.Errorf("analysis: %v: give sets that are apart, or pass --drop-overlap to leave these rows out, or --allow-overlap to go on with them", v)
	}
	return v.String() + "; they stay in" + asUsual + " (--drop-overlap leaves them out)", nil
}

// holdVal holds the rows of val, where thresholds or detectors use it, against those of training and of the ID test set, which they must not be among. With DropOverlap the
// source that it gives has the others alone. The rows of both sets are then in index, so that nobody sweeps them for their hashes again.
func (r *Result) holdVal(ctx context.Context, o Options, chosen []Detector, index *rowIndex) (analysis.Source, error) {
	uses := func(d Detector) bool { return d.Fit == FitVal || d.Fit == FitValOrTrain }
	if o.Val == nil || o.ThresholdAt == 0 && !slices.ContainsFunc(chosen, uses) {
		return o.Val, nil
	}
	others := []analysis.Named{{Name: IDName, Source: o.ID}}
	switch {
	case o.Train == nil:
	case stats.NoRows(o.Train) != "":
		r.Warnings = append(r.Warnings, fmt.Sprintf("rows of %s were not looked for among those of %s, of which there are statistics only", o.Val.Info().Name, o.Train.Info().Name))
	default:
		others = append(others, analysis.Named{Name: "train", Source: o.Train})
	}
	for _, other := range others {
		index.begin(other.Name)
		if err := index.sweep(ctx, other.Source, o.Threads, func(_ int, hashes []uint64) { index.add(other.Name, hashes) }); err != nil {
			return nil, err
		}
	}
	shared := overlap{set: o.Val.Info(), where: "the training or the ID test rows"}
	if err := index.sweep(ctx, o.Val, o.Threads, func(start int, hashes []uint64) {
		for _, i := range index.find(hashes, "train", IDName) {
			shared.rows = append(shared.rows, start+i)
		}
	}); err != nil {
		return nil, err
	}
	warning, err := shared.judge(o, ": what is taken from them is not of rows that were held out")
	if err != nil || warning == "" {
		return o.Val, err
	}
	r.Warnings, r.ValOverlap = append(r.Warnings, warning), shared.rows
	switch {
	case !o.DropOverlap:
		return o.Val, nil
	case len(shared.rows) == shared.set.N:
		return nil, fmt.Errorf("analysis: %v: leaving them out leaves nothing: give rows in neither training nor test", shared)
	}
	return &without{o.Val, shared.rows}, nil
}

// without is a source less some rows, by rising index.
type without struct {
	analysis.Source
	rows []int
}

func (s *without) Info() analysis.Info {
	info := s.Source.Info()
	info.N -= len(s.rows)
	return info
}

func (s *without) Sweep(ctx context.Context, visit func(*analysis.Block) error) error {
	info, left := s.Source.Info(), s.rows
	return s.Source.Sweep(ctx, func(b *analysis.Block) error {
		for from := 0; from < b.N; {
			to := b.N
			if len(left) > 0 {
				to = min(to, left[0]-b.Start)
			}
			if from < to {
				if err := visit(b.Rows(info.D, info.C, from, to)); err != nil {
					return err
				}
			}
			if from = to; from < b.N {
				from, left = from+1, left[1:]
			}
		}
		return nil
	})
}
