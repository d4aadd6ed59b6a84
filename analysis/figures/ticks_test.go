package figures

import (
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
)

func labels(ticks []plot.Tick) string {
	var out []string
	for _, t := range ticks {
		if t.Label != "" {
			out = append(out, t.Label)
		}
	}
	return strings.Join(out, " ")
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		ticks     func(low, high float64) []plot.Tick
		low, high float64
		want      string
	}{
		{linearTicks, 0, 100, "0 20 40 60 80 100"},
		{linearTicks, -0.5, 99.5, "0 20 40 60 80"},
		{linearTicks, -0.11, 0.11, "-0.10 -0.05 0.00 0.05 0.10"},
		{linearTicks, 0, 0.45, "0.0 0.1 0.2 0.3 0.4"},
		{linearTicks, 7, 7, "7"},
		{linearTicks, -3e8, 1e8, "-3e+08 -2e+08 -1e+08 0 1e+08"},
		{wholeTicks, -1, 1, "-1 0 1"},
		{wholeTicks, 0, 400, "0 100 200 300 400"},
		{logTicks, 0.0005, 200, "0.001 0.01 0.1 1 10 100"},
		{logTicks, 0.3, 3, "0.5 1 2"},
		{logTicks, 1e-18, 1e2, "1e-18 1e-15 1e-12 1e-09 1e-06 0.001 1"},
		{logTicks, 0.25, 0.45, "0.3 0.4"},
		{logTicks, 4.35, 4.76, "4.4 4.5 4.6 4.7"},
		{logTicks, 1.2, 4.6, "1.5 2.0 2.5 3.0 3.5 4.0 4.5"},
	} {
		if got := labels(c.ticks(c.low, c.high)); got != c.want {
			t.Errorf("%g..%g: %q, want %q", c.low, c.high, got, c.want)
		}
	}
}

func TestBins(t *testing.T) {
	bars := bins([]float64{-1, 0, 0.1, 0.5, 1, 2}, 0, 1, 2)
	if want := (plotter.XYs{{X: 0, Y: 2}, {X: 0.5, Y: 2}}); bars[0] != want[0] || bars[1] != want[1] {
		t.Errorf("%v", bars)
	}
}

// TestMarkOfFPR95 stands on the curve at the first threshold that finds 95 % of OOD, and its share of rejected ID rows is the metric.
func TestMarkOfFPR95(t *testing.T) {
	s := Score{Name: "s"}
	for i := range 20 {
		s.ID, s.OOD = append(s.ID, float64(i)), append(s.OOD, float64(i)/2-3)
	}
	panels, err := scorePanels(s)
	if err != nil {
		t.Fatal(err)
	}
	mark := panels[1].legend[1].thumbs[0].(*plotter.Scatter).XYs
	// 19 of 20 OOD rows have scores up to 6; ID rows 0..6 are rejected with them.
	if len(mark) != 1 || mark[0] != (plotter.XY{X: 35, Y: 95}) {
		t.Errorf("mark at %v", mark)
	}
}

// TestLegendTellsOfLinesThatCannotBeSeen: a line that lies under another, and one without points.
func TestLegendTellsOfLinesThatCannotBeSeen(t *testing.T) {
	nan := math.NaN()
	var names []string
	for _, s := range drawOrder([]series{{name: "a", y: []float64{1, nan}}, {name: "b", y: []float64{1.001, nan}}, {name: "c", y: []float64{nan, nan}}, {name: "d", y: []float64{nan, 2}}, {y: []float64{nan}}}) {
		names = append(names, s.name)
	}
	if want := []string{"", "d", "c (undefined)", "b (as a)", "a"}; !slices.Equal(names, want) {
		t.Errorf("legend %q, want %q", names, want)
	}
}
