package figures

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// series is one line; a NaN is a value that is undefined and leaves a gap.
type series struct {
	name string
	x, y []float64
	// look chooses colour, dash and marker.
	look int
	// reference lines are thin, dashed and without markers.
	reference bool
}

// markedPoints is the most points that are drawn with markers: beyond that they only thicken the line.
const markedPoints = 60

// addLines draws series on linear axes.
func (p *panel) addLines(all ...series) {
	for _, s := range all {
		p.addLine(s, func(y float64) bool { return !math.IsNaN(y) })
	}
}

// addLogLines draws series on a logarithmic y axis. Zeros, which such an axis cannot show, stand on its lower edge as open triangles.
func (p *panel) addLogLines(all ...series) {
	least, most := math.Inf(1), math.Inf(-1)
	zeros := false
	for _, s := range all {
		for _, y := range s.y {
			if y > 0 {
				least, most = math.Min(least, y), math.Max(most, y)
			}
			zeros = zeros || y == 0
		}
	}
	if math.IsInf(least, 1) {
		least, most = 1, 1
	}
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(logTicks)
	for _, s := range all {
		p.addLine(s, func(y float64) bool { return y > 0 })
	}
	margin := math.Pow(most/least, 0.04) * 1.05
	p.Y.Min, p.Y.Max = least/margin, most*margin
	if !zeros {
		return
	}
	p.Y.Min /= margin * margin
	glyph := draw.GlyphStyle{Color: grey, Radius: 3, Shape: openTriangle{}}
	for _, s := range all {
		var at plotter.XYs
		for i, y := range s.y {
			if y == 0 {
				at = append(at, plotter.XY{X: s.x[i], Y: p.Y.Min})
			}
		}
		if len(at) > 0 {
			glyph.Color = palette[s.look%len(palette)]
			p.Add(&plotter.Scatter{XYs: at, GlyphStyle: glyph})
		}
	}
	glyph.Color = black
	p.legend.add("0", &plotter.Scatter{GlyphStyle: glyph})
}

func (p *panel) addLine(s series, keep func(y float64) bool) {
	line := &plotter.Line{LineStyle: lineOf(s.look)}
	if s.reference {
		line.LineStyle.Width, line.LineStyle.Dashes = 0.9, dashes[2]
	}
	points := &plotter.Scatter{GlyphStyle: markerOf(s.look)}
	var run plotter.XYs
	flush := func() {
		if len(run) > 1 {
			p.Add(&plotter.Line{XYs: run, LineStyle: line.LineStyle})
		}
		run = nil
	}
	for i, y := range s.y {
		if !keep(y) {
			flush()
			continue
		}
		run = append(run, plotter.XY{X: s.x[i], Y: y})
		points.XYs = append(points.XYs, run[len(run)-1])
	}
	flush()
	thumbs := []plot.Thumbnailer{line}
	// Points alone, or few of them, need their markers to be seen and told apart.
	if alone := len(points.XYs) == 1; alone || (!s.reference && len(points.XYs) > 0 && len(s.y) <= markedPoints) {
		p.Add(points)
		thumbs = append(thumbs, points)
	}
	if s.name != "" {
		p.legend.add(s.name, thumbs...)
	}
}

// vertical marks an epoch across the panel.
func (p *panel) vertical(x float64, name string) {
	line := &plotter.Line{XYs: plotter.XYs{{X: x, Y: p.Y.Min}, {X: x, Y: p.Y.Max}}, LineStyle: draw.LineStyle{Color: grey, Width: 1, Dashes: dashes[1]}}
	low, high := p.Y.Min, p.Y.Max
	p.Add(line)
	p.Y.Min, p.Y.Max = low, high
	p.legend.add(name, line)
}

// openTriangle points down, to what lies under the axis.
type openTriangle struct{}

func (openTriangle) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, at vg.Point) {
	c.SetLineStyle(draw.LineStyle{Color: s.Color, Width: 0.9})
	r := s.Radius
	var path vg.Path
	path.Move(vg.Point{X: at.X - r, Y: at.Y + r})
	path.Line(vg.Point{X: at.X + r, Y: at.Y + r})
	path.Line(vg.Point{X: at.X, Y: at.Y - r})
	path.Close()
	c.Stroke(path)
}
