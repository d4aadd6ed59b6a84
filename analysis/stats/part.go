package stats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/gonum/floats"

	"nctrain/analysis"
)

// Part is the statistics of some of a set's rows: of one shard, or of several merged. Parts of all shards merge, in any order, to what one sweep over the set gives.
type Part struct {
	// Info of the whole set.
	Info analysis.Info
	// Of is the number of shards that the rows are cut into, and Shards which of them are in, from 1 and ascending.
	Of     int
	Shards []int
	Class  *Class
	Tally  Tally
	// LogitSum [C,C]: sum over the rows of a class of their logits, by which a head is told to be that of the rows without seeing them again.
	LogitSum []float64
	// Checked: the logits of every row were held against a head (Tally.Mismatch), not only their sums.
	Checked bool
}

// ShardRows gives the rows from..to-1 of shard i (from 1) of n rows cut into shares that differ by at most one row.
func ShardRows(n, i, of int) (from, to int) {
	whole, rest := n/of, n%of
	cut := func(k int) int { return k*whole + k*rest/of }
	return cut(i - 1), cut(i)
}

// CollectPart sweeps shard i of src, from 1, for its statistics. head may be nil where src has logits, which then tell the number of classes. An error where rows hold NaN or
// Inf, where a label is no class, and where the head does not fit; what is merely doubtful is a warning.
func CollectPart(ctx context.Context, src analysis.Ranger, head *analysis.Head, i, of, threads int) (p *Part, warnings []string, err error) {
	info := src.Info()
	switch {
	case i < 1 || i > of:
		return nil, nil, fmt.Errorf("analysis: shard %d/%d: shards are counted from 1 to their number", i, of)
	case of > info.N:
		return nil, nil, fmt.Errorf("analysis: %s: %d rows do not make %d shards: cut them into at most as many", info.Name, info.N, of)
	case head == nil && !info.HasLogits():
		return nil, nil, fmt.Errorf("analysis: %s: there are no logits, so the head must tell the number of classes: give it too", info.Name)
	}
	from, to := ShardRows(info.N, i, of)
	rows := analysis.Range(src, from, to)
	if head != nil {
		if warnings, err = analysis.CheckOneCheckpoint(head, src); err != nil {
			return nil, nil, err
		}
		if rows = analysis.WithLogits(rows, head); info.Meta.Checkpoint == "" {
			info.Meta.Checkpoint = head.Meta.Checkpoint
		}
		if info.Meta.Epoch == nil {
			info.Meta.Epoch = head.Meta.Epoch
		}
	}
	info.C = rows.Info().C
	p = &Part{Info: info, Of: of, Shards: []int{i}, LogitSum: make([]float64, info.C*info.C), Checked: head != nil}
	acc := NewAccumulator(info.C, info.D, head, threads)
	err = acc.Sweep(ctx, rows, func(b *analysis.Block) {
		for i, label := range b.Labels {
			floats.Add(p.LogitSum[int(label)*info.C:(int(label)+1)*info.C], b.Logits[i*info.C:(i+1)*info.C])
		}
	})
	if err != nil {
		return nil, nil, err
	}
	sums := acc.Sums()
	p.Tally = sums.Tally
	if p.Tally.NonFinite > 0 {
		return nil, nil, fmt.Errorf("analysis: %s: %s: %s", info.Name, p.Tally.Among(fmt.Sprintf("rows %d..%d", from, to-1)), HolesWayOut)
	}
	if head != nil {
		warning, err := p.Tally.Mismatch.Judge(head, src.Info())
		if err != nil {
			return nil, nil, err
		}
		if warning != "" {
			warnings = append(warnings, warning)
		}
	}
	p.Class = sums.Class()
	return p, warnings, nil
}

// Merge gives the statistics of the rows of both parts. An error where they are not parts of one set, or share a shard.
func (p *Part) Merge(other *Part) (*Part, error) {
	if err := p.about().fits(other.about()); err != nil {
		return nil, err
	}
	m := &Part{Info: p.Info, Of: p.Of, Shards: slices.Sorted(slices.Values(slices.Concat(p.Shards, other.Shards))), Class: Merge(p.Class, other.Class),
		Tally: p.Tally, LogitSum: slices.Clone(p.LogitSum), Checked: p.Checked && other.Checked}
	m.Tally.MaxAbs = slices.Clone(p.Tally.MaxAbs)
	m.Tally.add(&other.Tally)
	floats.Add(m.LogitSum, other.LogitSum)
	return m, nil
}

// Complete is an error that names the shards that are missing; nil where there are none.
func (p *Part) Complete() error {
	var missing []string
	for i := range p.Of {
		if _, there := slices.BinarySearch(p.Shards, i+1); !there {
			missing = append(missing, fmt.Sprintf("%d/%d", i+1, p.Of))
		}
	}
	const listed = 8
	switch n := len(missing); {
	case n == 0:
		return nil
	case n == 1:
		return fmt.Errorf("shard %s is missing: merge it too", missing[0])
	case n <= listed:
		return fmt.Errorf("shards %s are missing: merge them too", strings.Join(missing, ", "))
	default:
		return fmt.Errorf("shards %s and %d more are missing: merge them too", strings.Join(missing[:listed], ", "), n-listed)
	}
}

// Stored gives statistics as the source that they were taken of: with its Info and sums, and without rows, so that sweeping it is an error. See NoRows.
func (p *Part) Stored() Summed { return stored{p} }

type stored struct{ part *Part }

func (s stored) Info() analysis.Info { return s.part.Info }

func (s stored) Sweep(context.Context, func(*analysis.Block) error) error {
	return errors.New("analysis: " + NoRows(s))
}

// NoRows is the reason why src cannot be swept, because it is stored statistics; empty where it can.
func NoRows(src analysis.Source) string {
	if s, ok := src.(stored); ok {
		return s.part.Info.Name + " holds statistics and no rows, and this takes a second sweep: give the features themselves"
	}
	return ""
}

// Sums gives the statistics as sums whose shifts are the class means. The mean logits of each class must be those that head gives its mean.
func (s stored) Sums(_ context.Context, head *analysis.Head) (*Sums, error) {
	p, c, d := s.part, s.part.Class.C, s.part.Class.D
	sums := &Sums{C: c, D: d, Count: p.Class.Count, Shift: p.Class.Mean, Sum: make([]float64, c*d), Square: p.Class.Deviation, Second: p.Class.Scatter, Tally: p.Tally}
	if head.C != c || head.D != d {
		return sums, nil // refused by Collect
	}
	var means, logits []float64
	for k, n := range p.Class.Count {
		if n > 0 {
			means = append(means, p.Class.mean(k)...)
			for _, x := range p.LogitSum[k*c : (k+1)*c] {
				logits = append(logits, x/float64(n))
			}
		}
	}
	mismatch := analysis.NewHeadCheck(head).Mismatch(means, logits, len(means)/d, 0)
	if _, err := mismatch.Judge(head, analysis.Info{Name: p.Info.Name + ", class means", Meta: p.Info.Meta}); err != nil {
		return nil, err
	}
	sums.Tally.Mismatch.Merge(mismatch)
	return sums, nil
}
