package nn

import (
	"slices"

	"nctrain/kernels"
)

// fusions are the rewritings that a plan takes.
type fusions uint8

const (
	allFusions     fusions = iota
	noFusion               // tests: every recorded operation runs by itself
	exactFusions           // tests: those that keep the bits
	statisticsOnly         // tests: those of a batch norm's statistics, which do not
)

// fuse rewrites a record so that fewer passes over memory compute the same:
//
//	conv_fprop, bn_stats     -> conv_fprop_stats
//
//	bn_forward, add          -> bn_forward with a residual
//	bn_forward, relu_forward -> bn_forward with ReLU
//	relu_backward, bn_backward_stats, bn_backward -> the last two masked by the forward output; who else reads the masked gradient gets it from
//	                            bn_backward's dresidual
//	conv_fprop, bn_forward   -> conv_fprop_bn, where nobody else reads the convolution (evaluation)
//	conv_dgrad, add          -> conv_dgrad_add, which adds to the other gradient where that lies
//
// and with the first alone their rounding differs: the statistics are summed in another order. offers says whether the device has an operation that fuses
// others at a shape. The record itself stays as it is: rewritten nodes are copies.
func fuse(nodes []*node, keep []*Value, take fusions, offers func(kernels.OpID, kernels.Shape) bool) []*node {
	f := &fuser{keep: keep, offers: offers}
	for _, n := range nodes {
		c := *n
		f.nodes = append(f.nodes, &c)
	}
	removed := func(n *node) bool { return n == nil }
	if take == allFusions || take == statisticsOnly {
		f.statistics()
		f.nodes = slices.DeleteFunc(f.nodes, removed)
	}
	if take == allFusions || take == exactFusions {
		f.exact()
		f.nodes = slices.DeleteFunc(f.nodes, removed)
	}
	return f.nodes
}

// exact takes the fusions that keep the bits.
func (f *fuser) exact() {
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
	for i, n := range f.nodes {
		switch {
		case n != nil && n.op == kernels.BNForward:
			f.normalize(i)
		case n != nil && n.op == kernels.Add:
			f.gradientSum(i)
		}
	}
}

// fuser edits nodes in place; a removed node is nil until the end of a pass.
type fuser struct {
	nodes  []*node
	keep   []*Value
	offers func(kernels.OpID, kernels.Shape) bool
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

// maker is the index of the call of an operation that writes v, or -1.
func (f *fuser) maker(op kernels.OpID, v *Value) int {
	return slices.IndexFunc(f.nodes, func(n *node) bool { return n != nil && n.op == op && slices.Contains(n.writes(), v) })
}

func operand(n *node, name string) *Value { return n.operands[n.op.Op().Index(name)] }

func setOperand(n *node, name string, v *Value) { n.operands[n.op.Op().Index(name)] = v }

// take gives n the operands of another node but one, by their names.
func (n *node) take(from *node, but *Value) {
	for i, o := range from.op.Op().Operands {
		if v := from.operands[i]; v != nil && v != but {
			setOperand(n, o.Name, v)
		}
	}
}

// residual fuses the add at i into the bn_forward of one of its terms, which then runs where the add did.
func (f *fuser) residual(i int) {
	add := f.nodes[i]
	for side, other := range []int{1, 0} {
		term := add.operands[side]
		m := f.maker(kernels.BNForward, term)
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
	m := f.maker(kernels.BNForward, relu.operands[0])
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

// statistics fuses each bn_stats with the convolution whose output it reads, which stays where it is: others may read the output too.
func (f *fuser) statistics() {
	for i, stats := range f.nodes {
		if stats.op != kernels.BNStats {
			continue
		}
		m := f.maker(kernels.ConvFprop, operand(stats, "x"))
		if m < 0 || !f.offers(kernels.ConvFpropStats, f.nodes[m].shape) || f.usedBetween(m, i, stats.writes()) {
			continue
		}
		fused := &node{op: kernels.ConvFpropStats, shape: f.nodes[m].shape, scalars: stats.scalars}
		fused.take(f.nodes[m], nil)
		fused.take(stats, operand(stats, "x"))
		f.nodes[m], f.nodes[i] = fused, nil
	}
}

// normalize fuses the bn_forward at i with the convolution before it, which then runs where the bn_forward did.
func (f *fuser) normalize(i int) {
	bn := f.nodes[i]
	x := operand(bn, "x")
	m := f.maker(kernels.ConvFprop, x)
	if m < 0 || !f.onlyReader(x, bn) || operand(bn, "residual") == x || f.writtenBetween(m, i) || !f.offers(kernels.ConvFpropBN, f.nodes[m].shape) {
		return
	}
	conv := f.nodes[m]
	fused := &node{op: kernels.ConvFpropBN, shape: conv.shape, flags: bn.flags}
	fused.take(bn, x)
	fused.take(conv, x)
	f.nodes[m], f.nodes[i] = nil, fused
}

// gradientSum fuses the add at i with a conv_dgrad that makes one of its terms: the convolution then runs where the add did, and adds to the other term, which
// nobody may read later. Of two convolutions the one with the smaller filter does: with a stride it touches part of the pixels only.
func (f *fuser) gradientSum(i int) {
	add := f.nodes[i]
	sum, best := add.operands[2], -1
	var into *Value
	for side, other := range []int{1, 0} {
		part, known := add.operands[side], add.operands[other]
		m := f.maker(kernels.ConvDgrad, part)
		if m < 0 || part == known || known.resident || sum.resident || slices.Contains(f.keep, known) || slices.Contains(f.keep, sum) ||
			!f.onlyReader(part, add) || slices.Contains(f.nodes[m].reads(), known) || f.readLater(known, i) ||
			f.writtenBetween(m, i) || !f.offers(kernels.ConvDgradAdd, f.nodes[m].shape) {
			continue
		}
		if best < 0 || f.nodes[m].shape.R < f.nodes[best].shape.R {
			best, into = m, known
		}
	}
	if best < 0 {
		return
	}
	fused := *f.nodes[best]
	fused.op = kernels.ConvDgradAdd
	setOperand(&fused, "dx", into)
	f.nodes[best], f.nodes[i] = nil, &fused
	for _, n := range f.nodes[i+1:] {
		if n == nil {
			continue
		}
		for j := range n.operands {
			if n.operands[j] == sum {
				n.operands[j] = into
			}
		}
	}
}

// readLater reports whether a node after i reads v.
func (f *fuser) readLater(v *Value, i int) bool {
	return slices.ContainsFunc(f.nodes[i+1:], func(n *node) bool { return n != nil && slices.Contains(n.reads(), v) })
}

// writtenBetween reports whether a node after m and before i writes what the node at m reads, which then cannot run at i.
func (f *fuser) writtenBetween(m, i int) bool {
	reads := f.nodes[m].reads()
	return slices.ContainsFunc(f.nodes[m+1:i], func(n *node) bool {
		return n != nil && slices.ContainsFunc(n.writes(), func(v *Value) bool { return slices.ContainsFunc(reads, v.sharesMemory) })
	})
}

// usedBetween reports whether a node after m and before i reads or writes any of the values.
func (f *fuser) usedBetween(m, i int, values []*Value) bool {
	return slices.ContainsFunc(f.nodes[m+1:i], func(n *node) bool {
		return n != nil && slices.ContainsFunc(slices.Concat(n.reads(), n.writes()), func(v *Value) bool { return slices.ContainsFunc(values, v.sharesMemory) })
	})
}
