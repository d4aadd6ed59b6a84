package nn

import (
	"slices"

	"nctrain/kernels"
)

// fuse rewrites a record so that fewer passes over memory compute the same bits:
//
//	bn_forward, add          -> bn_forward with a residual
//	bn_forward, relu_forward -> bn_forward with ReLU
//	relu_backward, bn_backward_stats, bn_backward -> the last two masked by the forward output; who else reads the masked gradient gets it from
//	                            bn_backward's dresidual
//
// The record itself stays as it is: rewritten nodes are copies.
func fuse(nodes []*node, keep []*Value) []*node {
	f := &fuser{keep: keep}
	for _, n := range nodes {
		c := *n
		f.nodes = append(f.nodes, &c)
	}
	for i := 0; i < len(f.nodes); i++ {
		switch f.nodes[i].op {
		case kernels.Add:
			f.residual(i)
		case kernels.ReLUForward:
			f.relu(i)
		case kernels.ReLUBackward:
			f.reluBackward(i)
		}
	}
	return slices.DeleteFunc(f.nodes, func(n *node) bool { return n == nil })
}

// fuser edits nodes in place; a removed node is nil until the end.
type fuser struct {
	nodes []*node
	keep  []*Value
}

// readers are the nodes that read v.
func (f *fuser) readers(v *Value) []*node {
	var out []*node
	for _, n := range f.nodes {
		if n != nil && slices.Contains(n.reads(), v) {
			out = append(out, n)
		}
	}
	return out
}

// onlyReader reports whether n alone reads v, and nobody wants it after the run.
func (f *fuser) onlyReader(v *Value, n *node) bool {
	r := f.readers(v)
	return len(r) == 1 && r[0] == n && !slices.Contains(f.keep, v) && !v.resident
}

// maker is the index of the bn_forward that writes v, or -1.
func (f *fuser) maker(v *Value) int {
	return slices.IndexFunc(f.nodes, func(n *node) bool {
		return n != nil && n.op == kernels.BNForward && operand(n, "y") == v
	})
}

func operand(n *node, name string) *Value { return n.operands[n.op.Op().Index(name)] }

func setOperand(n *node, name string, v *Value) { n.operands[n.op.Op().Index(name)] = v }

// residual fuses the add at i into the bn_forward of one of its terms, which then runs where the add did.
func (f *fuser) residual(i int) {
	add := f.nodes[i]
	for side, other := range []int{1, 0} {
		term := add.operands[side]
		m := f.maker(term)
		if m < 0 || add.operands[other] == term || !f.onlyReader(term, add) {
			continue
		}
		bn := f.nodes[m]
		if bn.flags&kernels.ReLU != 0 || operand(bn, "residual") != nil {
			continue
		}
		setOperand(bn, "residual", add.operands[other])
		setOperand(bn, "y", add.operands[2])
		f.nodes[m], f.nodes[i] = nil, bn
		return
	}
}

// relu fuses the relu_forward at i into the bn_forward before it.
func (f *fuser) relu(i int) {
	relu := f.nodes[i]
	m := f.maker(relu.operands[0])
	if m < 0 || !f.onlyReader(relu.operands[0], relu) || f.nodes[m].flags&kernels.ReLU != 0 {
		return
	}
	bn := f.nodes[m]
	bn.flags |= kernels.ReLU
	setOperand(bn, "y", relu.operands[1])
	f.nodes[m], f.nodes[i] = nil, bn
}

// reluBackward fuses the relu_backward at i into the batch norm whose backward pair is the first to read its result.
func (f *fuser) reluBackward(i int) {
	relu := f.nodes[i]
	dy, y, masked := relu.operands[0], relu.operands[1], relu.operands[2]
	readers := f.readers(masked)
	if len(readers) < 2 || slices.Contains(f.keep, masked) {
		return
	}
	stats, bn := readers[0], readers[1]
	if stats.op != kernels.BNBackwardStats || bn.op != kernels.BNBackward || operand(stats, "x") != operand(bn, "x") ||
		operand(stats, "dy") != masked || operand(bn, "dy") != masked {
		return
	}
	for _, n := range []*node{stats, bn} {
		n.flags |= kernels.ReLU
		setOperand(n, "dy", dy)
		setOperand(n, "y", y)
	}
	if len(readers) > 2 {
		setOperand(bn, "dresidual", masked)
	}
	f.nodes[i] = nil
}
