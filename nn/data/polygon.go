package data

import "math"

// polygon is a closed line; several make an outline with holes, filled where they wind around a point (non-zero rule).
type polygon []vec

// outlineDistance returns the signed distance from p to the outline, negative inside.
func outlineDistance(outline []polygon, p vec) float64 {
	nearest := math.Inf(1)
	winding := 0
	for _, line := range outline {
		a := line[len(line)-1]
		for _, b := range line {
			edge, toP := b.sub(a), p.sub(a)
			if square := edge.dot(edge); square > 0 {
				along := clamp(toP.dot(edge)/square, 0, 1)
				off := toP.sub(edge.times(along))
				nearest = min(nearest, off.dot(off))
			}
			// Crossings of the ray from p to the right, each with the direction of the edge.
			if side := edge.cross(toP); a.y <= p.y && b.y > p.y && side > 0 {
				winding++
			} else if b.y <= p.y && a.y > p.y && side < 0 {
				winding--
			}
			a = b
		}
	}
	distance := math.Sqrt(nearest)
	if winding != 0 {
		return -distance
	}
	return distance
}
