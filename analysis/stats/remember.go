package stats

import (
	"context"
	"sync"

	"nctrain/analysis"
)

// Remember gives a source over src that is swept for its sums once, however often they are asked for: NC and OOD of one checkpoint then share one sweep. It belongs to one
// head: the sums of the first that asks are kept.
func Remember(src analysis.Source, threads int) Summed {
	return &remembered{Source: src, take: func(ctx context.Context, head *analysis.Head) (*Sums, error) { return sweep(ctx, src, head, threads) }}
}

// remembered takes sums once.
type remembered struct {
	analysis.Source
	take  func(context.Context, *analysis.Head) (*Sums, error)
	mutex sync.Mutex
	sums  *Sums
}

// Unwrap gives the source that the sums are of.
func (r *remembered) Unwrap() analysis.Source { return r.Source }

func (r *remembered) Sums(ctx context.Context, head *analysis.Head) (*Sums, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.sums == nil {
		sums, err := r.take(ctx, head)
		if err != nil {
			return nil, err
		}
		r.sums = sums
	}
	return r.sums, nil
}
