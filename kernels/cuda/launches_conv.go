//go:build cuda

package cuda

import "nctrain/cudart"

// The convolutions. Operands: x, w, y; dy, w, dx; x, dy, dw; with statistics x, w, running_mean, running_var, num_batches_tracked, y, mean, invstd; normalised x, w,
// mean, invstd, gamma, beta, residual, y.
func init() {
	register(map[string]entry{
		"conv_fprop_direct": conv(only("conv_fprop_direct"), Shape.outputs),
		"conv_dgrad_direct": conv(only("conv_dgrad_direct"), Shape.inputs),
		"conv_wgrad_direct": wgrad(only("conv_wgrad_direct"), func(s Shape) cudart.Geometry { return ones(s.weights()) }, wgradPart),

		"conv_fprop_registers": conv(only("conv_fprop_registers"), Shape.stemLines),
		"conv_wgrad_registers": wgrad(only("conv_wgrad_registers"), func(s Shape) cudart.Geometry { return stem(1, s.K) }, wgradPart),

		"conv_fprop_tiled": conv(only("conv_fprop_tiled"), Shape.fpropTiles),
		"conv_dgrad_tiled": conv(only("conv_dgrad_tiled"), Shape.dgradTiles),
		"conv_wgrad_tiled": wgrad(only("conv_wgrad_tiled"), Shape.wgradTiles, wgradTilePart),

		"conv_fprop_mma": conv(byPrecision("conv_fprop_mma"), staged(Shape.fpropTiles)),
		"conv_dgrad_mma": conv(byPrecision("conv_dgrad_mma"), staged(Shape.dgradTiles)),
		"conv_wgrad_mma": wgrad(byPrecision("conv_wgrad_mma"), staged(Shape.wgradTiles), wgradTilePart),

		"conv_fprop_stats_registers": fpropStats(only("conv_fprop_stats_registers"), Shape.stemLines, func(s Shape) int { return stemSlots * s.Q() }),
		"conv_fprop_stats_tiled":     fpropStats(only("conv_fprop_stats_tiled"), Shape.fpropTiles, func(Shape) int { return tileM }),
		"conv_fprop_stats_mma":       fpropStats(byPrecision("conv_fprop_stats_mma"), staged(Shape.fpropTiles), func(Shape) int { return tileM }),

		"conv_fprop_bn_direct":    fpropBN(only("conv_fprop_bn_direct"), Shape.outputs),
		"conv_fprop_bn_registers": fpropBN(only("conv_fprop_bn_registers"), Shape.stemLines),
		"conv_fprop_bn_tiled":     fpropBN(only("conv_fprop_bn_tiled"), Shape.fpropTiles),
		"conv_fprop_bn_mma":       fpropBN(byPrecision("conv_fprop_bn_mma"), staged(Shape.fpropTiles)),

		"conv_dgrad_add_direct": conv(only("conv_dgrad_add_direct"), Shape.inputs),
		"conv_dgrad_add_tiled":  conv(only("conv_dgrad_add_tiled"), Shape.dgradTiles),
		"conv_dgrad_add_mma":    conv(byPrecision("conv_dgrad_add_mma"), staged(Shape.dgradTiles)),
	})
}

// naming is which function of its source a call launches.
type naming func(*Call) string

func only(function string) naming { return func(*Call) string { return function } }

func byPrecision(kernel string) naming {
	return func(c *Call) string {
		if c.Precision == BF16 {
			return kernel + "_bf16"
		}
		return kernel + "_tf32"
	}
}

// conv is a convolution or data gradient: one launch.
func conv(function naming, grid func(Shape) cudart.Geometry) entry {
	return entry{launches: func(c *Call) []launch {
		return []launch{{function(c), grid(c.Shape), append(c.pointers(2, 0, 1), c.Shape.geometry()...)}}
	}}
}

// fpropStats is a convolution whose blocks leave the moments of so many rows of y each in the workspace, and their merging.
func fpropStats(function naming, grid func(Shape) cudart.Geometry, perTask func(Shape) int) entry {
	return entry{
		workspace: func(s Shape, _ Precision) int { return partialBytes(blocks(s.pixels(), perTask(s)), s.K) },
		launches: func(c *Call) []launch {
			s := c.Shape
			args := append([]cudart.Arg{cudart.Pointer(c.Workspace)}, c.pointers(5, 0, 1)...)
			return []launch{
				{function(c), grid(s), append(args, s.geometry()...)},
				c.mergeMoments(c.pointers(6, 7, 2, 3, 4), s.pixels(), s.K, perTask(s)),
			}
		},
	}
}

// fpropBN is a convolution that normalises its sums.
func fpropBN(function naming, grid func(Shape) cudart.Geometry) entry {
	return entry{launches: func(c *Call) []launch {
		args := append(c.pointers(7, 0, 1, 6, 2, 3, 4, 5), cudart.Scalar(c.Flags))
		return []launch{{function(c), grid(c.Shape), append(args, c.Shape.geometry()...)}}
	}}
}

// outputs has a thread for each element of y, inputs for each of dx.
func (s Shape) outputs() cudart.Geometry { return ones(s.pixels() * s.K) }
func (s Shape) inputs() cudart.Geometry  { return ones(s.N * s.H * s.W * s.C) }

// The blocks of conv_registers.cuh.
const stemFilters, stemSlots = 64, 4

func (s Shape) stemLines() cudart.Geometry { return stem(blocks(s.N*s.P(), stemSlots), s.K) }

func stem(x, filters int) cudart.Geometry {
	return cudart.Geometry{Grid: [3]int{x, blocks(filters, stemFilters), 1}, Block: [3]int{stemFilters * stemSlots, 1, 1}}
}

// The tiles of conv_tile.cuh, and the shared memory of conv_mma.cuh.
const (
	tileM, tileN, tileThreads = 128, 64, 128
	mmaDepth, mmaStages       = 32, 3
	mmaShared                 = mmaStages * mmaDepth * (tileM + tileN) * 4
)

func tiles(m, n, z int) cudart.Geometry {
	return cudart.Geometry{Grid: [3]int{blocks(m, tileM), blocks(n, tileN), z}, Block: [3]int{tileThreads, 1, 1}}
}

func (s Shape) fpropTiles() cudart.Geometry { return tiles(s.pixels(), s.K, 1) }

// dgradTiles has room for the largest parity class in each.
func (s Shape) dgradTiles() cudart.Geometry {
	return tiles(s.N*blocks(s.H, s.Stride)*blocks(s.W, s.Stride), s.C, s.Stride*s.Stride)
}

func (s Shape) wgradTiles() cudart.Geometry { return tiles(s.R*s.S*s.C, s.K, 1) }

func staged(grid func(Shape) cudart.Geometry) func(Shape) cudart.Geometry {
	return func(s Shape) cudart.Geometry {
		g := grid(s)
		g.Shared = mmaShared
		return g
	}
}

// geometry is Conv of conv.cuh.
func (s Shape) geometry() []cudart.Arg {
	var args []cudart.Arg
	for _, n := range []int{s.N, s.H, s.W, s.C, s.K, s.R, s.S, s.Stride, s.Pad, s.P(), s.Q()} {
		args = append(args, small(n))
	}
	return args
}

func (s Shape) pixels() int  { return s.N * s.P() * s.Q() }
func (s Shape) weights() int { return s.K * s.R * s.S * s.C }

func blocks(n, each int) int { return (n + each - 1) / each }

// wgrad is a weight gradient that sums over parts of `part` pixels in the grid's last dimension, and then the parts' sums where there are several.
func wgrad(function naming, grid func(Shape) cudart.Geometry, part func(Shape) int) entry {
	parts := func(s Shape) int { return blocks(s.pixels(), part(s)) }
	return entry{
		workspace: func(s Shape, _ Precision) int {
			if n := parts(s); n > 1 {
				return n * s.weights() * 4
			}
			return 0
		},
		launches: func(c *Call) []launch {
			s, n := c.Shape, parts(c.Shape)
			geometry := grid(s)
			geometry.Grid[2] = n
			sums := c.Workspace
			if n == 1 {
				sums = c.Operands[2]
			}
			args := append([]cudart.Arg{cudart.Pointer(sums)}, c.pointers(0, 1)...)
			first := launch{function(c), geometry, append(append(args, small(part(s))), s.geometry()...)}
			if n == 1 {
				return []launch{first}
			}
			sum := []cudart.Arg{cudart.Pointer(c.Operands[2]), cudart.Pointer(sums), count(s.weights()), small(n)}
			return []launch{first, {"conv_wgrad_sum", fours(s.weights()), sum}}
		},
	}
}

// wgradPart is 512 pixels, and more where the grid's last dimension has no room for so many parts: at most wgradBlock (kernels/ops.go) of as many pixels as
// kernels/variants_cuda.go lets through. A thread of the direct kernel goes through a part alone, one of the stem's has a quarter of it.
func wgradPart(s Shape) int { return max(512, blocks(s.pixels(), GridYZ)) }

// wgradTilePart makes some 512 blocks, which fill any card's multiprocessors three times over; not so many that the parts' sums would cost more than
// they save, and none of more than wgradBlock (kernels/ops.go) pixels.
func wgradTilePart(s Shape) int {
	g := s.wgradTiles()
	part := blocks(s.pixels(), blocks(512, g.Grid[0]*g.Grid[1]))
	return min(max(blocks(part, 32)*32, 128), 4096)
}
