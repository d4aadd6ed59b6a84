//go:build cuda

package cuda

import "nctrain/cudart"

// Batch normalisation. What sums over rows does so in two launches: the tasks' sums into the workspace, then those of the tasks.
func init() {
	register(map[string]entry{
		"bn_stats_two_pass": bnStats("bn_stats_two_pass", 8),
		"bn_stats_welford":  bnStats("bn_stats_welford", 16),
		"bn_backward_stats_direct": {workspace: rowReduction(8).workspace, launches: func(c *Call) []launch {
			r, s := rowReduction(8), c.Shape
			partial := cudart.Pointer(c.Workspace)
			sums := append([]cudart.Arg{partial}, c.pointers(0, 1, 2, 3)...)
			total := append(c.pointers(5, 6), partial)
			return []launch{
				{"bn_backward_stats_direct", r.tasks(s), append(sums, count(s.N*s.H*s.W), small(s.C), cudart.Scalar(c.Flags))},
				{"bn_backward_stats_direct_merge", foldColumns(s.C), append(append(total, c.pointers(4)...), small(s.C), small(r.tasks(s).Grid[0]))},
			}
		}},
		"bn_backward_direct": single("bn_backward_direct", func(c *Call) (cudart.Geometry, []cudart.Arg) {
			s := c.Shape
			return fours(s.N * s.H * s.W * s.C), append(c.pointers(8, 9, 0, 1, 2, 3, 4, 5, 6, 7), count(s.N*s.H*s.W), small(s.C), cudart.Scalar(c.Flags))
		}),
	})
}

func bnStats(name string, rows rowReduction) entry {
	return entry{workspace: rows.workspace, launches: func(c *Call) []launch {
		s := c.Shape
		partial := cudart.Pointer(c.Workspace)
		return []launch{
			{name, rows.tasks(s), append(append([]cudart.Arg{partial}, c.pointers(0)...), count(s.N*s.H*s.W), small(s.C))},
			c.mergeMoments(c.pointers(4, 5, 1, 2, 3), s.N*s.H*s.W, s.C, rows.perTask()),
		}
	}}
}

// mergeMoments makes statistics of the moments that tasks of perTask rows left in the workspace: mean, invstd, running_mean, running_var, num_batches_tracked.
func (c *Call) mergeMoments(statistics []cudart.Arg, rows, channels, perTask int) launch {
	return launch{"bn_stats_merge", foldColumns(channels), append(statistics, cudart.Pointer(c.Workspace), cudart.Scalar(c.Scalars[0]), cudart.Scalar(c.Scalars[1]),
		count(rows), small(channels), small(perTask), small(blocks(rows, perTask)))}
}

// The block of reduce.cuh: lanes of columns by slots of rows, and foldSlots in the second kernel.
const lanes, slots, foldSlots = 16, 16, 32

// rowReduction is a reduction over rows as reduce.cuh does it, with so many rows a thread.
type rowReduction int

func (r rowReduction) perTask() int { return int(r) * slots }

// tasks is the first kernel's geometry: its tasks in the dimension that has room for them.
func (r rowReduction) tasks(s Shape) cudart.Geometry {
	tile := lanes
	if s.C%4 == 0 {
		tile *= 4
	}
	return cudart.Geometry{Grid: [3]int{blocks(s.N*s.H*s.W, r.perTask()), blocks(s.C, tile), 1}, Block: [3]int{lanes * slots, 1, 1}}
}

// foldColumns is the second kernel's.
func foldColumns(columns int) cudart.Geometry {
	return cudart.Linear(blocks(columns, lanes), lanes*foldSlots)
}

func (r rowReduction) workspace(s Shape, _ Precision) int {
	return partialBytes(r.tasks(s).Grid[0], s.C)
}

// partialBytes is what so many tasks leave in the workspace: two doubles for each task and column.
func partialBytes(tasks, columns int) int { return tasks * 2 * 8 * columns }
