package nn

import (
	"context"
	"fmt"

	"nctrain/kernels"
	"nctrain/nn/data"
)

// Evaluator runs a network in eval mode over a set in the set's own order, without augmentation. It reads the model's parameters as they are at each run.
type Evaluator struct {
	dev   kernels.Device
	name  string
	set   *DeviceSet
	step  *StepState
	batch int
	plans []evalPlan // of a full batch, and of the short last one
	pool  *MemoryPool
}

// evalPlan is a plan with the values that are read after it.
type evalPlan struct {
	*Plan
	batch                    int
	features, logits, labels *Value
}

// Rows are consecutive samples of an evaluation. The slices are reused: copy what is kept.
type Rows struct {
	N                int
	Features, Logits []float32 // [N,D], [N,C]
	Labels           []int32
}

// NewEvaluator uploads a set and compiles the plans for it. Evaluators may share a pool with each other, and with a trainer between its epochs.
func NewEvaluator(dev kernels.Device, model *ResNet18, set *data.Set, batch int, pool *MemoryPool, o PlanOptions) (*Evaluator, error) {
	e := &Evaluator{dev: dev, name: set.Name, pool: pool}
	o.prepare = true
	var err error
	if e.set, err = NewDeviceSet(dev, o.Precision, set, model.Normalization); err != nil {
		return nil, err
	}
	e.batch = min(batch, e.set.N)
	if e.step, err = NewStepState(dev, (e.set.N+e.batch-1)/e.batch); err != nil {
		return nil, err
	}
	sizes := []int{e.batch}
	if short := e.set.N % e.batch; short > 0 {
		sizes = append(sizes, short)
	}
	// Labels of a set with other classes (an out-of-distribution set) mean nothing to this network, so they have no loss.
	scored := set.Classes == model.Classes
	for _, n := range sizes {
		p := evalPlan{batch: n}
		g := NewGraph(false)
		var x *Value
		x, p.labels = g.Batch(e.set, e.step, n, false)
		p.features, p.logits = model.Forward(g, x)
		for _, v := range []*Value{p.features, p.logits, p.labels} {
			g.Keep(v)
		}
		if scored {
			g.CrossEntropy(p.logits, p.labels, e.step)
		}
		g.Advance(e.step, n)
		if p.Plan, err = Compile(dev, g, pool, o); err != nil {
			return nil, err
		}
		e.plans = append(e.plans, p)
	}
	return e, nil
}

// N is the number of samples.
func (e *Evaluator) N() int { return e.set.N }

// Evaluate is the mean over batches of the mean loss, and the accuracy.
func (e *Evaluator) Evaluate(ctx context.Context) (Evaluation, error) {
	if err := e.sweep(ctx, nil); err != nil {
		return Evaluation{}, err
	}
	losses, correct, err := e.step.Losses(e.step.slots)
	if err != nil {
		return Evaluation{}, err
	}
	hits := 0
	for _, c := range correct {
		hits += int(c)
	}
	return Evaluation{Loss: mean(losses), Accuracy: float64(hits) / float64(e.set.N)}, nil
}

// Each passes features, logits and labels of all samples to f, a batch at a time.
func (e *Evaluator) Each(ctx context.Context, f func(Rows) error) error {
	d, c := e.plans[0].features.Dims[1], e.plans[0].logits.Dims[1]
	rows := Rows{Features: make([]float32, e.batch*d), Logits: make([]float32, e.batch*c), Labels: make([]int32, e.batch)}
	return e.sweep(ctx, func(p evalPlan) error {
		r := Rows{N: p.batch, Features: rows.Features[:p.batch*d], Logits: rows.Logits[:p.batch*c], Labels: rows.Labels[:p.batch]}
		if err := kernels.Download(e.dev, r.Features, p.Buffer(p.features)); err != nil {
			return err
		}
		if err := kernels.Download(e.dev, r.Logits, p.Buffer(p.logits)); err != nil {
			return err
		}
		if err := kernels.Download(e.dev, r.Labels, p.Buffer(p.labels)); err != nil {
			return err
		}
		return f(r)
	})
}

func (e *Evaluator) sweep(ctx context.Context, f func(evalPlan) error) error {
	if err := e.Rewind(); err != nil {
		return err
	}
	p := e.plans[0]
	for done := 0; done < e.set.N; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if e.set.N-done < p.batch {
			p = e.plans[1]
			if err := p.Prepare(); err != nil {
				return err
			}
		}
		if err := p.Run(); err != nil {
			return fmt.Errorf("%s: sample %d: %w", e.name, done, err)
		}
		done += p.batch
		if f != nil {
			if err := f(p); err != nil {
				return err
			}
		}
	}
	return e.dev.Synchronize()
}

// Close frees what is the evaluator's own: the set, the state and the recordings.
func (e *Evaluator) Close() error {
	e.set.Free()
	e.step.Free()
	for _, p := range e.plans {
		if err := p.Close(); err != nil {
			return err
		}
	}
	return nil
}
