package nn

import (
	"fmt"
	"slices"

	"nctrain/kernels"
)

// Value is a tensor of a graph: an activation, which the plan places in memory it reuses, or a resident tensor, which has its own buffer.
type Value struct {
	Name string
	Type kernels.Type
	Dims []int // NHWC, KRSC, or what the layer says

	resident bool
	buffer   kernels.Buffer // of a resident value
	grad     *Value         // of a parameter: where its gradient is stored
}

// Len is the number of elements.
func (v *Value) Len() int {
	n := 1
	for _, d := range v.Dims {
		n *= d
	}
	return n
}

// sharesMemory reports whether writing one value changes the other: parameters are parts of one buffer, which the update writes as a whole.
func (v *Value) sharesMemory(o *Value) bool {
	return v == o || v.resident && o.resident && v.buffer.Overlaps(o.buffer)
}

// node is one call in the record. Operands stand in the order of the operation's row, nil where an optional one is absent.
type node struct {
	op       kernels.OpID
	shape    kernels.Shape
	flags    kernels.Flags
	scalars  [kernels.MaxScalars]float64
	operands [kernels.MaxOperands]*Value
	tensors  []int // as kernels.Call.Tensors
}

// Graph is a record of operations in the order in which they run.
type Graph struct {
	// Training: batch norm normalises with its batch's statistics (and updates the running ones) instead of the running ones.
	Training bool

	nodes []*node
	tape  []taped
	keep  []*Value // activations that must outlive the run
}

// taped is what Backward needs of one differentiable layer: its output, and its vector-Jacobian product, which receives the output's gradient and
// passes gradients on to the layer's inputs.
type taped struct {
	output *Value
	vjp    func(b *backward, dy *Value)
}

// NewGraph starts an empty record.
func NewGraph(training bool) *Graph { return &Graph{Training: training} }

// Keep marks an activation that is read after the run: its memory is not reused.
func (g *Graph) Keep(v *Value) *Value {
	g.keep = append(g.keep, v)
	return v
}

func newValue(name string, typ kernels.Type, dims ...int) *Value {
	return &Value{Name: name, Type: typ, Dims: dims}
}

// residentSpec is a resident to be taken, and where its value goes.
type residentSpec struct {
	into **Value
	name string
	typ  kernels.Type
	dims []int
}

// takeResidents gives each its own buffer, zeroed.
func takeResidents(dev kernels.Device, p kernels.Precision, specs ...residentSpec) error {
	for _, s := range specs {
		v := newValue(s.name, s.typ, s.dims...)
		b, err := dev.Alloc(v.Len() * s.typ.Size(p))
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		v.resident, v.buffer = true, b
		*s.into = v
	}
	return nil
}

// emit appends a call and checks every operand against the operation's row: a mismatch is a bug of the layer, so it panics.
func (g *Graph) emit(op kernels.OpID, shape kernels.Shape, flags kernels.Flags, scalars []float64, operands ...*Value) *node {
	n := &node{op: op, shape: shape, flags: flags}
	copy(n.scalars[:], scalars)
	row := op.Op()
	if len(operands) != len(row.Operands) {
		panic(fmt.Sprintf("nn: %v takes %d operands, got %d", op, len(row.Operands), len(operands)))
	}
	for i, v := range operands {
		want := row.Operands[i]
		switch {
		case v == nil && want.Optional:
			continue
		case v == nil:
			panic(fmt.Sprintf("nn: %v: no %s", op, want.Name))
		case v.Type != want.Type || v.Len() != want.Len(shape):
			panic(fmt.Sprintf("nn: %v at %v: %s is %v of %v, the operation wants %v of %v", op, shape, want.Name, v.Dims, v.Type, want.Dims(shape), want.Type))
		}
		n.operands[i] = v
	}
	g.nodes = append(g.nodes, n)
	return n
}

// reads and writes list a node's operands by role.
func (n *node) reads() []*Value  { return n.byRole(kernels.In, kernels.InOut) }
func (n *node) writes() []*Value { return n.byRole(kernels.Out, kernels.InOut) }

func (n *node) byRole(roles ...kernels.Role) []*Value {
	var out []*Value
	for i, o := range n.op.Op().Operands {
		if v := n.operands[i]; v != nil && slices.Contains(roles, o.Role) {
			out = append(out, v)
		}
	}
	return out
}

// backward is the state of one Backward: the gradient known so far of each value.
type backward struct {
	*Graph
	grads map[*Value]*Value
}

// Backward appends the gradient operations of a scalar loss made by [Graph.CrossEntropy]. Gradients of parameters go to their own buffers.
func (g *Graph) Backward(loss *Loss) {
	b := &backward{Graph: g, grads: map[*Value]*Value{}}
	dlogits := newValue("dlogits", kernels.Real, loss.logits.Dims...)
	loss.node.operands[loss.node.op.Op().Index("dlogits")] = dlogits
	b.accumulate(loss.logits, dlogits)
	for i := len(g.tape) - 1; i >= 0; i-- {
		if dy := b.grads[g.tape[i].output]; dy != nil {
			g.tape[i].vjp(b, dy)
		}
	}
}

// accumulate adds a gradient to what is known of v's.
func (b *backward) accumulate(v, grad *Value) {
	known := b.grads[v]
	if known == nil {
		b.grads[v] = grad
		return
	}
	sum := newValue("d"+v.Name, kernels.Real, v.Dims...)
	b.emit(kernels.Add, kernels.Shape{N: v.Len()}, 0, nil, known, grad, sum)
	b.grads[v] = sum
}

// parameterGrad is where an operation stores the gradient of a parameter. A parameter that is used once gets it in its own buffer; a second use adds to
// it: call the returned function after the operation is emitted.
func (b *backward) parameterGrad(p *Value) (dst *Value, done func()) {
	if p.grad == nil {
		panic(fmt.Sprintf("nn: %s has no gradient buffer", p.Name))
	}
	if b.grads[p] == nil {
		b.grads[p] = p.grad
		return p.grad, func() {}
	}
	part := newValue("d"+p.Name, kernels.Real, p.Dims...)
	return part, func() {
		b.emit(kernels.Add, kernels.Shape{N: p.Len()}, 0, nil, p.grad, part, p.grad)
	}
}
