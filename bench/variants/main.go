// Variants compares training runs that differ by their kernel variants alone: groups of run directories with the same seeds. It draws test loss against epoch
// (PNG and SVG) and prints a table of the last test losses, paired by seed.
//
//	go run ./bench/variants --out figure 'im2col=runs/im2col-*' 'winograd=runs/winograd-*'
package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"nctrain/analysis/figures"
)

// group is the runs of one choice of variants: test loss by epoch of each seed.
type group struct {
	name   string
	losses map[uint64][]float64
}

func main() {
	out := pflag.String("out", "", "also draw OUT.png and OUT.svg")
	pflag.Parse()
	if err := run(pflag.Args(), *out, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "variants:", err)
		os.Exit(1)
	}
}

func run(args []string, out string, w io.Writer) error {
	var groups []group
	for _, arg := range args {
		name, pattern, ok := strings.Cut(arg, "=")
		dirs, err := filepath.Glob(pattern)
		if !ok || err != nil || len(dirs) == 0 {
			return fmt.Errorf("%s: write NAME=PATTERN of run directories that are there", arg)
		}
		g := group{name, map[uint64][]float64{}}
		for _, dir := range dirs {
			seed, losses, err := read(dir)
			if err != nil {
				return fmt.Errorf("%s: %w", dir, err)
			}
			g.losses[seed] = losses
		}
		groups = append(groups, g)
	}
	if len(groups) < 2 {
		return errors.New("name at least two groups of runs")
	}
	if err := table(w, groups); err != nil || out == "" {
		return err
	}
	return draw(groups, out)
}

// read gives a run's seed and its test loss after each epoch (SPEC 10).
func read(dir string) (uint64, []float64, error) {
	var config struct {
		Settings struct {
			Training struct {
				Seed uint64 `json:"seed"`
			} `json:"training"`
		} `json:"settings"`
	}
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return 0, nil, err
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return 0, nil, fmt.Errorf("config.json: %w", err)
	}
	f, err := os.Open(filepath.Join(dir, "history.csv"))
	if err != nil {
		return 0, nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return 0, nil, fmt.Errorf("history.csv: %w", err)
	}
	if len(rows) < 2 {
		return 0, nil, errors.New("history.csv holds no epoch")
	}
	column := slices.Index(rows[0], "test_loss")
	if column < 0 {
		return 0, nil, errors.New("history.csv has no test_loss")
	}
	var losses []float64
	for _, row := range rows[1:] {
		loss, err := strconv.ParseFloat(row[column], 64)
		if err != nil {
			return 0, nil, fmt.Errorf("history.csv: test_loss: %w", err)
		}
		losses = append(losses, loss)
	}
	return config.Settings.Training.Seed, losses, nil
}

func last(x []float64) float64 { return x[len(x)-1] }

// table prints the last losses of the seeds that all groups have, and how each group differs from the first, seed by seed.
func table(w io.Writer, groups []group) error {
	seeds := slices.Sorted(maps.Keys(groups[0].losses))
	for _, g := range groups {
		seeds = slices.DeleteFunc(seeds, func(s uint64) bool { return g.losses[s] == nil })
	}
	if len(seeds) < 2 {
		return errors.New("the groups share fewer than two seeds")
	}
	var text strings.Builder
	text.WriteString("| seed |")
	for _, g := range groups {
		fmt.Fprintf(&text, " %s |", g.name)
	}
	text.WriteString("\n|---|" + strings.Repeat("---:|", len(groups)) + "\n")
	for _, s := range seeds {
		fmt.Fprintf(&text, "| %d |", s)
		for _, g := range groups {
			fmt.Fprintf(&text, " %.4f |", last(g.losses[s]))
		}
		text.WriteString("\n")
	}
	text.WriteString("| mean ± standard deviation |")
	var differences []string
	for _, g := range groups {
		var losses, difference []float64
		for _, s := range seeds {
			losses = append(losses, last(g.losses[s]))
			difference = append(difference, last(g.losses[s])-last(groups[0].losses[s]))
		}
		mean, sd := stat.MeanStdDev(losses, nil)
		fmt.Fprintf(&text, " %.4f ± %.4f |", mean, sd)
		mean, sd = stat.MeanStdDev(difference, nil)
		differences = append(differences, fmt.Sprintf("%s - %s, seed by seed: %+.4f ± %.4f (mean and its standard error, n = %d)", g.name, groups[0].name, mean,
			sd/math.Sqrt(float64(len(seeds))), len(seeds)))
	}
	fmt.Fprintf(&text, "\n\n%s\n", strings.Join(differences[1:], "\n"))
	_, err := io.WriteString(w, text.String())
	return err
}

// draw shows each run as a thin line, in its group's colour.
func draw(groups []group, out string) error {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "epoch", "test loss"
	for i, g := range groups {
		for j, seed := range slices.Sorted(maps.Keys(g.losses)) {
			var points plotter.XYs
			for epoch, loss := range g.losses[seed] {
				points = append(points, plotter.XY{X: float64(epoch + 1), Y: loss})
			}
			line, err := plotter.NewLine(points)
			if err != nil {
				return err
			}
			line.LineStyle = figures.LineOf(i)
			line.Width = vg.Points(0.7)
			p.Add(line)
			if j == 0 {
				p.Legend.Add(fmt.Sprintf("%s, %d seeds", g.name, len(g.losses)), line)
			}
		}
	}
	p.Legend.Top, p.Legend.Padding = true, vg.Points(3)
	return errors.Join(p.Save(5*vg.Inch, 3.5*vg.Inch, out+".png"), p.Save(5*vg.Inch, 3.5*vg.Inch, out+".svg"))
}
