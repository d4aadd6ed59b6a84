package report

import (
	"testing"

	"nctrain/analysis"
)

// TestAURCKeepsItsDigits: areas of hundredths of a percent are told apart, so that a reader sees why one is the best.
func TestAURCKeepsItsDigits(t *testing.T) {
	var v analysis.Values
	v.Set("auroc", 97)
	v.Set("aurc", 0.001234)
	g := &grid{}
	g.addScore(scoreLine{score: "energy", values: v, std: map[string]float64{"aurc": 0.0056}}, false, nil, nil)
	shown := map[string]string{}
	for _, row := range g.Groups[0].Rows {
		for i, c := range row.Cells[1:] {
			shown[detectionColumns[i].key] = c.Text + " " + c.Note
		}
	}
	if shown["auroc"] != "97.00 " || shown["aurc"] != "0.001234 ± 0.005600" {
		t.Errorf("%q", shown)
	}
}
