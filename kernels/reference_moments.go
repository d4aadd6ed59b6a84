package kernels

import "math"

// refClassMoments is class_moments in its own words. Whatever a class's shift is, the sums say the same of its rows (analysis/stats corrects for it), so that an error of a
// shift that the call sets is carried into what is summed with it.
func refClassMoments(c *RefCall) {
	const xs, labels, counts, shifts, sums, squares, seconds = 0, 1, 2, 3, 4, 5, 6
	s, x := c.Shape, c.Operands[xs]
	shifted := make([]float64, s.N*s.C)
	loose := make([]float64, s.K*s.C) // how far a shift may be off
	for k := range s.K {
		var rows []int
		for n := range s.N {
			if int(c.Operands[labels][n]) == k {
				rows = append(rows, n)
			}
		}
		if len(rows) == 0 {
			continue
		}
		m := float64(len(rows))
		var square total
		square.add(c.Operands[squares][k])
		carried := 0.0
		for j := range s.C {
			at := k*s.C + j
			if c.Operands[counts][k] == 0 {
				var mean total
				for _, n := range rows {
					mean.add(x[n*s.C+j])
				}
				loose[at] = mean.tolerance(len(rows), 0)/m + math.Abs(mean.sum/m)
				c.set(shifts, at, mean.sum/m, loose[at])
			}
			var sum total
			sum.add(c.Operands[sums][at])
			for _, n := range rows {
				d := x[n*s.C+j] - c.Operands[shifts][at]
				shifted[n*s.C+j] = d
				sum.add(d)
				square.add(d * d)
				carried += 2 * math.Abs(d) * loose[at]
			}
			c.set(sums, at, sum.sum, sum.tolerance(len(rows)+1, 1)+m*loose[at])
		}
		c.set(squares, k, square.sum, square.tolerance(len(rows)*s.C+1, 3)+carried)
		c.Operands[counts][k] += m
	}
	for i := range s.C {
		for j := i; j < s.C; j++ {
			var second total
			second.add(c.Operands[seconds][i*s.C+j])
			carried := 0.0
			for n := range s.N {
				a, b, class := shifted[n*s.C+i], shifted[n*s.C+j], int(c.Operands[labels][n])*s.C
				second.add(a * b)
				carried += math.Abs(a)*loose[class+j] + math.Abs(b)*loose[class+i]
			}
			c.set(seconds, i*s.C+j, second.sum, second.tolerance(s.N+1, 3)+carried)
		}
	}
}
