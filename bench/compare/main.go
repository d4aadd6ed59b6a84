// Compare times nctrain's training step and feature sweep beside PyTorch's on one machine, interleaved: every contender once a round, medians over the
// rounds, and medians of the ratios in a round; beside them the most memory that a process held (PyTorch's holds its libraries too). It writes a table to
// standard output and, with --out, to a file that names machine and date.
//
//	NCTRAIN_PYTHON=/path/to/venv/bin/python go run ./bench/compare --nctrain bin/nctrain [--isa avx2]
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"nctrain/bench/internal/contest"
)

// measured is the part that both programs' JSON have in common (SPEC 9, bench).
type measured struct {
	ImagesPerSecond float64 `json:"images_per_second"`
	Step            struct {
		Median float64 `json:"median"`
	} `json:"step_ms"`
	Device string `json:"device"`
}

// contender is one program with its arguments.
type contender struct {
	name string
	args []string
	env  []string
	ours bool

	steps  []float64 // median milliseconds of each round
	peak   int64     // bytes: the most that any of its processes held
	device string
}

// tuned is PyTorch's allocator at its best on Linux: no return of memory to the system between steps, huge pages.
const tuned = "GLIBC_TUNABLES=glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=8589934592:glibc.malloc.hugetlb=1"

// capped is the environment that holds both programs to an older instruction set.
var capped = map[string][]string{
	"":     nil,
	"avx2": {"NCTRAIN_CPU_ISA=avx2", "ONEDNN_MAX_CPU_ISA=AVX2", "ATEN_CPU_CAPABILITY=avx2"},
}

func contenders(task, nctrain, isa string, width, batch, steps, threads int, variants []string) []*contender {
	common := []string{"--task", task, "--width", fmt.Sprint(width), "--batch", fmt.Sprint(batch), "--steps", fmt.Sprint(steps), "--threads", fmt.Sprint(threads)}
	torch := func(name string, args []string, env ...string) *contender {
		return &contender{name: "PyTorch " + name, args: append(args, common...), env: env}
	}
	command := map[string]string{"train": "train-step", "infer": "infer"}[task]
	ours := []string{nctrain, "bench", command, "--width", fmt.Sprint(width), "--batch", fmt.Sprint(batch), "--steps", fmt.Sprint(steps), "--threads", fmt.Sprint(threads),
		"--by-operation=false"}
	list := []*contender{
		{name: "nctrain", args: ours, ours: true},
		torch("float32, NCHW, default allocator", nil),
		torch("float32, channels_last, tuned allocator", []string{"--layout", "channels_last"}, tuned),
	}
	if isa == "" { // torch.compile chooses its instructions itself; AVX2 has no bf16 arithmetic
		list = append(list,
			torch("float32, channels_last, tuned allocator, torch.compile", []string{"--layout", "channels_last", "--compile"}, tuned),
			torch("bf16 autocast, channels_last, tuned allocator", []string{"--layout", "channels_last", "--precision", "bf16"}, tuned))
	}
	for _, v := range variants {
		list = append(list, &contender{name: "nctrain --variant " + v, args: append(slices.Clone(ours), "--variant", v), ours: true})
	}
	for _, c := range list {
		c.env = append(c.env, capped[isa]...)
	}
	return list
}

func main() {
	task := pflag.String("task", "train", "train or infer")
	nctrain := pflag.String("nctrain", "bin/nctrain", "the program to measure")
	rounds := pflag.Int("rounds", 5, "rounds; every contender runs once in each")
	steps := pflag.Int("steps", 3, "timed steps of a run, after one that is not timed")
	width := pflag.Int("width", 64, "channels of the first stage")
	batch := pflag.Int("batch", 128, "images a step")
	threads := pflag.Int("threads", 2, "threads of each")
	variants := pflag.StringArray("variant", nil, "a further nctrain contender with these variants pinned")
	isa := pflag.String("isa", "", "hold both to this instruction set: avx2")
	out := pflag.String("out", "", "also write the table to this file")
	pflag.Parse()
	if _, ok := capped[*isa]; !ok {
		fmt.Fprintf(os.Stderr, "compare: --isa %s: use avx2\n", *isa)
		os.Exit(2)
	}
	if err := run(*task, *rounds, contenders(*task, *nctrain, *isa, *width, *batch, *steps, *threads, *variants), *width, *batch, *out); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(task string, rounds int, list []*contender, width, batch int, out string) error {
	python := os.Getenv("NCTRAIN_PYTHON")
	if python == "" {
		return fmt.Errorf("set NCTRAIN_PYTHON to a Python that has torch: python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch==2.15.0 numpy")
	}
	for round := range rounds {
		for i := range list {
			c := list[(i+round)%len(list)] // nobody always runs after the same neighbour
			if err := c.measure(python); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			fmt.Fprintf(os.Stderr, "round %d of %d: %-66s %8.0f ms\n", round+1, rounds, c.name, c.steps[len(c.steps)-1])
		}
	}
	var table bytes.Buffer
	if err := write(&table, task, rounds, list, width, batch); err != nil {
		return err
	}
	if _, err := os.Stdout.Write(table.Bytes()); err != nil || out == "" {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(out, table.Bytes(), 0o644)
}

// measure runs a contender once.
func (c *contender) measure(python string) error {
	dir, err := os.MkdirTemp("", "compare")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "step.json")
	args := append([]string{python, "bench/pytorch/step.py"}, c.args...)
	if c.ours {
		args = append(slices.Clone(c.args), "--json", file, "--quiet")
	}
	content, peak, err := contest.Run(args, c.env...)
	if err != nil {
		return err
	}
	if c.ours {
		if content, err = os.ReadFile(file); err != nil {
			return err
		}
	}
	var m measured
	if err := json.Unmarshal(content, &m); err != nil {
		return fmt.Errorf("%w in %q", err, content)
	}
	c.steps, c.device = append(c.steps, m.Step.Median), m.Device
	c.peak = max(c.peak, peak)
	return nil
}

func write(w io.Writer, task string, rounds int, list []*contender, width, batch int) error {
	what := map[string]string{"train": "Training step", "infer": "Feature sweep"}[task]
	if _, err := fmt.Fprintf(w, "%s, ResNet-18 width %d, batch %d; %s\n\nnctrain on %s; PyTorch: %s. Medians of %d interleaved rounds.\n\n"+
		"| contender | ms a step | images/s | range of rounds (ms) | nctrain is faster by | peak memory |\n|---|---:|---:|---:|---:|---:|\n",
		what, width, batch, time.Now().Format("2006-01-02"), list[0].device, list[1].device, rounds); err != nil {
		return err
	}
	ours := contest.Median(list[0].steps)
	for _, c := range list {
		// The ratio round by round, so that a slow minute of the machine touches both sides.
		ratios := make([]float64, len(c.steps))
		for i := range c.steps {
			ratios[i] = c.steps[i] / list[0].steps[i]
		}
		m := contest.Median(c.steps)
		if math.IsNaN(ours / m) {
			return fmt.Errorf("%s: no time measured", c.name)
		}
		if _, err := fmt.Fprintf(w, "| %s | %.0f | %.1f | %.0f..%.0f | %.2f | %d MiB |\n", c.name, m, 1e3*float64(batch)/m, slices.Min(c.steps), slices.Max(c.steps),
			contest.Median(ratios), c.peak>>20); err != nil {
			return err
		}
	}
	return nil
}
