//go:build cuda

package cuda

import "nctrain/cudart"

// The linear layer and the loss.
func init() {
	register(map[string]entry{
		"linear_fprop_direct": single("linear_fprop_direct", func(c *Call) (cudart.Geometry, []cudart.Arg) {
			s := c.Shape
			return ones(32 * s.N * s.K), append(c.pointers(3, 0, 1, 2), count(s.N), small(s.C), small(s.K))
		}),
		"linear_dgrad_direct": single("linear_dgrad_direct", func(c *Call) (cudart.Geometry, []cudart.Arg) {
			s := c.Shape
			return ones(s.N * s.C), append(c.pointers(2, 0, 1), count(s.N), small(s.C), small(s.K))
		}),
		"linear_wgrad_direct": single("linear_wgrad_direct", func(c *Call) (cudart.Geometry, []cudart.Arg) {
			s := c.Shape
			return ones(s.K * s.C), append(c.pointers(2, 3, 0, 1), small(s.N), small(s.C), small(s.K))
		}),
		"linear_fprop_tiled": single("linear_fprop_tiled", func(c *Call) (cudart.Geometry, []cudart.Arg) {
			s := c.Shape
			return linearTiles(s.N, s.K), append(c.pointers(3, 0, 1, 2), small(s.N), small(s.C), small(s.K))
		}),
		"linear_dgrad_tiled": single("linear_dgrad_tiled", func(c *Call) (cudart.Geometry, []cudart.Arg) {
			s := c.Shape
			return linearTiles(s.N, s.C), append(c.pointers(2, 0, 1), small(s.N), small(s.C), small(s.K))
		}),
		"linear_wgrad_tiled": single("linear_wgrad_tiled", func(c *Call) (cudart.Geometry, []cudart.Arg) {
			s := c.Shape
			return linearTiles(s.K, s.C), append(c.pointers(2, 3, 0, 1), small(s.N), small(s.C), small(s.K))
		}),
		"cross_entropy_direct": single("cross_entropy_direct", func(c *Call) (cudart.Geometry, []cudart.Arg) {
			s := c.Shape
			return cudart.Linear(1, 512), append(c.pointers(5, 3, 4, 2, 0, 1), small(s.N), small(s.K), small(s.H))
		}),
	})
}

// linearTiles are the blocks of linear_tiled.cuh for a product of so many rows and columns.
func linearTiles(rows, columns int) cudart.Geometry {
	const tile = 32
	return cudart.Geometry{Grid: [3]int{blocks(columns, tile), blocks(rows, tile), 1}, Block: [3]int{threads, 1, 1}}
}
