// Analysis times nctrain's NC1..NC5 and six OOD scores beside what others would run on the same arrays in memory: the notebook's functions, nctrain's formulas in
// vectorised float64 numpy, and single stages of scikit-learn. Each way is a process of its own, once a round, with the same number of threads; ratios are medians over
// the rounds, and the numbers of all ways that compute the same are held against each other.
//
//	NCTRAIN_PYTHON=/path/to/venv/bin/python go run ./bench/analysis --notebook notebook.txt
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"nctrain/bench/internal/contest"
	"nctrain/internal/blas"
	"nctrain/kernels"
)

// scores are the notebook's six.
var scores = []string{"msp", "mls", "energy", "mahalanobis", "vim", "neco"}

// stages in the order of the table; total is the first two.
var stages = []string{"collapse", "scores", "total", "covariance", "eigen", "pca", "auroc", "aupr"}

// agreement is the largest relative difference between two ways that compute the same in float64. The sums differ in order alone; nc1 divides by small eigenvalues.
const agreement = 1e-7

// way is one contender and what it measured.
type way struct {
	name string
	args []string
	runs []report
}

func main() {
	blas.FitProcessor()
	var s sizes
	pflag.IntVar(&s.train, "train", 50000, "training rows")
	pflag.IntVar(&s.id, "id", 10000, "ID rows")
	pflag.IntVar(&s.ood, "ood", 10000, "OOD rows")
	pflag.IntVar(&s.features, "features", 512, "features D")
	pflag.IntVar(&s.classes, "classes", 100, "classes C")
	rounds := pflag.Int("rounds", 5, "rounds; every way runs once in each")
	threads := pflag.Int("threads", 2, "threads of each")
	notebook := pflag.String("notebook", "", "text of the notebook; empty leaves its functions out")
	out := pflag.String("out", "", "also write the table to this file")
	inside := pflag.String("measure", "", "time nctrain on the arrays of this folder, print JSON and end (what the comparison runs)")
	pflag.Parse()
	err := func() error {
		if *inside != "" {
			r, err := measure(context.Background(), *inside, *threads)
			if err != nil {
				return err
			}
			return json.NewEncoder(os.Stdout).Encode(r)
		}
		return compare(s, *rounds, *threads, *notebook, *out)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "analysis:", err)
		os.Exit(1)
	}
}

func compare(s sizes, rounds, threads int, notebook, out string) error {
	python := os.Getenv("NCTRAIN_PYTHON")
	if python == "" {
		return errors.New("set NCTRAIN_PYTHON to a Python that has numpy, scikit-learn, threadpoolctl and torch")
	}
	dir, err := os.MkdirTemp("", "analysis")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := writeData(dir, s); err != nil {
		return err
	}
	ways, err := contenders(dir, python, threads, notebook)
	if err != nil {
		return err
	}
	for round := range rounds {
		for i := range ways {
			w := ways[(i+round)%len(ways)] // none always runs after the same neighbour
			if err := w.run(); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, rounds, w.name)
		}
	}
	if err := agree(ways); err != nil {
		return err
	}
	table, err := tabulate(s, ways, threads, rounds)
	if err != nil {
		return err
	}
	fmt.Print(table)
	if out == "" {
		return nil
	}
	return os.WriteFile(out, []byte(table), 0o644)
}

// contenders builds nctrain with and without OpenBLAS beside the ways of peers.py.
func contenders(dir, python string, threads int, notebook string) ([]*way, error) {
	var ways []*way
	for _, build := range []struct{ name, tags string }{{"nctrain", "openblas"}, {"nctrain, plain build (no OpenBLAS)", ""}} {
		binary := filepath.Join(dir, "analysis-"+build.tags)
		cmd := exec.Command("go", "build", "-tags", build.tags, "-o", binary, "./bench/analysis")
		if text, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%w: %s", err, text)
		}
		ways = append(ways, &way{name: build.name, args: []string{binary, "--threads", fmt.Sprint(threads), "--measure", dir}})
	}
	peer := func(name string, more ...string) {
		args := append([]string{python, "bench/analysis/peers.py", "--threads", fmt.Sprint(threads), "--way", name}, more...)
		ways = append(ways, &way{name: name, args: append(args, dir)})
	}
	peer("numpy")
	peer("scikit-learn")
	if notebook != "" {
		peer("notebook", "--notebook", notebook)
	}
	return ways, nil
}

// run measures a way once.
func (w *way) run() error {
	output, _, err := contest.Run(w.args)
	if err != nil {
		return err
	}
	var r report
	if err := json.Unmarshal(output, &r); err != nil {
		return fmt.Errorf("%w in %q", err, output)
	}
	if a, ok := r.Seconds["collapse"]; ok {
		r.Seconds["total"] = a + r.Seconds["scores"]
	}
	w.runs = append(w.runs, r)
	return nil
}

// agree holds the numbers of each way against nctrain's.
func agree(ways []*way) error {
	ours := ways[0].runs[0].Numbers
	for _, w := range ways[1:] {
		for key, x := range w.runs[0].Numbers {
			want, ok := ours[key]
			if !ok {
				return fmt.Errorf("%s: %s: nctrain has no such number", w.name, key)
			}
			if math.Abs(x-want) > agreement*math.Max(math.Abs(want), 1e-6) {
				return fmt.Errorf("%s: %s is %.12g, nctrain's %.12g: they do not compute the same", w.name, key, x, want)
			}
		}
	}
	return nil
}

func tabulate(s sizes, ways []*way, threads, rounds int) (string, error) {
	device, err := kernels.OpenCPU(kernels.CPUOptions{Threads: threads})
	if err != nil {
		return "", err
	}
	processor, _, _ := strings.Cut(device.Description(), "),")
	if err := device.Close(); err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Analysis, %d x %d training, %d ID, %d OOD rows, %d classes; %s\n\n", s.train, s.features, s.id, s.ood, s.classes, time.Now().Format("2006-01-02"))
	fmt.Fprintf(&b, "%s), %d threads each. Medians of %d interleaved rounds in milliseconds; in brackets how many times nctrain's, the median of the rounds' ratios.\n", processor, threads, rounds)
	fmt.Fprintf(&b, "collapse is NC1..NC5, scores the six scores with their fits and metrics; nctrain's pca is covariance and eigen together, its auroc and aupr the same call, which gives all seven metrics.\n\n")
	fmt.Fprintf(&b, "| way | %s |\n|---|%s\n", strings.Join(stages, " | "), strings.Repeat("---:|", len(stages)))
	for _, w := range ways {
		fmt.Fprintf(&b, "| %s |", w.name)
		for _, stage := range stages {
			if _, ok := w.runs[0].Seconds[stage]; !ok {
				b.WriteString(" |")
				continue
			}
			ms, ratio := make([]float64, rounds), make([]float64, rounds)
			for i, r := range w.runs {
				ms[i] = 1e3 * r.Seconds[stage]
				ratio[i] = r.Seconds[stage] / ways[0].runs[i].Seconds[stage]
			}
			fmt.Fprintf(&b, " %.1f (%.1f) |", contest.Median(ms), contest.Median(ratio))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	for _, w := range ways {
		if w.runs[0].Version != "" {
			fmt.Fprintf(&b, "%s: %s. ", w.name, w.runs[0].Version)
		}
	}
	b.WriteString("\n")
	return b.String(), nil
}
