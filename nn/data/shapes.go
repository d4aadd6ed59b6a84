package data

import (
	"math"

	"nctrain/internal/philox"
)

// The built-in set shapes: one object of ten kinds before a cluttered ground. Kind is all that the label tells; place,
// size, turn, stretch, colours, textures, shadow and light are drawn anew for each image, and either of object and ground
// may be the lighter one, so that no pixel by itself says anything of the class. No kind is another's mirror image, and
// objects keep clear of the border, so that flips and crops by four pixels leave the class as it is.

var shapes = drawing{
	seed: 0x5ba9e5, train: 5000, test: 1000, draw: drawShape,
	names: []string{"disc", "ring", "square", "triangle", "star", "cross", "crescent", "heart", "bars", "hourglass"},
}

func openShapes(_, split string, o Options) (*Set, error) { return shapes.open(split, o) }

// shapeDistance has one row a class: the signed distance to the shape in its own coordinates, where it fits the unit
// circle more or less.
var shapeDistance = [builtInClass]func(p vec) float64{
	func(p vec) float64 { return p.length() - 0.88 },
	func(p vec) float64 { return math.Abs(p.length()-0.72) - 0.24 },
	outlined(polygon{{-0.78, -0.78}, {0.78, -0.78}, {0.78, 0.78}, {-0.78, 0.78}}),
	outlined(polygon{{0, -1.1}, {1, 0.68}, {-1, 0.68}}),
	outlined(polygon{{0, -1.15}, {0.27, -0.37}, {1.094, -0.355}, {0.437, 0.142}, {0.676, 0.93}, {0, 0.46}, {-0.676, 0.93}, {-0.437, 0.142}, {-1.094, -0.355}, {-0.27, -0.37}}),
	outlined(polygon{{-0.3, -1}, {0.3, -1}, {0.3, -0.3}, {1, -0.3}, {1, 0.3}, {0.3, 0.3}, {0.3, 1}, {-0.3, 1}, {-0.3, 0.3}, {-1, 0.3}, {-1, -0.3}, {-0.3, -0.3}}),
	func(p vec) float64 {
		return max(p.length()-1.05, 0.82-p.distance(vec{0.52, 0}))
	},
	func(p vec) float64 {
		lobes := min(p.distance(vec{-0.46, -0.36}), p.distance(vec{0.46, -0.36})) - 0.52
		return min(lobes, outlineDistance([]polygon{{{0, 1.05}, {-0.9, -0.08}, {-0.46, -0.5}, {0, -0.2}, {0.46, -0.5}, {0.9, -0.08}}}, p))
	},
	outlined(
		polygon{{-0.95, -0.93}, {0.95, -0.93}, {0.95, -0.5}, {-0.95, -0.5}},
		polygon{{-0.95, -0.215}, {0.95, -0.215}, {0.95, 0.215}, {-0.95, 0.215}},
		polygon{{-0.95, 0.5}, {0.95, 0.5}, {0.95, 0.93}, {-0.95, 0.93}}),
	outlined(polygon{{-0.85, -0.98}, {0.85, -0.98}, {0.1, 0}, {0.85, 0.98}, {-0.85, 0.98}, {-0.1, 0}}),
}

func outlined(outline ...polygon) func(p vec) float64 {
	return func(p vec) float64 { return outlineDistance(outline, p) }
}

func drawShape(c *canvas, label int, r *philox.Stream) {
	ground := anyColour(r)
	groundTexture := anyTexture(r, ground, near(r, ground, 50))
	object := colourAgainst(r, 95, groundTexture.a, groundTexture.b)
	objectTexture := anyTexture(r, object, near(r, object, 35))

	c.paint(func(vec) float64 { return 1 }, groundTexture.at)
	c.clutter(r, groundTexture.a, object)

	f := frame{
		scale: between(r, 8, 12), axis: turn(between(r, -0.35, 0.35)),
		stretch: between(r, 0.85, 1.15), tip: between(r, -0.12, 0.12),
	}
	room := 15.5 - f.scale // how far the centre may be from the image's and the object still be whole, more or less
	f.centre = vec{16 + between(r, -room, room), 16 + between(r, -room, room)}
	distance := shapeDistance[label]

	if chance(r, 0.5) {
		offset := anyDirection(r).times(between(r, 1, 2.5))
		dark := between(r, 0.25, 0.55)
		c.paint(func(p vec) float64 {
			d := mul(distance(f.local(p.sub(offset))), f.scale)
			return mul(dark, smooth(0.5-d/4))
		}, func(vec) rgb { return rgb{} })
	}
	edge := between(r, 0.9, 1.8) // width of the transition in pixels: sharp or a little out of focus
	c.paint(func(p vec) float64 {
		return clamp(0.5-mul(distance(f.local(p)), f.scale)/edge, 0, 1)
	}, objectTexture.at)
	c.light(r, 0.5)
}

// clutter strews small specks and lines in colours between those of ground and object, which must not be mistaken for one.
func (c *canvas) clutter(r *philox.Stream, ground, object rgb) {
	for range r.IntN(4) {
		colour := near(r, ground.mix(object, between(r, 0.1, 0.5)), 30)
		at := vec{between(r, 0, builtInSide), between(r, 0, builtInSide)}
		radius := between(r, 0.7, 1.8)
		end := at
		if chance(r, 0.5) {
			end = at.add(anyDirection(r).times(between(r, 4, 14)))
			radius = mul(radius, 0.5)
		}
		line := []polygon{{at, end}}
		if at == end {
			c.paint(func(p vec) float64 { return clamp(0.5+radius-p.distance(at), 0, 1) }, func(vec) rgb { return colour })
			continue
		}
		c.paint(func(p vec) float64 {
			return clamp(0.5+radius-math.Abs(outlineDistance(line, p)), 0, 1)
		}, func(vec) rgb { return colour })
	}
}
