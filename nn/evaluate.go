package nn

import (
	"context"
	"fmt"

	"nctrain/kernels"
	"nctrain/nn/data"
)

// Evaluator runs a network in eval mode over a set in the set's own order, without augmentation. It reads the model's parameters as they are at each run. What it holds is the device's, and
// goes with it.
type Evaluator struct {
	dev   kernels.Device
	name  string
	set   *DeviceSet
	step  *StepState
	batch int
	plans []evalPlan // of a full batch, and of the short last one
	pool  *MemoryPool
	sums  *moments // nil: the features are not summed
}

// evalPlan is a plan with the values that are read after it.
type evalPlan struct {
	*Plan
	batch                    int
	features, logits, labels *Value
	rows                     [2]kernels.Readback // of these, for [Evaluator.Each]: one is looked at while the next batch is computed
}

// Rows are consecutive samples of an evaluation. The slices are good for one call: copy what is kept.
type Rows struct {
	N                int
	Features, Logits []float32 // [N,D], [N,C]
	Labels           []int32
}

// NewEvaluator uploads a set and compiles the plans for it. Evaluators may share a pool with each other, and with a trainer between its epochs.
func NewEvaluator(dev kernels.Device, model *ResNet18, set *data.Set, batch int, pool *MemoryPool, o PlanOptions) (*Evaluator, error) {
	return newEvaluator(dev, model, set, batch, pool, o, nil)
}

// NewSummingEvaluator is NewEvaluator for a set of the network's classes, whose features are summed by class on the device while they are computed
// ([Evaluator.ClassSums]).
func NewSummingEvaluator(dev kernels.Device, model *ResNet18, set *data.Set, batch int, pool *MemoryPool, o PlanOptions) (*Evaluator, error) {
	if set.Classes != model.Classes {
		return nil, fmt.Errorf("%s has %d classes, the network %d", set.Name, set.Classes, model.Classes)
	}
	sums, err := newMoments(dev, model.Classes, model.Features())
	if err != nil {
		return nil, err
	}
	return newEvaluator(dev, model, set, batch, pool, o, sums)
}

func newEvaluator(dev kernels.Device, model *ResNet18, set *data.Set, batch int, pool *MemoryPool, o PlanOptions, sums *moments) (*Evaluator, error) {
	e := &Evaluator{dev: dev, name: set.Name, pool: pool, sums: sums}
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
		if sums != nil {
			g.classMoments(p.features, p.labels, sums)
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

// Each passes features, logits and labels of all samples to f, a batch at a time, while the device computes the next.
func (e *Evaluator) Each(ctx context.Context, f func(Rows) error) error {
	if err := e.prepareRows(); err != nil {
		return err
	}
	var before *evalPlan // whose rows are on their way
	batches := 0
	pass := func() error {
		if before == nil {
			return nil
		}
		r := before.rows[(batches+1)%2]
		if err := r.Wait(); err != nil {
			return err
		}
		return f(Rows{before.batch, kernels.Read[float32](r, 0), kernels.Read[float32](r, 1), kernels.Read[int32](r, 2)})
	}
	err := e.sweep(ctx, func(p *evalPlan) error {
		if err := p.rows[batches%2].Queue(); err != nil {
			return err
		}
		if err := pass(); err != nil {
			return err
		}
		before = p
		batches++
		return nil
	})
	if err != nil {
		return err
	}
	return pass()
}

// prepareRows makes the readbacks of all plans.
func (e *Evaluator) prepareRows() error {
	for i := range e.plans {
		p := &e.plans[i]
		for j := range p.rows {
			if p.rows[j] != nil {
				continue
			}
			var err error
			if p.rows[j], err = e.dev.NewReadback(p.Buffer(p.features), p.Buffer(p.logits), p.Buffer(p.labels)); err != nil {
				return fmt.Errorf("%s: %w", e.name, err)
			}
		}
	}
	return nil
}

// ClassSums reads the sums of the features of the last whole sweep, of a [NewSummingEvaluator].
func (e *Evaluator) ClassSums() (*ClassSums, error) { return e.sums.read() }

func (e *Evaluator) sweep(ctx context.Context, f func(*evalPlan) error) error {
	if err := e.Rewind(); err != nil {
		return err
	}
	p := &e.plans[0]
	for done := 0; done < e.set.N; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if e.set.N-done < p.batch {
			p = &e.plans[1]
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
