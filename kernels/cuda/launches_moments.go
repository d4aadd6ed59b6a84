//go:build cuda

package cuda

import "nctrain/cudart"

// momentSide is the side of class_moments_tiled.cu's tiles of the second moment.
const momentSide = 32

func init() {
	register(map[string]entry{
		"class_moments_tiled": {launches: func(c *Call) []launch {
			const x, labels, counts, shift, sum, square, second = 0, 1, 2, 3, 4, 5, 6
			sums, side := ones(c.Shape.C), (c.Shape.C+momentSide-1)/momentSide
			sums.Grid[1] = c.Shape.K
			size := []cudart.Arg{small(c.Shape.N), small(c.Shape.C)}
			return []launch{
				{"class_moments_tiled_sums", sums, append(c.pointers(shift, sum, x, labels, counts), size...)},
				{"class_moments_tiled_second", cudart.Linear(side*(side+1)/2, threads), append(c.pointers(second, x, labels, shift), size...)},
				{"class_moments_tiled_squares", cudart.Linear(c.Shape.K, threads), append(c.pointers(square, counts, x, labels, shift), size...)},
			}
		}},
	})
}
