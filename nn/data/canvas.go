package data

import (
	"math"

	"nctrain/internal/philox"
)

// mul returns a*b rounded to float64. The conversion forbids the compiler to fuse the product with a later sum, which some
// machines would do (arm64, amd64 from GOAMD64=v3 on) and others not: every product that is added to something goes
// through here.
func mul(a, b float64) float64 { return float64(a * b) }

func lerp(a, b, t float64) float64 { return a + mul(b-a, t) }

func clamp(x, low, high float64) float64 { return max(low, min(high, x)) }

// smooth is the step 3t^2 - 2t^3 from 0 at t <= 0 to 1 at t >= 1.
func smooth(t float64) float64 {
	t = clamp(t, 0, 1)
	return mul(mul(t, t), 3-mul(2, t))
}

// between returns a random number from low to high.
func between(r *philox.Stream, low, high float64) float64 { return lerp(low, high, r.Float64()) }

// chance is true with probability p.
func chance(r *philox.Stream, p float64) bool { return r.Float64() < p }

// vec is a point or direction in pixels, x to the right and y down.
type vec struct{ x, y float64 }

func (a vec) add(b vec) vec          { return vec{a.x + b.x, a.y + b.y} }
func (a vec) sub(b vec) vec          { return vec{a.x - b.x, a.y - b.y} }
func (a vec) times(s float64) vec    { return vec{mul(a.x, s), mul(a.y, s)} }
func (a vec) dot(b vec) float64      { return mul(a.x, b.x) + mul(a.y, b.y) }
func (a vec) cross(b vec) float64    { return mul(a.x, b.y) - mul(a.y, b.x) }
func (a vec) length() float64        { return math.Sqrt(a.dot(a)) }
func (a vec) distance(b vec) float64 { return a.sub(b).length() }

// turn returns the direction at twice the angle whose tangent is t: rational, so that no sine is needed, whose last bit
// differs between machines.
func turn(t float64) vec {
	square := mul(t, t)
	return vec{(1 - square) / (1 + square), mul(2, t) / (1 + square)}
}

// anyDirection returns a random direction of the whole circle.
func anyDirection(r *philox.Stream) vec {
	d := turn(between(r, -1, 1))
	if chance(r, 0.5) {
		return vec{-d.x, -d.y}
	}
	return d
}

// frame maps pixels to the unit coordinates of an object: moved to its centre, turned, stretched.
type frame struct {
	centre       vec
	axis         vec     // direction of the object's x axis
	scale        float64 // pixels a unit
	stretch, tip float64 // x is divided by stretch; tip shears x by y
}

// local returns pixel p in the object's coordinates.
func (f *frame) local(p vec) vec {
	d := p.sub(f.centre)
	x, y := d.dot(f.axis)/f.scale, f.axis.cross(d)/f.scale
	return vec{(x - mul(f.tip, y)) / f.stretch, y}
}

// rgb is a colour, 0..255 a channel, linear in what is stored.
type rgb [Channels]float64

func (a rgb) mix(b rgb, t float64) rgb {
	return rgb{lerp(a[0], b[0], t), lerp(a[1], b[1], t), lerp(a[2], b[2], t)}
}

func (a rgb) scaled(s float64) rgb { return rgb{mul(a[0], s), mul(a[1], s), mul(a[2], s)} }

// contrast is the distance of two colours as an eye weighs the channels, 0..255.
func (a rgb) contrast(b rgb) float64 {
	r, g, bl := a[0]-b[0], a[1]-b[1], a[2]-b[2]
	return math.Sqrt(mul(0.3, mul(r, r)) + mul(0.55, mul(g, g)) + mul(0.15, mul(bl, bl)))
}

// anyColour draws hue, saturation and value, so that vivid, pale and dark colours all come about.
func anyColour(r *philox.Stream) rgb {
	sector := r.IntN(6)
	within := r.Float64()
	saturation := between(r, 0.05, 1)
	value := between(r, 40, 250)
	low := mul(value, 1-saturation)
	rising, falling := lerp(low, value, within), lerp(value, low, within)
	switch sector {
	case 0:
		return rgb{value, rising, low}
	case 1:
		return rgb{falling, value, low}
	case 2:
		return rgb{low, value, rising}
	case 3:
		return rgb{low, falling, value}
	case 4:
		return rgb{rising, low, value}
	}
	return rgb{value, low, falling}
}

// colourAgainst draws a colour of at least the given contrast to others.
func colourAgainst(r *philox.Stream, contrast float64, others ...rgb) rgb {
	best, bestContrast := rgb{}, -1.0
	for range 24 {
		c := anyColour(r)
		least := 255.0
		for _, other := range others {
			least = min(least, c.contrast(other))
		}
		if least >= contrast {
			return c
		}
		if least > bestContrast {
			best, bestContrast = c, least
		}
	}
	return best
}

// near draws a colour that differs from c by at most spread in each channel.
func near(r *philox.Stream, c rgb, spread float64) rgb {
	for i := range c {
		c[i] = clamp(c[i]+between(r, -spread, spread), 0, 255)
	}
	return c
}

// canvas is an image while it is drawn, [y][x].
type canvas [builtInSide][builtInSide]rgb

// paint covers each pixel with colour(p) as far as cover(p), 0..1, says. p is the pixel's centre.
func (c *canvas) paint(cover func(p vec) float64, colour func(p vec) rgb) {
	for y := range c {
		for x := range c[y] {
			p := vec{float64(x) + 0.5, float64(y) + 0.5}
			if t := cover(p); t > 0 {
				c[y][x] = c[y][x].mix(colour(p), t)
			}
		}
	}
}

// light multiplies the image by a plane that falls by the given share from one side to the other.
func (c *canvas) light(r *philox.Stream, strength float64) {
	slope := anyDirection(r).times(between(r, 0, strength) / builtInSide)
	level := between(r, 0.8, 1.1)
	for y := range c {
		for x := range c[y] {
			p := vec{float64(x) - builtInSide/2, float64(y) - builtInSide/2}
			c[y][x] = c[y][x].scaled(level + slope.dot(p))
		}
	}
}

// blur mixes each pixel with the mean of its neighbours by the given share; the border repeats.
func (c *canvas) blur(share float64) {
	from := *c
	last := builtInSide - 1
	for y := range c {
		for x := range c[y] {
			up, down, left, right := &from[max(y-1, 0)][x], &from[min(y+1, last)][x], &from[y][max(x-1, 0)], &from[y][min(x+1, last)]
			for i := range Channels {
				mean := (up[i] + down[i] + left[i] + right[i]) / 4
				c[y][x][i] = lerp(from[y][x][i], mean, share)
			}
		}
	}
}

// quantise rounds to uint8 after adding sensor noise of a strength of its own for each image.
func (c *canvas) quantise(image []uint8, r *philox.Stream) {
	strength := between(r, 1, 7) / 256
	at := 0
	for y := range c {
		for x := range c[y] {
			// One word a pixel: four bytes, of which the last moves all channels together, as brightness noise.
			w := r.Uint32()
			common := int(w>>24) - 128
			for i := range Channels {
				noise := float64(int(w>>(8*i)&255)-128+common) * strength
				image[at] = uint8(math.Floor(clamp(c[y][x][i]+float64(noise), 0, 255) + 0.5))
				at++
			}
		}
	}
}
