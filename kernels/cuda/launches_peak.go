//go:build cuda

package cuda

import "nctrain/cudart"

// The roofline's own kernels, which no network calls.
func init() {
	register(map[string]entry{
		"peak_fma_direct": single("peak_fma_direct", func(c *Call) (cudart.Geometry, []cudart.Arg) {
			return fours(c.Shape.N), append(c.pointers(1, 0), cudart.Scalar(float32(c.Scalars[0])), small(c.Shape.K), count(c.Shape.N))
		}),
		"peak_mma": {launches: func(c *Call) []launch {
			return []launch{{byPrecision("peak_mma")(c), ones(c.Shape.N), append(c.pointers(1, 0), small(c.Shape.K))}}
		}},
		"peak_read_direct": single("peak_read_direct", func(c *Call) (cudart.Geometry, []cudart.Arg) {
			return cudart.Linear(c.Shape.N, threads), append(c.pointers(1, 0), count(c.Shape.C))
		}),
	})
}
