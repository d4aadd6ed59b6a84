package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"nctrain/bench/internal/contest"
)

// speedResult is the training step and the feature sweep, beside PyTorch's.
type speedResult struct {
	Outcome *outcome     `json:"outcome"`
	Torch   torchVersion `json:"torch"`
	Width   int          `json:"width"`
	Rounds  int          `json:"rounds"`
	Groups  []*group     `json:"groups"`
}

// group is measured in the same rounds.
type group struct {
	Title      string       `json:"title"`
	Task       string       `json:"task"` // "train" or "infer"
	Batch      int          `json:"batch"`
	Contenders []*contender `json:"contenders"`
}

// contender is one program with its settings. It is measured once in each round.
type contender struct {
	Name      string `json:"name"`
	Precision string `json:"precision"`
	Ours      bool   `json:"ours"`
	// Ms is the median of each round, of one batch. Of nctrain under the emulated driver there is none: only that it ran.
	Ms      []float64       `json:"ms"`
	Problem string          `json:"problem,omitempty"`
	Profile json.RawMessage `json:"profile,omitempty"` // of nctrain: what `bench --json` wrote in the last round

	measure func(context.Context) (ms float64, err error)
}

// interleave measures everybody once a round, and nobody always after the same neighbour. Who fails is left out from then on.
func interleave(ctx context.Context, rounds int, list []*contender, save func() error) error {
	for round := range rounds {
		for i := range list {
			c := list[(i+round)%len(list)]
			if c.Problem != "" {
				continue
			}
			ms, err := c.measure(ctx)
			switch {
			case ctx.Err() != nil:
				return fmt.Errorf("in round %d of %d, at %s: %w", round+1, rounds, c.Name, ctx.Err())
			case err != nil:
				c.Problem = err.Error()
			case ms > 0:
				c.Ms = append(c.Ms, ms)
			}
			if err := save(); err != nil {
				return err
			}
		}
	}
	return nil
}

// median of the rounds, 0 of none.
func (c *contender) median() float64 {
	if len(c.Ms) == 0 {
		return 0
	}
	return contest.Median(c.Ms)
}

// over is the median over rounds of how many times as long c took as other, 0 where they have no round in common.
func (c *contender) over(other *contender) float64 {
	var ratios []float64
	for i := range min(len(c.Ms), len(other.Ms)) {
		ratios = append(ratios, c.Ms[i]/other.Ms[i])
	}
	if len(ratios) == 0 {
		return 0
	}
	return contest.Median(ratios)
}

// benchCommands are nctrain's names of the tasks.
var benchCommands = map[string]string{"train": "train-step", "infer": "infer"}

// us is nctrain at a task.
func (s *session) us(task, precision string, batch int) *contender {
	c := &contender{Name: "nctrain " + precision, Precision: precision, Ours: true}
	c.measure = func(ctx context.Context) (float64, error) {
		c.Profile = nil
		if err := s.program(ctx, &c.Profile, "bench", benchCommands[task], "--device", "cuda", "--precision", precision, "--width", strconv.Itoa(s.scale.Width),
			"--batch", strconv.Itoa(batch), "--steps", strconv.Itoa(s.scale.Steps)); err != nil {
			return 0, err
		}
		if s.results.Emulated {
			c.Profile = nil // its times are the emulator's
			return 0, nil
		}
		var m struct {
			Step struct {
				Median float64 `json:"median"`
			} `json:"step_ms"`
		}
		return m.Step.Median, json.Unmarshal(c.Profile, &m)
	}
	return c
}

// them is PyTorch at a task.
func (s *session) them(t *torch, task, precision string, channelsLast bool, compile string, batch int) *contender {
	c := &contender{Name: "PyTorch " + precision, Precision: precision}
	if channelsLast {
		c.Name += ", channels_last"
	}
	if compile != "" {
		c.Name += ", torch.compile (" + compile + ")"
	}
	c.measure = func(ctx context.Context) (float64, error) {
		return t.ask(ctx, torchRequest{Task: task, Precision: precision, Samples: s.scale.Steps, ChannelsLast: &channelsLast, Compile: &compile, Width: s.scale.Width, Batch: batch})
	}
	return c
}

func (s *session) speed(ctx context.Context) error {
	r := &s.results.Speed
	*r = speedResult{Outcome: r.Outcome, Width: s.scale.Width, Rounds: s.scale.Rounds}
	t, err := s.startTorch(ctx)
	if err != nil {
		r.Torch.Error = err.Error()
	} else {
		defer t.close()
		r.Torch = t.torchVersion
	}
	for _, g := range s.groups(t) {
		r.Groups = append(r.Groups, g)
		if err := interleave(ctx, s.scale.Rounds, g.Contenders, s.save); err != nil {
			return err
		}
	}
	return nil
}

// groups are the tables, what matters most first.
func (s *session) groups(t *torch) []*group {
	const channelsLast, nchw = true, false
	us := func(task string, batch int, precisions ...string) (list []*contender) {
		for _, p := range precisions {
			list = append(list, s.us(task, p, batch))
		}
		return list
	}
	eager := func(task, precision string, batch int, channelsLast bool) *contender {
		return s.them(t, task, precision, channelsLast, "", batch)
	}
	first := s.scale.Batches[0]
	groups := []*group{
		{"Training step", "train", first, append(us("train", first, "fp32", "tf32", "bf16"), eager("train", "fp32", first, nchw), eager("train", "tf32", first, nchw),
			eager("train", "tf32", first, channelsLast), eager("train", "bf16", first, channelsLast))},
		{"Feature sweep", "infer", first, append(us("infer", first, "tf32", "bf16"), eager("infer", "tf32", first, channelsLast), eager("infer", "bf16", first, channelsLast))},
	}
	for _, batch := range s.scale.Batches[1:] {
		groups = append(groups, &group{"Training step", "train", batch, append(us("train", batch, "fp32", "tf32", "bf16"), eager("train", "fp32", batch, channelsLast),
			eager("train", "tf32", batch, channelsLast), eager("train", "bf16", batch, channelsLast))})
	}
	// Compiling takes a minute or more, so it comes last, in rounds of its own.
	groups = append(groups, &group{"Training step beside torch.compile", "train", first, append(us("train", first, "tf32", "bf16"),
		s.them(t, "train", "tf32", channelsLast, s.scale.CompileWith, first), s.them(t, "train", "bf16", channelsLast, s.scale.CompileWith, first))})
	if t == nil {
		for _, g := range groups {
			g.Contenders = slices.DeleteFunc(g.Contenders, func(c *contender) bool { return !c.Ours })
		}
		groups = groups[:len(groups)-1]
	}
	return groups
}
