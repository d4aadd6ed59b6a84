package data

import (
	"math"

	"nctrain/internal/philox"
)

// texture mixes two colours over the plane.
type texture struct {
	a, b    rgb
	pattern func(p vec) float64 // share of b at a pixel, 0..1
}

func (t *texture) at(p vec) rgb { return t.a.mix(t.b, t.pattern(p)) }

// patterns has one row a kind of texture; each draws its own measures.
var patterns = []func(r *philox.Stream) func(p vec) float64{plain, ramp, stripes, checks, dots, clouds, clouds}

// anyTexture draws a pattern between two colours.
func anyTexture(r *philox.Stream, a, b rgb) *texture {
	return &texture{a, b, patterns[r.IntN(len(patterns))](r)}
}

func plain(*philox.Stream) func(vec) float64 {
	return func(vec) float64 { return 0 }
}

// ramp goes evenly from one colour to the other across the image.
func ramp(r *philox.Stream) func(vec) float64 {
	slope := anyDirection(r).times(between(r, 0.5, 1.2) / builtInSide)
	return func(p vec) float64 {
		return clamp(0.5+slope.dot(p.sub(vec{builtInSide / 2, builtInSide / 2})), 0, 1)
	}
}

// wave is a soft square wave of period 1.
func wave(t float64) float64 {
	t -= math.Floor(t)
	return smooth(mul(4, math.Abs(t-0.5)) - 0.5)
}

func stripes(r *philox.Stream) func(vec) float64 {
	across := anyDirection(r).times(1 / between(r, 3.5, 9))
	phase := r.Float64()
	return func(p vec) float64 { return wave(across.dot(p) + phase) }
}

func checks(r *philox.Stream) func(vec) float64 {
	u := anyDirection(r).times(1 / between(r, 5, 11))
	v := vec{-u.y, u.x}
	phase := r.Float64()
	return func(p vec) float64 {
		a, b := wave(u.dot(p)+phase), wave(v.dot(p)+phase)
		return a + b - mul(2, mul(a, b)) // exclusive or
	}
}

func dots(r *philox.Stream) func(vec) float64 {
	pitch := between(r, 4, 8)
	u := anyDirection(r).times(1 / pitch)
	v := vec{-u.y, u.x}
	radius := between(r, 0.2, 0.36)
	return func(p vec) float64 {
		x, y := u.dot(p), v.dot(p)
		cell := vec{x - math.Floor(x) - 0.5, y - math.Floor(y) - 0.5}
		return clamp(mul(radius-cell.length(), pitch)+0.5, 0, 1)
	}
}

// clouds is value noise: random heights on a grid, smoothly joined, in two octaves.
func clouds(r *philox.Stream) func(vec) float64 {
	const side = 16
	var heights [side * side]float64
	for i := range heights {
		heights[i] = r.Float64()
	}
	at := func(x, y int) float64 { return heights[(y&(side-1))*side+x&(side-1)] }
	noise := func(p vec) float64 {
		fx, fy := math.Floor(p.x), math.Floor(p.y)
		x, y := int(fx), int(fy)
		tx, ty := smooth(p.x-fx), smooth(p.y-fy)
		return lerp(lerp(at(x, y), at(x+1, y), tx), lerp(at(x, y+1), at(x+1, y+1), tx), ty)
	}
	u := anyDirection(r).times(1 / between(r, 4, 12))
	v := vec{-u.y, u.x}
	return func(p vec) float64 {
		q := vec{u.dot(p), v.dot(p)}
		coarse, fine := noise(q), noise(q.times(2.1))
		return smooth(mul(1.6, lerp(coarse, fine, 0.35)-0.5) + 0.5)
	}
}
