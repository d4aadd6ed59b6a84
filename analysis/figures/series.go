package figures

import (
	"math"
	"slices"

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
	// low and high bound a band around y; nil for none.
	low, high []float64
	// single runs under a mean are faint, without markers, and not in the legend.
	single bool
}

// bandRoom is how far under the least value the lower ends of bands may widen a logarithmic axis.
const bandRoom = 3

// sameLine is how far two lines may differ, relative, to lie on each other to the eye.
const sameLine = 0.005

// covers tells whether s hides the other line: the same points within what the eye can tell.
func (s series) covers(other series) bool {
	if s.single || other.single || len(s.y) != len(other.y) {
		return false
	}
	defined := 0
	for i, y := range s.y {
		z := other.y[i]
		if math.IsNaN(y) != math.IsNaN(z) || math.Abs(y-z) > sameLine*math.Max(math.Abs(y), math.Abs(z)) {
			return false
		}
		if !math.IsNaN(y) {
			defined++
		}
	}
	return defined > 0
}

// undefined tells that there is nothing of s to draw.
func (s series) undefined() bool {
	return !slices.ContainsFunc(s.y, func(y float64) bool { return !math.IsNaN(y) })
}

// drawOrder gives the series from the last to the first, so that the headline lies on top, and says in the legend's names which line lies under which, and which has no points.
func drawOrder(all []series) []series {
	ordered := make([]series, 0, len(all))
	for i := len(all) - 1; i >= 0; i-- {
		s := all[i]
		if under := slices.IndexFunc(all[:i], func(above series) bool { return above.covers(s) }); under >= 0 && s.name != "" {
			s.name += " (as " + all[under].name + ")"
		} else if s.name != "" && s.undefined() {
			s.name += " (undefined)"
		}
		ordered = append(ordered, s)
	}
	return ordered
}

// markedPoints is the most points that are drawn with markers: beyond that they only thicken the line.
const markedPoints = 60

// addPercentLines draws series in percent on linear axes, with a margin so that no marker is cut.
func (p *panel) addPercentLines(all ...series) {
	p.addInOrder(all, func(y float64) bool { return !math.IsNaN(y) })
	if margin := 0.03 * (p.Y.Max - p.Y.Min); margin > 0 {
		p.Y.Min, p.Y.Max = math.Max(p.Y.Min-margin, -1), math.Min(p.Y.Max+margin, 101)
	}
}

// addInOrder draws the first series last, and lists it first in the legend.
func (p *panel) addInOrder(all []series, keep func(y float64) bool) {
	for _, s := range all {
		if s.low != nil {
			p.addBand(s)
		}
	}
	before := len(p.legend)
	for _, s := range drawOrder(all) {
		p.addLine(s, keep)
	}
	slices.Reverse(p.legend[before:])
}

// addBand shades between low and high, in pieces where there is a gap. On a logarithmic axis a low that is not positive lies under the edge of the picture.
func (p *panel) addBand(s series) {
	_, isLog := p.Y.Scale.(plot.LogScale)
	var upper, lower plotter.XYs
	flush := func() {
		if len(upper) > 1 {
			slices.Reverse(lower)
			soft := palette[s.look%len(palette)]
			soft.A = 0x38
			p.Add(&plotter.Polygon{XYs: []plotter.XYs{append(upper, lower...)}, Color: soft})
		}
		upper, lower = nil, nil
	}
	for i, x := range s.x {
		low, high := s.low[i], s.high[i]
		if math.IsNaN(low) || math.IsNaN(high) || (isLog && high <= 0) {
			flush()
			continue
		}
		if isLog {
			low = math.Max(low, p.Y.Min)
		}
		upper, lower = append(upper, plotter.XY{X: x, Y: high}), append(lower, plotter.XY{X: x, Y: low})
	}
	flush()
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
		for _, y := range s.high {
			if y > most {
				most = y
			}
		}
	}
	// The lower end of a band may be next to nothing, and would take up the axis.
	lowest := least
	for _, s := range all {
		for _, y := range s.low {
			if y > least/bandRoom && y < lowest {
				lowest = y
			}
		}
	}
	least = lowest
	if math.IsInf(least, 1) {
		least, most = 1, 1
	}
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(logTicks)
	margin := math.Pow(most/least, 0.04) * 1.05
	low, high := least/margin, most*margin
	if zeros {
		low /= margin * margin
	}
	p.Y.Min = low // where bands end that reach zero
	p.addInOrder(all, func(y float64) bool { return y > 0 })
	p.Y.Min, p.Y.Max = low, high
	if !zeros {
		return
	}
	glyph := draw.GlyphStyle{Color: grey, Radius: 3, Shape: openTriangle{}}
	for _, s := range all {
		var at plotter.XYs
		for i, y := range s.y {
			if y == 0 && !s.single {
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
	line := &plotter.Line{LineStyle: LineOf(s.look)}
	switch {
	case s.reference:
		line.LineStyle.Width, line.LineStyle.Dashes = 0.9, dashes[2]
	case s.single:
		faint := palette[s.look%len(palette)]
		faint.A = 0x80
		line.LineStyle = draw.LineStyle{Color: faint, Width: 0.6}
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
	if alone := len(points.XYs) == 1; alone || (!s.reference && !s.single && len(points.XYs) > 0 && len(s.y) <= markedPoints) {
		p.Add(points)
		thumbs = append(thumbs, points)
	}
	if s.name != "" {
		p.legend.add(s.name, thumbs...)
	}
}

// vertical marks an epoch across the panel; without a name it is not in the legend.
func (p *panel) vertical(x float64, name string) {
	line := &plotter.Line{XYs: plotter.XYs{{X: x, Y: p.Y.Min}, {X: x, Y: p.Y.Max}}, LineStyle: draw.LineStyle{Color: grey, Width: 1, Dashes: dashes[1]}}
	low, high := p.Y.Min, p.Y.Max
	p.Add(line)
	p.Y.Min, p.Y.Max = low, high
	if name != "" {
		p.legend.add(name, line)
	}
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
