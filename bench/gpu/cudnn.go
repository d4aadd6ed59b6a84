package main

import (
	"context"
	"fmt"
)

// cudnnResult is the network's convolutions, ours beside cuDNN's.
type cudnnResult struct {
	Outcome *outcome       `json:"outcome"`
	Torch   torchVersion   `json:"torch"`
	Bar     float64        `json:"bar"`
	Rounds  int            `json:"rounds"`
	Layers  []*layerResult `json:"layers"`
}

// layerResult is one direction of one convolution at one precision.
type layerResult struct {
	Op        string    `json:"op"`
	Precision string    `json:"precision"`
	Shape     string    `json:"shape"`
	Ours      contender `json:"ours"` // its name is the variant's
	CuDNN     contender `json:"cudnn"`
}

// cudnnBar is issue 5's first bar: a convolution takes at most so many times cuDNN's time.
const cudnnBar = 2

// benchCacheBytes is what kernels.Bench rotates its operands over at least; cuDNN's do as well. The rehearsal takes two sets.
const benchCacheBytes = 128 << 20

func (s *session) cudnn(ctx context.Context) error {
	r := &s.results.CuDNN
	*r = cudnnResult{Outcome: r.Outcome, Bar: cudnnBar, Rounds: s.scale.Rounds}
	layers := s.results.Kernels.layers()
	if len(layers) == 0 {
		return fmt.Errorf("%w: the step kernels has measured no convolution: --only kernels,cudnn", errLeftOut)
	}
	t, err := s.startTorch(ctx)
	if err != nil {
		r.Torch.Error = err.Error()
		return fmt.Errorf("%w: %w", errLeftOut, err)
	}
	defer t.close()
	r.Torch = t.torchVersion
	for _, l := range layers {
		r.Layers = append(r.Layers, &layerResult{Op: l.Op, Precision: l.Precision, Shape: l.Shape, Ours: contender{Name: l.Variant, Ours: true}, CuDNN: contender{Name: "cuDNN"}})
	}
	// A batch is one process of ours, and the same layers of cuDNN's.
	type batch struct{ op, precision, variant string }
	var batches []batch
	byBatch := map[batch][]*layerResult{}
	for _, l := range r.Layers {
		b := batch{l.Op, l.Precision, l.Ours.Name}
		if byBatch[b] == nil {
			batches = append(batches, b)
		}
		byBatch[b] = append(byBatch[b], l)
	}
	for round := range s.scale.Rounds {
		for i, b := range batches {
			list := byBatch[b]
			sides := []func(context.Context) error{
				func(ctx context.Context) error { return s.ourLayers(ctx, b.op, b.precision, b.variant, list) },
				func(ctx context.Context) error { return s.cudnnLayers(ctx, t, list) },
			}
			for j := range sides {
				if err := sides[(i+j+round)%2](ctx); err != nil {
					return fmt.Errorf("in round %d of %d, at %s %s: %w", round+1, s.scale.Rounds, b.op, b.precision, err)
				}
			}
			if err := s.save(); err != nil {
				return err
			}
		}
	}
	return nil
}

// ourLayers measures layers that have one variant in common, once.
func (s *session) ourLayers(ctx context.Context, op, precision, variant string, list []*layerResult) error {
	_, rows, err := s.benchKernels(ctx, op, precision, "--variant", op+"="+variant)
	if err != nil {
		return err
	}
	for _, l := range list {
		for _, row := range rows {
			if row.Shape == l.Shape && row.Variant == variant && row.Ms > 0 {
				l.Ours.Ms = append(l.Ours.Ms, row.Ms)
			}
		}
	}
	return nil
}

// cudnnLayers measures the same of cuDNN. A layer that fails is left out, and says why; it ends the step where PyTorch itself has ended.
func (s *session) cudnnLayers(ctx context.Context, t *torch, list []*layerResult) error {
	cache := benchCacheBytes
	if s.results.Rehearsal {
		cache = 1
	}
	for _, l := range list {
		if l.CuDNN.Problem != "" {
			continue
		}
		shape, err := parseShape(l.Shape)
		if err != nil {
			return err
		}
		ms, err := t.ask(ctx, torchRequest{Task: "conv", Op: l.Op, Precision: l.Precision, Shape: &shape, CacheBytes: cache, Samples: s.scale.Steps})
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			l.CuDNN.Problem = err.Error()
		default:
			l.CuDNN.Ms = append(l.CuDNN.Ms, ms)
		}
	}
	return nil
}
