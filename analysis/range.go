package analysis

import (
	"context"
	"fmt"
)

// Ranger is a source that can begin at any row without reading those before it. The sources of this package are.
type Ranger interface {
	Source
	// SweepRows is Sweep of rows from..to-1; Block.Start counts from the set's first row all the same.
	SweepRows(ctx context.Context, from, to int, visit func(*Block) error) error
}

// Range gives rows from..to-1 of src as a source of its own. Block.Start stays that of src, so that a message names the row of the file. It panics where there are no such
// rows.
func Range(src Ranger, from, to int) Source {
	if n := src.Info().N; from < 0 || from >= to || to > n {
		panic(fmt.Sprintf("analysis: no rows %d..%d among %d", from, to, n))
	}
	return &ranged{src, from, to}
}

type ranged struct {
	whole    Ranger
	from, to int
}

func (r *ranged) Info() Info {
	info := r.whole.Info()
	info.N = r.to - r.from
	return info
}

func (r *ranged) Sweep(ctx context.Context, visit func(*Block) error) error {
	return r.whole.SweepRows(ctx, r.from, r.to, visit)
}
