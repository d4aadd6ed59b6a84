package data

import (
	"fmt"
	"math"
	"sync"

	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"codeberg.org/go-fonts/liberation/liberationserifbold"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// digitFonts are the embedded faces that house numbers are drawn with.
var digitFonts = [][]byte{
	gobold.TTF, gomedium.TTF, gomonobold.TTF, liberationsansbold.TTF, liberationsansregular.TTF, liberationserifbold.TTF,
}

const (
	glyphGrid  = 72   // side of a glyph's grid of distances
	glyphReach = 1.35 // the grid spans -glyphReach..glyphReach in both directions
	curveSteps = 6    // straight pieces a curve
)

// glyph is a digit of a font in coordinates where it is 2 high, -1..1, and centred. Distances to an outline of a hundred
// edges are too slow for each pixel of each image, so they are taken once on a grid.
type glyph struct {
	halfWidth float64
	grid      [glyphGrid][glyphGrid]float64 // signed distance to the outline at the grid's points
}

// distance interpolates the signed distance from p to the outline, negative inside; beyond the grid it is some positive number.
func (g *glyph) distance(p vec) float64 {
	const perUnit = (glyphGrid - 1) / (2 * glyphReach)
	x, y := mul(p.x+glyphReach, perUnit), mul(p.y+glyphReach, perUnit)
	fx, fy := math.Floor(x), math.Floor(y)
	if fx < 0 || fy < 0 || fx > glyphGrid-2 || fy > glyphGrid-2 {
		return glyphReach
	}
	i, j := int(fx), int(fy)
	top := lerp(g.grid[j][i], g.grid[j][i+1], x-fx)
	bottom := lerp(g.grid[j+1][i], g.grid[j+1][i+1], x-fx)
	return lerp(top, bottom, y-fy)
}

// digitGlyphs loads the ten digits of each font, [font][digit].
var digitGlyphs = sync.OnceValues(func() ([][10]*glyph, error) {
	loaded := make([][10]*glyph, len(digitFonts))
	failed := make([]error, len(digitFonts))
	var wait sync.WaitGroup
	for i, ttf := range digitFonts {
		wait.Go(func() { loaded[i], failed[i] = loadDigits(ttf) })
	}
	wait.Wait()
	for _, err := range failed {
		if err != nil {
			return nil, err
		}
	}
	return loaded, nil
})

func loadDigits(ttf []byte) (digits [10]*glyph, err error) {
	parsed, err := sfnt.Parse(ttf)
	if err != nil {
		return digits, fmt.Errorf("embedded font: %w", err)
	}
	for digit := range digits {
		outline, err := digitOutline(parsed, rune('0'+digit))
		if err != nil {
			return digits, fmt.Errorf("embedded font: %c: %w", '0'+digit, err)
		}
		digits[digit] = newGlyph(outline)
	}
	return digits, nil
}

// digitOutline returns the outline in the font's own integer units, curves cut into straight pieces.
func digitOutline(f *sfnt.Font, digit rune) ([]polygon, error) {
	var buffer sfnt.Buffer
	index, err := f.GlyphIndex(&buffer, digit)
	if err != nil {
		return nil, err
	}
	// At as many pixels an em as the font has units, unhinted, the points are the font's integers.
	segments, err := f.LoadGlyph(&buffer, index, fixed.I(int(f.UnitsPerEm())), nil)
	if err != nil {
		return nil, err
	}
	point := func(p fixed.Point26_6) vec { return vec{float64(p.X), float64(p.Y)} }
	var outline []polygon
	var at vec
	for _, s := range segments {
		if s.Op == sfnt.SegmentOpMoveTo {
			at = point(s.Args[0])
			outline = append(outline, polygon{at})
			continue
		}
		line := &outline[len(outline)-1]
		switch s.Op {
		case sfnt.SegmentOpLineTo:
			at = point(s.Args[0])
			*line = append(*line, at)
		case sfnt.SegmentOpQuadTo:
			control, end := point(s.Args[0]), point(s.Args[1])
			for step := 1; step <= curveSteps; step++ {
				t := float64(step) / curveSteps
				*line = append(*line, between2(between2(at, control, t), between2(control, end, t), t))
			}
			at = end
		default:
			return nil, fmt.Errorf("a cubic curve, which TrueType fonts have not")
		}
	}
	return outline, nil
}

func between2(a, b vec, t float64) vec { return vec{lerp(a.x, b.x, t), lerp(a.y, b.y, t)} }

// newGlyph centres and scales an outline and takes its grid of distances.
func newGlyph(outline []polygon) *glyph {
	low, high := vec{math.Inf(1), math.Inf(1)}, vec{math.Inf(-1), math.Inf(-1)}
	for _, line := range outline {
		for _, p := range line {
			low = vec{min(low.x, p.x), min(low.y, p.y)}
			high = vec{max(high.x, p.x), max(high.y, p.y)}
		}
	}
	centre := low.add(high).times(0.5)
	unit := (high.y - low.y) / 2
	for _, line := range outline {
		for i, p := range line {
			d := p.sub(centre)
			line[i] = vec{d.x / unit, d.y / unit}
		}
	}
	g := &glyph{halfWidth: (high.x - low.x) / 2 / unit}
	for j := range g.grid {
		for i := range g.grid[j] {
			const step = 2 * glyphReach / (glyphGrid - 1)
			g.grid[j][i] = outlineDistance(outline, vec{mul(float64(i), step) - glyphReach, mul(float64(j), step) - glyphReach})
		}
	}
	return g
}
