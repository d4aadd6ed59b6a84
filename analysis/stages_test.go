package analysis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"nctrain/analysis"
)

// hidden hides that rows are in memory.
type hidden struct{ analysis.Source }

// staged is what a sweep through stages saw: the first rows of the blocks, in order.
type staged struct{ first, then, worked []int }

func sweepStages(t *testing.T, src analysis.Source, threads int, failAt map[string]int) (s staged, err error) {
	t.Helper()
	fails := func(stage string, b *analysis.Block) error {
		if at, there := failAt[stage]; there && b.Start <= at && at < b.Start+b.N {
			return fmt.Errorf("%s of row %d", stage, at)
		}
		return nil
	}
	second := make(chan struct{}) // the second block is being worked on
	err = analysis.Stages[int]{
		First: func(b *analysis.Block) error {
			s.first = append(s.first, b.Start)
			return fails("first", b)
		},
		Work: func(b *analysis.Block) (int, error) {
			switch {
			case b.Start == 16:
				close(second)
			case b.Start == 0 && threads > 1:
				select {
				case <-second:
				case <-time.After(time.Minute):
					t.Errorf("%d threads work on one block at a time", threads)
				}
			}
			for i := range b.N { // features tell their row, labels too
				if b.Features[2*i] != float64(b.Start+i) || b.Labels[i] != int64(b.Start+i) {
					t.Errorf("row %d is %g with label %d", b.Start+i, b.Features[2*i], b.Labels[i])
				}
			}
			return 10 * b.Start, fails("work", b)
		},
		Then: func(b *analysis.Block, made int) error {
			if err := fails("then", b); err != nil {
				return err
			}
			s.then = append(s.then, b.Start)
			s.worked = append(s.worked, made)
			return nil
		},
	}.Sweep(t.Context(), src, 16, threads)
	return s, err
}

func countedRows(t *testing.T, n int) analysis.Source {
	t.Helper()
	features, labels := make([]float32, 2*n), make([]int64, n)
	for i := range n {
		features[2*i], labels[i] = float32(i), int64(i)
	}
	src, err := analysis.NewMemory(analysis.Info{Name: "counted"}, features, nil, labels)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func TestStagesKeepTheOrderOfBlocks(t *testing.T) {
	const n = 16*20 + 3
	for name, src := range map[string]analysis.Source{"memory": countedRows(t, n), "stream": hidden{countedRows(t, n)}} {
		for _, threads := range []int{1, 2, 5} {
			s, err := sweepStages(t, src, threads, nil)
			if err != nil {
				t.Fatalf("%s, %d threads: %v", name, threads, err)
			}
			for k := range 21 {
				if len(s.then) != 21 || s.first[k] != 16*k || s.then[k] != 16*k || s.worked[k] != 160*k {
					t.Fatalf("%s, %d threads: first %v, then %v with %v", name, threads, s.first, s.then, s.worked)
				}
			}
		}
	}
}

// Parts show every row of a block once and in order, whether the block holds them or its source has them in either type.
func TestPartsOfBlocks(t *testing.T) {
	const n, d, c, size = 103, 2, 1, 40
	features, logits, labels := make([]float64, d*n), make([]float64, c*n), make([]int64, n)
	for i := range n {
		features[d*i], features[d*i+1], logits[i], labels[i] = float64(i), 0.5, float64(2*i), int64(3*i)
	}
	wide, err := analysis.NewMemory(analysis.Info{Name: "wide"}, features, logits, labels)
	if err != nil {
		t.Fatal(err)
	}
	narrow := func(x []float64) (y []float32) {
		for _, v := range x {
			y = append(y, float32(v))
		}
		return y
	}
	small, err := analysis.NewMemory(analysis.Info{Name: "narrow"}, narrow(features), narrow(logits), labels)
	if err != nil {
		t.Fatal(err)
	}
	for name, src := range map[string]analysis.Source{"float64": wide, "float32": small, "stream": hidden{small}} {
		for _, threads := range []int{1, 2, 5} {
			next := 0
			err := analysis.Stages[[]analysis.Block]{
				InParts: true,
				Work: func(b *analysis.Block) (parts []analysis.Block, err error) {
					b.Parts(d, c, 16, func(part *analysis.Block) {
						kept := analysis.Block{Start: part.Start, N: part.N, Features: slices.Clone(part.Features), Logits: slices.Clone(part.Logits), Labels: slices.Clone(part.Labels)}
						parts = append(parts, kept)
					})
					return parts, nil
				},
				Then: func(b *analysis.Block, parts []analysis.Block) error {
					for _, part := range parts {
						from, to := part.Start, part.Start+part.N
						if from != next || part.N > 16 || !slices.Equal(part.Features, features[d*from:d*to]) || !slices.Equal(part.Logits, logits[c*from:c*to]) ||
							!slices.Equal(part.Labels, labels[from:to]) {
							t.Errorf("%s, %d threads: the part from row %d (after %d) is %+v", name, threads, from, next, part)
						}
						next = to
					}
					if next != b.Start+b.N || !slices.Equal(b.Labels, labels[b.Start:next]) {
						t.Errorf("%s, %d threads: the block of rows %d.. ends at %d with labels %v", name, threads, b.Start, next, b.Labels)
					}
					return nil
				},
			}.Sweep(t.Context(), src, size, threads)
			if err != nil || next != n {
				t.Errorf("%s, %d threads: %d of %d rows, %v", name, threads, next, n, err)
			}
		}
	}
}

// Of several errors the one of the earliest block is told, and nothing is added after it, as if there were one thread.
func TestStagesEndAtTheFirstError(t *testing.T) {
	for name, src := range map[string]analysis.Source{"memory": countedRows(t, 320), "stream": hidden{countedRows(t, 320)}} {
		for _, c := range []struct {
			failAt map[string]int
			want   string
			before int // blocks that Then has seen
		}{
			{map[string]int{"work": 100, "first": 200}, "work of row 100", 6},
			{map[string]int{"work": 200, "first": 100}, "first of row 100", 6},
			{map[string]int{"then": 3, "work": 20}, "then of row 3", 0},
			{map[string]int{"work": 319}, "work of row 319", 19},
		} {
			for _, threads := range []int{1, 2, 5} {
				s, err := sweepStages(t, src, threads, c.failAt)
				if err == nil || err.Error() != c.want || len(s.then) != c.before {
					t.Errorf("%s, %d threads, %v: %v after %v", name, threads, c.failAt, err, s.then)
				}
			}
		}
	}
}

// broken fails after some rows.
type broken struct{ analysis.Source }

func (b broken) Sweep(ctx context.Context, visit func(*analysis.Block) error) error {
	err := b.Source.(analysis.Ranger).SweepRows(ctx, 0, 100, visit)
	return errors.Join(err, errors.New("the file ends"))
}

func TestStagesTellOfASourceThatFails(t *testing.T) {
	for _, threads := range []int{1, 3} {
		s, err := sweepStages(t, broken{countedRows(t, 320)}, threads, map[string]int{})
		if err == nil || !strings.Contains(err.Error(), "the file ends") || !slices.Equal(s.then, []int{0, 16, 32, 48, 64, 80}) {
			t.Errorf("%d threads: %v after %v", threads, err, s.then)
		}
	}
	for _, src := range []analysis.Source{countedRows(t, 320), hidden{countedRows(t, 320)}} {
		ctx, cancel := context.WithCancel(t.Context())
		err := analysis.Stages[int]{
			Work: func(b *analysis.Block) (int, error) { return 0, nil },
			Then: func(b *analysis.Block, _ int) error {
				cancel()
				return nil
			},
		}.Sweep(ctx, src, 1, 2)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a sweep that is stopped gives %v", err)
		}
	}
}
