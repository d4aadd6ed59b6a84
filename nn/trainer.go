package nn

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"nctrain/kernels"
	"nctrain/nn/data"
)

// TrainSettings are SPEC 3's.
type TrainSettings struct {
	Epochs      int     `json:"epochs"`
	BatchSize   int     `json:"batch_size"`
	LR          float64 `json:"lr"`
	Momentum    float64 `json:"momentum"`
	WeightDecay float64 `json:"weight_decay"`
	Seed        uint64  `json:"seed"`
	Augment     bool    `json:"augment"`
}

// NotebookSettings are the notebook's.
func NotebookSettings() TrainSettings {
	return TrainSettings{Epochs: 400, BatchSize: 128, LR: 0.01, Momentum: 0.9, WeightDecay: 5e-4, Seed: 47, Augment: true}
}

// Validate names the first setting that makes no sense.
func (s TrainSettings) Validate() error {
	switch {
	case s.Epochs < 1:
		return fmt.Errorf("--epochs %d: at least 1", s.Epochs)
	case s.BatchSize < 1:
		return fmt.Errorf("--batch-size %d: at least 1", s.BatchSize)
	case !(s.LR >= 0) || s.LR > 1e6:
		return fmt.Errorf("--lr %v: a number of at least 0", s.LR)
	case !(s.Momentum >= 0 && s.Momentum < 1):
		return fmt.Errorf("--momentum %v: in [0, 1)", s.Momentum)
	case !(s.WeightDecay >= 0):
		return fmt.Errorf("--weight-decay %v: at least 0", s.WeightDecay)
	}
	return nil
}

// Epoch is a line of the history. Losses are means of the batch means; accuracies are shares. The test and val figures are nil where there is no such set.
type Epoch struct {
	Epoch         int // from 1
	LR            float64
	TrainLoss     float64
	TrainAccuracy float64   // running, augmented
	BatchLosses   []float64 `json:"-"` // of the epoch's batches, in order
	Test, Val     *Evaluation
}

// Evaluation is a network's loss and accuracy on a set, in eval mode.
type Evaluation struct {
	Loss, Accuracy float64
}

// Progress is where training stands, between two steps.
type Progress struct {
	Step    int       // updates done
	Epoch   int       // epochs done
	Batch   int       // batches done of the epoch under way
	Losses  []float64 // of those batches
	Correct []int32
}

// Trainer trains a network on a set that is resident on the device.
type Trainer struct {
	Progress Progress

	dev      kernels.Device
	model    *ResNet18
	set      *DeviceSet
	samples  int
	settings TrainSettings
	step     *StepState
	feedback *feedback
	full     *Plan
	last     *Plan // the short last batch; nil where the batch size divides the set
	pool     MemoryPool
}

// NewTrainer compiles the training plans for a placed model.
func NewTrainer(dev kernels.Device, model *ResNet18, set *data.Set, s TrainSettings, o PlanOptions) (*Trainer, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	t := &Trainer{dev: dev, model: model, settings: s, samples: len(set.Labels)}
	if set.Classes != model.Classes {
		return nil, fmt.Errorf("%s has %d classes, the network %d", set.Name, set.Classes, model.Classes)
	}
	var err error
	if t.set, err = NewDeviceSet(dev, o.Precision, set, model.Normalization); err != nil {
		return nil, err
	}
	if t.step, err = NewStepState(dev, t.Batches()); err != nil {
		return nil, err
	}
	if t.feedback, err = newFeedback(t.step); err != nil {
		return nil, err
	}
	full := min(s.BatchSize, t.samples)
	if t.full, err = t.compile(full, o); err != nil {
		return nil, err
	}
	if short := t.samples % full; short > 0 {
		if t.last, err = t.compile(short, o); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Batches is the number of batches of an epoch.
func (t *Trainer) Batches() int {
	return (t.samples + t.settings.BatchSize - 1) / t.settings.BatchSize
}

func (t *Trainer) compile(batch int, o PlanOptions) (*Plan, error) {
	g := NewGraph(true)
	x, labels := g.Batch(t.set, t.step, batch, t.settings.Augment)
	_, logits := t.model.Forward(g, x)
	g.Backward(g.CrossEntropy(logits, labels, t.step))
	g.Update(&t.model.Parameters, SGD{t.settings.Momentum, t.settings.WeightDecay}, t.step)
	g.Advance(t.step, batch)
	return Compile(t.dev, g, &t.pool, o)
}

// Plan is the plan of a full batch.
func (t *Trainer) Plan() *Plan { return t.full }

// RunEpoch trains the rest of the epoch under way and returns its line of the history, without test figures. When ctx ends it finishes the step under
// way, leaves Progress where the epoch can go on, and returns ctx's error. report, if not nil, gets the batches that are known to be done and the mean of their losses,
// of all batches last.
//
// Losses come back behind the steps: the device never stops for them within an epoch. Of a loss that is not finite the host so learns some steps later; those changed
// nothing, and the [NonFiniteError] names the step of the loss.
func (t *Trainer) RunEpoch(ctx context.Context, report func(batches int, loss float64)) (Epoch, error) {
	p := &t.Progress
	seed := t.settings.Seed
	if err := t.begin(); err != nil {
		return Epoch{}, err
	}
	lr := cosineLR(t.settings.LR, p.Epoch, t.settings.Epochs)
	if err := t.step.SetLR(lr); err != nil {
		return Epoch{}, err
	}
	if err := t.set.SetOrder(data.Order(t.samples, seed, p.Epoch)); err != nil {
		return Epoch{}, err
	}
	for total := t.Batches(); p.Batch < total; {
		if ctx.Err() != nil {
			return Epoch{}, errors.Join(t.follow(true, nil), ctx.Err())
		}
		plan := t.full
		if p.Batch == total-1 && t.last != nil {
			plan = t.last
		}
		if err := plan.Run(); err != nil {
			return Epoch{}, fmt.Errorf("step %d: %w", p.Step+1, err)
		}
		p.Batch++
		p.Step++
		if err := t.follow(p.Batch == total, report); err != nil {
			return Epoch{}, err
		}
	}
	hits := 0
	for _, c := range p.Correct {
		hits += int(c)
	}
	line := Epoch{
		Epoch: p.Epoch + 1, LR: lr, TrainLoss: mean(p.Losses), TrainAccuracy: float64(hits) / float64(t.samples), BatchLosses: p.Losses,
	}
	*p = Progress{Step: p.Step, Epoch: p.Epoch + 1}
	return line, nil
}

// begin puts the device's counters where Progress stands.
func (t *Trainer) begin() error {
	p := t.Progress
	t.feedback.forget()
	if err := t.step.Begin(p.Step, p.Batch, p.Batch*t.settings.BatchSize, p.Epoch, t.settings.Seed); err != nil {
		return err
	}
	return t.step.SetLosses(p.Losses, p.Correct)
}

// follow asks for the losses where that is due, and passes on what has arrived; at the end, where training stops, it waits for all. Otherwise it waits only where the
// host is two looks ahead of the device, for the older one: the device then still has the steps before the other to do.
func (t *Trainer) follow(end bool, report func(batches int, loss float64)) error {
	p := &t.Progress
	if end || p.Batch%askEvery == 0 {
		if err := t.feedback.ask(p.Batch); err != nil {
			return err
		}
	}
	for {
		n, err := t.feedback.take(end || t.feedback.full())
		if n == nil || err != nil {
			return err
		}
		if n.batches == p.Batch {
			p.Losses, p.Correct = slices.Clone(n.losses), slices.Clone(n.correct)
		}
		if report != nil {
			report(n.batches, mean(n.losses))
		}
	}
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}
