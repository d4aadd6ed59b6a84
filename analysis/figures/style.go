package figures

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The colours of M. Okabe and K. Ito, "Color universal design" (2008), less the yellow that vanishes on white.
var (
	blue       = color.NRGBA{0x00, 0x72, 0xB2, 0xFF}
	vermillion = color.NRGBA{0xD5, 0x5E, 0x00, 0xFF}
	green      = color.NRGBA{0x00, 0x9E, 0x73, 0xFF}
	purple     = color.NRGBA{0xCC, 0x79, 0xA7, 0xFF}
	orange     = color.NRGBA{0xE6, 0x9F, 0x00, 0xFF}
	sky        = color.NRGBA{0x56, 0xB4, 0xE9, 0xFF}
	black      = color.NRGBA{0x00, 0x00, 0x00, 0xFF}
	grey       = color.NRGBA{0x80, 0x80, 0x80, 0xFF}
	light      = color.NRGBA{0xE4, 0xE4, 0xE4, 0xFF}
	white      = color.NRGBA{0xFF, 0xFF, 0xFF, 0xFF}
)

var palette = []color.NRGBA{blue, vermillion, green, purple, orange, sky, black}

var markers = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.TriangleGlyph{}, draw.CrossGlyph{}, draw.PlusGlyph{}, draw.RingGlyph{}, draw.SquareGlyph{}}

var dashes = [][]vg.Length{nil, {6, 2}, {2, 2}, {6, 2, 1, 2}}

// LineOf is the look of series i; after every colour was used once the dashes change, so that no two of 28 look the same.
func LineOf(i int) draw.LineStyle {
	return draw.LineStyle{Color: palette[i%len(palette)], Width: 1.4, Dashes: dashes[i/len(palette)%len(dashes)]}
}

func markerOf(i int) draw.GlyphStyle {
	return draw.GlyphStyle{Color: palette[i%len(palette)], Radius: 2.2, Shape: markers[i%len(markers)]}
}

func textStyle(size vg.Length) text.Style {
	return text.Style{Color: black, Font: font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size), Handler: text.Plain{Fonts: font.DefaultCache}}
}

func centred(s text.Style) text.Style {
	s.XAlign, s.YAlign = draw.XCenter, draw.YCenter
	return s
}

// newPanel makes axes with a title, labels and a light grid.
func newPanel(title, x, y string) *panel {
	p := plot.New()
	p.Title.Text, p.X.Label.Text = title, x
	p.Title.TextStyle = withAlign(textStyle(11), p.Title.TextStyle)
	p.Title.Padding = 5
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle = withAlign(textStyle(9), axis.Label.TextStyle)
		axis.Tick.Label = withAlign(textStyle(8), axis.Tick.Label)
		axis.LineStyle = draw.LineStyle{Color: grey, Width: 0.7}
		axis.Tick.LineStyle = draw.LineStyle{Color: grey, Width: 0.7}
		axis.Tick.Marker = plot.TickerFunc(linearTicks)
		axis.Padding = 2
	}
	grid := plotter.NewGrid()
	grid.Vertical = draw.LineStyle{Color: light, Width: 0.5}
	grid.Horizontal = grid.Vertical
	p.Add(grid)
	return &panel{Plot: p, yLabel: y}
}

// newEpochPanel makes axes over epochs, which are whole.
func newEpochPanel(title, y string) *panel {
	p := newPanel(title, "epoch", y)
	p.X.Tick.Marker = plot.TickerFunc(wholeTicks)
	return p
}

// withAlign keeps the position and rotation that gonum gives to a text and changes the rest.
func withAlign(s, place text.Style) text.Style {
	s.XAlign, s.YAlign, s.Rotation = place.XAlign, place.YAlign, place.Rotation
	return s
}
