package kernels

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// BenchOptions say how long to measure. The zero value is a good choice.
type BenchOptions struct {
	Samples    int           // timed runs; 0: 30
	MaxTime    time.Duration // no further sample after so long, but at least three (one where Samples is 1); 0: one second
	CacheBytes int           // calls rotate over buffers of at least so many bytes together, so that none finds its operands in a cache; 0: 128 MiB
	Roofline   Roofline      // what BenchResult.Share is of; zero: no share
}

func (o BenchOptions) withDefaults() BenchOptions {
	if o.Samples <= 0 {
		o.Samples = 30
	}
	if o.MaxTime <= 0 {
		o.MaxTime = time.Second
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = 128 << 20
	}
	return o
}

// BenchResult is how fast a variant did a call. Rates are of the median, and of the work of the direct algorithm with every operand moved once
// ([Op.Cost]), so those of a transform may exceed the roofline; the share is of what the variant's own algorithm allows ([Variant.Limit]).
type BenchResult struct {
	Median, Min time.Duration // of one call
	Samples     int
	Cost        Cost
	GFLOPS      float64 // 1e9 flop a second
	GBps        float64 // 1e9 bytes a second
	Share       float64 // of the variant's limit, 0 without a roofline
}

// Bench measures a variant at a shape in its fullest form (all flags, all optional operands), on random inputs, its weights packed beforehand (a plan
// packs once a step).
func Bench(dev Device, v *Variant, p Precision, s Shape, o BenchOptions) (BenchResult, error) {
	o = o.withDefaults()
	run, err := newBenchRun(dev, v, p, s, o)
	if err != nil {
		return BenchResult{}, fmt.Errorf("bench %v %v at %v: %w", v, p, s, err)
	}
	defer run.close()
	var times []time.Duration
	for start := time.Now(); len(times) < o.Samples && (len(times) < 3 || time.Since(start) < o.MaxTime); {
		t, err := run.time()
		if err != nil {
			return BenchResult{}, fmt.Errorf("bench %v %v at %v: %w", v, p, s, err)
		}
		times = append(times, t)
	}
	slices.Sort(times)
	return run.result(times[len(times)/2], times[0], len(times)), nil
}

// benchRun is a recording of one call on each of several sets of buffers.
type benchRun struct {
	dev     Device
	cost    Cost
	limit   float64 // seconds
	buffers []Buffer
	calls   int
	rec     Recording
}

// maxBenchSets bounds the calls of a recording: the smallest operands may then stay in a cache, beside a fork and join that takes as long as they do.
const maxBenchSets = 4096

func newBenchRun(dev Device, v *Variant, p Precision, s Shape, o BenchOptions) (_ *benchRun, err error) {
	if err := v.Check(s, p, dev.Capabilities()); err != nil {
		return nil, err
	}
	need, err := dev.Requirements(v, s, p)
	if err != nil {
		return nil, err
	}
	op := v.Op.Op()
	r := &benchRun{dev: dev, cost: op.Cost(s, p, nil)}
	r.limit = v.Limit(s, r.cost, o.Roofline)
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	bytes := 0
	for _, operand := range op.Operands {
		bytes += operand.Len(s) * operand.Type.Size(p)
	}
	r.calls = min(max((o.CacheBytes+bytes-1)/bytes, 2), maxBenchSets)

	call := Call{Op: op.ID, Shape: s, Precision: p, Flags: op.Flags, Tensors: tensorsOf(op.ID, s)}
	if need.Workspace > 0 {
		if call.Workspace, err = r.alloc(need.Workspace); err != nil {
			return nil, err
		}
	}
	calls := make([]Call, r.calls)
	for i := range calls {
		calls[i] = call
		for j, o := range op.Operands {
			if calls[i].Operands[j], err = r.alloc(o.Len(s) * o.Type.Size(p)); err != nil {
				return nil, err
			}
		}
	}
	if err = r.fill(op, calls); err != nil {
		return nil, err
	}
	if v.Pack {
		if err = r.pack(v, calls, need.Packed); err != nil {
			return nil, err
		}
	}
	r.rec, err = dev.Capture(func() error {
		for i := range calls {
			if err := dev.Launch(v, &calls[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	_, err = r.time() // first touches of fresh memory are not what is measured
	return r, err
}

func (r *benchRun) alloc(bytes int) (Buffer, error) {
	b, err := r.dev.Alloc(bytes)
	if err == nil {
		r.buffers = append(r.buffers, b)
	}
	return b, err
}

// fill draws inputs as the conformance suite does, but of large operands one block that is repeated: speed depends on zeros, denormals and NaN, not on
// more.
func (r *benchRun) fill(op *Op, calls []Call) error {
	const block = 1 << 16
	s, p := calls[0].Shape, calls[0].Precision
	in := &inputs{op: op, shape: s, p: p, tier: reals, rng: rand.New(rand.NewPCG(1, uint64(op.ID)))}
	in.drawScalars()
	for i := range op.Operands {
		o := &op.Operands[i]
		if o.Role == Out {
			continue
		}
		n, size := o.Len(s), o.Type.Size(p)
		if o.Type == Real || o.Type == Uint8 {
			n = min(n, block)
		}
		values := make([]float64, n)
		in.draw(o, values)
		host := make([]byte, o.Len(s)*size)
		encode(host, values, o.Type, p)
		for filled := n * size; filled < len(host); filled *= 2 {
			copy(host[filled:], host[:filled])
		}
		for j := range calls {
			if err := r.dev.Upload(calls[j].Operands[i], host); err != nil {
				return err
			}
		}
	}
	for j := range calls {
		copy(calls[j].Scalars[:], in.scalars)
	}
	return nil
}

// pack puts packed weights in the weights' place.
func (r *benchRun) pack(v *Variant, calls []Call, bytes int) error {
	weight := slices.IndexFunc(v.Op.Op().Operands, func(o Operand) bool { return o.Weight })
	for i := range calls {
		c := &calls[i]
		packed, err := r.alloc(bytes)
		if err != nil {
			return err
		}
		if err := r.dev.Pack(v, c.Shape, c.Precision, c.Operands[weight], packed); err != nil {
			return err
		}
		c.Operands[weight] = packed
	}
	return r.dev.Synchronize()
}

// time runs the recording once and gives the time of one call.
func (r *benchRun) time() (time.Duration, error) {
	start := time.Now()
	err := errors.Join(r.rec.Replay(), r.dev.Synchronize())
	return time.Since(start) / time.Duration(r.calls), err
}

func (r *benchRun) result(median, least time.Duration, samples int) BenchResult {
	seconds := median.Seconds()
	result := BenchResult{Median: median, Min: least, Samples: samples, Cost: r.cost}
	if seconds > 0 {
		result.GFLOPS, result.GBps = r.cost.Flop/seconds/1e9, r.cost.Bytes/seconds/1e9
		result.Share = r.limit / seconds
	}
	return result
}

func (r *benchRun) close() {
	if r.rec != nil {
		r.rec.Close()
	}
	for _, b := range r.buffers {
		r.dev.Free(b)
	}
}
