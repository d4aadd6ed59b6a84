// Package run is a run directory and what fills it: training, checkpoints, and the analysis of each checkpoint as it comes.
//
// The directory (SPEC 10) is the run's whole memory. state/ is the commit point: whatever was written before a kill and is not
// covered by the last state is written again, to the same bits, when the run is resumed.
package run

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"nctrain/nn"
	"nctrain/nn/data"
)

// Settings decide every number of a run: two runs with the same settings, on the same device with the same variants, have the same bits.
type Settings struct {
	Data            string           `json:"data"`
	Test            string           `json:"test,omitempty"`
	OOD             []NamedSet       `json:"ood,omitempty"`
	Limit           int              `json:"limit,omitempty"`
	ImageSize       int              `json:"image_size"`
	ValFraction     float64          `json:"val_fraction,omitempty"`
	Width           int              `json:"width"`
	CheckpointEvery int              `json:"checkpoint_every"`
	Precision       string           `json:"precision"`
	Pinned          []string         `json:"pinned_variants,omitempty"`
	Training        nn.TrainSettings `json:"training"`
	Analysis        *Analysis        `json:"analysis,omitempty"` // nil: training alone
	From            *Origin          `json:"from,omitempty"`     // nil: from initial weights
}

// Origin is the checkpoint of the notebook that a run goes on from.
type Origin struct {
	File       string `json:"file"`
	Checkpoint string `json:"checkpoint"` // identity of its weights
	Epoch      int    `json:"epoch"`      // epochs done
}

// NamedSet is a data set under the name its results get.
type NamedSet struct {
	Name string `json:"name"`
	Set  string `json:"set"`
}

// Analysis says what is computed of each checkpoint beside neural collapse.
type Analysis struct {
	Scores       []string `json:"scores,omitempty"` // empty: the notebook's six
	Notebook     bool     `json:"notebook,omitempty"`
	KeepFeatures bool     `json:"keep_features,omitempty"`
}

// Validate names the first setting that makes no sense.
func (s *Settings) Validate() error {
	switch {
	case s.Width < 1 || s.Width > 1<<12:
		return fmt.Errorf("--width %d: from 1 to 4096", s.Width)
	case s.CheckpointEvery < 0:
		return fmt.Errorf("--checkpoint-every %d: a number of epochs, or 0 for the first and the last alone", s.CheckpointEvery)
	case s.Limit < 0:
		return fmt.Errorf("--limit %d: a number of images, or 0 for all", s.Limit)
	case s.ValFraction != 0 && !(s.ValFraction > 0 && s.ValFraction < 1):
		return fmt.Errorf("--val-fraction %v: a share of the training images in [0, 1)", s.ValFraction)
	}
	return s.Training.Validate()
}

// Names tells whether a split of a set is one that the run reads, so that its Limit is meant for it.
func (s *Settings) Names(set, split string) bool {
	if split != data.Test {
		return set == s.Data
	}
	return set == cmp.Or(s.Test, s.Data) || slices.ContainsFunc(s.OOD, func(named NamedSet) bool { return named.Set == set })
}

// adopt takes over what the notebook's checkpoint decides.
func (s *Settings) adopt(from *nn.NotebookRun) {
	t, was := &s.Training, from.Settings
	t.Epochs, t.LR, t.Momentum, t.WeightDecay = was.Epochs, was.LR, was.Momentum, was.WeightDecay
	s.Width = from.Model.Width
	s.From = &Origin{File: from.Path, Checkpoint: from.Meta.Hash, Epoch: from.Meta.Epoch}
	if absolute, err := filepath.Abs(from.Path); err == nil {
		s.From.File = absolute
	}
}

// first is the epoch at which the run began.
func (s *Settings) first() int {
	if s.From != nil {
		return s.From.Epoch
	}
	return 0
}

// due tells whether weights are kept at an epoch.
func (s *Settings) due(epoch int) bool {
	return epoch == s.first() || epoch == s.Training.Epochs || (s.CheckpointEvery > 0 && epoch%s.CheckpointEvery == 0)
}

// encoded is what every file of the run carries of its settings.
func (s *Settings) encoded() (json.RawMessage, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("run: settings: %w", err)
	}
	return text, nil
}

// checkTrained is an error where a state was trained with other settings; analysis may have been added since.
func (s *Settings) checkTrained(state json.RawMessage) error {
	var was Settings
	if err := json.Unmarshal(state, &was); err != nil {
		return fmt.Errorf("the settings in state/ cannot be read: %w: was it written by this program?", err)
	}
	now := *s
	for _, each := range []*Settings{&was, &now} {
		each.Analysis, each.OOD = nil, nil
	}
	a, err := was.encoded()
	if err != nil {
		return err
	}
	b, err := now.encoded()
	if err != nil {
		return err
	}
	if !slices.Equal(a, b) {
		return errors.New("its settings are not those of state/: it was changed by hand; bring it back, or start a new run")
	}
	return nil
}

// ParseNamed reads "[NAME=]SET" items. A set without a name is called by its kind, or by its file's name where the kind tells nothing.
func ParseNamed(items []string) ([]NamedSet, error) {
	var sets []NamedSet
	for _, item := range items {
		name, set, named := strings.Cut(item, "=")
		if !named || strings.ContainsAny(name, ":/") {
			set = item
			name, _, _ = strings.Cut(item, ":")
			if name == "npz" || name == "folder" {
				base := filepath.Base(set)
				name = strings.TrimSuffix(base, filepath.Ext(base))
			}
		}
		switch {
		case name == "" || set == "":
			return nil, fmt.Errorf("%q: write SET or NAME=SET", item)
		case name == "id" || strings.ContainsAny(name, "/,"):
			return nil, fmt.Errorf("%q: the name %q is taken or holds a slash or comma: write NAME=%s with another name", item, name, set)
		case slices.ContainsFunc(sets, func(s NamedSet) bool { return s.Name == name }):
			return nil, fmt.Errorf("%q: two sets are called %q: write NAME=%s with another name", item, name, set)
		}
		sets = append(sets, NamedSet{Name: name, Set: set})
	}
	return sets, nil
}

// AbsoluteSet makes the path of a set independent of the directory in which a run is resumed.
func AbsoluteSet(spec string) string {
	kind, path, hasPath := strings.Cut(spec, ":")
	if !hasPath || path == "" {
		return spec
	}
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	return kind + ":" + path
}
