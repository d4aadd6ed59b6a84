package figures

import (
	"image/color"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"
)

// bins counts values in n equal bins from low to high: X is the left edge, Y the count. What lies outside is left out.
func bins(values []float64, low, high float64, n int) plotter.XYs {
	bars := make(plotter.XYs, n)
	for i := range bars {
		bars[i].X = low + (high-low)*float64(i)/float64(n)
	}
	for _, v := range values {
		if v >= low && v <= high {
			bars[min(n-1, int(float64(n)*(v-low)/(high-low)))].Y++
		}
	}
	return bars
}

// addOutline draws a histogram as an outline over a translucent area, so that one behind another is seen.
func (p *panel) addOutline(name string, bars plotter.XYs, width float64, c color.NRGBA) {
	var outline plotter.XYs
	outline = append(outline, plotter.XY{X: bars[0].X})
	for _, b := range bars {
		outline = append(outline, plotter.XY{X: b.X, Y: b.Y}, plotter.XY{X: b.X + width, Y: b.Y})
	}
	outline = append(outline, plotter.XY{X: outline[len(outline)-1].X})
	soft := c
	soft.A = 0x50
	area := &plotter.Polygon{XYs: []plotter.XYs{outline}, Color: soft, LineStyle: draw.LineStyle{Color: c, Width: 1.1}}
	p.Add(area)
	if name != "" {
		p.legend.add(name, area)
	}
}
