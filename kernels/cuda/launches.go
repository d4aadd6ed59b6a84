//go:build cuda

package cuda

import "nctrain/cudart"

// launcher says how a call is launched: the grid that the kernel's header comment states, and its arguments.
type launcher func(*Call) (cudart.Geometry, []cudart.Arg)

const threads = 256 // a block, of kernels that neither share memory nor wait for each other

// launches has every kernel of this folder; a test holds it against the folder and against the operations' table.
var launches = map[string]launcher{
	"relu_forward_direct":  flat(1, 0),
	"relu_backward_direct": flat(2, 0, 1),
	"add_direct":           flat(2, 0, 1),
	"sgd_direct": func(c *Call) (cudart.Geometry, []cudart.Arg) {
		momentum, decay := cudart.Scalar(float32(c.Scalars[0])), cudart.Scalar(float32(c.Scalars[1]))
		return fours(c.Shape.N), append(c.pointers(0, 1, 2, 3, 4), momentum, decay, count(c.Shape.N))
	},
	"advance_direct": func(c *Call) (cudart.Geometry, []cudart.Arg) {
		return cudart.Linear(1, 1), append(c.pointers(0), count(c.Shape.N))
	},
	"avg_pool_forward_direct": func(c *Call) (cudart.Geometry, []cudart.Arg) {
		s := c.Shape
		return ones(s.N * s.C), append(c.pointers(1, 0), count(s.N), count(s.H*s.W), count(s.C))
	},
	"avg_pool_backward_direct": func(c *Call) (cudart.Geometry, []cudart.Arg) {
		s := c.Shape
		return ones(s.N * s.H * s.W * s.C), append(c.pointers(1, 0), count(s.N), count(s.H*s.W), count(s.C))
	},
	"bn_eval_stats_direct": func(c *Call) (cudart.Geometry, []cudart.Arg) {
		return ones(c.Shape.C), append(c.pointers(2, 3, 0, 1), cudart.Scalar(float32(c.Scalars[0])), count(c.Shape.C))
	},
	"bn_forward_direct": func(c *Call) (cudart.Geometry, []cudart.Arg) {
		s := c.Shape
		return fours(s.N * s.H * s.W * s.C), append(c.pointers(6, 0, 1, 2, 3, 4, 5), count(s.N*s.H*s.W), small(s.C), cudart.Scalar(c.Flags))
	},
	"augment_direct": func(c *Call) (cudart.Geometry, []cudart.Arg) {
		s := c.Shape
		return ones(s.N * s.H * s.W), append(c.pointers(5, 6, 0, 1, 2, 3, 4), count(s.N), small(s.H), small(s.W), small(s.C), small(s.Pad), cudart.Scalar(c.Flags))
	},
}

// flat is a kernel over n elements, four a thread: its output first, then its inputs.
func flat(operands ...int) launcher {
	return func(c *Call) (cudart.Geometry, []cudart.Arg) {
		return fours(c.Shape.N), append(c.pointers(operands...), count(c.Shape.N))
	}
}

func (c *Call) pointers(operands ...int) []cudart.Arg {
	args := make([]cudart.Arg, 0, len(operands)+8)
	for _, i := range operands {
		args = append(args, cudart.Pointer(c.Operands[i]))
	}
	return args
}

func count(n int) cudart.Arg { return cudart.Scalar(int64(n)) }
func small(n int) cudart.Arg { return cudart.Scalar(int32(n)) }

// ones has a thread for each of n elements, fours one for each four.
func ones(n int) cudart.Geometry  { return cudart.Linear((n+threads-1)/threads, threads) }
func fours(n int) cudart.Geometry { return ones((n + 3) / 4) }
