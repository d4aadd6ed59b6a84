package nn

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// State is what resumes a run to the bits of one that was never stopped: weights, momentum, and where training stands. Sample order and augmentation
// are functions of seed, epoch and sample, and the learning rate of the epoch, so no generator's state is needed beside Seed.
type State struct {
	Settings json.RawMessage // the run's config.json
	Seed     uint64
	Progress Progress
	History  []Epoch
	Model    []Tensor // PyTorch's names
	Momentum []Tensor // by parameter name
}

// stateMetadata is the header's JSON; the tensors hold the rest.
type stateMetadata struct {
	Settings json.RawMessage `json:"settings,omitempty"`
	Seed     uint64          `json:"seed"`
	Step     int             `json:"step"`
	Epoch    int             `json:"epoch"`
	Batch    int             `json:"batch"`
	History  []Epoch         `json:"history"`
	Hash     string          `json:"hash,omitempty"` // of the tensors; states of earlier versions have none
}

const (
	modelPrefix = "model."
	optimPrefix = "optim."
	statePrefix = "state."
)

// StatePaths are where a run keeps its last state and the one before.
func StatePaths(dir string) (last, prev string) {
	return filepath.Join(dir, "state", "last.safetensors"), filepath.Join(dir, "state", "prev.safetensors")
}

// SaveState writes a state beside the last one, which becomes the previous: at every moment one of the two is whole.
func SaveState(dir string, s State) error {
	last, prev := StatePaths(dir)
	if err := os.MkdirAll(filepath.Dir(last), 0o755); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	p := s.Progress
	tensors := []Tensor{
		NewTensor(statePrefix+"losses", p.Losses, len(p.Losses)),
		NewTensor(statePrefix+"correct", p.Correct, len(p.Correct)),
	}
	for _, t := range s.Model {
		t.Name = modelPrefix + t.Name
		tensors = append(tensors, t)
	}
	for _, t := range s.Momentum {
		t.Name = optimPrefix + t.Name
		tensors = append(tensors, t)
	}
	meta := stateMetadata{Settings: s.Settings, Seed: s.Seed, Step: p.Step, Epoch: p.Epoch, Batch: p.Batch, History: s.History, Hash: Hash(tensors)}
	next := last + ".next"
	if err := writeSafetensors(next, tensors, meta); err != nil {
		return err
	}
	if err := os.Rename(last, prev); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("state: %w", err)
	}
	if err := os.Rename(next, last); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}

// LoadState reads a run's last state, or the one before it where the last is missing or damaged; warning then says so.
func LoadState(dir string) (s State, warning string, err error) {
	last, prev := StatePaths(dir)
	if s, err = readState(last); err == nil {
		return s, "", nil
	}
	if s, second := readState(prev); second == nil {
		return s, fmt.Sprintf("%v; going on from the state before it (epoch %d, batch %d)", err, s.Progress.Epoch, s.Progress.Batch), nil
	}
	return State{}, "", fmt.Errorf("%w; nothing to resume in %s: begin again with --overwrite", err, dir)
}

func readState(path string) (State, error) {
	var meta stateMetadata
	tensors, err := readSafetensors(path, &meta)
	if err != nil {
		return State{}, err
	}
	if meta.Hash != "" {
		if hash := Hash(tensors); hash != meta.Hash {
			return State{}, fmt.Errorf("state: %s: the tensors' hash is %.12s, the file says %.12s: the file is damaged", path, hash, meta.Hash)
		}
	}
	s := State{
		Settings: meta.Settings, Seed: meta.Seed, History: meta.History,
		Progress: Progress{Step: meta.Step, Epoch: meta.Epoch, Batch: meta.Batch},
	}
	for _, t := range tensors {
		name := t.Name
		switch {
		case strings.HasPrefix(name, modelPrefix):
			t.Name = name[len(modelPrefix):]
			s.Model = append(s.Model, t)
		case strings.HasPrefix(name, optimPrefix):
			t.Name = name[len(optimPrefix):]
			s.Momentum = append(s.Momentum, t)
		case name == statePrefix+"losses" && t.DType == F64:
			s.Progress.Losses = View[float64](t)
		case name == statePrefix+"correct" && t.DType == I32:
			s.Progress.Correct = View[int32](t)
		default:
			return State{}, fmt.Errorf("state: %s: unknown tensor %s: was it written by this program?", path, name)
		}
	}
	if len(s.Progress.Losses) != meta.Batch || len(s.Progress.Correct) != meta.Batch || meta.Step < 0 || meta.Epoch < 0 || meta.Epoch != len(meta.History) {
		return State{}, fmt.Errorf("state: %s: %d losses and %d counts for %d batches, %d lines of history for %d epochs: the file is damaged",
			path, len(s.Progress.Losses), len(s.Progress.Correct), meta.Batch, len(meta.History), meta.Epoch)
	}
	return s, nil
}
