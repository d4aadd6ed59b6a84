//go:build cuda

package cuda

import "nctrain/cudart"

// The kernels over elements and pixels in which no thread waits for another.
func init() {
	register(map[string]entry{
		"relu_forward_direct":  flat("relu_forward_direct", 1, 0),
		"relu_backward_direct": flat("relu_backward_direct", 2, 0, 1),
		"add_direct":           flat("add_direct", 2, 0, 1),
		"sgd_multi_tensor":     {launches: func(c *Call) []launch { return sgd("sgd_multi_tensor", c, []int{c.Shape.N}) }},
		"sgd_per_tensor": {launches: func(c *Call) []launch {
			if c.Tensors == nil {
				return sgd("sgd_per_tensor", c, []int{c.Shape.N})
			}
			return sgd("sgd_per_tensor", c, c.Tensors)
		}},
		"advance_direct": single("advance_direct", func(c *Call) (cudart.Geometry, []cudart.Arg) {
			return cudart.Linear(1, 1), append(c.pointers(0), count(c.Shape.N))
		}),
		"avg_pool_forward_direct": single("avg_pool_forward_direct", func(c *Call) (cudart.Geometry, []cudart.Arg) {
			s := c.Shape
			return ones(s.N * s.C), append(c.pointers(1, 0), count(s.N), count(s.H*s.W), count(s.C))
		}),
		"avg_pool_backward_direct": single("avg_pool_backward_direct", func(c *Call) (cudart.Geometry, []cudart.Arg) {
			s := c.Shape
			return ones(s.N * s.H * s.W * s.C), append(c.pointers(1, 0), count(s.N), count(s.H*s.W), count(s.C))
		}),
		"bn_eval_stats_direct": single("bn_eval_stats_direct", func(c *Call) (cudart.Geometry, []cudart.Arg) {
			return ones(c.Shape.C), append(c.pointers(2, 3, 0, 1), cudart.Scalar(float32(c.Scalars[0])), count(c.Shape.C))
		}),
		"bn_forward_direct": single("bn_forward_direct", func(c *Call) (cudart.Geometry, []cudart.Arg) {
			s := c.Shape
			return fours(s.N * s.H * s.W * s.C), append(c.pointers(6, 0, 1, 2, 3, 4, 5), count(s.N*s.H*s.W), small(s.C), cudart.Scalar(c.Flags))
		}),
		"augment_direct": single("augment_direct", func(c *Call) (cudart.Geometry, []cudart.Arg) {
			s := c.Shape
			return ones(s.N * s.H * s.W), append(c.pointers(5, 6, 0, 1, 2, 3, 4), count(s.N), small(s.H), small(s.W), small(s.C), small(s.Pad), cudart.Scalar(c.Flags))
		}),
	})
}

// flat is a kernel over n elements, four a thread: its output first, then its inputs.
func flat(name string, operands ...int) entry {
	return single(name, func(c *Call) (cudart.Geometry, []cudart.Arg) {
		return fours(c.Shape.N), append(c.pointers(operands...), count(c.Shape.N))
	})
}

// sgd is the update of a call's elements up to each of ends, one launch for each. What lies there starts at whole vectors (kernels.Call.Tensors).
func sgd(name string, c *Call, ends []int) []launch {
	momentum, decay := cudart.Scalar(float32(c.Scalars[0])), cudart.Scalar(float32(c.Scalars[1]))
	out, rest, from := make([]launch, len(ends)), *c, 0
	for i, end := range ends {
		n := end - from
		out[i] = launch{name, fours(n), append(rest.pointers(0, 1, 2, 3, 4), momentum, decay, count(n))}
		for operand := range 3 { // w, g, buf
			rest.Operands[operand] += cudart.Address(4 * n)
		}
		from = end
	}
	return out
}
