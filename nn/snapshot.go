package nn

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Pool is the memory of the trainer's plans, which evaluators may use between its epochs.
func (t *Trainer) Pool() *MemoryPool { return &t.pool }

// Snapshot reads back what resumes this trainer. Settings and history are the caller's.
func (t *Trainer) Snapshot(settings json.RawMessage, history []Epoch) (State, error) {
	s := State{Settings: settings, Seed: t.settings.Seed, Progress: t.Progress, History: history}
	s.Progress.Losses, s.Progress.Correct = slices.Clone(t.Progress.Losses), slices.Clone(t.Progress.Correct)
	var err error
	if s.Model, err = t.model.Save(); err != nil {
		return State{}, err
	}
	s.Momentum, err = t.model.saveMomentum()
	return s, err
}

// Restore puts weights, momentum and progress back where a state stands.
func (t *Trainer) Restore(s State) error {
	p := s.Progress
	switch {
	case s.Seed != t.settings.Seed:
		return fmt.Errorf("state: seed %d, the settings say %d: these are of two runs", s.Seed, t.settings.Seed)
	case p.Epoch > t.settings.Epochs || p.Batch > t.Batches():
		return fmt.Errorf("state: epoch %d, batch %d: the settings have %d epochs of %d batches: these are of two runs", p.Epoch, p.Batch, t.settings.Epochs, t.Batches())
	}
	if err := t.model.Load(s.Model); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if err := t.model.loadMomentum(s.Momentum); err != nil {
		return fmt.Errorf("state: momentum: %w", err)
	}
	t.Progress = p
	return nil
}
