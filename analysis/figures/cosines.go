package figures

import (
	"fmt"
	"image"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"
)

// Cosines draws the cosines [C,C] between class means less mu_G: a heat map in diverging colours around 0, and the histogram of those between different classes beside the
// ideal -1/(C-1). The colours end at the largest |cos| between different classes, so that what is left of the structure shows; the diagonal lies beyond.
func Cosines(cosines []float64, c int) (*Figure, error) {
	if c < 2 || len(cosines) != c*c {
		return nil, fmt.Errorf("figures: %d cosines are no matrix of %d >= 2 classes", len(cosines), c)
	}
	var off []float64
	limit := 0.0
	for i := range c {
		for j := range c {
			if i != j {
				off = append(off, cosines[i*c+j])
				limit = math.Max(limit, math.Abs(cosines[i*c+j]))
			}
		}
	}
	ideal := -1 / float64(c-1)
	limit = math.Max(limit, 2*math.Abs(ideal)) // at collapse the ideal lies half way, not at the end of the colours
	return &Figure{rows: [][]*panel{{heatMap(cosines, c, limit), colourBar(limit), cosineHistogram(off, ideal)}}, width: 340, height: 320,
		widths: []float64{1.05, 0.26, 1.15}}, nil
}

func heatMap(cosines []float64, c int, limit float64) *panel {
	p := newPanel("Cosines between class means", "class (the diagonal is 1, beyond the colours)", "class")
	// Whole pixels for every cell keep the borders sharp where the image is scaled.
	cell := max(1, 1200/c)
	img := image.NewNRGBA(image.Rect(0, 0, c*cell, c*cell))
	for i := range c {
		for j := range c {
			shade := diverging(cosines[i*c+j] / limit)
			for y := range cell {
				for x := range cell {
					img.SetNRGBA(j*cell+x, (c-1-i)*cell+y, shade)
				}
			}
		}
	}
	p.Add(plotter.NewImage(img, -0.5, -0.5, float64(c)-0.5, float64(c)-0.5))
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -0.5, float64(c)-0.5, -0.5, float64(c)-0.5
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.TickerFunc(wholeTicks), plot.TickerFunc(wholeTicks)
	return p
}

func colourBar(limit float64) *panel {
	p := newPanel("cos", "class", "")
	const steps = 256
	img := image.NewNRGBA(image.Rect(0, 0, 1, steps))
	for i := range steps {
		img.SetNRGBA(0, steps-1-i, diverging(2*float64(i)/(steps-1)-1))
	}
	p.Add(plotter.NewImage(img, 0, -limit, 1, limit))
	// An axis that takes the room of the map's, unseen, keeps the bar as high as the map.
	p.X.Tick.Marker = plot.ConstantTicks{{Value: 0.5, Label: "0"}}
	p.X.Label.TextStyle.Color, p.X.Tick.Label.Color, p.X.LineStyle.Color, p.X.Tick.LineStyle.Color = white, white, white, white
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, -limit, limit
	return p
}

func cosineHistogram(off []float64, ideal float64) *panel {
	p := newPanel("Between different classes", "cosine", "pairs of classes")
	low, high := ideal, ideal
	for _, x := range off {
		low, high = math.Min(low, x), math.Max(high, x)
	}
	if high-low < 1e-9 {
		low, high = low-0.01, high+0.01
	}
	bars := bins(off, low, high, min(60, max(10, len(off)/20)))
	top := 0.0
	for i := range bars {
		bars[i].Y /= 2 // each pair stands in the matrix twice
		top = math.Max(top, bars[i].Y)
	}
	p.addOutline("", bars, (high-low)/float64(len(bars)), blue)
	line := &plotter.Line{XYs: plotter.XYs{{X: ideal, Y: 0}, {X: ideal, Y: top * 1.05}}, LineStyle: draw.LineStyle{Color: vermillion, Width: 1.4, Dashes: dashes[1]}}
	p.Add(line)
	p.legend.add(fmt.Sprintf("ideal -1/(C-1) = %.4f", ideal), line)
	p.Y.Min = 0
	return p
}

// diverging maps -1..1 to blue, white at 0, red; beyond the ends the colour stays. Both arms darken evenly, so they can be told apart without hue too.
func diverging(x float64) color.NRGBA {
	x = math.Max(-1, math.Min(1, x))
	end := color.NRGBA{0xB4, 0x1F, 0x1F, 0xFF}
	if x < 0 {
		end = color.NRGBA{0x1F, 0x4E, 0xA8, 0xFF}
	}
	mix := func(to uint8) uint8 { return uint8(math.Round(255 + math.Abs(x)*(float64(to)-255))) }
	return color.NRGBA{mix(end.R), mix(end.G), mix(end.B), 0xFF}
}
