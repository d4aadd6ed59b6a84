package nn

// Rewind puts the device's counters at the first batch and the learning rate at 0, so that [Trainer.Plan] can be run and profiled without changing the
// weights (the running statistics of batch norms do change). RunEpoch sets its own counters and rate again.
func (t *Trainer) Rewind() error {
	if err := t.step.SetLR(0); err != nil {
		return err
	}
	return t.step.Begin(0, 0, 0, 0, t.settings.Seed)
}

// Plan is the plan of a full batch.
func (e *Evaluator) Plan() *Plan { return e.plans[0].Plan }

// Rewind puts the device's counters at the first sample, starts class sums anew and prepares [Evaluator.Plan] with the parameters as they are, so that it
// can be run and profiled.
func (e *Evaluator) Rewind() error {
	if err := e.step.Begin(0, 0, 0, 0, 0); err != nil {
		return err
	}
	if e.sums != nil {
		if err := e.sums.clear(); err != nil {
			return err
		}
	}
	return e.plans[0].Prepare()
}
