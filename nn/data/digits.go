package data

import (
	"fmt"

	"nctrain/internal/philox"
)

// The built-in set digits: numbers as on house walls, cut to the digit in the middle as SVHN's are (Netzer et al. 2011):
// its neighbours are cut off at the sides, plate, paint, light and sharpness vary. The label is the digit.

var digits = drawing{
	seed: 0xd1617, train: 2000, test: 1000, draw: drawDigit,
	names: []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
}

func openDigits(_, split string, o Options) (*Set, error) {
	if _, err := digitGlyphs(); err != nil {
		return nil, fmt.Errorf("data: digits: %w", err)
	}
	return digits.open(split, o)
}

func drawDigit(c *canvas, label int, r *philox.Stream) {
	fonts, _ := digitGlyphs() // openDigits has looked at the error
	glyphs := &fonts[r.IntN(len(fonts))]

	wall := muted(r, anyColour(r))
	paint := muted(r, colourAgainst(r, 70, wall))
	for wall.contrast(paint) < 45 {
		paint = colourAgainst(r, 90, wall)
	}
	ground := &texture{wall, near(r, wall, 40), []func(*philox.Stream) func(vec) float64{plain, ramp, clouds}[r.IntN(3)](r)}
	c.paint(func(vec) float64 { return 1 }, ground.at)

	scale := between(r, 9, 13.5)
	f := frame{
		centre: vec{16 + between(r, -1.5, 1.5), 16 + between(r, -1.5, 1.5)}, axis: turn(between(r, -0.09, 0.09)),
		scale: scale, stretch: between(r, 0.8, 1.25), tip: between(r, -0.2, 0.2),
	}
	if chance(r, 0.3) {
		c.plate(r, &f, wall, paint)
	}

	// The middle digit and, with luck, one on each side, a little apart, all in one frame.
	gap := between(r, 0.12, 0.4)
	middle := glyphs[label]
	type placed struct {
		*glyph
		x float64
	}
	row := []placed{{middle, 0}}
	for _, side := range []float64{-1, 1} {
		if chance(r, 0.6) {
			neighbour := glyphs[r.IntN(10)]
			row = append(row, placed{neighbour, mul(side, middle.halfWidth+gap+neighbour.halfWidth)})
		}
	}
	distance := func(p vec) float64 {
		q := f.local(p)
		nearest := glyphReach
		for _, g := range row {
			nearest = min(nearest, g.distance(vec{q.x - g.x, q.y}))
		}
		return mul(nearest, scale)
	}

	bolder := between(r, -0.3, 0.7) // pixels
	if chance(r, 0.4) {             // a shadow, as of raised numerals
		offset := anyDirection(r).times(between(r, 1, 2.2))
		shade := wall.scaled(between(r, 0.3, 0.7))
		c.paint(func(p vec) float64 { return smooth((bolder + 1 - distance(p.sub(offset))) / 2.5) }, func(vec) rgb { return shade })
	}
	strokes := &texture{paint, near(r, paint, 30), ramp(r)}
	c.paint(func(p vec) float64 { return clamp(0.5+bolder-distance(p), 0, 1) }, strokes.at)

	c.light(r, 0.7)
	for range r.IntN(5) {
		c.blur(between(r, 0.3, 0.8))
	}
}

// muted takes some of the saturation away: walls and numerals are seldom vivid.
func muted(r *philox.Stream, c rgb) rgb {
	grey := (c[0] + c[1] + c[2]) / 3
	return c.mix(rgb{grey, grey, grey}, between(r, 0.2, 0.9))
}

// plate draws the rim of the sign that carries the number, above and below it.
func (c *canvas) plate(r *philox.Stream, f *frame, wall, paint rgb) {
	half := between(r, 1.15, 1.4)
	beyond := near(r, wall.mix(paint, between(r, 0.15, 0.5)), 60)
	rim := near(r, paint, 30)
	width := between(r, 0.4, 1.3)
	height := func(p vec) float64 { // pixels above the upper or below the lower edge of the sign
		y := f.local(p).y
		return mul(max(y, -y)-half, f.scale)
	}
	c.paint(func(p vec) float64 { return clamp(0.5+height(p), 0, 1) }, func(vec) rgb { return beyond })
	c.paint(func(p vec) float64 {
		h := height(p)
		return clamp(0.5+width-max(h, -h), 0, 1)
	}, func(vec) rgb { return rim })
}
