//go:build cuda

package cuda

import (
	"fmt"

	"nctrain/cudart"
)

// entry is how a variant's kernel runs: what it needs beside its operands, and what a call launches, in order. Each launch sees all that the one before
// it wrote. All of it is a function of the call alone, so that a call always gives the same bits.
type entry struct {
	workspace func(Shape, Precision) int // bytes of Call.Workspace; nil: none
	packed    func(Shape, Precision) int // bytes of the weight operand in the variant's own order; nil: it reads KRSC
	pack      func(*Call) []launch       // with packed: Operands[0] are the weights in KRSC, Operands[1] the packed ones
	launches  func(*Call) []launch
}

// launch is one launch of a function that the variant's source exports: the grid that its header comment states, and its arguments. Dynamic shared memory
// past 48 KB is allowed to it as geometry.Shared asks.
type launch struct {
	function string
	geometry cudart.Geometry
	args     []cudart.Arg
}

// entries has every kernel of this folder by its source's name; each family of operations registers its own in launches_<family>.go.
var entries = map[string]entry{}

// register adds a family, from its file's init.
func register(family map[string]entry) {
	for name, e := range family {
		if _, twice := entries[name]; twice {
			panic(fmt.Sprintf("kernels/cuda: %s is registered twice", name))
		}
		if e.launches == nil || (e.packed == nil) != (e.pack == nil) {
			panic(fmt.Sprintf("kernels/cuda: %s lacks a part of its entry", name))
		}
		entries[name] = e
	}
}

// single is the entry of a variant that launches its one function once.
func single(name string, of func(*Call) (cudart.Geometry, []cudart.Arg)) entry {
	return entry{launches: func(c *Call) []launch {
		geometry, args := of(c)
		return []launch{{name, geometry, args}}
	}}
}

const threads = 256 // a block, of kernels that neither share memory nor wait for each other

// pointers are operands as arguments, in the order that the kernel takes them.
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
